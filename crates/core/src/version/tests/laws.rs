//! What holds for every version and every format.

use proptest::prelude::*;

use super::*;

/// Formats of every kind, with samples of what they write.
const FORMATS: [&str; 20] = [
    "X.Y.Z",
    "vX.Y.Z",
    "vX.Y",
    "X.Y[.Z]",
    "X.Y.Z[-PRE.N]",
    "X.Y[PREN]",
    "X.Y.Z[-PRE][+BUILD]",
    "vX.Y.Z[-N]",
    "curl-X_Y_Z",
    "auth-vX.Y.Z",
    "'FIREFOX'_X_Y_'RELEASE'",
    "YYYY-0M-0D[-N]",
    "YYYY.MM.DD",
    "YYYY0M0D[-N]",
    "YY.MM.N",
    "0Y.0M[.N]",
    "YYYY.0W[.N]",
    "YY.WW.N",
    "YYYY.N",
    "build-N",
];

fn number() -> impl Strategy<Value = u64> + Clone {
    prop_oneof![0..3u64, 0..200u64, 0..=NUMBER_MAX]
}

/// Any version, whether a format can write it or not.
fn any_scheme() -> impl Strategy<Value = Scheme> {
    let pre = prop_oneof![
        4 => Just(String::new()),
        2 => ("[a-c]{1,2}|rc|X", 0..12u64).prop_map(|(label, n)| format!("{label}.{n}")),
        1 => "[a-z]{1,3}(\\.[a-z0-9-]{0,2}[a-z-])?",
        1 => "(0|[1-9][0-9]{0,14})",
    ];
    let build = prop_oneof![3 => Just(String::new()), 1 => "[0-9a-z]{1,4}(\\.[0-9a-z-]{1,3})?"];
    let counter = proptest::option::weighted(0.3, number());
    let numbers = ((2..4u8, number(), number(), number()), pre, counter.clone(), build).prop_map(
        |((places, major, minor, patch), pre, counter, build)| {
            let patch = if places == 2 { 0 } else { patch };
            let pre = Prerelease::new(&pre).unwrap_or_default();
            let build = BuildMetadata::new(&build).unwrap_or_default();
            Scheme::Numbers(Numbers { places, major, minor, patch, pre, counter, build })
        },
    );
    let grain = prop_oneof![
        Just(calendar::Grain::Year),
        Just(calendar::Grain::Month),
        Just(calendar::Grain::Week),
        Just(calendar::Grain::Day)
    ];
    let calendar =
        (2000..2400i16, 1..=12i8, 1..=28i8, grain, counter).prop_map(|(year, month, day, grain, counter)| {
            Scheme::Calendar(Calendar { period: Period::of(date(year, month, day), grain), counter })
        });
    prop_oneof![3 => numbers, 3 => calendar, 1 => number().prop_map(Scheme::Counter)]
}

/// A format and a version that it can write.
fn fitting() -> impl Strategy<Value = (VersionFormat, Version)> {
    (0..FORMATS.len(), any_scheme()).prop_filter_map("the format writes it", |(at, scheme)| {
        let format = format(FORMATS[at]);
        let version = format.version(scheme)?;
        format.tag_name(&version).ok()?;
        Some((format, version))
    })
}

/// A version as something wrote it; its text does not matter.
fn bare(scheme: Scheme) -> Version {
    Version { scheme, text: String::new() }
}

proptest! {
    #[test]
    fn the_order_is_total(a in any_scheme(), b in any_scheme(), c in any_scheme()) {
        let (a, b, c) = (bare(a), bare(b), bare(c));
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        if let (Scheme::Numbers(x), Scheme::Numbers(y)) = (&a.scheme, &b.scheme)
            && (x.places, y.places, x.counter, y.counter) == (3, 3, None, None)
        {
            let semver = |n: &Numbers| semver::Version {
                major: n.major, minor: n.minor, patch: n.patch, pre: n.pre.clone(), build: n.build.clone(),
            };
            prop_assert_eq!(a.cmp(&b), semver(x).cmp(&semver(y)));
            prop_assert_eq!(a.check_follows(&b).is_ok(), semver(x).cmp_precedence(&semver(y)).is_gt());
        }
        if let (Some(x), Some(y)) = (a.first_day(), b.first_day()) && a.check_follows(&b).is_ok() {
            prop_assert!(x >= y);
        }
    }

    #[test]
    fn what_is_written_is_read_again((format, version) in fitting()) {
        let name = format.tag_name(&version).unwrap();
        prop_assert_eq!(format.parse_tag(&name), Some(version.clone()));
        prop_assert_eq!(format.parse_text(&version.to_string()), Some(version));
    }

    #[test]
    fn two_versions_never_share_a_name((format, one) in fitting(), other in any_scheme()) {
        if let Some(other) = format.version(other) && let Ok(name) = format.tag_name(&other) {
            prop_assert_eq!(one == other, format.tag_name(&one).unwrap() == name);
        }
    }

    #[test]
    fn any_name_is_read_without_harm(name in "\\PC{0,30}|[v0-9.]{0,12}|[0-9]{1,4}[-._][0-9]{1,2}([-._a-z][0-9]{1,2}){0,2}") {
        for text in FORMATS {
            let format = format(text);
            if let Some(version) = format.parse_tag(&name) {
                prop_assert_eq!(format.tag_name(&version).unwrap(), name.clone());
            }
            survey_tags(&format, [name.as_str()], TODAY);
        }
    }

    #[test]
    fn any_format_is_taken_or_refused(text in "[XYZN0MDWPREBUILD\\[\\]'v.+_-]{0,14}|\\PC{0,20}", scheme in any_scheme()) {
        if let Ok(format) = VersionFormat::new(&text)
            && let Some(version) = format.version(scheme)
            && let Ok(name) = format.tag_name(&version)
        {
            prop_assert_eq!(format.parse_tag(&name), Some(version.clone()));
        }
    }

    #[test]
    fn the_next_version_follows((format, last) in fitting(), pre in any::<bool>()) {
        if last.pre_release().is_some() || last.check_date(TODAY).is_err() {
            return Ok(());
        }
        let pre = (pre && format.has_pre_releases()).then(|| "rc".parse().unwrap());
        let used = [last.clone()];
        let known = Known { last: Some(&last), used: &used, ..Known::default() };
        let next = |bump| format.next(&known, &Wish { bump, pre: pre.clone(), today: TODAY, first: 1 });
        let mut before = None;
        for bump in [Bump::Patch, Bump::Minor, Bump::Major] {
            match next(bump) {
                // A version of the calendar can be of tomorrow.
                Ok(next) if last.first_day().is_some_and(|day| day > next.first_day().unwrap()) => {}
                Ok(next) => {
                    prop_assert_eq!(next.check_follows(&last), Ok(()));
                    prop_assert!(before.is_none_or(|before| before <= next));
                    prop_assert!(format.tag_name(&next).is_ok());
                    before = Some(next);
                }
                Err(VersionError::TooHigh { .. }) => {}
                Err(VersionError::NoCounter { version, .. }) => prop_assert_eq!(version, last.clone()),
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }

    #[test]
    fn a_respin_follows_all_that_were((format, version) in fitting(), others in proptest::collection::vec(0..50u64, 0..5)) {
        let mut used = vec![version.clone()];
        for first in others {
            if let Ok(next) = format.respin(&version, &used, first) {
                prop_assert!(used.iter().all(|other| next.check_follows(other).is_ok()), "{next} {used:?}");
                used.push(next);
            }
        }
    }
}

#[test]
fn precedence_is_that_of_the_specification() {
    let ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "2.0.0",
        "2.1.0",
        "2.1.1",
    ];
    let versions: Vec<Version> = ordered.into_iter().map(version).collect();
    for (at, one) in versions.iter().enumerate() {
        for (other_at, other) in versions.iter().enumerate() {
            assert_eq!(one.cmp(other), at.cmp(&other_at), "{one} {other}");
            assert_eq!(one.check_follows(other).is_ok(), at > other_at, "{one} after {other}");
        }
    }
}
