//! Which change stands where.

use super::*;

fn rule(json: serde_json::Value) -> Rule {
    serde_json::from_value(json).unwrap()
}

#[test]
fn the_first_rule_that_fits_decides() {
    let rules = ChangelogRules {
        rest: Some("Rest".into()),
        rules: vec![
            rule(serde_json::json!({ "types": ["chore"], "scopes": ["deps*"], "then": "skip" })),
            rule(serde_json::json!({ "author": "*[bot]", "then": "skip" })),
            rule(serde_json::json!({ "subject": "Merge *", "then": "skip" })),
            rule(serde_json::json!({ "scopes": ["sec", "auth"], "then": { "section": "Security" } })),
            rule(serde_json::json!({ "types": ["docs", "style"], "then": { "section": "Features" } })),
        ],
        ..ChangelogRules::default()
    };
    let cases = [
        ("chore(deps): x", None),
        ("chore(deps-dev): x", None),
        ("chore(dep): x", Some("Rest")),
        ("chore: x", Some("Rest")),
        ("fix(deps): x", Some("Bug Fixes")),
        ("Merge branch 'a/b'", None),
        ("Merged", Some("Rest")),
        ("fix(auth): x", Some("Security")),
        ("docs(sec): x", Some("Security")),
        ("docs: x", Some("Features")),
        ("style: x", Some("Features")),
        ("feature: x", Some("Features")),
        // What breaks is told whatever the rules say.
        ("chore(deps)!: x", Some("Breaking Changes")),
    ];
    for (message, expected) in cases {
        let text = rendered(&rules, "1.0.0", &[("1", message)]).text;
        let found: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#### ")).collect();
        assert_eq!(found, Vec::from_iter(expected), "{message}: {text}");
    }
    for (name, email, shown) in
        [("dependabot[bot]", "a@b", false), ("A", "x[bot]", false), ("bot", "b@c", true)]
    {
        let change =
            Change { author_name: name.into(), author_email: email.into(), ..change("1", "feat: x") };
        let text = section_of(&rules, "1.0.0", &[change]).text;
        assert_eq!(text.contains("Features"), shown, "{name}");
    }
    // Titles of rules come after those of types, before the rest.
    let messages = [("1", "x"), ("2", "fix(sec): x"), ("3", "Revert \"x\""), ("4", "feat: x")];
    let text = rendered(&rules, "1.0.0", &messages).text;
    let found: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#### ")).collect();
    assert_eq!(found, ["Features", "Reverts", "Security", "Rest"]);
}

#[test]
fn types_are_known_by_every_spelling() {
    let sections = [("bugfix", "Mended"), ("feature", "New")];
    let rules = ChangelogRules {
        sections: sections.into_iter().map(|(name, title)| (name.to_owned(), title.to_owned())).collect(),
        ..ChangelogRules::default()
    };
    let text = rendered(&rules, "1.0.0", &[("1", "feat: x"), ("2", "Fix: y"), ("3", "perf: z")]).text;
    assert!(
        text.find("#### Mended").unwrap() < text.find("#### New").unwrap() && !text.contains("z"),
        "{text}"
    );
}

#[test]
fn titles_are_told_from_headings_of_releases() {
    for good in ["Added", "New in 1.2.3", "⚠ Breaking", "# x", "2 things", "Version"] {
        assert_eq!(title_fault(good), None, "{good}");
    }
    for bad in
        ["v1.2.3", "[1.2.3]", "Version 1.2.3", "Unreleased", "[unreleased] things", "", " ", "\u{200b}"]
    {
        assert!(title_fault(bad).is_some(), "{bad}");
    }
}

#[test]
fn wildcards() {
    let cases = [
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("*", "a/b\nc", true),
        ("a*c", "abbc", true),
        ("a*c", "abb", false),
        ("*a*b*", "xxaxxbxx", true),
        ("*a*b*", "xxbxxaxx", false),
        ("a?c", "aéc", true),
        ("a?c", "ac", false),
        ("[bot]", "[bot]", true),
        ("[bot]", "b", false),
        ("A", "a", false),
        ("*ab", "aab", true),
        ("a**b", "ab", true),
    ];
    for (pattern, text, fits) in cases {
        assert_eq!(Wildcard(pattern.into()).fits(text), fits, "{pattern:?} and {text:?}");
    }
    // No pattern takes long.
    assert!(!Wildcard("*a".repeat(100) + "b").fits(&"a".repeat(TEXT_MAX_CHARS)));
}

proptest! {
    #[test]
    fn a_wildcard_fits_what_it_was_made_of(parts in proptest::collection::vec("[a-c]{1,3}", 1..5), fill in "[a-c/]{0,4}") {
        prop_assert!(Wildcard(parts.join("*")).fits(&parts.join(&fill)));
        let longer = format!("{}x", parts.join(&fill));
        prop_assert_eq!(Wildcard(parts.join("*")).fits(&longer), false);
        let one_more = Wildcard(parts.join("*") + "?").fits(&longer);
        prop_assert!(one_more);
    }
}
