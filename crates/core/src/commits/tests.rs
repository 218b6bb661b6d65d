use proptest::prelude::*;

use super::*;
use crate::version::Bump;

const ID: &str = "044423af0123456789abcdef0123456789abcdef";

fn read(message: &str) -> Change {
    let raw = CommitText { commit: ID, author_name: "Ann", author_email: "ann@example.org", message };
    Change::read(raw, &["ABC".to_owned()])
}

fn kind(name: &str) -> ChangeKind {
    ChangeKind::Type(name.to_owned())
}

#[test]
fn subjects_are_read() {
    use ChangeKind::*;
    let cases = [
        ("feat: add a table", Feature, None, "add a table"),
        ("feat(db): add a table\n", Feature, Some("db"), "add a table"),
        ("Feat(db): add", Feature, Some("db"), "add"),
        ("feature: add", Feature, None, "add"),
        ("fix:mend", Fix, None, "mend"),
        ("fx(a b):  mend ", Fix, Some("a b"), "mend"),
        ("perf: faster", kind("perf"), None, "faster"),
        ("Docs: say so", kind("docs"), None, "say so"),
        ("feat: :sparkles: add", Feature, None, ":sparkles: add"),
        ("fix: //x", Fix, None, "//x"),
        ("revert: feat: add", Revert, None, "feat: add"),
        ("Revert \"feat(db): add\"\n\nThis reverts commit 12.", Revert, None, "feat(db): add"),
        ("Revert \"unclosed", Revert, None, "unclosed"),
        ("feat: one\ntwo\n\nbody", Feature, None, "one two"),
        ("\n\n  feat: late\n", Feature, None, "late"),
        // Outside of the convention.
        ("", Other, None, ""),
        ("Add a table", Other, None, "Add a table"),
        ("feat:", Other, None, "feat:"),
        ("feat(): x", Other, None, "feat(): x"),
        ("feat( ): x", Other, None, "feat( ): x"),
        ("feat (db): x", Other, None, "feat (db): x"),
        ("https://example.org broke", Other, None, "https://example.org broke"),
        ("std::mem::swap is used", Other, None, "std::mem::swap is used"),
        ("Merge branch 'a': b", Other, None, "Merge branch 'a': b"),
        ("fixup! feat: x", Other, None, "fixup! feat: x"),
        ("été: x", Other, None, "été: x"),
        ("[red]: x", Other, None, "[red]: x"),
        // Hostile.
        ("fe\u{1b}at: \u{1b}[31mred\u{7}", Feature, None, "[31mred"),
        ("feat: left\u{202e}thgir", Feature, None, "leftthgir"),
        ("feat: a\tb\rc\u{9b}d", Feature, None, "a bcd"),
    ];
    for (message, kind, scope, text) in cases {
        let change = read(message);
        assert_eq!(
            (&change.kind, change.scope.as_deref(), change.text.as_str()),
            (&kind, scope, text),
            "{message:?}"
        );
        assert_eq!(change.breaking, None, "{message:?}");
    }
}

#[test]
fn the_end_of_a_message_is_read_however_long_it_is() {
    let long = |lines: usize| "a line of text that says nothing\n".repeat(lines);
    for (lines, shortened) in [(0, false), (1_900, false), (2_300, true), (40_000, true)] {
        let message = format!(
            "fix: mend ABC-1\n\n{}\nBREAKING CHANGE: the table is gone\nCo-authored-by: Bo <bo@example.org>\nCloses ABC-2\n",
            long(lines)
        );
        let change = read(&message);
        assert_eq!(change.breaking.as_deref(), Some("the table is gone"), "{lines}");
        assert_eq!((change.co_authors.len(), change.references.len()), (1, 2), "{lines}: {change:?}");
        assert_eq!(change.shortened, shortened, "{lines}");
        let raw = CommitText { commit: ID, author_name: "", author_email: "", message: &message };
        let rules = CommitRules { squash: true, ..CommitRules::default() };
        let all = Change::read_all(raw, &[], &rules);
        assert!(all.iter().all(|one| one.shortened == shortened && one.breaking.is_some()), "{lines}");
    }
    // Half a line says nothing: here it would be a footer.
    let torn = format!("fix: x\n\n{}", "xBREAKING CHANGE: y ".repeat(10_000));
    assert_eq!(read(&torn).breaking, None);
    // A list of a squash merge goes on in the end.
    let squashed = format!("docs: all (#3)\n\n* fix: one\n\n{}\n* feat!: last\n", long(3_000));
    let raw = CommitText { commit: ID, author_name: "", author_email: "", message: &squashed };
    let rules = CommitRules { squash: true, ..CommitRules::default() };
    let all = Change::read_all(raw, &[], &rules);
    assert!(all.iter().any(|one| one.breaking.as_deref() == Some("last")), "{all:?}");
}

#[test]
fn what_git_writes_for_the_revert_of_a_revert_is_what_it_was() {
    let change =
        read("Reapply \"feat(db): add\"\n\nThis reverts commit 0123456789.\n\nBREAKING CHANGE: quoted");
    assert_eq!((change.kind, change.text.as_str()), (ChangeKind::Feature, "add"));
    assert_eq!((change.scope.as_deref(), change.breaking), (Some("db"), None));
    assert_eq!(change.reverts, [ObjectId("0123456789".into())]);
    assert_eq!(read("Reapply \"feat!: add\"").breaking.as_deref(), Some("add"));
    assert_eq!(read("Reapply \"Add a table\"").kind, ChangeKind::Other);
    assert_eq!(read("Reapply the paint").text, "Reapply the paint");
}

#[test]
fn breaking_changes_are_found() {
    let cases = [
        ("feat!: drop the table", Some("drop the table")),
        ("chore(db)!: drop", Some("drop")),
        ("feat: x\n\nBREAKING CHANGE: the table\nis gone\n\nmore", Some("the table is gone")),
        ("feat: x\n\nBREAKING-CHANGE: gone", Some("gone")),
        ("feat: x\n\nBREAKING CHANGE #gone", Some("gone")),
        ("feat: x\n\nBREAKING CHANGE:\n\ngone\n", Some("gone")),
        ("feat: x\n\nBREAKING CHANGE: gone\nfor good\nCloses #3\nSigned-off-by: A", Some("gone for good")),
        ("feat!: x\n\nBREAKING CHANGE: the table\n", Some("the table")),
        ("feat!: x\n\nBREAKING CHANGE:\n", Some("x")),
        // With no empty line before it, beside a malformed footer, and outside of the convention.
        ("feat: x\n\ntext\nBREAKING CHANGE: gone", Some("gone")),
        ("feat: x\n\nSigned-off-by:\n\nBREAKING CHANGE: gone", Some("gone")),
        ("Drop it\n\nBREAKING CHANGE: gone", Some("gone")),
        ("feat: x\r\n\r\nBREAKING CHANGE: gone\r\n", Some("gone")),
        // As it is written in real histories: in a list, like a heading, above the tickets, or with nothing to it.
        ("feat: x\n\n*  BREAKING CHANGE: remove y\n*  fix: add z", Some("remove y")),
        ("feat: x\n\n- BREAKING CHANGE: remove y\n  and z\n- more", Some("remove y and z")),
        ("feat: x\n\nBREAKING CHANGE\nusers have to\nset y", Some("users have to set y")),
        ("feat: x\n\nBREAKING CHANGE: remove y\n#47, #48", Some("remove y")),
        ("feat: x\n\nBREAKING CHANGE:\n\n#82", Some("x")),
        ("feat: x\n\nBREAKING CHANGE:", Some("x")),
        ("feat: x\n\nBREAKING CHANGE:\n* one\n* another", Some("* one * another")),
        // Not one.
        ("docs: footers\n\nWrite\n\n    BREAKING CHANGE: what", None),
        ("feat: x\n\nBREAKING CHANGE of y", None),
        ("feat: x\n\n*BREAKING CHANGE: y*", None),
        ("feat: x\n\nThis is no BREAKING CHANGE: really", None),
        ("feat: x\n\nbreaking change: small letters", None),
        ("feat: x\n\nBREAKING CHANGES: no such footer", None),
        ("Revert \"feat!: x\"\n\nBREAKING CHANGE: quoted", None),
        ("revert: x\n\nBREAKING CHANGE: quoted", None),
        ("revert!: x", Some("x")),
    ];
    for (message, expected) in cases {
        assert_eq!(read(message).breaking.as_deref(), expected, "{message:?}");
    }
}

#[test]
fn tickets_are_found() {
    let cases = [
        ("fix: x\n\nCloses #121", "closes #121"),
        ("fix: x, closes #1, #2 and #3; see #4", "closes #1, closes #2, closes #3, #4"),
        ("fix: x\n\nFixes: #7\nResolved #8.", "closes #7, closes #8"),
        ("fix: x (#12)", "#12"),
        ("fix: x (fixes #12)", "closes #12"),
        ("fix: x\n\nRefs #5\nCloses acme/app#9", "#5, closes acme/app#9"),
        ("Bug 1476181 - Do it", "bug 1476181"),
        ("fix bug 12 and bug 13", "closes bug 12, closes bug 13"),
        ("fix: do (ABC-12)\n\nresolves ABC-13", "ABC-12, closes ABC-13"),
        ("fix: close issue #5", "closes #5"),
        ("fix: see #5\n\nfixes #5", "closes #5"),
        ("closes the door of #5", "#5"),
        ("fix: UTF-8, SHA-256, XABC-1, ABC-0, ABC-x, abc-1", ""),
        ("fix: #0, #, ##1, #1a, a#1, #99999999999999, &#12; #-1 a/b/c#1 bug x bug", ""),
        ("", ""),
    ];
    for (message, expected) in cases {
        let found: Vec<_> = read(message)
            .references
            .iter()
            .map(|r| format!("{}{}", if r.closes { "closes " } else { "" }, r.ticket))
            .collect();
        assert_eq!(found.join(", "), expected, "{message:?}");
    }
    let many: String = (1..1000).map(|n| format!("#{n} ")).collect();
    assert_eq!(read(&many).references.len(), REFERENCES_MAX);
}

#[test]
fn the_bump_has_its_reasons() {
    use Bump::*;
    let cases: [(&[&str], Option<Bump>, &[&str]); 9] = [
        (&[], None, &[]),
        (&["docs: a", "chore: b", "test(x): c"], None, &[]),
        (&["docs: a", "fix: b", "perf: c"], Some(Patch), &["fix: b", "perf: c"]),
        (&["Do a", "docs: b"], Some(Patch), &["Do a"]),
        (&["fix: a", "feat: b", "feat: c"], Some(Minor), &["feat: b", "feat: c"]),
        (&["feat: a", "docs!: b"], Some(Major), &["docs!: b"]),
        (
            &["Revert \"feat: a\"", "revert: feat!: a"],
            Some(Patch),
            &["Revert \"feat: a\"", "revert: feat!: a"],
        ),
        (&["Revert \"feat: a\"\n\nBREAKING CHANGE: b"], Some(Patch), &["Revert \"feat: a\""]),
        (&["feat: a\n\nBREAKING CHANGE: b", "feat: c"], Some(Major), &["feat: a"]),
    ];
    for (messages, bump, because) in cases {
        let changes: Vec<_> = messages.iter().map(|message| read(message)).collect();
        let advice = advise_bump(&changes, &CommitRules::default());
        assert_eq!(advice.bump, bump, "{messages:?}");
        let reasons: Vec<_> = advice.because.iter().map(|reason| reason.subject.as_str()).collect();
        assert_eq!(reasons, because, "{messages:?}");
    }
}

#[test]
fn a_project_has_rules_of_its_own() {
    use Bump::*;
    let types = [("feat", Some(Patch)), ("deps", Some(Minor)), ("fix", None)];
    let mut rules = CommitRules { breaking: Minor, other: None, ..CommitRules::default() };
    rules.types.extend(types.map(|(name, bump)| (name.to_owned(), bump)));
    let cases = [
        ("feature: a", Some(Patch)),
        ("deps: a", Some(Minor)),
        ("fix: a", None),
        ("perf: a", Some(Patch)),
        ("docs: a", None),
        ("Do a", None),
        ("docs!: a", Some(Minor)),
        ("deps: a\n\nBREAKING CHANGE: b", Some(Minor)),
    ];
    for (message, bump) in cases {
        assert_eq!(rules.bump(&read(message)), bump, "{message}");
    }
    let stored = serde_json::to_string(&rules).unwrap();
    assert_eq!(serde_json::from_str::<CommitRules>(&stored).unwrap(), rules);
    assert_eq!(serde_json::from_str::<CommitRules>("{}").unwrap(), CommitRules::default());
}

#[test]
fn a_squash_merge_holds_several_changes() {
    let squash = CommitRules { squash: true, ..CommitRules::default() };
    let check = |message: &str, expected: &[&str]| {
        let raw = CommitText { commit: ID, author_name: "Ann", author_email: "a@b", message };
        let all = Change::read_all(raw, &[], &squash);
        let breaks = |change: &Change| change.breaking.clone().map(|b| format!(" !{b}")).unwrap_or_default();
        let found: Vec<String> =
            all.iter().map(|change| format!("{}{}", change.subject, breaks(change))).collect();
        assert_eq!(found, expected, "{message:?}");
        let plain = Change::read_all(raw, &[], &CommitRules::default());
        assert_eq!(plain, [Change::read(raw, &[])]);
    };
    check("feat: a", &["feat: a"]);
    check("feat: a\n\n* one thing\n* Note: another\n\nx", &["feat: a", "Note: another"]);
    check("feat: a\n\n* one thing\n* http://x", &["feat: a"]);
    check("Login (#12)\n\n* feat: a\n\n* fix(ui): b\r\n\r\n* docs: c", &["feat: a", "fix(ui): b", "docs: c"]);
    check("feat: login (#12)\n\n* feat: login\n* fix: typo", &["feat: login", "fix: typo"]);
    check("feat: login (#12)\n\nText\n- fix: typo", &["feat: login (#12)", "fix: typo"]);
    check(
        "feat: login\n\n* fix: a\n\nBREAKING CHANGE: the door\n\n* feat!: b\n\nCloses #4",
        &["feat: login", "fix: a !the door", "feat!: b !b"],
    );
    check("feat: login\n\nBREAKING CHANGE: own\n\n* fix: a", &["feat: login !own", "fix: a"]);
    check(
        "Rework (#12)\n\n* BREAKING CHANGE: remove y\n* feat: add z",
        &["Rework (#12) !remove y", "feat: add z"],
    );
    check("feat: z (#12)\n\n* BREAKING CHANGE: remove y\n* feat: z", &["feat: z !remove y"]);
    check("feat: a\n\n  * fix: indented\n*fix: close", &["feat: a"]);
    let many: String = (0..1000).map(|n| format!("* fix: {n}\n")).collect();
    let raw = CommitText { commit: ID, author_name: "", author_email: "", message: &format!("x\n\n{many}") };
    assert_eq!(Change::read_all(raw, &[], &squash).len(), ITEMS_MAX);
}

#[test]
fn what_is_taken_back_before_a_release_is_none_of_it() {
    let id = |n: usize| format!("{n:040x}");
    let back = |n: usize| format!("Revert \"x\"\n\nThis reverts commit {}.", id(n));
    // The messages from the oldest, whose ids count from 1, and the ids that stay, from the newest.
    let check = |messages: &[String], stay: &[usize]| {
        let changes = messages.iter().enumerate().rev().map(|(at, message)| {
            let commit = id(at + 1);
            Change::read(CommitText { commit: &commit, author_name: "", author_email: "", message }, &[])
        });
        let left: Vec<String> =
            without_taken_back(changes.collect()).0.into_iter().map(|change| change.commit.0).collect();
        assert_eq!(left, stay.iter().map(|n| id(*n)).collect::<Vec<_>>(), "{messages:?}");
    };
    let feat = || "feat: x".to_owned();
    check(&[feat(), back(1)], &[]);
    check(&[feat(), feat(), back(1)], &[2]);
    // A revert of what was released before stays, and so does one that only says that it is one.
    check(&[feat(), back(99)], &[2, 1]);
    check(&[feat(), "Revert \"feat: x\"".into()], &[2, 1]);
    check(&[feat(), format!("feat: y\n\nThis reverts commit {}.", id(1))], &[2, 1]);
    // Back and forth.
    check(&[feat(), back(1), back(2)], &[1]);
    check(&[feat(), back(1), back(2), back(3)], &[]);
    let again = |n: usize| format!("Reapply \"feat: x\"\n\nThis reverts commit {}.", id(n));
    check(&[feat(), back(1), again(2)], &[1]);
    check(&[feat(), back(1), again(2), back(3)], &[]);
    // What was released as taken back is new again.
    check(&[again(77)], &[1]);
    check(&[feat(), back(1), back(1)], &[2]);
    // Several, and the start of an id.
    let both = format!("revert: x\n\nRefs: {}, {}", id(1), id(2));
    check(&[feat(), feat(), both.clone()], &[]);
    check(&[both], &[1]);
    check(&[feat(), format!("revert: x\n\nRefs: {}, {}", id(1), id(77))], &[2, 1]);
    check(&[feat(), "revert: x\n\nRefs: 000000".into()], &[2, 1]);
    let merge =
        format!("Revert \"x\"\n\nThis reverts commit {}, reversing\nchanges made to {}.", id(1), id(2));
    check(&[feat(), feat(), merge], &[2]);
}

#[test]
fn texts_are_cut() {
    let change = read(&format!("feat: {}", "é".repeat(100_000)));
    assert_eq!(change.kind, ChangeKind::Feature);
    assert_eq!(change.subject.chars().count(), TEXT_MAX_CHARS);
    assert!(change.text.ends_with("é…"));
    assert_eq!(read(&format!("feat({}): x", "s".repeat(61))).kind, ChangeKind::Other);
    assert_eq!(read(&format!("{}: x", "t".repeat(31))).kind, ChangeKind::Other);
    let raw = CommitText { commit: ID, author_name: &"n".repeat(999), author_email: "a\n@b", message: "" };
    let change = Change::read(raw, &[]);
    assert_eq!(change.author_name.chars().count(), AUTHOR_MAX_CHARS);
    assert_eq!(change.author_email, "a @b");
}

#[test]
fn text_is_made_plain() {
    let cases = [
        ("plain", "plain", "plain"),
        ("a\nb\tc", "a\nb\tc", "a b c"),
        ("a\r\nb", "a\nb", "a b"),
        ("a\u{2028}b\u{b}c", "a\nb\nc", "a b c"),
        ("\u{1b}[31mred\u{1b}[0m", "[31mred[0m", "[31mred[0m"),
        ("\u{1b}]8;;http://x\u{7}y", "]8;;http://xy", "]8;;http://xy"),
        ("\u{9b}31m\u{85}\0\u{7f}", "31m", "31m"),
        ("\u{202a}a\u{202e}b\u{2066}c\u{2069}d\u{200f}e\u{61c}f", "abcdef", "abcdef"),
        ("a\u{200b}b\u{feff}c\u{e0041}d", "abcd", "abcd"),
        ("می\u{200c}خواهم 👩\u{200d}🚀", "می\u{200c}خواهم 👩\u{200d}🚀", "می\u{200c}خواهم 👩\u{200d}🚀"),
    ];
    for (text, kept, joined) in cases {
        assert_eq!(plain_text(text, Lines::Keep), kept, "{text:?}");
        assert_eq!(plain_text(text, Lines::Join), joined, "{text:?}");
    }
}

#[test]
fn the_stored_form() {
    let change = read("feat(db)!: add\n\nCloses #3, ABC-4, acme/app#5, bug 6");
    let json = serde_json::to_string(&change).unwrap();
    assert_eq!(serde_json::from_str::<Change>(&json).unwrap(), change);
    let expected = concat!(
        r#"{"commit":"044423af0123456789abcdef0123456789abcdef","author-name":"Ann","author-email":"ann@example.org","#,
        r#""subject":"feat(db)!: add","text":"add","kind":"feature","scope":"db","breaking":"add","references":["#,
        r#"{"ticket":{"issue":3},"closes":true},{"ticket":{"key":"ABC-4"},"closes":true},"#,
        r#"{"ticket":{"issue-of":{"repository":"acme/app","number":5}},"closes":true},"#,
        r#"{"ticket":{"bug":6},"closes":true}],"reverts":[]}"#
    );
    assert_eq!(json, expected);
    assert_eq!(serde_json::to_string(&kind("docs")).unwrap(), r#"{"type":"docs"}"#);
}

proptest! {
    #[test]
    fn any_message_is_read(message in "(feat|fix|x)?(\\(\\PC{0,5}\\))?!?:? ?(?s:.{0,60})(\n\nBREAKING CHANGE(?s:.{0,20}))?") {
        let change = read(&message);
        let texts = [Some(&change.subject), Some(&change.text), change.scope.as_ref(), change.breaking.as_ref()];
        for text in texts.into_iter().flatten() {
            prop_assert_eq!(plain_text(text, Lines::Join), text.as_str());
            prop_assert_eq!(text.trim(), text.as_str());
        }
        prop_assert!(change.breaking.as_ref().is_none_or(|text| !text.is_empty()));
        let rules = CommitRules { squash: true, ..CommitRules::default() };
        prop_assert_eq!(advise_bump(std::slice::from_ref(&change), &rules).bump, rules.bump(&change));
        let list = format!("{message}\n\n* fix: one\n{message}\n* {message}\n- docs: two");
        let raw = CommitText { commit: ID, author_name: "", author_email: "", message: &list };
        let all = Change::read_all(raw, &[], &rules);
        prop_assert!(all.iter().all(|change| change.commit.0 == ID));
        let count = all.len();
        let (stay, taken_back) = without_taken_back(all);
        prop_assert_eq!(stay.len() + taken_back.len(), count);
    }

    #[test]
    fn plain_text_is_plain(text in "(?s:.{0,80})") {
        for lines in [Lines::Keep, Lines::Join] {
            let plain = plain_text(&text, lines).into_owned();
            prop_assert_eq!(plain_text(&plain, lines), plain.as_str());
            prop_assert!(plain.chars().all(|c| !c.is_control() || (lines == Lines::Keep && "\n\t".contains(c))));
        }
    }
}
