//! Whatever a file holds: an answer comes, it is the same one twice, and it can be printed.

use proptest::prelude::*;
use tollgate_procedure::load;

const FILES: &[&str] = &[
    include_str!("valid/balrog.yaml"),
    include_str!("valid/parallel-and-phases.yaml"),
    include_str!("valid/people-in-a-file.yaml"),
    include_str!("valid/server-syncstorage.yaml"),
    include_str!("valid/team-of-one.yaml"),
];

/// Pieces that mean something somewhere.
const PIECES: &[&str] = &[
    "{{ version }}",
    "{{",
    "}}",
    "{% if",
    "{#",
    "- ",
    ": ",
    "'",
    "\"",
    "|\n",
    ">-\n",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "!!str ",
    "<<: ",
    "---\n",
    "...\n",
    "\t",
    "\r\n",
    "\u{1b}[2J",
    "\u{9b}",
    "\u{202e}",
    "\u{feff}",
    "é",
    "🚀",
    "~",
    "null",
    "true",
    "yes",
    "0",
    "-1",
    "99999999999999999999",
    "1.10",
    "1h",
    "after: [build]\n",
    "id: build\n",
    "steps.build.number",
    "answers.risk",
    "git.tag: {}\n",
    "parallel:\n",
    "by: team\n",
    "#",
    "%YAML 1.2\n",
    "? ",
];

fn people(_: &str) -> Result<String, String> {
    Ok(include_str!("valid/people.yaml").to_owned())
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let loaded = load(text, "tollgate.yaml", &people);
    prop_assert_eq!(loaded.has_errors(), loaded.definition.is_none());
    prop_assert_eq!(loaded.definition.is_some(), loaded.policy.is_some());
    for one in &loaded.diagnostics {
        prop_assert!(one.place.line > 0 && one.place.column > 0, "{one:?}");
        prop_assert!(one.to_json().is_object());
    }
    for colour in [false, true] {
        let printed = loaded.render(colour);
        let dangerous =
            |c: &char| c.is_control() && !matches!(c, '\n' | '\t') || ('\u{202a}'..='\u{202e}').contains(c);
        if !colour {
            prop_assert!(!printed.chars().any(|c| dangerous(&c)), "{printed:?}");
        } else {
            // Colours are the only sequences.
            for sequence in printed.split('\u{1b}').skip(1) {
                let end = sequence.trim_start_matches(|c: char| c == '[' || c == ';' || c.is_ascii_digit());
                prop_assert!(end.starts_with('m'), "{sequence:?}");
            }
        }
    }
    if let (Some(definition), Some(policy)) = (loaded.definition, loaded.policy) {
        let text = serde_json::to_string(&definition).unwrap();
        prop_assert_eq!(serde_json::from_str::<tollgate_core::model::Definition>(&text).unwrap(), definition);
        let text = serde_json::to_string(&policy).unwrap();
        prop_assert_eq!(serde_json::from_str::<tollgate_core::model::Policy>(&text).unwrap(), policy);
    }
    Ok(())
}

/// The nearest place in a text that does not cut a character.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        check(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn pieces_in_any_order(picks in proptest::collection::vec(0..PIECES.len(), 0..60)) {
        check(&picks.into_iter().map(|pick| PIECES[pick]).collect::<String>())?;
    }

    #[test]
    fn mutations(file in 0..FILES.len(), changes in proptest::collection::vec((any::<u16>(), 0usize..40, 0..PIECES.len()), 1..6)) {
        let mut text = FILES[file].to_owned();
        for (at, cut, piece) in changes {
            let start = boundary(&text, usize::from(at) % (text.len() + 1));
            let end = boundary(&text, start + cut).max(start);
            text.replace_range(start..end, PIECES[piece]);
        }
        check(&text)?;
    }

    #[test]
    fn lines_in_any_order(file in 0..FILES.len(), swaps in proptest::collection::vec((any::<u16>(), any::<u16>()), 1..4)) {
        let mut lines: Vec<&str> = FILES[file].lines().collect();
        for (one, two) in swaps {
            let count = lines.len();
            lines.swap(usize::from(one) % count, usize::from(two) % count);
        }
        check(&lines.join("\n"))?;
    }
}

/// Large files are answered in good time: nothing here is slower than the square of what is allowed.
#[test]
fn large_files() {
    let head = "tollgate: 1\nservice: s\nrepository: { branch: main }\nversion: { format: vX.Y }\n";
    let questions: String = (0..900).map(|n| format!("  q{n}: {{ ask: Q, yes-no: true }}\n")).collect();
    let steps: String = (0..490)
        .map(|n| format!("      - {{ manual: 'M {{{{ version }}}}', if: answers.q{n} }}\n"))
        .collect();
    let asks: String = (0..900).map(|n| format!("q{n}, ")).collect();
    let text = format!(
        "{head}questions:\n{questions}procedures:\n  release:\n    steps:\n      - ask: [{asks}]\n{steps}"
    );
    let loaded = load(&text, "t", &people);
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.render(false));
    let unknown: String = (0..9000).map(|n| format!("unknown-key-{n}: 1\n")).collect();
    assert_eq!(load(&(head.to_owned() + &unknown), "t", &people).diagnostics.len(), 100);
}
