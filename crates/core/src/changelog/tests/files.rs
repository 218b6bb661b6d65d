//! Sections put into files of each style, and cut out again.

use super::*;

const PAGE: &str = "https://github.com/acme/app";

fn rules(style: Style, links: bool) -> ChangelogRules {
    let links = if links { Links::to_page(PAGE).unwrap() } else { Links::None };
    ChangelogRules { links, ..ChangelogRules::of_style(style) }
}

fn keep_section(links: bool) -> Section {
    rendered(&rules(Style::KeepAChangelog, links), "1.2.0", &[("1", "fix: mend"), ("2", "feat: add")])
}

#[track_caller]
fn check_keep(links: bool, old: &str, expected: &str) {
    for crlf in [false, true] {
        let of = |text: &str| if crlf { text.replace('\n', "\r\n") } else { text.to_owned() };
        let new = prepend(of(old).as_bytes(), &keep_section(links)).unwrap();
        let shown = String::from_utf8(new.clone()).unwrap();
        // An empty file has no line ends of its own.
        let expected = if old.contains('\n') { of(expected) } else { expected.to_owned() };
        let id = |short: &str| format!(" ([{short:0<8}]({PAGE}/commit/{short:0<40}))");
        assert_eq!(shown.replace(&id("1"), "").replace(&id("2"), "").replace(PAGE, "P"), expected, "{old:?}");
        let again = prepend(&new, &keep_section(links)).unwrap_err();
        assert!(matches!(again, ChangelogError::AlreadyThere { .. }), "{again}");
    }
}

const ADDED: &str = "## [1.2.0] - 2020-02-07\n\n### Added\n\n- add\n\n### Fixed\n\n- mend\n";

#[test]
fn unreleased_stays_on_top_and_its_entries_move() {
    let old = "## [1.1.0] - 2019-01-01\n\n### Fixed\n\n- old\n";
    let cases = [
        // Nothing under it.
        (
            format!("# Changelog\n\nText.\n\n## [Unreleased]\n\n{old}"),
            format!("# Changelog\n\nText.\n\n## [Unreleased]\n\n{ADDED}\n{old}"),
        ),
        ("## [Unreleased]".to_owned(), format!("## [Unreleased]\n\n{ADDED}")),
        (format!("## Unreleased\n{old}"), format!("## Unreleased\n\n{ADDED}\n{old}")),
        (format!("## [Unreleased] - soon\n\n\n{old}"), format!("## [Unreleased] - soon\n\n{ADDED}\n{old}")),
        // Under titles that are there, and others; the order is that of the style.
        (
            format!(
                "## [Unreleased]\n\n### Security\n\n- by hand\n\n### Fixed\n\n- mended by hand  \n  and more\n\n{old}"
            ),
            format!(
                "## [Unreleased]\n\n## [1.2.0] - 2020-02-07\n\n### Added\n\n- add\n\n\
                 ### Fixed\n\n- mended by hand  \n  and more\n- mend\n\n### Security\n\n- by hand\n\n{old}"
            ),
        ),
        (
            "## [Unreleased]\n### added\n* one\n### Notes\n```\n### Fixed\n```\n".to_owned(),
            "## [Unreleased]\n\n## [1.2.0] - 2020-02-07\n\n### Added\n\n* one\n- add\n\n\
             ### Fixed\n\n- mend\n\n### Notes\n\n```\n### Fixed\n```\n"
                .to_owned(),
        ),
        // Without a title.
        (
            format!("## [Unreleased]\n\n- by hand\n\n{old}"),
            format!(
                "## [Unreleased]\n\n## [1.2.0] - 2020-02-07\n\n- by hand\n\n### Added\n\n- add\n\n### Fixed\n\n- mend\n\n{old}"
            ),
        ),
        // What is there for the next entries stays.
        (
            format!("## [Unreleased]\n<!-- write\n\nhere -->\n\n### Added\n\n- by hand\n\n### Fixed\n\n{old}"),
            format!(
                "## [Unreleased]\n\n<!-- write\n\nhere -->\n\n### Fixed\n\n\
                 ## [1.2.0] - 2020-02-07\n\n### Added\n\n- by hand\n- add\n\n### Fixed\n\n- mend\n\n{old}"
            ),
        ),
        // An open fence swallows whatever would follow.
        ("## [Unreleased]\n```\n- x\n".to_owned(), format!("{ADDED}\n## [Unreleased]\n```\n- x\n")),
        // No such heading.
        (format!("# Changes\n{old}"), format!("# Changes\n\n{ADDED}\n{old}")),
        ("# Changes\n\nText.\n".to_owned(), format!("# Changes\n\nText.\n\n## [Unreleased]\n\n{ADDED}")),
        ("Older notes.\n".to_owned(), format!("## [Unreleased]\n\n{ADDED}\n\n\nOlder notes.\n")),
        (
            String::new(),
            "# Changelog\n\nAll notable changes to this project are written down in this file.\n\n\
             Its form is that of [Keep a Changelog](https://keepachangelog.com/en/1.1.0/).\n\n## [Unreleased]\n\n"
                .to_owned()
                + ADDED,
        ),
    ];
    for (old, expected) in cases {
        check_keep(false, &old, &expected);
    }
    let new = prepend(b"\xef\xbb\xbf## [Unreleased]\n- \xff\n", &keep_section(false)).unwrap();
    assert!(
        new.starts_with(b"\xef\xbb\xbf## [Unreleased]\n\n## [1.2.0] - 2020-02-07\n\n- \xff\n\n### Added")
    );
}

#[test]
fn references_are_kept_up() {
    let head = "## [Unreleased]\n\n## [1.1.0]\n\n- old\n";
    let new = format!("## [Unreleased]\n\n{ADDED}\n## [1.1.0]\n\n- old\n");
    let cases = [
        // As the file does it, whatever the links are.
        (
            true,
            format!("{head}\n[unreleased]: https://x.org/compare/v1.1.0..HEAD\n[1.1.0]: https://x.org/y\n"),
            format!(
                "{new}\n[unreleased]: https://x.org/compare/v1.2.0..HEAD\n[1.2.0]: https://x.org/compare/v1.1.0..v1.2.0\n[1.1.0]: https://x.org/y\n"
            ),
        ),
        (
            false,
            format!("{head}\n<!-- links -->\n[Unreleased]: https://x.org/-/compare/1.1...main \"All\""),
            format!(
                "{new}\n<!-- links -->\n[Unreleased]: https://x.org/-/compare/v1.2.0...main \"All\"\n[1.2.0]: https://x.org/-/compare/v1.1.0...v1.2.0\n"
            ),
        ),
        // By the links.
        (
            true,
            head.to_owned(),
            format!("{new}\n[unreleased]: P/compare/v1.2.0...HEAD\n[1.2.0]: P/compare/v1.1.0...v1.2.0\n"),
        ),
        (
            true,
            format!("{head}\n[1.1.0]: P/x\n\n<!-- by a tool -->\n"),
            format!("{new}\n[1.2.0]: P/compare/v1.1.0...v1.2.0\n[1.1.0]: P/x\n\n<!-- by a tool -->\n"),
        ),
        (
            true,
            format!("{head}\n[unreleased]: https://x.org/tree/main\n"),
            format!("{new}\n[unreleased]: https://x.org/tree/main\n[1.2.0]: P/compare/v1.1.0...v1.2.0\n"),
        ),
        (
            true,
            "## 1.1.0\n\n- old\n".to_owned(),
            format!("{ADDED}\n## 1.1.0\n\n- old\n\n[1.2.0]: P/compare/v1.1.0...v1.2.0\n"),
        ),
        // One that is there stays; without links none is made up.
        (true, format!("{head}\n[1.2.0]: https://x.org\n"), format!("{new}\n[1.2.0]: https://x.org\n")),
        (false, format!("{head}\n[1.1.0]: https://x.org\n"), format!("{new}\n[1.1.0]: https://x.org\n")),
        (
            false,
            "## [Unreleased]\n- x [y]\n\n[y]: https://y.org\n".to_owned(),
            "## [Unreleased]\n\n## [1.2.0] - 2020-02-07\n\n- x [y]\n\n### Added\n\n- add\n\n### Fixed\n\n- mend\n\n[y]: https://y.org\n"
                .to_owned(),
        ),
    ];
    for (links, old, expected) in cases {
        check_keep(links, &old, &expected);
    }
    let mut first = keep_section(true);
    let Layout::Keep(keep) = &mut first.layout else { unreachable!() };
    (keep.previous_tag, keep.tag) = (None, "v1)".to_owned());
    let text = String::from_utf8(prepend(b"", &first).unwrap()).unwrap();
    let expected = "\n[unreleased]: https://github.com/acme/app/compare/v1%29...HEAD\n[1.2.0]: https://github.com/acme/app/releases/tag/v1%29\n";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn conventional_sections_stand_apart_by_one_line() {
    let section = rendered(&rules(Style::ConventionalChangelog, false), "1.2.0", &[("1", "fix: mend")]);
    let text = "## 1.2.0 (2020-02-07)\n\n### Bug Fixes\n\n* mend (1000000)\n";
    let cases = [
        ("", text.to_owned()),
        (
            "# Changelog\n\n## [1.1.0](https://x) (2019-01-01)\n\n* x\n",
            format!("# Changelog\n\n{text}\n## [1.1.0](https://x) (2019-01-01)\n\n* x\n"),
        ),
        (
            "# [1.1.0](https://x) (2019-01-01)\n\n\n### Features\n",
            format!("{text}\n# [1.1.0](https://x) (2019-01-01)\n\n\n### Features\n"),
        ),
        ("Text\n", format!("{text}\n\n\nText\n")),
        ("# C\n\n[x]: https://x\n", format!("# C\n\n{text}\n[x]: https://x\n")),
    ];
    for (old, expected) in cases {
        let new = prepend(old.as_bytes(), &section).unwrap();
        assert_eq!(String::from_utf8(new.clone()).unwrap(), expected, "{old:?}");
        let found = cut(&new, &section.version).unwrap();
        assert_eq!(
            (found.text.as_str(), found.notes.as_str()),
            (text, "### Bug Fixes\n\n* mend (1000000)\n")
        );
    }
}

fn lines_of(text: &[u8]) -> Vec<&[u8]> {
    text.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end).filter(|line| !line.is_empty()).collect()
}

fn any_old_keep() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("# Changelog\n\n".to_owned()),
        Just("## [Unreleased]\n".to_owned()),
        Just("### Added\n\n".to_owned()),
        Just("### Fixed\n".to_owned()),
        Just("### Notes\n".to_owned()),
        Just("- by hand\n".to_owned()),
        Just("\n".to_owned()),
        Just("\n\n\n".to_owned()),
        Just("```\n".to_owned()),
        Just("<!-- x -->\n".to_owned()),
        Just("<!--\n".to_owned()),
        Just("## [1.1.0] - 2000-01-01\n".to_owned()),
        Just("[unreleased]: https://x.org/compare/v1.1.0...HEAD\n".to_owned()),
        Just("[1.1.0]: https://x.org/1\n".to_owned()),
        "[-a#`*\\[\\]: .0-9\n]{0,10}",
    ];
    (proptest::collection::vec(part, 0..14), any::<bool>()).prop_map(|(parts, crlf)| {
        let text = parts.concat();
        if crlf { text.replace('\n', "\r\n") } else { text }
    })
}

/// What looks like the references at the end stands in a comment that began far above.
#[test]
fn a_comment_has_no_references() {
    let old =
        "# Changelog\n\n<!--\n# Changelog\n\n[unreleased]: https://x.org/compare/v1.1.0...HEAD\n<!-- x -->\n";
    let section = keep_section(false);
    let new = prepend(old.as_bytes(), &section).unwrap();
    assert!(new.starts_with(old.as_bytes()));
    assert!(cut(&new, &section.version).is_ok());
}

proptest! {
    /// Whatever the file is: the section is found in it, no line of the file is lost, and none but the references
    /// changes.
    #[test]
    fn keep_loses_nothing(old in any_old_keep(), links in any::<bool>()) {
        let section = keep_section(links);
        let new = prepend(old.as_bytes(), &section).unwrap();
        let found = cut(&new, &section.version).unwrap();
        prop_assert!(found.text.starts_with("## [1.2.0] - 2020-02-07\n"), "{}", found.text);
        for line in ["- add", "- mend"] {
            prop_assert!(found.text.lines().any(|one| one.starts_with(line)), "{line} in {}", found.text);
        }
        let is_reference = |line: &&[u8]| {
            let line = line.trim_ascii_start();
            line.starts_with(b"[unreleased]:") || line.starts_with(b"[1.2.0]:")
        };
        let mut left: Vec<_> = lines_of(&new);
        for line in lines_of(old.as_bytes()).into_iter().filter(|line| !is_reference(line)) {
            let at = left.iter().position(|one| *one == line);
            // A title that the section has too is written once.
            let merged = line.starts_with(b"### ");
            prop_assert!(at.is_some() || merged, "{:?} is lost", String::from_utf8_lossy(line));
            if let Some(at) = at {
                left.remove(at);
            }
        }
    }

    /// With nothing under "Unreleased", every style gives back what was put in, and the bytes around it stay.
    #[test]
    fn what_each_style_prepends_is_cut_out_again(
        before in prop::sample::select(vec!["", "# Changelog\n\n", "# C\nText\n\n", "# Changelog\n\n## [Unreleased]\n\n"]),
        after in prop::sample::select(vec!["", "## [1.1.0] - 2000-01-01\n\n- x\n", "<a name=\"1.1.0\"></a>\n### 1.1.0 (2000-01-01)\n"]),
        messages in proptest::collection::vec("(feat|fix|docs|x)(\\([a-c]\\))?!?: x\\PC{0,20}", 0..5),
    ) {
        let messages: Vec<_> = messages.iter().map(|message| ("0123456789abcdef", message.as_str())).collect();
        for style in [Style::Clog, Style::KeepAChangelog, Style::ConventionalChangelog] {
            let section = rendered(&rules(style, false), "1.2.0", &messages);
            let old = format!("{before}{after}");
            let new = prepend(old.as_bytes(), &section).unwrap();
            let found = cut(&new, &section.version).unwrap();
            prop_assert_eq!(&found.text, &section.text);
            let notes = found.notes.trim();
            prop_assert!(section.text.contains(notes) && !notes.contains("1.2.0 "));
            let new = String::from_utf8(new).unwrap();
            let (kept_before, kept_after) = new.split_once(section.text.as_str()).unwrap();
            prop_assert!(old.is_empty() || kept_before.trim_end() == before.trim_end() || after.is_empty(), "{}", new);
            prop_assert!(kept_after.ends_with(after) && kept_after[..kept_after.len() - after.len()].trim().is_empty());
        }
    }

    #[test]
    fn any_file_is_read_in_every_style(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(prepend(&text, &keep_section(true)).is_ok());
    }
}
