//! The next version.

use super::*;

fn label(text: &str) -> PreLabel {
    text.parse().unwrap()
}

pub(super) fn wish(bump: Bump, pre: &str) -> Wish {
    Wish { bump, pre: (!pre.is_empty()).then(|| label(pre)), today: TODAY, first: COUNTER_FIRST, restart: 0 }
}

/// The next version of a format after a last one, the tags being names.
pub(super) fn next_of(format: &VersionFormat, last: &str, pre: &str, tags: &[&str], wish: &Wish) -> String {
    let read = |name: &str| format.parse_tag(name).unwrap_or_else(|| panic!("{name}"));
    let used: Vec<Version> = tags.iter().map(|name| read(name)).collect();
    let last = (!last.is_empty()).then(|| read(last));
    let pre = (!pre.is_empty()).then(|| read(pre));
    let known = Known { last: last.as_ref(), pre: pre.as_ref(), initial: None, used: &used };
    match format.next(&known, wish) {
        Ok(version) => format.tag_name(&version).unwrap(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn numbers_grow_by_the_table() {
    use Bump::*;
    let cases = [
        ("X.Y.Z", "1.4.2", [(Major, "2.0.0"), (Minor, "1.5.0"), (Patch, "1.4.3")]),
        ("X.Y.Z", "0.4.2", [(Major, "0.5.0"), (Minor, "0.5.0"), (Patch, "0.4.3")]),
        ("X.Y.Z", "0.0.3", [(Major, "0.1.0"), (Minor, "0.1.0"), (Patch, "0.0.4")]),
        ("X.Y.Z", "1.9.9", [(Major, "2.0.0"), (Minor, "1.10.0"), (Patch, "1.9.10")]),
        ("X.Y.Z", "", [(Major, "0.1.0"), (Minor, "0.1.0"), (Patch, "0.1.0")]),
        ("X.Y[.Z]", "4.2.1", [(Major, "5.0"), (Minor, "4.3"), (Patch, "4.2.2")]),
        ("X.Y.Z[+BUILD]", "1.4.2+b7", [(Major, "2.0.0"), (Minor, "1.5.0"), (Patch, "1.4.3")]),
        ("X.Y.Z[-N]", "1.4.2-3", [(Major, "2.0.0"), (Minor, "1.5.0"), (Patch, "1.4.3")]),
        ("vX.Y", "v3.99", [(Major, "v4.0"), (Minor, "v3.100"), (Patch, "v3.100")]),
        ("vX.Y", "v0.9", [(Major, "v0.10"), (Minor, "v0.10"), (Patch, "v0.10")]),
        ("vX.Y", "", [(Major, "v0.1"), (Minor, "v0.1"), (Patch, "v0.1")]),
    ];
    for (text, last, expected) in cases {
        for (bump, next) in expected {
            assert_eq!(next_of(&format(text), last, "", &[], &wish(bump, "")), next, "{last} {bump}");
        }
    }
    let last = version("1.9");
    let known = Known { last: Some(&last), ..Known::default() };
    let error = format("X.Y.Z").next(&known, &wish(Patch, ""));
    assert!(matches!(error, Err(VersionError::DoesNotFit { .. })));
    let top = format!("{NUMBER_MAX}.0.0");
    let error = next_of(&format("X.Y.Z"), &top, "", &[], &wish(Major, ""));
    assert_eq!(error, "no version follows 999999999999999.0.0: a number in it is at its limit");
    let initial = version("1.0.0");
    let known = Known { initial: Some(&initial), ..Known::default() };
    assert_eq!(format("X.Y.Z").next(&known, &wish(Patch, "")), Ok(version("1.0.0")));
}

#[test]
fn pre_releases_lead_to_the_next_final_version() {
    use Bump::*;
    // The last final release, the last pre-release, all tags, what is wished for, what comes of it.
    type Case<'a> = (&'a str, &'a str, &'a [&'a str], Bump, &'a str, &'a str);
    let cases: [Case; 15] = [
        ("1.3.0", "", &[], Minor, "rc", "1.4.0-rc.1"),
        ("1.3.0", "1.4.0-rc.1", &["1.4.0-rc.1"], Minor, "rc", "1.4.0-rc.2"),
        ("1.3.0", "1.4.0-rc.9", &["1.4.0-rc.9"], Minor, "rc", "1.4.0-rc.10"),
        // Counted from the last final release.
        ("1.3.0", "1.4.0-rc.1", &["1.4.0-rc.1"], Major, "rc", "2.0.0-rc.1"),
        ("1.3.0", "1.4.0-rc.1", &[], Minor, "", "1.4.0"),
        ("1.3.0", "1.4.0-rc.1", &[], Major, "", "2.0.0"),
        // A promise is kept.
        ("1.3.0", "2.0.0-rc.1", &[], Patch, "", "2.0.0"),
        ("1.3.0", "2.0.0-rc.1", &[], Patch, "rc", "2.0.0-rc.2"),
        // One label after the other.
        ("1.3.0", "1.4.0-alpha.3", &["1.4.0-alpha.3"], Minor, "beta", "1.4.0-beta.1"),
        ("1.3.0", "1.4.0-beta.1", &["1.4.0-beta.1"], Minor, "rc", "1.4.0-rc.1"),
        (
            "1.3.0",
            "1.4.0-rc.1",
            &["1.4.0-beta.2", "1.4.0-rc.1"],
            Minor,
            "beta",
            "1.4.0-beta.3 would go backwards: 1.4.0-rc.1 is there already",
        ),
        // A tag that this commit does not descend from is a tag.
        ("1.3.0", "", &["1.4.0-rc.1", "1.4.0-rc.4"], Minor, "rc", "1.4.0-rc.5"),
        (
            "1.3.0",
            "",
            &["1.4.0-rc.1", "1.4.0"],
            Minor,
            "rc",
            "1.4.0-rc.2 would go backwards: 1.4.0 is there already",
        ),
        ("", "", &[], Minor, "alpha", "0.1.0-alpha.1"),
        ("", "0.1.0-alpha.1", &["0.1.0-alpha.1"], Minor, "", "0.1.0"),
    ];
    for (last, pre, tags, bump, label, expected) in cases {
        let next = next_of(&format("X.Y.Z[-PRE.N]"), last, pre, tags, &wish(bump, label));
        assert_eq!(next, expected, "{last} {pre} {label}");
    }
    let cases = [
        ("X.Y[PREN]", "1.2", "1.3rc1", "rc", "1.3rc2"),
        ("X.Y.Z[-PRE]", "1.2.0", "1.3.0-alpha.beta", "beta", "1.3.0-beta.1"),
        (
            "X.Y.Z[-PRE]",
            "1.2.0",
            "1.3.0-rc",
            "beta",
            "1.3.0-beta.1 would go backwards: 1.3.0-rc is there already",
        ),
    ];
    for (text, last, pre, label, expected) in cases {
        assert_eq!(next_of(&format(text), last, pre, &[], &wish(Minor, label)), expected);
    }
    for text in ["X.Y.Z", "YYYY.0M.N", "build-N"] {
        let error = format(text).next(&Known::default(), &wish(Minor, "rc")).unwrap_err();
        assert!(matches!(error, VersionError::NoPreReleases { .. }), "{error}");
    }
    for text in ["", "rc1", "rc.", "-rc", "r c", "abcdefghijklmnopqrstu"] {
        assert!(text.parse::<PreLabel>().is_err(), "{text}");
    }
}

#[test]
fn versions_of_the_calendar_are_of_today() {
    let check = |text: &str, last: &str, tags: &[&str], first: u64, expected: &str| {
        let wish = Wish { first, ..wish(Bump::Major, "") };
        assert_eq!(next_of(&format(text), last, "", tags, &wish), expected, "{text} {tags:?} {first}");
    };
    check("YYYY-0M-0D[-N]", "2026-11-04", &["2026-11-04"], 1, "2026-11-05");
    check("YYYY-0M-0D[-N]", "2026-11-05", &["2026-11-05"], 1, "2026-11-05-1");
    check("YYYY-0M-0D[-N]", "2026-11-05", &["2026-11-05"], 2, "2026-11-05-2");
    check("YYYY-0M-0D[-N]", "2026-11-05-1", &["2026-11-05", "2026-11-05-1"], 1, "2026-11-05-2");
    check("YYYY-0M-0D[-N]", "2026-11-05-1", &["2026-11-05", "2026-11-05-1"], 2, "2026-11-05-2");
    // Skipped, and on another branch.
    check(
        "YYYY-0M-0D[-N]",
        "2026-11-04",
        &["2026-11-05-1", "2026-11-05-4", "2107-03-14-1"],
        1,
        "2026-11-05-5",
    );
    check("YYYY-0M-0D[-N]", "", &[], 1, "2026-11-05");
    check(
        "YYYY-0M-0D",
        "2026-11-05",
        &[],
        1,
        "2026-11-05 is taken, and the version format `YYYY-0M-0D` has no counter: add one, as in `YYYY-0M-0D[-N]`",
    );
    check("YY.MM.N", "26.10.7", &["26.10.7"], 0, "26.11.0");
    check("YY.MM.N", "26.11.0", &["26.11.0"], 0, "26.11.1");
    check("YY.MM.N", "", &[], 1, "26.11.1");
    check("YYYY.0W[.N]", "2026.44", &["2026.44"], 1, "2026.45");
    check("YYYY.0W[.N]", "2026.45", &["2026.45"], 1, "2026.45.1");
    check("YYYY.N", "2026.9", &["2026.9"], 1, "2026.10");
    check("build-N", "build-9", &["build-9", "build-12"], 1, "build-13");
    check("build-N", "", &[], 100, "build-100");
    check("build-N", "build-999999999999999", &[], 1, "no version follows 1: a number in it is at its limit");
}

#[test]
fn weeks_are_those_of_the_year_they_belong_to() {
    let wish = Wish { today: date(2027, 1, 1), ..wish(Bump::Patch, "") };
    assert_eq!(next_of(&format("YYYY.0W[.N]"), "", "", &[], &wish), "2026.53");
}

#[test]
fn a_respin_takes_the_next_free_counter() {
    let check = |text: &str, of: &str, used: &[&str], expected: &str| {
        let format = format(text);
        let used: Vec<Version> = used.iter().filter_map(|name| format.parse_tag(name)).collect();
        let respin = format.respin(&format.parse_tag(of).unwrap(), &used, COUNTER_FIRST);
        let respin = respin.map_or_else(|error| error.to_string(), |version| version.to_string());
        assert_eq!(respin, expected, "{of}");
    };
    check("X.Y.Z[-N]", "1.9.0", &["1.8.0-7"], "1.9.0-1");
    check("X.Y.Z[-N]", "1.9.0-1", &["1.9.0", "1.9.0-1", "1.9.0-3"], "1.9.0-4");
    check("X.Y.Z[-PRE.N]", "1.9.0-rc.1", &["1.9.0-rc.2", "1.9.0-beta.9", "1.8.0-rc.7"], "1.9.0-rc.3");
    check("YYYY-0M-0D[-N]", "2026-11-05", &[], "2026-11-05-1");
    check("build-N", "build-7", &["build-9"], "10");
    check(
        "X.Y.Z[-PRE.N]",
        "1.9.0",
        &[],
        "1.9.0 is taken, and the version format `X.Y.Z[-PRE.N]` has no counter: choose another version",
    );
}
