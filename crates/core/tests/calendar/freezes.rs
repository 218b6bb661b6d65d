//! Freezes.

use std::collections::BTreeSet;

use tollgate_core::calendar::{Attempt, Doubt, Freeze, Frozen, Kind, Only, Scope};
use tollgate_core::ids::{ComponentName, EnvironmentName, PersonName, ServiceName};

use crate::at;

fn freeze(scope: Scope, start: &str, end: &str) -> Freeze {
    let author = PersonName::new("ada").expect("a name");
    Freeze::new(scope, "Holidays", author, at(start), at(end)).expect("a freeze")
}

fn ordinary() -> Freeze {
    freeze(Scope::ALL, "2026-12-18 18:00 Europe/London", "2027-01-04 08:00 Europe/London")
}

/// What a freeze says: `no`, `held`, or the exemption.
fn judge(
    freeze: &Freeze,
    when: &str,
    environment: &str,
    components: &[&str],
    kind: Kind,
    by_hand: bool,
) -> String {
    let service = ServiceName::new("shop").expect("a name");
    let environment = EnvironmentName::new(environment).expect("a name");
    let components: Vec<_> =
        components.iter().map(|name| ComponentName::new(*name).expect("a name")).collect();
    let attempt =
        Attempt { service: &service, environment: &environment, components: &components, kind, by_hand };
    match freeze.judge(at(when), &attempt) {
        Frozen::No => "no".to_owned(),
        Frozen::Exempt { by } => by.to_string(),
        Frozen::Until(end) => {
            assert_eq!(end, freeze.end());
            "held".to_owned()
        }
    }
}

const DURING: &str = "2026-12-24 12:00 UTC";

#[test]
fn it_holds_from_its_start_to_its_end() {
    let freeze = ordinary();
    for (when, expected) in [
        ("2026-12-18 17:59 UTC", "no"),
        ("2026-12-18 18:00 UTC", "held"),
        ("2027-01-04 07:59 UTC", "held"),
        ("2027-01-04 08:00 UTC", "no"),
    ] {
        assert_eq!(judge(&freeze, when, "production", &[], Kind::Promotion, false), expected, "{when}");
    }
    // Whatever is not named as exempt is held, rollback too.
    for kind in [Kind::Promotion, Kind::Rollback, Kind::Hotfix] {
        assert_eq!(judge(&freeze, DURING, "production", &[], kind, true), "held");
    }
}

#[test]
fn it_covers_what_it_names() {
    fn only<N: Ord>(name: N) -> Only<N> {
        Only::These(BTreeSet::from([name]))
    }
    let production =
        Scope { environments: only(EnvironmentName::new("production").expect("a name")), ..Scope::ALL };
    let production = freeze(production, "2026-12-18 18:00 UTC", "2027-01-04 08:00 UTC");
    assert_eq!(judge(&production, DURING, "production", &[], Kind::Promotion, false), "held");
    assert_eq!(judge(&production, DURING, "stage", &[], Kind::Promotion, false), "no");
    let web = Scope { components: only(ComponentName::new("web").expect("a name")), ..Scope::ALL };
    let web = freeze(web, "2026-12-18 18:00 UTC", "2027-01-04 08:00 UTC");
    assert_eq!(judge(&web, DURING, "stage", &["web", "agent"], Kind::Promotion, false), "held");
    assert_eq!(judge(&web, DURING, "stage", &["agent"], Kind::Promotion, false), "no");
    assert_eq!(judge(&web, DURING, "stage", &[], Kind::Promotion, false), "held");
    let other = Scope { services: only(ServiceName::new("other").expect("a name")), ..Scope::ALL };
    let other = freeze(other, "2026-12-18 18:00 UTC", "2027-01-04 08:00 UTC");
    assert_eq!(judge(&other, DURING, "stage", &[], Kind::Promotion, false), "no");
}

#[test]
fn what_is_exempt_passes() {
    let exempting = |texts: &[&str]| {
        ordinary()
            .exempting(texts.iter().map(|text| text.parse().unwrap_or_else(|e| panic!("{e}"))).collect())
    };
    let usual = exempting(&["rollback", "hotfix with 1 approval"]);
    assert_eq!(judge(&usual, DURING, "production", &[], Kind::Promotion, true), "held");
    assert_eq!(judge(&usual, DURING, "production", &[], Kind::Rollback, false), "rollback");
    assert_eq!(judge(&usual, DURING, "production", &[], Kind::Hotfix, false), "hotfix with 1 approval");
    // Automation stops, people may go on.
    let by_hand = exempting(&["by-hand"]);
    assert_eq!(judge(&by_hand, DURING, "production", &[], Kind::Promotion, true), "by-hand");
    assert_eq!(judge(&by_hand, DURING, "production", &[], Kind::Promotion, false), "held");
    // An approval for each deployment; the way that needs the fewest counts.
    let each = exempting(&["everything with 2 approvals", "hotfix with 1 approval"]);
    assert_eq!(
        judge(&each, DURING, "production", &[], Kind::Promotion, false),
        "everything with 2 approvals"
    );
    assert_eq!(judge(&each, DURING, "production", &[], Kind::Hotfix, false), "hotfix with 1 approval");
    assert_eq!(
        each.to_string(),
        "freeze of everything from 2026-12-18T18:00:00Z to 2027-01-04T08:00:00Z, \
         but for everything with 2 approvals, hotfix with 1 approval, by ada: Holidays"
    );
    let back: Freeze = serde_json::from_str(&serde_json::to_string(&each).expect("JSON")).expect("back");
    assert_eq!(back, each);
}

#[test]
fn mistakes_need_a_second_yes() {
    let now = "2026-11-20 12:00 UTC";
    for (start, end, expected) in [
        (now, "2026-12-01 00:00 UTC", &[][..]),
        (now, "2026-12-20 12:00 UTC", &[]),
        (now, "2026-12-20 12:01 UTC", &[Doubt::Long(30)]),
        (now, "2027-12-20 12:00 UTC", &[Doubt::Long(395)]),
        ("2026-12-20 12:00 UTC", "2026-12-01 12:00 UTC", &[Doubt::EndsBeforeStart]),
        ("2026-12-20 12:00 UTC", "2026-12-20 12:00 UTC", &[Doubt::EndsBeforeStart]),
        ("2025-12-20 12:00 UTC", "2026-01-03 12:00 UTC", &[Doubt::Over]),
        ("2026-12-20 12:00 UTC", "2026-01-03 12:00 UTC", &[Doubt::EndsBeforeStart, Doubt::Over]),
        ("2027-12-20 12:00 UTC", "2028-01-03 12:00 UTC", &[Doubt::FarAway(395)]),
        ("2206-12-20 12:00 UTC", "2027-01-03 12:00 UTC", &[Doubt::EndsBeforeStart, Doubt::FarAway(65_773)]),
    ] {
        assert_eq!(freeze(Scope::ALL, start, end).doubts(at(now)), expected, "{start} to {end}");
    }
    assert!(Doubt::FarAway(395).to_string().contains("is the year right?"));
}

#[test]
fn what_cannot_be_a_freeze() {
    let author = PersonName::new("ada").expect("a name");
    let make = |scope: Scope, reason: &str| {
        let (start, end) = (at("2026-12-18 18:00 UTC"), at("2027-01-04 08:00 UTC"));
        Freeze::new(scope, reason, author.clone(), start, end)
    };
    assert!(make(Scope::ALL, " \u{1b} ").is_err());
    assert!(make(Scope::ALL, &"x".repeat(501)).is_err());
    assert!(make(Scope { services: Only::These(BTreeSet::new()), ..Scope::ALL }, "why").is_err());
    assert_eq!(make(Scope::ALL, "a\n\u{1b}[2Jb").expect("a freeze").reason(), "a [2Jb");
    for link in ["", "javascript:alert(1)", "https://", "https://a b", "https://a\n"] {
        assert!(ordinary().linked(link).is_err(), "{link:?}");
    }
    let linked = ordinary().linked("https://example.org/incident/1").expect("a link");
    assert_eq!(linked.link(), Some("https://example.org/incident/1"));
    // Without an end it is none.
    let mut json = serde_json::to_value(ordinary()).expect("JSON");
    json.as_object_mut().expect("an object").remove("end");
    assert!(serde_json::from_value::<Freeze>(json).is_err());
}
