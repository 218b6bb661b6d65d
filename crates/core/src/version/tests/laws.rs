//! What holds for every version and every format.

use proptest::prelude::*;

use super::calendar::Period;
use super::format::{CounterUse, Kind};
use super::*;

/// Formats of every kind, with samples of what they write.
const FORMATS: [&str; 38] = [
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
    "vX",
    "X[-PRE.N]",
    "W.X.Y.Z",
    "v'Q'X_Y_Z_N",
    "YY.MINOR.MICRO",
    "YYYY.MINOR[.MICRO]",
    "vYYYY.MM.MICRO[-PRE.N]",
    "YY.0M.MICRO[-PRE][+BUILD]",
    "YYYY.0W.MICRO",
    "0Y0M0D.MINOR.PATCH",
    "YYYY0M0D[-PRE.N]",
    "YYYY.0M.0D[.MICRO][PREN]",
    "YY.MAJOR.MINOR.MICRO",
    "MAJOR.YY.MICRO",
    "MAJOR.YYYY0M0D[-N]",
    "MAJOR.MINOR.PATCH.YYYY0M0D",
    "YY.MINOR.MICRO[-N]",
    "YYYY.MINOR.MICRO[-PRE.N][+BUILD]",
];

fn number() -> impl Strategy<Value = u64> + Clone {
    prop_oneof![0..3u64, 0..200u64, 0..=NUMBER_MAX]
}

/// What can stand behind numbers or a date.
fn behind() -> impl Strategy<Value = (Prerelease, Option<u64>, BuildMetadata)> {
    let pre = prop_oneof![
        4 => Just(String::new()),
        2 => ("[a-c]{1,2}|rc|X", 0..12u64).prop_map(|(label, n)| format!("{label}.{n}")),
        1 => "[a-z]{1,3}(\\.[a-z0-9-]{0,2}[a-z-])?",
        1 => "(0|[1-9][0-9]{0,14})",
    ];
    let build = prop_oneof![3 => Just(String::new()), 1 => "[0-9a-z]{1,4}(\\.[0-9a-z-]{1,3})?"];
    let counter = proptest::option::weighted(0.3, number());
    (pre, counter, build).prop_map(|(pre, counter, build)| {
        (Prerelease::new(&pre).unwrap_or_default(), counter, BuildMetadata::new(&build).unwrap_or_default())
    })
}

fn any_numbers() -> impl Strategy<Value = Numbers> {
    let numbers = (1..4u8, number(), number(), number());
    (numbers, behind()).prop_map(|((places, major, minor, patch), (pre, counter, build))| {
        let (minor, patch) = (if places > 1 { minor } else { 0 }, if places > 2 { patch } else { 0 });
        Numbers { places, major, minor, patch, pre, counter, build }
    })
}

fn any_date() -> impl Strategy<Value = Calendar> {
    let grain = prop_oneof![
        Just(calendar::Grain::Year),
        Just(calendar::Grain::Month),
        Just(calendar::Grain::Week),
        Just(calendar::Grain::Day)
    ];
    // A few dates, so that two versions are often of one, and any.
    let day = prop_oneof![(2025..2027i16, 10..=12i8, 4..=6i8), (2000..2400i16, 1..=12i8, 1..=28i8)];
    let places = (0..8u8, 0..8u8, number(), number(), number());
    (day, grain, places, behind()).prop_map(|((year, month, day), grain, places, (pre, counter, build))| {
        let (before, after, major, minor, micro) = places;
        let all = [major, minor, micro];
        let numbers = |there: u8| std::array::from_fn(|at| (there & (1 << at) != 0).then_some(all[at]));
        let period = Period::of(date(year, month, day), grain);
        Calendar { before: numbers(before), period, after: numbers(after & !before), pre, counter, build }
    })
}

/// Any version, whether a format can write it or not.
fn any_scheme() -> impl Strategy<Value = Scheme> {
    prop_oneof![
        3 => any_numbers().prop_map(Scheme::Numbers),
        3 => any_date().prop_map(Scheme::Calendar),
        1 => number().prop_map(Scheme::Counter),
    ]
}

/// A version with what a format has, so far as that can be told without writing it.
fn shaped(format: &VersionFormat, numbers: Numbers, dated: Calendar, counter: u64) -> Scheme {
    let counted = |there: CounterUse, given: Option<u64>| match there {
        CounterUse::None => None,
        CounterUse::FromSecond => given,
        CounterUse::Always => given.or(Some(counter)),
    };
    match format.kind {
        Kind::Numbers { places, counter, .. } => Scheme::Numbers(Numbers {
            places,
            minor: if places > 1 { numbers.minor } else { 0 },
            patch: if places > 2 { numbers.patch } else { 0 },
            counter: counted(counter, numbers.counter),
            ..numbers
        }),
        Kind::Calendar(kind) => {
            let all = [numbers.major, numbers.minor, numbers.patch];
            let places = |there: [bool; 3]| std::array::from_fn(|at| there[at].then_some(all[at]));
            let day = dated.first_day().unwrap();
            Scheme::Calendar(Calendar {
                before: places(kind.before),
                period: Period::of(day, kind.grain),
                after: places(kind.after),
                pre: if kind.pre { dated.pre } else { Prerelease::EMPTY },
                counter: counted(kind.counter, dated.counter),
                build: dated.build,
            })
        }
        Kind::Counter => Scheme::Counter(counter),
    }
}

/// A version that a format can write.
fn fitting_in(
    formats: impl Strategy<Value = VersionFormat>,
) -> impl Strategy<Value = (VersionFormat, Version)> {
    (formats, any_numbers(), any_date(), number()).prop_filter_map(
        "the format writes it",
        |(format, numbers, dated, counter)| {
            let version = format.version(shaped(&format, numbers, dated, counter))?;
            let name = format.tag_name(&version).ok()?;
            // What the format has no place for is gone.
            Some((format.clone(), format.parse_tag(&name)?))
        },
    )
}

/// A format and a version that it can write.
fn fitting() -> impl Strategy<Value = (VersionFormat, Version)> {
    fitting_in((0..FORMATS.len()).prop_map(|at| format(FORMATS[at])))
}

/// Two versions of one format of numbers, or a date and numbers, and nothing else.
fn two_of_parts() -> impl Strategy<Value = (Version, Version)> {
    let formats = [
        "YY.MINOR.MICRO",
        "YYYY.0W.MICRO",
        "0Y0M0D.MINOR.PATCH",
        "YY.MAJOR.MINOR.MICRO",
        "MAJOR.YY.MICRO",
        "MAJOR.MINOR.PATCH.YYYY0M0D",
        "YYYY.MM.DD",
        "W.X.Y.Z",
        "X.Y.Z",
        "X",
    ];
    (0..formats.len()).prop_flat_map(move |at| {
        let one = move || fitting_in(Just(format(formats[at]))).prop_map(|(_, version)| version);
        (one(), one())
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
            prop_assert!(x >= y || a.calendar().unwrap().before > b.calendar().unwrap().before);
        }
    }

    /// From left to right by what stands there, and never by the text.
    #[test]
    fn parts_are_compared_as_numbers((a, b) in two_of_parts()) {
        let parts = |version: &Version| -> Vec<u64> {
            version.to_string().split('.').map(|part| part.parse().unwrap()).collect()
        };
        prop_assert_eq!(a.cmp(&b), parts(&a).cmp(&parts(&b)), "{} {}", a, b);
        prop_assert_eq!(a.check_follows(&b).is_ok(), a > b);
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
        let next = |bump| format.next(&known, &Wish { bump, pre: pre.clone(), today: TODAY, first: 1, restart: 0 });
        let by_itself = last.calendar().is_some_and(|date| (date.before, date.after) == ([None; 3], [None; 3]));
        let mut before = None;
        for bump in [Bump::Patch, Bump::Minor, Bump::Major] {
            match next(bump) {
                // A version of the calendar can be of tomorrow.
                Ok(next) if by_itself && last.first_day() > next.first_day() => {}
                Ok(next) => {
                    prop_assert_eq!(next.check_follows(&last), Ok(()));
                    prop_assert!(before.is_none_or(|before| before <= next));
                    prop_assert!(format.tag_name(&next).is_ok());
                    before = Some(next);
                }
                Err(VersionError::TooHigh { .. }) => {}
                Err(VersionError::NoCounter { version, .. }) => {
                    prop_assert!(!version.is_of_more_than(&last) && !last.is_of_more_than(&version));
                }
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }

    /// How much a version grew is what was asked for, where the format has a number for it.
    #[test]
    fn numbers_grow_as_they_are_asked((format, last) in fitting(), at in 0..3usize) {
        let bump = [Bump::Patch, Bump::Minor, Bump::Major][at];
        let wish = Wish { bump, pre: None, today: TODAY, first: 1, restart: 0 };
        let known = Known { last: Some(&last), ..Known::default() };
        let (Ok(next), Some(date)) = (format.next(&known, &wish), last.calendar()) else { return Ok(()) };
        let grown = next.calendar().unwrap();
        let all = |date: &Calendar| -> Vec<u64> { date.before.iter().chain(&date.after).flatten().copied().collect() };
        if last.pre_release().is_some() || date.after == [None; 3] {
            return Ok(());
        }
        if grown.before == date.before && grown.period > date.period {
            prop_assert!(grown.after.iter().flatten().all(|number| *number == 0));
        } else {
            let differs = all(grown).iter().zip(all(date)).position(|(now, then)| *now != then).unwrap();
            prop_assert_eq!(all(grown)[differs], all(date)[differs] + 1);
            prop_assert!(all(grown)[differs + 1..].iter().all(|number| *number == 0));
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
