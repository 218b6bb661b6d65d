mod dated;
mod laws;
mod next;

use jiff::civil::{Date, date};

use super::*;

const TODAY: Date = date(2026, 11, 5);

fn format(text: &str) -> VersionFormat {
    VersionFormat::new(text).unwrap()
}

fn version(text: &str) -> Version {
    let formats = ["X.Y.Z[-PRE][+BUILD]", "X.Y[PREN]", "YYYY-0M-0D[-N]", "YY.0M.N", "N"];
    formats.into_iter().find_map(|f| format(f).parse_text(text)).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn tags_are_read_and_written() {
    let cases = [
        ("X.Y.Z", "1.7.0", Some("1.7.0")),
        ("X.Y.Z", "0.0.0", Some("0.0.0")),
        ("X.Y.Z", "10.20.30", Some("10.20.30")),
        ("X.Y.Z", "v1.6.8", None),
        ("X.Y.Z", "1.3rc1", None),
        ("X.Y.Z", "rpm-1.15.1-5", None),
        ("X.Y.Z", "1.7", None),
        ("X.Y.Z", "1.7.0.1", None),
        ("X.Y.Z", "1.07.0", None),
        ("X.Y.Z", "01.7.0", None),
        ("X.Y.Z", "1.7.00", None),
        ("X.Y.Z", "1.7.0-rc.1", None),
        ("X.Y.Z", "1.7.0 ", None),
        ("X.Y.Z", "1.7.0\n", None),
        ("X.Y.Z", "+1.7.0", None),
        ("X.Y.Z", "1.-7.0", None),
        ("X.Y.Z", "1..0", None),
        ("X.Y.Z", "", None),
        ("X.Y.Z", "١.٧.٠", None),
        ("X.Y.Z", "999999999999999.0.0", Some("999999999999999.0.0")),
        ("X.Y.Z", "1000000000000000.0.0", None),
        ("X.Y.Z", "18446744073709551616.0.0", None),
        ("vX.Y.Z", "v1.9.0", Some("1.9.0")),
        ("vX.Y.Z", "V1.9.0", None),
        ("vX.Y.Z", "1.9.0", None),
        ("vX.Y", "v3.99", Some("3.99")),
        ("vX.Y", "v3.100", Some("3.100")),
        ("vX.Y", "v3.100.1", None),
        ("curl-X_Y_Z", "curl-8_10_1", Some("8.10.1")),
        ("release/X.Y", "release/4.0", Some("4.0")),
        ("@acme/app@X.Y.Z", "@acme/app@1.2.3", Some("1.2.3")),
        ("X.Y.Z.Final", "5.1.0.Final", Some("5.1.0")),
        ("X.Y.Z.Final", "5.1.0", None),
        ("auth-vX.Y.Z", "auth-v1.2.3", Some("1.2.3")),
        ("auth-vX.Y.Z", "billing-v1.2.3", None),
        ("'FIREFOX'_X_Y", "FIREFOX_57_0", Some("57.0")),
        ("REL_X_Y", "REL_9_6", Some("9.6")),
        ("X.Y.Z.'GA'", "5.1.0.GA", Some("5.1.0")),
        // The third number is left out when it is 0.
        ("X.Y[.Z]", "4.2", Some("4.2")),
        ("X.Y[.Z]", "4.2.1", Some("4.2.1")),
        ("X.Y[.Z]", "4.2.0", None),
        ("curl-X_Y[_Z]", "curl-7_1_1", Some("7.1.1")),
        // Pre-releases.
        ("X.Y.Z[-PRE.N]", "1.4.0-rc.1", Some("1.4.0-rc.1")),
        ("X.Y.Z[-PRE.N]", "1.4.0", Some("1.4.0")),
        ("X.Y.Z[-PRE.N]", "1.4.0-rc.01", None),
        ("X.Y.Z[-PRE.N]", "1.4.0-rc1", None),
        ("X.Y.Z[-PRE.N]", "1.4.0-rc", None),
        ("X.Y.Z[-PRE.N]", "1.4.0-rc.1.2", None),
        ("X.Y.Z[-PRE.N]", "1.4.0-", None),
        ("X.Y.Z[-PRE.N]", "1.4.0-1.1", None),
        ("X.Y[PREN]", "1.3rc1", Some("1.3rc1")),
        ("X.Y[PREN]", "1.3", Some("1.3")),
        ("X.Y[PREN]", "1.3rc", None),
        ("X.Y[PREN]", "1.3.rc1", None),
        ("vX.Y.Z[-PRE]", "v1.0.0-alpha.beta", Some("1.0.0-alpha.beta")),
        ("vX.Y.Z[-PRE]", "v1.0.0-x.7.z.92", Some("1.0.0-x.7.z.92")),
        ("vX.Y.Z[-PRE]", "v1.0.0-alpha..1", None),
        ("vX.Y.Z[-PRE]", "v1.0.0-01", None),
        ("vX.Y.Z[-PRE]", "v1.0.0-9999999999999999", None),
        ("vX.Y.Z[-PRE][+BUILD]", "v1.0.0-rc.1+exp.sha.5114f85", Some("1.0.0-rc.1+exp.sha.5114f85")),
        ("vX.Y.Z[-PRE][+BUILD]", "v1.0.0+001", Some("1.0.0+001")),
        ("vX.Y.Z[-PRE][+BUILD]", "v1.0.0+", None),
        // Respins.
        ("vX.Y.Z[-N]", "v1.9.0-2", Some("1.9.0-2")),
        ("vX.Y.Z[-N]", "v1.9.0-02", None),
        // Dates.
        ("YYYY-0M-0D[-N]", "2026-11-05", Some("2026-11-05")),
        ("YYYY-0M-0D[-N]", "2026-11-05-1", Some("2026-11-05-1")),
        ("YYYY-0M-0D[-N]", "2026-11-05-01", None),
        ("YYYY-0M-0D[-N]", "2017-12-1", None),
        ("YYYY-0M-0D[-N]", "2016-03-15-garbage", None),
        ("YYYY-0M-0D[-N]", "2026-02-31", None),
        ("YYYY-0M-0D[-N]", "2026-02-29", None),
        ("YYYY-0M-0D[-N]", "2028-02-29", Some("2028-02-29")),
        ("YYYY-0M-0D[-N]", "2026-13-01", None),
        ("YYYY-0M-0D[-N]", "0999-01-01", None),
        ("YYYY-0M-0D[-N]", "12026-01-01", None),
        ("YY.MM.N", "26.5.0", Some("26.5.0")),
        ("YY.MM.N", "26.05.0", None),
        ("YY.MM.N", "26.5", None),
        ("YY.MM.N", "106.12.3", Some("106.12.3")),
        ("0Y.0M", "06.01", Some("06.01")),
        ("0Y.0M", "106.01", Some("106.01")),
        ("0Y.0M", "6.01", None),
        ("YYYY.0W[.N]", "2026.05", Some("2026.05")),
        ("YYYY.0W[.N]", "2026.53.2", Some("2026.53.2")),
        ("YYYY.0W[.N]", "2027.53", None),
        ("YYYY.0W[.N]", "2026.00", None),
        ("release-YYYY0M0D", "release-20261105", Some("20261105")),
        ("YYYY.N", "2026.3", Some("2026.3")),
        // Counters.
        ("build-N", "build-42", Some("42")),
        ("build-N", "build-042", None),
        ("build-N", "build-", None),
    ];
    for (text, name, expected) in cases {
        let format = format(text);
        let version = format.parse_tag(name);
        assert_eq!(version.as_ref().map(Version::to_string).as_deref(), expected, "{text} reads {name}");
        if let Some(version) = version {
            assert_eq!(format.tag_name(&version).as_deref(), Ok(name), "{text} writes {version}");
            assert_eq!(format.parse_text(&version.to_string()), Some(version));
        }
    }
    assert_eq!(format("X.Y.Z").parse_tag(&"1".repeat(100_000)), None);
}

#[test]
fn formats_are_checked() {
    use FormatFault::*;
    let cases = [
        ("", Missing("X")),
        ("v", Missing("X")),
        ("FIREFOX_X_Y", Quote("FIREFOX".into())),
        ("VERSION-X.Y", Quote("VERSION".into())),
        ("VX.Y", Quote("VX".into())),
        ("X.Y.Z.FINAL", Quote("FINAL".into())),
        ("X.Y.Z.W", Unknown("W".into())),
        ("X.Y.Z.GA", Unknown("GA".into())),
        ("YYYY-0M-0D-HH", Unknown("HH".into())),
        ("X.X.Y", Doubled("X")),
        ("YYYY.YY", Doubled("YYYY")),
        ("YYYY.0M.MM", Doubled("0M")),
        ("X.Y.Z[-PRE.N][-N]", Doubled("N")),
        ("YYYY.0M.0W", Mixed("0M", "0W")),
        ("0M.0D", Missing("YYYY")),
        ("YYYY.0D", Missing("0M")),
        ("0D-0M-YYYY", Order),
        ("[-N]YYYY", Order),
        ("X.Y.Z[-N.PRE]", Order),
        ("X.Y.Z-PRE.N", Optional),
        ("X.Y.Z-N", Optional),
        ("X.Y.Z+BUILD", Optional),
        ("X[.Y]", Optional),
        ("YYYY[-0M-0D]", Optional),
        ("X.Y[.Z-PRE.N]", Optional),
        ("build[-N]", Optional),
        ("X.Y[-beta]", Brackets),
        ("X.Y[.Z[-PRE.N]]", Brackets),
        ("X.Y[.Z", Brackets),
        ("X.Y]", Brackets),
        ("X.Y'", Brackets),
        ("''X.Y", Brackets),
        ("'a b'X.Y", Character),
        ("X.Y[.Z][.N]", Ambiguous),
        ("X.Y[-PRE]-final", NotSetOff),
        ("X.Y.Z[N]", NotSetOff),
        ("X.Y[PRE]", NotSetOff),
        ("X.YPRE", Optional),
        ("build2N", NotSetOff),
        ("Y.X", Order),
        ("X.Z.Y", Order),
        ("XY", NotSetOff),
        ("X.Y.Z2", NotSetOff),
        ("v2X.Y", NotSetOff),
        ("X.1Y", NotSetOff),
        ("X.Y Z", Character),
        ("vX.Y\u{1b}[31m", Character),
        ("vX.Yé", Character),
        ("X~Y", Character),
        ("-X.Y", NotATag),
        ("X..Y", NotATag),
        ("X.Y.", NotATag),
        ("X.Y.lock", NotATag),
        ("a//X.Y", NotATag),
        ("a/.X.Y", NotATag),
    ];
    for (text, fault) in cases {
        assert_eq!(VersionFormat::new(text).unwrap_err().fault, fault, "{text}");
    }
    assert_eq!(VersionFormat::new(&format!("{}X.Y", "a".repeat(80))).unwrap_err().fault, TooLong);
    let error = VersionFormat::new("v\u{1b}1").unwrap_err().to_string();
    assert!(error.starts_with("`v1` cannot be a version format: only letters"), "{error}");
}

#[test]
fn a_version_has_to_increase() {
    let cases = [
        ("1.10.0", "1.9.0", None),
        ("2.0.0", "1.9.0", None),
        ("3.100", "3.99", None),
        ("1.9.0", "1.9.0", Some("1.9.0 does not come after 1.9.0: choose a version above 1.9.0")),
        ("1.9.0", "1.10.0", Some("1.9.0 does not come after 1.10.0: choose a version above 1.10.0")),
        (
            "1.9",
            "1.9.0",
            Some(
                "1.9 cannot be compared with 1.9.0: they are versions of different schemes, so name the next version yourself",
            ),
        ),
        ("1.9.0", "1.9.0-rc.2", None),
        ("1.9.0-rc.10", "1.9.0-rc.9", None),
        (
            "1.9.0-beta.2",
            "1.9.0-rc.1",
            Some("1.9.0-beta.2 does not come after 1.9.0-rc.1: choose a version above 1.9.0-rc.1"),
        ),
        (
            "1.9.0+two",
            "1.9.0+one",
            Some("1.9.0+two does not come after 1.9.0+one: choose a version above 1.9.0+one"),
        ),
        ("2026-11-05-1", "2026-11-05", None),
        (
            "2026-11-05",
            "2026-11-06",
            Some("2026-11-05 does not come after 2026-11-06: choose a version above 2026-11-06"),
        ),
    ];
    for (next, last, expected) in cases {
        let error = version(next).check_follows(&version(last)).err().map(|e| e.to_string());
        assert_eq!(error.as_deref(), expected, "{next} after {last}");
    }
}

#[test]
fn tags_are_surveyed() {
    let check = |text: &str, tags: &[&str], fitting: &[&str], odd: &[(&str, &str)]| {
        let survey = survey_tags(&format(text), tags.iter().copied(), TODAY);
        let names: Vec<&str> = survey.fitting.iter().map(|tag| tags[tag.index]).collect();
        assert_eq!(names, fitting);
        let found: Vec<_> = survey
            .odd
            .iter()
            .map(|tag| match &tag.oddity {
                Oddity::DoesNotFit => (tag.name.as_str(), ""),
                Oddity::Doubles { tag: other } => (tag.name.as_str(), other.as_str()),
                Oddity::InFuture => (tag.name.as_str(), "future"),
                Oddity::NotACommit => (tag.name.as_str(), "no commit"),
            })
            .collect();
        assert_eq!(found, odd);
    };
    check("X.Y.Z", &[], &[], &[]);
    check(
        "X.Y.Z",
        &["1.6.8", "v1.6.8", "1.3rc1", "rpm-1.15.1-5", "1.7.0", "1.6"],
        &["1.6.8", "1.7.0"],
        &[("v1.6.8", "1.6.8"), ("1.3rc1", ""), ("rpm-1.15.1-5", ""), ("1.6", "")],
    );
    check("vX.Y.Z", &["v1.7.0", "v1.7", "1_07_0"], &["v1.7.0"], &[("v1.7", "v1.7.0"), ("1_07_0", "v1.7.0")]);
    // A typo in a date is never the last release; old ones are only told.
    check(
        "YYYY-0M-0D[-N]",
        &["2016-03-15-garbage", "2107-03-14-1", "2017-12-1", "2017-03-14", "2026-11-06"],
        &["2017-03-14", "2026-11-06"],
        &[("2016-03-15-garbage", ""), ("2107-03-14-1", "future"), ("2017-12-1", "")],
    );
    check("X.Y.Z", &["nightly", "\u{1b}[2J"], &[], &[("nightly", ""), ("\u{1b}[2J", "")]);
}

#[test]
fn the_graph_tells_the_nearest_release() {
    let check = |text: &str, tags: &[(&str, u64)], nearest: Option<&str>| {
        let versions: Vec<Version> =
            tags.iter().map(|(tag, _)| format(text).parse_tag(tag).unwrap()).collect();
        let found = nearest_release(versions.iter().zip(tags.iter().map(|(_, distance)| *distance)));
        assert_eq!(found.map(|place| tags[place].0), nearest);
    };
    check("X.Y.Z", &[], None);
    check("X.Y.Z", &[("1.6.8", 40), ("1.7.0", 3)], Some("1.7.0"));
    // The graph comes first, and the numbers are compared as numbers.
    check("vX.Y", &[("v3.99", 7), ("v3.100", 2), ("v9.0", 50)], Some("v3.100"));
    // Several tags on one commit.
    check("X.Y.Z", &[("1.9.0", 0), ("1.10.0", 0), ("1.8.0", 0)], Some("1.10.0"));
    check("X.Y.Z[-PRE.N]", &[("1.4.0-rc.1", 1), ("1.4.0-rc.2", 1)], Some("1.4.0-rc.2"));
}

#[test]
fn versions_tell_what_they_are() {
    let cases = [
        ("1.9.0", vec![1, 9, 0], None, None, false),
        ("1.9.2", vec![1, 9, 2], None, None, true),
        ("1.3", vec![1, 3], None, None, false),
        ("1.3rc1", vec![1, 3], Some("rc.1"), None, false),
        ("1.4.0-rc.1", vec![1, 4, 0], Some("rc.1"), None, false),
        ("2026-11-05-1", vec![], None, Some(date(2026, 11, 5)), false),
        ("26.05.1", vec![], None, Some(date(2026, 5, 1)), false),
        ("42", vec![], None, None, false),
    ];
    for (text, numbers, pre, day, patch) in cases {
        let version = version(text);
        assert_eq!(version.numbers().unwrap_or_default(), numbers, "{text}");
        assert_eq!(version.pre_release(), pre, "{text}");
        assert_eq!(version.first_day(), day, "{text}");
        assert_eq!(version.is_patch(), patch, "{text}");
        assert_eq!(serde_json::to_string(&version).unwrap(), format!("\"{text}\""));
    }
    let week = format("YYYY.0W").parse_tag("2026.53").unwrap();
    assert_eq!(week.first_day(), Some(date(2026, 12, 28)));
    assert_eq!(format("YYYY-0M-0D").read_text("2026-02-31"), Err(Unfit::NoSuchDate));
    assert_eq!(format("YYYY-0M-0D").read_text("2026-02-3"), Err(Unfit::Form));
}

#[test]
fn dates_are_plausible() {
    let check = |text: &str, name: &str, fine: bool| {
        let version = format(text).parse_tag(name).unwrap();
        assert_eq!(version.check_date(TODAY).is_ok(), fine, "{name}");
    };
    check("YYYY-0M-0D[-N]", "2026-11-05", true);
    check("YYYY-0M-0D[-N]", "2026-11-06-3", true);
    check("YYYY-0M-0D[-N]", "2026-11-07", false);
    check("YYYY-0M-0D[-N]", "2107-03-14-1", false);
    check("YY.MM.N", "26.11.0", true);
    check("YY.MM.N", "26.12.0", false);
    check("YYYY.0W", "2026.45", true);
    check("YYYY.0W", "2026.46", false);
    check("X.Y.Z", "26.12.0", true);
    let error = version("2107-03-14-1").check_date(TODAY).unwrap_err().to_string();
    assert_eq!(error, "2107-03-14-1 lies in the future: today is 2026-11-05");
}

#[test]
fn lines_hold_their_versions() {
    let holds = |within: &str, text: &str| within.parse::<Within>().unwrap().holds(&version(text));
    assert!(holds("1", "1.9.0") && holds("1", "1.9.0-rc.1") && holds("1.4", "1.4.7") && holds("0", "0.3"));
    assert!(!holds("1", "2.0.0") && !holds("1.4", "1.5.0") && !holds("1", "10.0.0"));
    assert!(!holds("26", "26.05.1") && !holds("4", "42"));
    for text in ["", "1.", "01", "1.4.2", "v1", "1.x", "-1"] {
        assert!(text.parse::<Within>().is_err(), "{text}");
    }
}

#[test]
fn the_stored_form() {
    assert_eq!(serde_json::to_string(&format("vX.Y")).unwrap(), r#""vX.Y""#);
    assert_eq!(serde_json::from_str::<VersionFormat>(r#""vX.Y""#).unwrap(), format("vX.Y"));
    assert!(serde_json::from_str::<VersionFormat>(r#""vY""#).is_err());
    assert_eq!(serde_json::to_string(&Bump::Minor).unwrap(), r#""minor""#);
    assert_eq!(Bump::named("minor"), Some(Bump::Minor));
    assert_eq!(Bump::named("none"), None);
    // What one format cannot write is refused, and never printed as something else.
    for (text, of) in [("1.9.0-rc.1", "X.Y.Z"), ("1.9.0+b", "X.Y.Z"), ("1.9.1", "X.Y"), ("42", "X.Y.Z")] {
        assert!(format(of).tag_name(&version(text)).is_err(), "{text} as {of}");
    }
    let locked = format("X.Y.Z[-PRE]").parse_tag("1.0.0-rc.lock").unwrap();
    assert!(format("X.Y.Z[-PRE]").tag_name(&locked).is_err(), "git takes no such name");
}
