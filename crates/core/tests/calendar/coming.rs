//! What is to come, as a calendar.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tollgate_core::calendar::ical::{Feed, write};
use tollgate_core::calendar::{Freeze, Only, Scope, Stretch, Windows, Zone};
use tollgate_core::coming::{Coming, What, departure, freezes, windows};
use tollgate_core::ids::ServiceName;
use tollgate_core::model::{Deploy, Environment, Gate, GateKind, Policy, Template};
use tollgate_core::state::FreezeState;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn service() -> ServiceName {
    "shop".parse().unwrap()
}

fn gate(open: &[&str], closed: &[&str]) -> Gate {
    let rules = |all: &[&str]| all.iter().map(|rule| rule.parse().unwrap()).collect();
    let windows = Windows::new(rules(open), rules(closed)).unwrap();
    Gate::new(GateKind::Window { windows, fits: None, closing: tollgate_core::model::Closing::Wait })
}

fn policy(of_all: Option<Gate>, own: Gate) -> Policy {
    let mut policy = Policy::new(service());
    policy.gates.extend(of_all.map(|gate| ("calm".parse().unwrap(), gate)));
    let mut environment =
        Environment::new(Deploy::Manual { instruction: Template("Deploy.".into()), by: None });
    environment.gates.insert("hours".parse().unwrap(), own);
    policy.environments.insert("live".parse().unwrap(), environment);
    policy
}

/// Each as `09-21 08:00 to 09-21 09:00: title (about)`, in UTC.
fn told(all: &[Coming]) -> Vec<String> {
    let short = |at: Timestamp| at.strftime("%m-%d %H:%M").to_string();
    all.iter()
        .map(|one| {
            let end = one.end.map_or_else(|| "?".to_owned(), short);
            format!("{} to {end}: {} ({})", short(one.start), one.title(), one.about)
        })
        .collect()
}

#[test]
fn windows_are_told_as_they_open_and_as_they_close() {
    let calm = gate(&[], &["2026-03-10 - 2026-03-12 Europe/London", "Fri UTC"]);
    let policy = policy(Some(calm), gate(&["Mon,Thu 09:00-10:00 Europe/London", "Sat 22:00-04:00 UTC"], &[]));
    let found = windows(&policy, at("2026-03-06T12:00:00Z"), at("2026-03-12T09:30:00Z"));
    let calm = "window `calm` of every environment is closed";
    let hours = "window `hours` of `live` is open ()";
    assert_eq!(
        told(&found),
        [
            format!("03-06 00:00 to 03-07 00:00: {calm} (Fri UTC)"),
            // The last of them goes on into what another rule closes.
            format!("03-10 00:00 to 03-14 00:00: {calm} (2026-03-10 - 2026-03-12 Europe/London)"),
            format!("03-07 22:00 to 03-08 04:00: {hours}"),
            format!("03-09 09:00 to 03-09 10:00: {hours}"),
            format!("03-12 09:00 to 03-12 10:00: {hours}"),
        ]
    );
    // What has no end is no event; nor is what is always open.
    for always in [gate(&["daily UTC"], &[]), gate(&[], &[]), gate(&[], &["daily UTC"])] {
        let policy = self::policy(None, always);
        assert_eq!(windows(&policy, at("2026-03-06T12:00:00Z"), at("2026-04-06T12:00:00Z")), []);
    }
}

#[test]
fn an_event_stays_the_same_event() {
    let policy = policy(None, gate(&["Fri 22:00-06:00 UTC", "2025-01-01 - 2026-03-03 UTC"], &[]));
    let uids = |from: &str| -> BTreeSet<String> {
        let found = windows(&policy, at(from), at("2026-03-20T00:00:00Z"));
        let entries: Vec<_> = found.iter().map(|one| one.entry(&service())).collect();
        let text = write("x", &entries, at("2026-01-01T00:00:00Z"));
        text.lines().filter(|line| line.starts_with("UID:")).map(ToOwned::to_owned).collect()
    };
    // While it goes on, also where it began longer ago than is looked back for, and while time passes.
    let (early, late) = (uids("2026-02-27T21:00:00Z"), uids("2026-03-14T05:00:00Z"));
    assert_eq!(early.len(), 3, "{early:?}");
    assert_eq!(late.len(), 1);
    assert!(late.is_subset(&early));
    assert_eq!(uids("2026-03-02T00:00:00Z").intersection(&early).count(), 3);
    // A departure that is left out is the same event as before.
    let (train, when) = ("weekly".parse().unwrap(), at("2026-03-04T07:30:00Z"));
    let (goes, skipped) =
        (departure(&train, "release", when, None), departure(&train, "release", when, Some("quiet")));
    assert_eq!(goes.entry(&service()).key, skipped.entry(&service()).key);
    assert_ne!(goes.title(), skipped.title());
}

#[test]
fn it_reads_back_as_it_was_written() {
    let scope = Scope { environments: Only::These(["live".parse().unwrap()].into()), ..Scope::ALL };
    let (start, end) = (at("2026-03-05T10:00:00Z"), at("2026-03-06T10:00:00Z"));
    let reason = "Lasttest; Größe, \\ und\tmehr: ".repeat(8);
    let freeze = Freeze::new(scope, &reason, "ann".parse().unwrap(), start, end).unwrap();
    let state = FreezeState {
        number: 7,
        freeze,
        at: start,
        signed: vec![],
        extra: vec![],
        began: false,
        ended: false,
    };
    let all = freezes(&[state], at("2026-03-01T00:00:00Z"), at("2026-03-05T10:00:01Z"));
    assert!(matches!(&all[0].what, What::Freeze { number: 7, .. }));
    let mut entries: Vec<_> = all.iter().map(|one| one.entry(&service())).collect();
    entries.push(departure(&"weekly".parse().unwrap(), "release", start, None).entry(&service()));
    let text = write("Releases of shop", &entries, start);
    assert!(text.lines().all(|line| line.len() <= 75), "{text}");
    assert!(text.ends_with("\r\n") && text.replace("\r\n", "").find('\n').is_none());
    // A departure only happens: an end that is its start is refused by many.
    assert_eq!(text.matches("DTEND").count(), 1);
    let busy = text.replace("TRANSP:TRANSPARENT", "TRANSP:OPAQUE");
    let feed = Feed::read(busy.as_bytes(), &Zone::utc()).unwrap();
    let within = Stretch { start: at("2026-03-01T00:00:00Z"), end: at("2026-04-01T00:00:00Z") };
    let read = feed.busy(within).unwrap();
    assert_eq!(read.stretches().len(), 1, "what only happens takes no time");
    assert_eq!(read.stretches()[0].when, Stretch { start, end });
    assert_eq!(read.stretches()[0].title, "shop: freeze 7 of environment live");
    // And those who subscribe are not kept busy by it.
    let feed = Feed::read(text.as_bytes(), &Zone::utc()).unwrap();
    assert_eq!(feed.busy(within).unwrap().stretches(), []);
}
