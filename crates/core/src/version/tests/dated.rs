//! Dates with numbers, one number, and four.

use super::next::{next_of, wish};
use super::*;

#[test]
fn dates_with_numbers_are_read_and_written() {
    let cases = [
        ("YY.MINOR.MICRO", "26.4.2", Some("26.4.2")),
        ("YY.MINOR.MICRO", "26.04.2", None),
        ("YY.MINOR.MICRO", "26.4", None),
        ("YYYY.MINOR.PATCH", "2026.13.0", Some("2026.13.0")),
        ("YYYY.MINOR.PATCH", "26.13.0", None),
        ("YY.0M.MICRO", "26.04.2", Some("26.04.2")),
        ("YY.0M.MICRO", "26.13.2", None),
        ("YY.0M.MICRO", "26.4.2", None),
        ("YY.0M[.MICRO]", "24.04", Some("24.04")),
        ("YY.0M[.MICRO]", "24.04.1", Some("24.04.1")),
        ("YY.0M[.MICRO]", "24.04.0", None),
        ("YYYY.MM.MICRO", "2026.4.2", Some("2026.4.2")),
        ("YYYY.0W.MICRO", "2026.05.11", Some("2026.05.11")),
        ("YYYY.0W.MICRO", "2026.54.0", None),
        ("YYYY.MINOR[.MICRO]", "2026.3", Some("2026.3")),
        ("YYYY.MINOR[.MICRO]", "2026.3.1", Some("2026.3.1")),
        ("release-YYYY_MINOR_MICRO", "release-2026_3_1", Some("2026_3_1")),
        ("vYYYY0M0D.MICRO", "v20261105.3", Some("20261105.3")),
        ("vYYYY0M0D.MICRO", "v20261131.3", None),
        ("0Y0M0D", "261105", Some("261105")),
        ("0Y0M0D", "1061105", None),
        ("YY0M.MICRO", "2611.0", Some("2611.0")),
        ("YYYYMM.MICRO", "20261.0", Some("20261.0")),
        ("0Y0MMICRO", "261112", None),
        ("MAJOR.YYYY0M0D.MICRO", "3.20261105.0", Some("3.20261105.0")),
        ("MAJOR.MINOR.PATCH.YYYY0M0D", "2.31.0.20261105", Some("2.31.0.20261105")),
        ("YY.MINOR.MICRO[-PRE.N]", "26.4.0-rc.1", Some("26.4.0-rc.1")),
        ("YY.MINOR.MICRO[PREN]", "26.4.0rc1", Some("26.4.0rc1")),
        ("YY.MINOR.MICRO[-PRE][+BUILD]", "26.4.0-alpha.x+b1", Some("26.4.0-alpha.x+b1")),
        ("YYYY-0M-0D[-PRE.N]", "2026-11-05-rc.1", Some("2026-11-05-rc.1")),
        ("YYYY-0M-0D[-PRE.N]", "2026-11-05-rc.01", None),
        ("YYYY-0M-0D[-N][+BUILD]", "2026-11-05-2+b7", Some("2026-11-05-2+b7")),
        ("vX", "v7", Some("7")),
        ("vX", "v07", None),
        ("vX", "v7.1", None),
        ("X[-PRE.N]", "7-rc.1", Some("7-rc.1")),
        ("W.X.Y.Z", "1.2.3.4", Some("1.2.3.4")),
        ("W.X.Y.Z", "1.2.3", None),
        ("W.X.Y.Z", "W.1.2.3", None),
        ("X.Y.Z.N", "1.2.3.0", Some("1.2.3.0")),
        ("vX_Y_Z_N", "v1_2_3_40", Some("1.2.3.40")),
        ("MAJOR.MINOR.PATCH", "1.2.3", Some("1.2.3")),
        ("vMAJOR.MINOR.PATCH[-PRE.N][+BUILD]", "v1.2.3-rc.1+b", Some("1.2.3-rc.1+b")),
        ("MAJOR.MINOR.MICRO.N", "1.2.3.4", Some("1.2.3.4")),
        ("'W'.X.Y.Z", "W.1.2.3", Some("1.2.3")),
        ("NW-X.Y.Z", "", None),
    ];
    for (text, name, expected) in cases {
        let Ok(format) = VersionFormat::new(text) else {
            assert_eq!((expected, name.is_empty() || text == "0Y0MMICRO"), (None, true), "{text}");
            continue;
        };
        let version = format.parse_tag(name);
        assert_eq!(version.as_ref().map(Version::to_string).as_deref(), expected, "{text} reads {name}");
        if let Some(version) = version {
            assert_eq!(format.tag_name(&version).as_deref(), Ok(name), "{text} writes {version}");
            assert_eq!(format.parse_text(&version.to_string()), Some(version));
        }
    }
    let dates = format("YY.0M.MICRO");
    assert_eq!(dates.read_tag("26.13.2"), Err(Unfit::NoSuchDate));
    assert!(dates.parse_tag("26.12.2").unwrap().check_date(TODAY).is_err());
}

#[test]
fn mistakes_come_with_their_remedy() {
    use FormatFault::*;
    let to = |text: &str| text.to_owned();
    let cases = [
        ("YYYY.Y.Z", Letters(to("YYYY.MINOR.MICRO"))),
        ("YY.X.Z", Letters(to("YY.MINOR.MICRO"))),
        ("YYYY.0M.X", Letters(to("YYYY.0M.MICRO"))),
        ("vYY.X.Y.Z[-PRE.N]", Letters(to("vYY.MAJOR.MINOR.MICRO[-PRE.N]"))),
        ("'REL'-YY.X[.Y]", Letters(to("'REL-'YY.MINOR[.MICRO]"))),
        ("YYYYMMDD", Padding(to("YYYY0M0D"))),
        ("release-YYYYMMDD[-N]", Padding(to("release-YYYY0M0D[-N]"))),
        ("YYYYMMMICRO", Quote(to("YYYYMMMICRO"))),
        ("YYMMDD", Padding(to("0Y0M0D"))),
        ("YYYY.MMDD", Padding(to("YYYY.0M0D"))),
        ("YYYY.WWMICRO", Quote(to("WWMICRO"))),
        ("YYYY.MM.N[-PRE.N]", TwoCounters),
        ("YYYY.MM.MICRO-MODIFIER", Modifier),
        ("MAJOR.MINOR.PATCH.BUILD", FourthNumber),
        ("X.Y.Z.BUILD", FourthNumber),
        ("YY.MINOR.BUILD", Optional),
        ("W.X.Y", Missing("Z")),
        ("W.X.Y.Z[-PRE.N]", FourAndPre),
        ("X.Y.Z.W", Unknown(to("W"))),
        ("MAJOR-N", Optional),
        ("X.Y.Z-N", Optional),
        ("MAJOR.PATCH", Missing("MINOR")),
        ("MINOR.PATCH", Missing("MAJOR")),
        ("YY.MICRO.MINOR", Order),
        ("YY.MINOR.0M", Order),
        ("YY.MINOR.MINOR", Doubled("MINOR")),
        ("YY.PATCH.MICRO", Doubled("MICRO")),
        ("YY[.MINOR].MICRO", Optional),
        ("[MAJOR.]YY.0M", Optional),
        ("YY.0M[.MICRO][.N]", Ambiguous),
        ("YYYY.0M.0DMICRO", Quote(to("0DMICRO"))),
        ("YYYY-0M-0D-PRE.N", Optional),
    ];
    for (text, fault) in cases {
        let found = VersionFormat::new(text).map(|format| format.kind).map_err(|error| error.fault);
        assert_eq!(found, Err(fault), "{text}");
    }
}

/// What follows a version on a day, after nothing else.
fn next_on(text: &str, last: &str, pre: &str, tags: &[&str], today: Date, bump: Bump, label: &str) -> String {
    let wish = Wish { today, ..wish(bump, label) };
    next_of(&format(text), last, pre, tags, &wish)
}

#[test]
fn numbers_beside_a_date_grow_by_the_table() {
    use Bump::*;
    let (same, later) = (date(2026, 11, 20), date(2027, 1, 2));
    let cases = [
        // Format, last, breaking change, feature, fix, and whatever it is in the next year.
        ("YY.MINOR.MICRO", "26.4.2", ["26.5.0", "26.5.0", "26.4.3", "27.0.0"]),
        ("YYYY.MINOR[.MICRO]", "2026.4.2", ["2026.5", "2026.5", "2026.4.3", "2027.0"]),
        ("YY.MAJOR.MINOR.MICRO", "26.1.4.2", ["26.2.0.0", "26.1.5.0", "26.1.4.3", "27.0.0.0"]),
        ("YY.MAJOR.MINOR", "26.1.4", ["26.2.0", "26.1.5", "26.1.5", "27.0.0"]),
        ("YY.MAJOR", "26.1", ["26.2", "26.2", "26.2", "27.0"]),
        ("YY.0M.MICRO", "26.11.2", ["26.11.3", "26.11.3", "26.11.3", "27.01.0"]),
        ("YYYY.MM.MICRO", "2026.11.9", ["2026.11.10", "2026.11.10", "2026.11.10", "2027.1.0"]),
        ("YYYY.0W.MICRO", "2026.47.9", ["2026.47.10", "2026.47.10", "2026.47.10", "2026.53.0"]),
        ("YY.0M[.MICRO]", "26.11", ["26.11.1", "26.11.1", "26.11.1", "27.01"]),
        ("MAJOR.YY.MICRO", "2.26.4", ["3.26.0", "2.26.5", "2.26.5", "2.27.0"]),
        ("MAJOR.YYYY0M", "2.202611", ["3.202611", "", "", "2.202701"]),
        ("MAJOR.YYYY0M.N", "2.202611.7", ["3.202611.1", "2.202611.8", "2.202611.8", "2.202701.1"]),
        (
            "MAJOR.MINOR.PATCH.YYYY0M",
            "2.4.1.202611",
            ["3.0.0.202611", "2.5.0.202611", "2.4.2.202611", "2.4.2.202701"],
        ),
        ("YY.MINOR.MICRO[-N]", "26.4.2-1", ["26.5.0", "26.5.0", "26.4.3", "27.0.0"]),
        ("YY.MINOR.MICRO[+BUILD]", "26.4.2+b1", ["26.5.0", "26.5.0", "26.4.3", "27.0.0"]),
    ];
    for (text, last, [major, minor, patch, year]) in cases {
        for (bump, expected) in [(Major, major), (Minor, minor), (Patch, patch)] {
            let next = next_on(text, last, "", &[], same, bump, "");
            match expected {
                "" => {
                    assert!(next.ends_with(&format!("has no counter: add one, as in `{text}[-N]`")), "{next}")
                }
                expected => assert_eq!(next, expected, "{text} {last} {bump}"),
            }
        }
        assert_eq!(next_on(text, last, "", &[], later, Patch, ""), year, "{text} {last}");
    }
    // A feature of a new month does not wait for another one.
    assert_eq!(next_on("YYYY.MM.MINOR.MICRO", "2026.10.3.1", "", &[], same, Minor, ""), "2026.11.0.0");
    // Cut the evening before as one of the next month, and mended on that evening.
    assert_eq!(next_on("YY.0M.MICRO", "26.12.0", "", &[], date(2026, 11, 30), Patch, ""), "26.12.1");
    // The first of all.
    let first =
        [("YY.MINOR.MICRO", "26.0.0"), ("YY.0M.MICRO", "26.11.0"), ("MAJOR.YY0W", "0.2647"), ("vX", "v1")];
    for (text, expected) in first {
        assert_eq!(next_on(text, "", "", &[], same, Minor, ""), expected);
    }
    let limit = format!("26.11.{NUMBER_MAX}");
    let error = next_on("YY.0M.MICRO", &limit, "", &[], same, Patch, "");
    assert_eq!(error, format!("no version follows {limit}: a number in it is at its limit"));
    assert_eq!(next_on("YY.0M.MICRO", &limit, "", &[], later, Patch, ""), "27.01.0");
}

#[test]
fn one_number_behind_a_date_counts() {
    let same = date(2026, 11, 20);
    let check = |last: &str, tags: &[&str], today: Date, expected: &str| {
        assert_eq!(next_on("YY.0M.MICRO", last, "", tags, today, Bump::Minor, ""), expected, "{tags:?}");
    };
    // Those of other branches are taken, and skipped ones stay skipped.
    check("26.11.0", &["26.11.0", "26.11.1", "26.11.4"], same, "26.11.5");
    check("26.10.0", &["26.10.0", "26.11.0"], same, "26.11.1");
    check("26.10.0", &["26.10.7", "26.12.3"], same, "26.11.0");
    // With several numbers it is for a person to say what comes beside another branch.
    assert_eq!(next_on("YY.MINOR.MICRO", "26.4.2", "", &["26.4.3"], same, Bump::Patch, ""), "26.4.3");
    let format = format("YYYY.MINOR.MICRO");
    let last = format.parse_tag("2026.3.7").unwrap();
    let known = Known { last: Some(&last), ..Known::default() };
    let wish = Wish { restart: 1, today: date(2027, 2, 1), ..wish(Bump::Patch, "") };
    assert_eq!(format.next(&known, &wish).unwrap().to_string(), "2027.1.0");
    let wish = Wish { today: date(2026, 2, 1), bump: Bump::Minor, ..wish };
    assert_eq!(format.next(&known, &wish).unwrap().to_string(), "2026.4.0");
    let initial = format.parse_tag("2026.4.1").unwrap();
    let known = Known { initial: Some(&initial), ..Known::default() };
    assert_eq!(format.next(&known, &wish), Ok(initial.clone()));
}

#[test]
fn dates_have_pre_releases() {
    use Bump::*;
    let (november, december) = (date(2026, 11, 20), date(2026, 12, 2));
    // Format, the last final release, the last pre-release, all tags, day, what is wished for, what comes of it.
    type Case<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], Date, Bump, &'a str, &'a str);
    let minor = "YY.MINOR.MICRO[-PRE.N]";
    let micro = "YY.0M.MICRO[-PRE.N]";
    let day = "YYYY-0M-0D[-PRE.N]";
    let cases: [Case; 18] = [
        (minor, "26.3.0", "", &[], november, Minor, "rc", "26.4.0-rc.1"),
        (minor, "26.3.0", "26.4.0-rc.1", &["26.4.0-rc.1"], november, Patch, "rc", "26.4.0-rc.2"),
        (minor, "26.3.0", "26.4.0-rc.1", &[], november, Patch, "", "26.4.0"),
        (minor, "26.3.0", "26.3.1-rc.1", &[], november, Minor, "", "26.4.0"),
        (minor, "26.3.0", "26.4.0-alpha.3", &["26.4.0-alpha.3"], november, Minor, "beta", "26.4.0-beta.1"),
        (
            minor,
            "26.3.0",
            "26.4.0-rc.1",
            &["26.4.0-beta.2", "26.4.0-rc.1"],
            november,
            Minor,
            "beta",
            "26.4.0-beta.3 would go backwards: 26.4.0-rc.1 is there already",
        ),
        (micro, "26.10.3", "", &[], november, Minor, "rc", "26.11.0-rc.1"),
        // What was tried under a date is released under it.
        (micro, "26.10.3", "26.11.0-rc.2", &["26.11.0-rc.2"], december, Minor, "", "26.11.0"),
        (micro, "26.10.3", "26.11.0-rc.2", &["26.11.0-rc.2"], december, Minor, "rc", "26.11.0-rc.3"),
        (micro, "26.11.0", "", &["26.11.0", "26.11.0-rc.2"], december, Minor, "rc", "26.12.0-rc.1"),
        (micro, "26.11.0", "", &["26.11.0", "26.11.0-rc.2"], november, Patch, "", "26.11.1"),
        (micro, "", "", &[], november, Patch, "alpha", "26.11.0-alpha.1"),
        (micro, "", "26.11.0-alpha.1", &["26.11.0-alpha.1"], december, Patch, "", "26.11.0"),
        (day, "2026-11-19", "", &[], november, Patch, "rc", "2026-11-20-rc.1"),
        (day, "2026-11-19", "2026-11-20-rc.1", &["2026-11-20-rc.1"], december, Patch, "", "2026-11-20"),
        (
            day,
            "2026-11-19",
            "2026-11-20-rc.1",
            &["2026-11-20-rc.1"],
            december,
            Patch,
            "rc",
            "2026-11-20-rc.2",
        ),
        (
            day,
            "2026-11-20",
            "",
            &["2026-11-20"],
            november,
            Patch,
            "rc",
            "2026-11-20 is taken, and the version format `YYYY-0M-0D[-PRE.N]` has no counter: add one, as in `YYYY-0M-0D[.MICRO][-PRE.N]`",
        ),
        (
            "YYYY-0M-0D[.MICRO][-PRE.N]",
            "2026-11-20",
            "",
            &["2026-11-20"],
            november,
            Patch,
            "rc",
            "2026-11-20.1-rc.1",
        ),
    ];
    for (text, last, pre, tags, today, bump, label, expected) in cases {
        assert_eq!(next_on(text, last, pre, tags, today, bump, label), expected, "{last} {pre} {label}");
    }
    let read = |text: &str| format("YY.MINOR.MICRO[-PRE.N]").parse_tag(text).unwrap();
    let rc = read("26.4.0-rc.1");
    assert_eq!((rc.pre_release(), rc.pre_label()), (Some("rc.1"), Some("rc")));
    assert!(read("26.4.0") > rc && rc > read("26.4.0-beta.9") && rc > read("26.3.9"));
    assert!(!rc.is_of_more_than(&read("26.4.0-rc.2")) && rc.is_of_more_than(&read("26.3.9")));
    let error = format("YY.0M.N").next(&Known::default(), &wish(Minor, "rc")).unwrap_err().to_string();
    assert_eq!(
        error,
        "the version format `YY.0M.N` has no pre-releases: write for example `YY.0M.MICRO[-PRE.N]`"
    );
}

#[test]
fn one_number_and_four_grow() {
    use Bump::*;
    let cases = [
        ("vX", "v7", ["v8", "v8", "v8"]),
        ("vX", "v0", ["v1", "v1", "v1"]),
        ("X[-PRE.N]", "7", ["8", "8", "8"]),
        ("W.X.Y.Z", "1.2.3.4", ["2.0.0.0", "1.3.0.0", "1.2.4.0"]),
        ("W.X.Y.Z", "0.2.3.4", ["0.3.0.0", "0.3.0.0", "0.2.4.0"]),
        ("X.Y.Z.N", "1.2.3.4", ["2.0.0.0", "1.3.0.0", "1.2.4.0"]),
        ("X.Y.Z[.N]", "1.2.3.4", ["2.0.0", "1.3.0", "1.2.4"]),
    ];
    for (text, last, expected) in cases {
        for (bump, next) in [Major, Minor, Patch].into_iter().zip(expected) {
            assert_eq!(next_on(text, last, "", &[], TODAY, bump, ""), next, "{last} {bump}");
        }
    }
    assert_eq!(next_on("W.X.Y.Z", "", "", &[], TODAY, Patch, ""), "0.1.0.0");
    assert_eq!(next_on("X[-PRE.N]", "7", "8-rc.1", &["8-rc.1"], TODAY, Patch, "rc"), "8-rc.2");
    assert_eq!(next_on("X[-PRE.N]", "7", "8-rc.1", &["8-rc.1"], TODAY, Patch, ""), "8");
    let decided = ["X.Y", "YY.MINOR.MICRO", "MAJOR.YY0M", "W.X.Y.Z"].map(|text| format(text).is_decided());
    assert_eq!(decided, [true; 4].map(|_| true));
    let by_itself = ["vX", "YY.0M.MICRO", "YYYY.0M.0D", "YY.MM.N", "build-N"];
    assert!(by_itself.into_iter().all(|text| !format(text).is_decided()));
}

#[test]
fn a_respin_keeps_the_date() {
    let check = |text: &str, of: &str, used: &[&str], expected: &str| {
        let format = format(text);
        let used: Vec<Version> = used.iter().filter_map(|name| format.parse_tag(name)).collect();
        let respin = format.respin(&format.parse_tag(of).unwrap(), &used, COUNTER_FIRST);
        assert_eq!(respin.map_or_else(|error| error.to_string(), |version| version.to_string()), expected);
    };
    check("YY.0M.MICRO", "26.10.0", &["26.10.3", "26.11.9"], "26.10.4");
    check("YY.MINOR.MICRO", "26.4.2", &["26.4.3", "26.5.7"], "26.4.4");
    check("YY.MINOR.MICRO[-N]", "26.4.2", &["26.4.3"], "26.4.2-1");
    check("YY.MINOR.MICRO[-PRE.N]", "26.4.2-rc.1", &["26.4.2-rc.4", "26.4.2-beta.9"], "26.4.2-rc.5");
    check("YY.MINOR.MICRO[-PRE.N]", "26.4.2", &["26.4.3-rc.4"], "26.4.3");
    check("YYYY-0M-0D[-PRE.N]", "2026-11-05-rc.1", &[], "2026-11-05-rc.2");
    check("W.X.Y.Z", "1.2.3.0", &["1.2.3.4", "1.2.4.9"], "1.2.3.5");
}

#[test]
fn growth_is_told_from_the_numbers() {
    let grown = |text: &str, next: &str, last: &str| {
        let read = |name: &str| format(text).parse_tag(name).unwrap();
        read(next).raised_since(&read(last))
    };
    assert_eq!(grown("X.Y.Z", "2.0.0", "1.9.0"), Some(Bump::Major));
    assert_eq!(grown("X.Y.Z", "1.9.1", "1.9.0"), Some(Bump::Patch));
    assert_eq!(grown("W.X.Y.Z", "1.9.0.1", "1.9.0.0"), None);
    assert_eq!(grown("YY.MINOR.MICRO", "26.5.0", "26.4.1"), Some(Bump::Minor));
    assert_eq!(grown("YY.MINOR.MICRO", "26.4.2", "26.4.1"), Some(Bump::Patch));
    assert_eq!(grown("YY.MINOR.MICRO", "27.0.0", "26.4.1"), None);
    assert_eq!(grown("MAJOR.YY.MICRO", "3.27.0", "2.26.1"), Some(Bump::Major));
    assert_eq!(grown("YYYY-0M-0D", "2026-11-06", "2026-11-05"), None);
}
