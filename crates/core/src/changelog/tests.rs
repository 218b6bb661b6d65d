mod files;
mod rules;
mod styles;
mod tools;

use jiff::civil::date;
use proptest::prelude::*;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::*;
use crate::commits::{CommitText, Lines, TEXT_MAX_CHARS, plain_text};
use crate::version::VersionFormat;

fn version(text: &str) -> Version {
    ["X.Y.Z", "X.Y"].into_iter().find_map(|f| VersionFormat::new(f).unwrap().parse_text(text)).unwrap()
}

fn change(id: &str, message: &str) -> Change {
    change_with(id, message, &[])
}

fn change_with(id: &str, message: &str, keys: &[String]) -> Change {
    let commit = format!("{id:0<40}");
    let text = CommitText { commit: &commit, author_name: "Ann", author_email: "ann@example.org", message };
    Change::read(text, keys)
}

fn release<'a>(version: &'a Version, tag: &'a str, changes: &'a [Change]) -> Release<'a> {
    let (previous_tag, date) = (Some("v1.1.0"), date(2020, 2, 7));
    Release { version, tag, previous_tag, date, changes, newcomers: &[] }
}

fn section_of(rules: &ChangelogRules, text: &str, changes: &[Change]) -> Section {
    render(rules, &release(&version(text), &format!("v{text}"), changes)).unwrap()
}

fn rendered(rules: &ChangelogRules, text: &str, messages: &[(&str, &str)]) -> Section {
    let changes: Vec<_> = messages.iter().map(|(id, message)| change(id, message)).collect();
    section_of(rules, text, &changes)
}

fn check(rules: &ChangelogRules, version: &str, messages: &[(&str, &str)], expected: &str) {
    let section = rendered(rules, version, messages);
    assert_eq!(section.text, expected);
    assert_eq!(rendered(rules, version, messages), section, "the same bytes again");
}

#[test]
fn a_section_without_links() {
    check(
        &ChangelogRules::default(),
        "1.7.0",
        &[
            ("044423af", "feat: improve spanner backend compatibility\n\nCloses #135"),
            ("37ca921e", "feat: Add table to cross check user migration status"),
            ("e1c2fb4d", "feat: Add delayed retry on 500/503 responses.\n\nCloses #121"),
            ("aaaaaaaa", "chore: tag 1.6.14"),
            ("bbbbbbbb", "Merge pull request"),
        ],
        "<a name=\"1.7.0\"></a>\n\
         ## 1.7.0 (2020-02-07)\n\n\n\
         #### Features\n\n\
         *   improve spanner backend compatibility ([044423af](044423af), closes [#135](135))\n\
         *   Add table to cross check user migration status ([37ca921e](37ca921e))\n\
         *   Add delayed retry on 500/503 responses. ([e1c2fb4d](e1c2fb4d), closes [#121](121))\n",
    );
}

#[test]
fn a_section_with_everything() {
    let rules = ChangelogRules {
        links: Links::to_page("https://github.com/acme/app.git").unwrap(),
        rest: Some("Other".to_owned()),
        ..ChangelogRules::default()
    };
    let page = "https://github.com/acme/app";
    let id = |short: &str| format!("([{short}]({page}/commit/{short:0<40})");
    check(
        &rules,
        "2.0.0",
        &[
            ("11111111", "fix(db): one\n\nCloses #1, #2 and acme/lib#3"),
            ("22222222", "feat(ui): two\n\nSee #9"),
            ("33333333", "fix(db)!: three\n\nBREAKING CHANGE: the table is gone"),
            ("44444444", "perf: four"),
            ("55555555", "fix: five"),
            ("66666666", "Revert \"feat: six\""),
            ("77777777", "docs: seven"),
            ("88888888", "Eight"),
            ("99999999", "fix(api): nine, fixes bug 12"),
        ],
        &format!(
            "<a name=\"{0}\"></a>\n## {0} (2020-02-07)\n\n\n\
             #### Breaking Changes\n\n\
             * **db:**  the table is gone {3})\n\n\
             #### Features\n\n\
             * **ui:**  two {2})\n\n\
             #### Bug Fixes\n\n\
             *   five {5})\n\
             * **api:**  nine, fixes bug 12 {9}, closes bug 12)\n\
             * **db:**\n  \
               *  one {1}, closes [#1]({page}/issues/1), [#2]({page}/issues/2), acme/lib#3)\n  \
               *  three {3})\n\n\
             #### Performance\n\n\
             *   four {4})\n\n\
             #### Reverts\n\n\
             *   feat: six {6})\n\n\
             #### Other\n\n\
             *   seven {7})\n\
             *   Eight {8})\n",
            "2.0.0",
            id("11111111"),
            id("22222222"),
            id("33333333"),
            id("44444444"),
            id("55555555"),
            id("66666666"),
            id("77777777"),
            id("88888888"),
            id("99999999"),
        ),
    );
}

#[test]
fn headings_and_links() {
    let rules = ChangelogRules::default();
    check(&rules, "1.7.1", &[], "<a name=\"1.7.1\"></a>\n### 1.7.1 (2020-02-07)\n");
    check(&rules, "3.100", &[("1", "docs: x")], "<a name=\"3.100\"></a>\n## 3.100 (2020-02-07)\n");
    let links = Links::to_page("https://gitlab.example.org:8443/a/b/c/").unwrap();
    let rules = ChangelogRules { links, sections: [("docs".into(), "Docs *x*".into())].into(), ..rules };
    let page = "https://gitlab.example.org:8443/a/b/c/-";
    check(
        &rules,
        "1.0.0",
        &[("abcdef0123", "docs: x\n\nfixes #4"), ("zzz)", "docs: y")],
        &format!(
            "<a name=\"1.0.0\"></a>\n## 1.0.0 (2020-02-07)\n\n\n#### Docs \\*x\\*\n\n\
             *   x ([abcdef01]({page}/commit/{:0<40}), closes [#4]({page}/issues/4))\n\
             *   y (zzz){})\n",
            "abcdef0123",
            "0".repeat(36)
        ),
    );
}

#[test]
fn pages_are_checked() {
    for good in ["https://github.com/a/b", "http://localhost:3000/a/b", "https://x.org/a%20b/"] {
        assert!(WebUrl::new(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "github.com/a/b",
        "git@github.com:a/b",
        "javascript:alert(1)",
        "https://",
        "https:///a",
        "https://user:pass@x.org/a",
        "https://x.org/a b",
        "https://x.org/a)b",
        "https://x.org/?a",
        "https://x.org/#a",
        "https://x.org/\n",
        "https://x.org/é",
    ] {
        assert!(WebUrl::new(bad).is_err(), "{bad}");
    }
    assert!(serde_json::from_str::<Links>(r#"{"github":"https://x@y"}"#).is_err());
}

#[test]
fn hostile_text_is_escaped() {
    let cases = [
        ("plain text, (1) it's 50% done!", "plain text, (1) it's 50% done!"),
        ("snake_case and _this_", "snake_case and \\_this\\_"),
        ("use `Vec<u8>` now", "use `Vec<u8>` now"),
        ("a `b", "a \\`b"),
        ("``a`` `b`", "\\`\\`a\\`\\` `b`"),
        ("`a``b`", "\\`a\\`\\`b\\`"),
        ("[x](http://evil)", "`[x](http://evil)`"),
        ("[x](javascript:1)", "\\[x\\](javascript:1)"),
        ("![x][y]", "!\\[x\\]\\[y\\]"),
        ("<script>x</script>", "\\<script>x\\</script>"),
        ("&lt;b R&D a & b", "\\&lt;b R\\&D a & b"),
        ("**bold** ~~no~~ $x$", "\\*\\*bold\\*\\* \\~\\~no\\~\\~ \\$x\\$"),
        ("ask @team now", "ask `@team` now"),
        ("see https://evil.example/a_b_c.", "see `https://evil.example/a_b_c.`"),
        ("WWW.evil.example", "`WWW.evil.example`"),
        ("a@b`c`", "`a@b` `c`"),
        ("# heading", "\\# heading"),
        ("> quote", "\\> quote"),
        ("- item", "\\- item"),
        ("+ item", "\\+ item"),
        ("12. item", "12\\. item"),
        ("1) item", "1\\) item"),
        ("--- ", "\\---"),
        ("C:\\dir\\", "C:\\\\dir\\\\"),
        ("a\n# b\u{1b}[2J", "a # b\\[2J"),
        ("", ""),
    ];
    for (text, expected) in cases {
        assert_eq!(escape_markdown(text), expected, "{text:?}");
    }
}

const OLD: &str = "<a name=\"1.7.1\"></a>\n## 1.8.0 (2020-02-07)\n\n\n#### Features\n\n*   x\n\n\n\n\
                   ### 1.7.1 (2020-01-01)\n\n* y\n";

fn new_section() -> Section {
    Section {
        version: version("2.0.0"),
        text: "<a name=\"2.0.0\"></a>\n## 2.0.0 (2020-03-01)\n\n\n#### T\n\n*   z\n".into(),
        layout: Layout::Sections { blank_lines: 3 },
    }
}

#[test]
fn a_section_is_put_before_the_others() {
    let new = new_section().text;
    let crlf = |text: &str| text.replace('\n', "\r\n");
    let cases = [
        (String::new(), new.clone()),
        (OLD.to_owned(), format!("{new}\n\n\n{OLD}")),
        (format!("# Changelog\n\nText.\n\n{OLD}"), format!("# Changelog\n\nText.\n\n{new}\n\n\n{OLD}")),
        (format!("# Changelog\n{OLD}"), format!("# Changelog\n\n{new}\n\n\n{OLD}")),
        ("# Changelog".to_owned(), format!("# Changelog\n\n{new}")),
        ("Changelog\n=========\n\nText.\n".to_owned(), format!("Changelog\n=========\n\nText.\n\n{new}")),
        (
            "Changelog\n=====\n\n1.0.0\n-----\n* x\n".to_owned(),
            format!("Changelog\n=====\n\n{new}\n\n\n1.0.0\n-----\n* x\n"),
        ),
        (
            "## [Unreleased]\n- x\n\n## [1.0.0] - 2000-01-01\n".to_owned(),
            format!("## [Unreleased]\n- x\n\n{new}\n\n\n## [1.0.0] - 2000-01-01\n"),
        ),
        ("## Unreleased\n- x\n".to_owned(), format!("## Unreleased\n- x\n\n{new}")),
        ("Some notes\n".to_owned(), format!("{new}\n\n\nSome notes\n")),
        ("\u{feff}Some notes\n".to_owned(), format!("\u{feff}{new}\n\n\nSome notes\n")),
        ("# T\n```\nopen\n".to_owned(), format!("{new}\n\n\n# T\n```\nopen\n")),
        ("# T\n<!--\n## 1.0.0\n-->\n".to_owned(), format!("# T\n<!--\n## 1.0.0\n-->\n\n{new}")),
        (crlf(&format!("# C\n\n{OLD}")), crlf(&format!("# C\n\n{new}\n\n\n{OLD}"))),
    ];
    for (old, expected) in cases {
        let found = prepend(old.as_bytes(), &new_section()).unwrap();
        assert_eq!(String::from_utf8(found.clone()).unwrap(), expected, "{old:?}");
        assert_eq!(cut(&found, &version("2.0.0")).unwrap().text, new, "{old:?}");
        let again = prepend(&found, &new_section()).unwrap_err();
        assert!(matches!(again, ChangelogError::AlreadyThere { .. }), "{old:?}");
    }
    // What is no UTF-8 stays as it is.
    let found = prepend(b"## 1.0.0\n\xff\xfe\n", &new_section()).unwrap();
    assert!(found.ends_with(b"\n\n\n\n## 1.0.0\n\xff\xfe\n"));
}

#[test]
fn a_section_is_cut_out() {
    let cases = [
        (OLD, "1.8.0", Ok("#### Features\n\n*   x\n")),
        (OLD, "1.7.1", Ok("* y\n")),
        (
            OLD,
            "1.9.0",
            Err("the changelog has no section for 1.9.0: it needs a heading such as `## 1.9.0 (2000-12-31)`"),
        ),
        (
            "<a name=\"1.7.1\"></a>\n## 1.8.0\nx\n",
            "1.7.1",
            Err(
                "the changelog has no section for 1.7.1: the anchor at line 1 names it, but the heading below says 1.8.0",
            ),
        ),
        ("<a name='1.7.0'></a>\n\n## The big one\nx\n## 1.6.0\ny\n", "1.7.0", Ok("x\n")),
        ("<a id=\"1.7.0\"/>\n\ntext\n\n## Heading\nx\n", "1.7.0", Err("has no section")),
        ("# v3.100\nx\n# v3.99\ny\n", "3.100", Ok("x\n")),
        ("## [1.2.3] - 2000-01-01\n### Added\n- x\n\n[1.2.3]: https://x\n", "1.2.3", Ok("### Added\n- x\n")),
        (
            "## [1.2.3]\n- see [the Book] and [1.2.3]\n\n[the book]: https://b\n[x]: https://x\n\n<!-- made by a tool -->\n",
            "1.2.3",
            Ok("- see [the Book] and [1.2.3]\n\n[the book]: https://b\n"),
        ),
        ("## 1.2.3\n- x\n[y]: https://y\n", "1.2.3", Ok("- x\n[y]: https://y\n")),
        ("## [1.2.3](https://x/1.2.3) (2000-01-01)\n- x\n", "1.2.3", Ok("- x\n")),
        ("## Version 1.2.3:\nx\n", "1.2.3", Ok("x\n")),
        ("## 1.2.30\nx\n", "1.2.3", Err("has no section")),
        ("## 1.2.3\n\n\n", "1.2.3", Ok("")),
        ("## 1.2.3\nx\n```\n## 1.2.2\n```\ny\n## 1.2.1\n", "1.2.3", Ok("x\n```\n## 1.2.2\n```\ny\n")),
        ("## 1.2.3\r\n\r\n* x\r\n* y\r\n\r\n## 1.2.2\r\n", "1.2.3", Ok("* x\n* y\n")),
        ("1.2.3 (today)\n=====\nx\n\n1.2.2\n---\n", "1.2.3", Ok("x\n")),
        ("#1.2.3\n    # 1.2.3\n", "1.2.3", Err("has no section")),
        ("", "1.2.3", Err("has no section")),
    ];
    for (text, about, expected) in cases {
        match (cut(text.as_bytes(), &version(about)), expected) {
            (Ok(found), Ok(notes)) => assert_eq!(found.notes, notes, "{text:?}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, _) => panic!("{about} of {text:?}: {found:?}"),
        }
    }
    let huge = vec![b'x'; CHANGELOG_MAX_BYTES + 1];
    assert!(matches!(cut(&huge, &version("1.0.0")), Err(ChangelogError::TooLarge { .. })));
}

#[test]
fn the_stored_form() {
    let rules = ChangelogRules {
        links: Links::Github(WebUrl::new("https://x.org/a/b").unwrap()),
        ..Default::default()
    };
    let json = serde_json::to_string(&rules).unwrap();
    let expected = concat!(
        r#"{"style":"clog","sections":[["feat","Features"],["fix","Bug Fixes"],["perf","Performance"],["revert","Reverts"]],"#,
        r#""breaking":"Breaking Changes","rest":null,"rules":[],"links":{"github":"https://x.org/a/b"},"#,
        r#""tickets":{},"authors":null}"#
    );
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_str::<ChangelogRules>(&json).unwrap(), rules);
    assert_eq!(serde_json::from_str::<ChangelogRules>("{}").unwrap(), ChangelogRules::default());
}

/// The text that Markdown shows for a bullet; anything but text and code in it fails.
fn shown(markdown: &str) -> Result<String, String> {
    let bullet = format!("*   {markdown}\n");
    let mut text = String::new();
    for event in Parser::new(&bullet) {
        match event {
            Event::Text(part) | Event::Code(part) => text.push_str(&part),
            Event::Start(Tag::List(None) | Tag::Item) | Event::End(TagEnd::List(_) | TagEnd::Item) => {}
            other => return Err(format!("{other:?} in {bullet:?}")),
        }
    }
    Ok(text)
}

fn any_old_changelog() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("# Changelog\n\n".to_owned()),
        Just("Text.\n".to_owned()),
        Just("\n".to_owned()),
        Just("```\n".to_owned()),
        Just("<!--\n".to_owned()),
        Just("-->\n".to_owned()),
        Just("1.2.9\n=====\n".to_owned()),
        Just("## Unreleased\n".to_owned()),
        Just("#### Features\n\n*   x\n".to_owned()),
        (0..4u8, 0..4u8).prop_map(|(a, b)| format!("<a name=\"1.2.{a}\"></a>\n## 1.2.{b} (2000-01-01)\n")),
        "[-a<#`*= .0-9\n]{0,12}",
    ];
    (proptest::collection::vec(part, 0..12), any::<bool>()).prop_map(|(parts, crlf)| {
        let text = parts.concat();
        if crlf { text.replace('\n', "\r\n") } else { text }
    })
}

proptest! {
    #[test]
    fn text_is_shown_as_it_is(text in "[-a1 `*_<>\\[\\]()!&#;~$\\\\@:/.+=|]{0,20}|\\PC{0,20}|(&amp;|<b>|`|``| |\\*\\*|\\[x\\]|\\(y\\)|a){0,8}") {
        let shown = shown(&escape_markdown(&text)).map_err(TestCaseError::fail)?;
        // Code keeps its text but for spaces at its ends, and two codes in a row are set apart by one.
        let bare = |text: &str| text.split_whitespace().collect::<String>().replace('`', "");
        let plain = crate::commits::plain_text(&text, crate::commits::Lines::Join).into_owned();
        prop_assert_eq!(bare(&shown), bare(&plain));
    }

    #[test]
    fn what_is_prepended_is_cut_out_again(old in any_old_changelog(), messages in proptest::collection::vec("(feat|fix|docs)(\\([a-c]\\))?: x\\PC{0,20}", 0..5)) {
        let messages: Vec<_> = messages.iter().map(|message| ("0123456789abcdef", message.as_str())).collect();
        let section = rendered(&ChangelogRules::default(), "2.0.0", &messages);
        let new = prepend(old.as_bytes(), &section).unwrap();
        let found = cut(&new, &section.version).unwrap();
        prop_assert_eq!(&found.text, &section.text);
        prop_assert!(found.notes.is_empty() == messages.iter().all(|(_, m)| m.starts_with("docs")));
        // Every other byte of the file is still there, around the section.
        let new = String::from_utf8(new).unwrap();
        let line_end = if old.find('\n').is_some_and(|at| old[..at].ends_with('\r')) { "\r\n" } else { "\n" };
        let (before, after) = new.split_once(&section.text.replace('\n', line_end)).unwrap();
        let at = (0..=before.len()).rev().find(|at| old.get(..*at) == before.get(..*at)).unwrap();
        prop_assert!(before[at..].trim().is_empty() && after.ends_with(&old[at..]));
        prop_assert!(after[..after.len() - old[at..].len()].trim().is_empty());
    }

    #[test]
    fn any_file_is_read(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = cut(&text, &version("1.2.3"));
        prop_assert!(prepend(&text, &new_section()).is_ok());
    }
}
