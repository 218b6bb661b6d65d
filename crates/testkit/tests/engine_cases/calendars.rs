//! Calendars that are kept elsewhere: read at adoption and again, believed for a while, and closed when they are not known.

use jiff::{SignedDuration, Timestamp};
use tollgate_core::calendar::{Asked, Busy, Calendar, HolidayCalendar, Off, Weekdays, Windows, Zone};
use tollgate_core::explain::explain;
use tollgate_core::ids::ReleaseId;
use tollgate_core::model::{Closing, Deploy, FeedSpec, Gate, GateKind, Policy, Template};
use tollgate_engine::EngineError;
use tollgate_engine::store::Store;

use crate::bench::{Bench, approval, definition, environment, named, person, policy, promote};

const URL: &str = "https://calendars.sim/ops.ics";

fn spec(asked: Asked) -> FeedSpec {
    FeedSpec {
        asked,
        url: URL.into(),
        bearer: None,
        zone: Zone::utc(),
        every: SignedDuration::from_hours(1),
        valid: SignedDuration::from_hours(24),
    }
}

/// Rules with one environment that is closed by a rule, and a calendar at an address.
fn rules(closed: &str, asked: Asked) -> Policy {
    let manual = Deploy::Manual { instruction: Template("Deploy it.".into()), by: None };
    let mut production = environment(manual);
    let windows = Windows::new(Vec::new(), vec![closed.parse().unwrap()]).unwrap();
    production
        .gates
        .insert(named("time"), Gate::new(GateKind::Window { windows, fits: None, closing: Closing::Wait }));
    // What waits for a yes is held by the window beside it, or not.
    production.gates.insert(named("yes"), approval(1));
    let mut policy = policy(vec![("production", production)]);
    let empty = HolidayCalendar::new(Weekdays::SATURDAY_AND_SUNDAY, Vec::new()).unwrap();
    let (lists, feeds) = match asked {
        Asked::Holidays => ([(named("ops"), empty)].into(), Default::default()),
        Asked::Events | Asked::Shifts => (Default::default(), [(named("ops"), Busy::default())].into()),
    };
    let calendar = Calendar::new(Weekdays::SATURDAY_AND_SUNDAY, lists, Off::Any).unwrap();
    policy.calendar = calendar.with_feeds(feeds);
    policy.feeds.insert(named("ops"), spec(asked));
    policy
}

fn ics(events: &[(&str, &str, &str)]) -> String {
    let event = |(start, end, title): &(&str, &str, &str)| {
        format!("BEGIN:VEVENT\r\nDTSTART{start}\r\nDTEND{end}\r\nSUMMARY:{title}\r\nEND:VEVENT\r\n")
    };
    let events: String = events.iter().map(event).collect();
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n")
}

struct Case {
    bench: Bench,
    policy: Policy,
}

impl Case {
    async fn new(closed: &str, asked: Asked, answer: &str) -> Self {
        let policy = rules(closed, asked);
        let mut bench = Bench::new(definition(vec![promote("production")]), policy_without()).await;
        bench.policy = policy.clone();
        let case = Self { bench, policy };
        case.answers(Some(answer));
        case
    }

    fn answers(&self, answer: Option<&str>) {
        self.bench.world.state().fact(URL, answer);
    }

    async fn adopt(&self) -> Result<bool, EngineError> {
        let adopted = self.bench.engine.adopt(&self.policy, &person("bob")).await;
        Ok(adopted?.adopted)
    }

    /// Goes on with the looks until a moment.
    async fn until(&self, to: &str) {
        let to: Timestamp = to.parse().unwrap();
        for _ in 0..1_000 {
            self.bench.turn().await;
            match self.bench.store.next_due().await.unwrap() {
                Some(due) if due <= to => self.bench.world.advance(due.max(self.bench.world.now())),
                _ => return self.bench.world.advance(to),
            }
        }
        panic!("it never comes to rest");
    }

    /// Why the gate is closed; nothing where it is open.
    async fn closed(&self, release: ReleaseId) -> Option<String> {
        let view = self.bench.view(release).await;
        let holdings = explain(&view, self.bench.world.now());
        let held = holdings.iter().map(|holding| &holding.hold);
        held.filter(|hold| hold.what.starts_with("window")).map(|hold| hold.why.clone()).next()
    }

    async fn events(&self) -> Vec<String> {
        let stream = tollgate_core::journal::StreamId::Policy(named("svc"));
        let records = self.bench.store.records(&stream, 1, 100).await.unwrap();
        records
            .iter()
            .map(|record| record.event.kind.to_string())
            .filter(|kind| kind.contains("feed"))
            .collect()
    }
}

fn policy_without() -> Policy {
    policy(Vec::new())
}

#[tokio::test]
async fn what_is_at_the_address_closes_and_opens() {
    let fair = ics(&[(":20260302T080000Z", ":20260302T120000Z", "The fair\\, hall 3")]);
    let case = Case::new("events of ops", Asked::Events, &fair).await;
    assert!(case.adopt().await.unwrap());
    let release = case.bench.start("1.0.0").await;
    case.bench.turn().await;
    assert_eq!(case.closed(release).await.unwrap(), "closed by `events of ops`: The fair, hall 3");
    // It is put off: what holds the release follows, without anybody doing anything.
    case.answers(Some(&ics(&[(":20260303T080000Z", ":20260303T120000Z", "The fair")])));
    case.until("2026-03-02T10:30:00Z").await;
    assert_eq!(case.closed(release).await, None);
    assert_eq!(case.events().await.len(), 2);
    // The same again is no news, until it is half as old as it may be.
    case.until("2026-03-02T20:00:00Z").await;
    assert_eq!(case.events().await.len(), 2);
    case.until("2026-03-03T09:00:00Z").await;
    assert_eq!(case.events().await.len(), 3);
    assert_eq!(case.bench.engine.reconcile().await.unwrap(), []);
}

#[tokio::test]
async fn what_cannot_be_read_is_believed_for_a_while_and_then_closes() {
    let none = ics(&[(":20270101T080000Z", ":20270101T120000Z", "Later")]);
    let case = Case::new("events of ops", Asked::Events, &none).await;
    case.adopt().await.unwrap();
    let release = case.bench.start("1.0.0").await;
    case.until("2026-03-02T12:30:00Z").await;
    assert_eq!(case.closed(release).await, None);
    for broken in [None, Some("<html>Sign in</html>")] {
        case.answers(broken);
        case.until(&(case.bench.world.now() + SignedDuration::from_hours(10)).to_string()).await;
        assert_eq!(case.closed(release).await, None, "believed");
    }
    // The last look that could read it was at 12:00 of the day before.
    case.until("2026-03-03T11:59:00Z").await;
    assert_eq!(case.closed(release).await, None, "believed");
    case.until("2026-03-03T12:20:00Z").await;
    let why = case.closed(release).await.unwrap();
    let expected = "`ops` cannot be asked: it was last read at 2026-03-02T12:00:00Z, and that counts for 24h; it cannot be read: ";
    assert!(why.starts_with(expected), "{why}");
    let shut = case.events().await.len();
    // And it stays at that, however often it is looked at.
    case.until("2026-03-03T20:00:00Z").await;
    assert_eq!(case.events().await.len(), shut);
    case.answers(Some(&none));
    case.until("2026-03-03T20:30:00Z").await;
    assert_eq!(case.closed(release).await, None, "read again");
    assert_eq!(case.bench.engine.replay_differences().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn nobody_adopts_what_cannot_be_read() {
    for broken in [None, Some("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR\r\n")] {
        let case = Case::new("events of ops", Asked::Events, "").await;
        case.answers(broken);
        let error = case.adopt().await.unwrap_err();
        let EngineError::Refused(refusal) = error else { panic!("{error}") };
        assert_eq!(refusal.code, "calendar-unreadable");
        assert!(refusal.why.starts_with("the calendar `ops` cannot be read: "), "{}", refusal.why);
    }
    // What was read before counts: other rules can be adopted while the address does not answer.
    let case = Case::new("events of ops", Asked::Events, &ics(&[])).await;
    case.adopt().await.unwrap();
    case.answers(None);
    let mut other = case.policy.clone();
    other.waivers = None;
    assert!(case.bench.engine.adopt(&other, &person("bob")).await.unwrap().adopted);
    // Of another address nothing was read.
    other.feeds[0].url = "https://calendars.sim/other.ics".into();
    assert!(case.bench.engine.adopt(&other, &person("bob")).await.is_err());
}

#[tokio::test]
async fn holidays_of_an_address_are_days_off_everywhere() {
    let monday = ics(&[(";VALUE=DATE:20260302", ";VALUE=DATE:20260303", "Founders' day")]);
    let case = Case::new("holidays UTC", Asked::Holidays, &monday).await;
    case.adopt().await.unwrap();
    let release = case.bench.start("1.0.0").await;
    case.bench.turn().await;
    assert_eq!(case.closed(release).await.unwrap(), "closed by `holidays UTC`: Founders' day (ops)");
    case.until("2026-03-03T00:01:00Z").await;
    assert_eq!(case.closed(release).await, None);
    // Working days depend on every list: where one is not known, none is.
    case.answers(None);
    case.until("2026-03-05T00:00:00Z").await;
    assert!(case.closed(release).await.unwrap().contains("cannot be asked"));
}

#[tokio::test]
async fn rules_without_it_look_at_nothing() {
    let case = Case::new("events of ops", Asked::Events, &ics(&[])).await;
    case.adopt().await.unwrap();
    case.until("2026-03-02T13:00:00Z").await;
    let looks = case.bench.world.state().looks;
    assert!(looks >= 4, "{looks}");
    case.bench.engine.adopt(&policy_without(), &person("bob")).await.unwrap();
    case.until("2026-03-04T00:00:00Z").await;
    assert_eq!(case.bench.world.state().looks, looks);
    assert_eq!(case.bench.store.next_due().await.unwrap(), None);
}
