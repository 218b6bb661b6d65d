use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::*;

const TODAY: Date = date(2026, 11, 5);

fn format(text: &str) -> VersionFormat {
    VersionFormat::new(text).unwrap()
}

fn version(text: &str) -> Version {
    ["X.Y.Z", "X.Y"].into_iter().find_map(|f| format(f).parse_text(text)).unwrap()
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
        ("", Missing('X')),
        ("v", Missing('X')),
        ("vX", Missing('Y')),
        ("YYYY-MM-DD", Doubled('Y')),
        ("FIREFOX_X_Y", Doubled('X')),
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
fn the_next_version() {
    use Bump::*;
    let cases = [
        ("X.Y.Z", Some("1.4.2"), [(Major, "2.0.0"), (Minor, "1.5.0"), (Patch, "1.4.3")]),
        ("X.Y.Z", Some("0.4.2"), [(Major, "0.5.0"), (Minor, "0.5.0"), (Patch, "0.4.3")]),
        ("X.Y.Z", Some("0.0.3"), [(Major, "0.1.0"), (Minor, "0.1.0"), (Patch, "0.0.4")]),
        ("X.Y.Z", Some("1.9.9"), [(Major, "2.0.0"), (Minor, "1.10.0"), (Patch, "1.9.10")]),
        ("X.Y.Z", None, [(Major, "0.1.0"), (Minor, "0.1.0"), (Patch, "0.1.0")]),
        ("vX.Y", Some("3.99"), [(Major, "4.0"), (Minor, "3.100"), (Patch, "3.100")]),
        ("vX.Y", Some("0.9"), [(Major, "0.10"), (Minor, "0.10"), (Patch, "0.10")]),
        ("vX.Y", None, [(Major, "0.1"), (Minor, "0.1"), (Patch, "0.1")]),
    ];
    for (text, last, expected) in cases {
        let format = format(text);
        let last = last.map(version);
        for (bump, next) in expected {
            assert_eq!(format.next(last.as_ref(), bump, TODAY), Ok(version(next)), "{last:?} {bump}");
        }
    }
    let last = version("1.9");
    assert!(matches!(format("X.Y.Z").next(Some(&last), Patch, TODAY), Err(VersionError::DoesNotFit { .. })));
    let last = Version::semver(NUMBER_MAX, 0, 0);
    assert_eq!(
        format("X.Y.Z").next(Some(&last), Major, TODAY),
        Err(VersionError::TooHigh { last: last.clone() })
    );
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
    ];
    for (next, last, expected) in cases {
        let error = version(next).check_follows(&version(last)).err().map(|e| e.to_string());
        assert_eq!(error.as_deref(), expected, "{next} after {last}");
    }
}

#[test]
fn tags_are_surveyed() {
    let check = |text: &str,
                 tags: &[(&str, u64)],
                 latest: Option<&str>,
                 highest: Option<&str>,
                 odd: &[(&str, &str)]| {
        let survey = survey_tags(&format(text), tags.iter().copied());
        assert_eq!(survey.latest.as_ref().map(|t| t.name.as_str()), latest);
        assert_eq!(survey.highest.as_ref().map(|t| t.name.as_str()), highest);
        let found: Vec<_> = survey
            .odd
            .iter()
            .map(|tag| match &tag.oddity {
                Oddity::DoesNotFit => (tag.name.as_str(), ""),
                Oddity::Doubles { tag: other } => (tag.name.as_str(), other.as_str()),
            })
            .collect();
        assert_eq!(found, odd);
    };
    check("X.Y.Z", &[], None, None, &[]);
    check(
        "X.Y.Z",
        &[("1.6.8", 40), ("v1.6.8", 40), ("1.3rc1", 90), ("rpm-1.15.1-5", 80), ("1.7.0", 3), ("1.6", 60)],
        Some("1.7.0"),
        None,
        &[("v1.6.8", "1.6.8"), ("1.3rc1", ""), ("rpm-1.15.1-5", ""), ("1.6", "")],
    );
    // The graph comes first, and the numbers are compared as numbers.
    check("vX.Y", &[("v3.99", 7), ("v3.100", 2), ("v9.0", 50)], Some("v3.100"), Some("v9.0"), &[]);
    // Several tags on one commit.
    check("X.Y.Z", &[("1.9.0", 0), ("1.10.0", 0), ("1.8.0", 0)], Some("1.10.0"), None, &[]);
    check(
        "vX.Y.Z",
        &[("v1.7.0", 1), ("v1.7", 1), ("1_07_0", 1)],
        Some("v1.7.0"),
        None,
        &[("v1.7", "v1.7.0"), ("1_07_0", "v1.7.0")],
    );
    check("X.Y.Z", &[("nightly", 1), ("\u{1b}[2J", 2)], None, None, &[("nightly", ""), ("\u{1b}[2J", "")]);
}

#[test]
fn the_stored_form() {
    let check = |version: Version, json: &str| {
        assert_eq!(serde_json::to_string(&version).unwrap(), json);
        assert_eq!(serde_json::from_str::<Version>(json).unwrap(), version);
    };
    check(version("1.9.0"), r#"{"semver":"1.9.0"}"#);
    check(version("3.99"), r#"{"pair":{"major":3,"minor":99}}"#);
    assert_eq!(serde_json::to_string(&format("vX.Y")).unwrap(), r#""vX.Y""#);
    assert_eq!(serde_json::from_str::<VersionFormat>(r#""vX.Y""#).unwrap(), format("vX.Y"));
    assert!(serde_json::from_str::<VersionFormat>(r#""vX""#).is_err());
    assert_eq!(serde_json::to_string(&Bump::Minor).unwrap(), r#""minor""#);
    // What a newer or a broken writer stored is refused when it is written, and never printed as something else.
    let strange: Version = serde_json::from_str(r#"{"semver":"1.9.0-rc.1"}"#).unwrap();
    assert!(format("X.Y.Z").tag_name(&strange).is_err());
}

fn any_version() -> impl Strategy<Value = Version> {
    let number = || prop_oneof![0..3u64, 0..200u64, 0..=NUMBER_MAX];
    prop_oneof![
        (number(), number(), number()).prop_map(|(x, y, z)| Version::semver(x, y, z)),
        (number(), number()).prop_map(|(x, y)| Version::pair(x, y)),
    ]
}

fn any_format(of: &Version) -> impl Strategy<Value = VersionFormat> + use<> {
    let parts = of.numbers().unwrap().len();
    ("[a-w]{0,3}[-_]?", "[._-]", "(\\.[a-w]{1,5})?").prop_filter_map(
        "a tag's name",
        move |(prefix, between, suffix)| {
            let numbers = &["X", "Y", "Z"][..parts];
            VersionFormat::new(&format!("{prefix}{}{suffix}", numbers.join(&between))).ok()
        },
    )
}

proptest! {
    #[test]
    fn the_order_is_total(a in any_version(), b in any_version(), c in any_version()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        if let (Some(x), Some(y)) = (a.numbers(), b.numbers()) && x.len() == y.len() {
            prop_assert_eq!(a.cmp(&b), x.cmp(&y));
        }
    }

    #[test]
    fn what_is_written_is_read_again((version, format) in any_version().prop_flat_map(|v| (Just(v.clone()), any_format(&v)))) {
        let name = format.tag_name(&version).unwrap();
        prop_assert_eq!(format.parse_tag(&name), Some(version.clone()));
        prop_assert_eq!(format.parse_text(&version.to_string()), Some(version));
    }

    #[test]
    fn any_name_is_read_without_harm(name in "\\PC{0,30}|[v0-9.]{0,12}") {
        for format in ["X.Y.Z", "vX.Y", "X.Y.Z.b"].map(format) {
            if let Some(version) = format.parse_tag(&name) {
                prop_assert_eq!(format.tag_name(&version).unwrap(), name.clone());
            }
        }
        survey_tags(&format("X.Y"), [(name.as_str(), 1)]);
    }

    #[test]
    fn a_bump_increases(last in any_version()) {
        let text = if last.numbers().unwrap().len() == 3 { "X.Y.Z" } else { "vX.Y" };
        let next = |bump| format(text).next(Some(&last), bump, TODAY);
        for bump in [Bump::Patch, Bump::Minor, Bump::Major] {
            match next(bump) {
                Ok(next) => prop_assert_eq!(next.check_follows(&last), Ok(())),
                Err(error) => prop_assert_eq!(error, VersionError::TooHigh { last: last.clone() }),
            }
        }
        if let (Ok(patch), Ok(minor), Ok(major)) = (next(Bump::Patch), next(Bump::Minor), next(Bump::Major)) {
            prop_assert!(patch <= minor && minor <= major);
        }
    }
}
