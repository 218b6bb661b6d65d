//! Time budgets: so much time before anything closes.

use jiff::Timestamp;
use proptest::prelude::*;
use tollgate_core::calendar::{Answer, Freeze, Only, Scope, Windows};
use tollgate_core::decide::{Entering, PolicyView, freeze, gates};
use tollgate_core::expr::{BinaryOp, Builder, Expr, NodeKind, Span};
use tollgate_core::gate::{Action, GateAnswer, WaitsOn};
use tollgate_core::model::*;
use tollgate_core::state::PolicyState;

use crate::build::*;
use crate::world::*;

fn windows(open: &str) -> Windows {
    Windows::new(vec![open.parse().unwrap()], Vec::new()).unwrap()
}

/// Stage with a window, and a time budget.
fn budgeted(open: &str, needs: Needs, within: Option<&str>) -> Policy {
    let window = GateKind::Window { windows: windows(open), fits: None, closing: Closing::Wait };
    let budget = TimeBudget { needs, within: within.map(windows) };
    let policy = with_gate(policy(), "stage", "hours", gate_of(window));
    with_gate(policy, "stage", "time", gate_of(GateKind::TimeBudget(Box::new(budget))))
}

fn minutes(count: i64) -> Needs {
    Needs::Stated(mins(count))
}

/// `60 + answers.data`.
fn hour_and_data() -> Expr {
    let source = "60 + answers.data";
    let mut builder = Builder::new(source).unwrap();
    let left = builder.push(NodeKind::Int(60), Span::new(0, 2)).unwrap();
    let right = builder.push(NodeKind::Name("answers.data".into()), Span::new(5, 17)).unwrap();
    builder.push(NodeKind::Binary { op: BinaryOp::Add, left, right }, Span::new(0, 17)).unwrap();
    builder.finish().unwrap()
}

fn at(moment: &str) -> Timestamp {
    moment.parse().unwrap()
}

/// A release that wants to enter stage at a moment, with a question asked before.
fn waiting(policy: &Policy, moment: &str) -> World {
    let mut world = World::new(policy);
    world.now = at(moment);
    world.start(&plan("1.9.0", vec![promote("stage")], policy), "anna");
    world
}

/// A freeze of stage by `eve`.
fn frozen(world: &mut World, policy: &Policy, from: &str, until: &str, exempt: &str) {
    let scope = Scope { environments: Only::These([n("stage")].into()), ..Scope::ALL };
    let what = Freeze::new(scope, "the fair", n("eve"), at(from), at(until)).unwrap();
    let exempt = exempt.split_terminator(';').map(|one| one.parse().unwrap()).collect();
    let state = PolicyState { freezes: world.freezes.clone(), frozen: 0, ..PolicyState::default() };
    let rules = PolicyView { service: n("shop"), state, in_force: Some(policy.clone().into()) };
    let decision = freeze(&rules, what.exempting(exempt), false, &actor("eve"), world.now).unwrap();
    world.freezes.push(decision.freeze);
    world.wake("1.9.0");
}

/// What the budget says.
fn budget(world: &World) -> GateAnswer {
    let view = world.view("1.9.0");
    let (run, plan) = view.active().next().unwrap();
    let environment = n("stage");
    let all = gates(Entering { view: &view, run, plan, environment: &environment, now: world.now });
    all.into_iter().find(|report| report.gate == "time").unwrap().answer
}

/// Why it is closed, and when it fits.
#[track_caller]
fn closed(world: &World) -> (String, Option<Timestamp>) {
    match budget(world) {
        GateAnswer::Closed(hold) => (hold.why, hold.earliest),
        GateAnswer::Open(why) => panic!("{why}"),
    }
}

#[test]
fn it_is_open_while_the_time_is_left() {
    let policy = budgeted("daily 09:00-17:00 UTC", minutes(90), None);
    let world = waiting(&policy, "2026-03-02T15:30:00Z");
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
    assert_eq!(
        budget(&world),
        GateAnswer::Open(
            "it has begun at 2026-03-02 15:30:00 UTC and needs until 2026-03-02 17:00:00 UTC, and nothing closes \
             before that"
                .into()
        )
    );
    let mut world = waiting(&policy, "2026-03-02T15:30:01Z");
    let (why, earliest) = closed(&world);
    assert_eq!(
        why,
        "it needs 1h 30m, until 2026-03-02 17:00:01 UTC; the window `hours` closes at 2026-03-02 17:00:00 UTC"
    );
    assert_eq!(earliest, Some(at("2026-03-03T09:00:00Z")));
    let hold = world.explain("1.9.0")[0].hold.clone();
    assert_eq!((hold.what.as_str(), hold.on), ("time budget `time` of stage", WaitsOn::Time));
    assert_eq!(hold.how[0], Action::Wait);
    assert_eq!(world.agenda("1.9.0").wake, earliest);
    world.now = earliest.unwrap();
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn what_has_begun_uses_its_time_up() {
    let policy = budgeted("daily 09:00-17:00 UTC", minutes(90), None);
    let policy = with_environment(policy, "stage", |stage| stage.before = vec![manual("look")]);
    let mut world = waiting(&policy, "2026-03-02T15:30:00Z");
    world.pass(mins(60));
    world.done("1.9.0", "anna", "promote-stage/look").unwrap();
    world.lease("1.9.0", "promote-stage/deploy").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "leased");
}

#[test]
fn minutes_can_come_of_an_answer() {
    let policy = budgeted("daily 09:00-17:00 UTC", Needs::Minutes(hour_and_data()), None);
    let mut world = waiting(&policy, "2026-03-02T15:30:00Z");
    let hold = world.explain("1.9.0")[0].hold.clone();
    assert!(hold.why.starts_with("how much time it needs is not known"), "{}", hold.why);
    assert!(hold.anybody && matches!(hold.how[0], Action::Answer(_)), "{hold:?}");
    world.answer("1.9.0", "anna", "data", "31").unwrap();
    assert_eq!(closed(&world).1, Some(at("2026-03-03T09:00:00Z")));
    world.answer("1.9.0", "anna", "data", "30").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn a_freeze_to_come_is_in_the_way() {
    let policy = budgeted("daily 09:00-17:00 UTC", minutes(60), None);
    let hold = |exempt: &str| {
        let mut world = World::new(&policy);
        world.now = at("2026-03-02T08:00:00Z");
        world.start(&plan("1.9.0", vec![promote("stage")], &policy), "anna");
        frozen(&mut world, &policy, "2026-03-02T10:30:00Z", "2026-03-02T16:30:00Z", exempt);
        world.now = at("2026-03-02T10:00:00Z");
        world
    };
    let (why, earliest) = closed(&hold(""));
    assert_eq!(
        why,
        "it needs 1h, until 2026-03-02 11:00:00 UTC; freeze 1: the fair, from 2026-03-02 10:30:00 UTC on"
    );
    // Half an hour after the freeze is too short as well.
    assert_eq!(earliest, Some(at("2026-03-03T09:00:00Z")));
    closed(&hold("rollback"));
}

#[test]
fn its_own_window_counts_too_and_what_never_fits_says_so() {
    let policy = budgeted("daily 09:00-17:00 UTC", minutes(60), Some("daily 12:00-14:00 UTC"));
    let (why, earliest) = closed(&waiting(&policy, "2026-03-02T10:00:00Z"));
    assert!(why.ends_with("its own window is closed: next opened by `daily 12:00-14:00 UTC`"), "{why}");
    assert_eq!(earliest, Some(at("2026-03-02T12:00:00Z")));
    let policy = budgeted("daily 09:00-17:00 UTC", minutes(9 * 60), None);
    let world = waiting(&policy, "2026-03-02T10:00:00Z");
    let (why, earliest) = closed(&world);
    assert!(why.contains("which does not fit within a year"), "{why}");
    let hold = &world.explain("1.9.0")[0].hold;
    assert_eq!((earliest, hold.on, hold.who.clone()), (None, WaitsOn::Person, vec![n("dave")]));
}

#[test]
fn a_waived_window_is_not_in_the_way() {
    let policy = budgeted("daily 09:00-17:00 UTC", minutes(90), None);
    for (until, waits) in [(None, false), (Some("2026-03-02T16:30:00Z"), true)] {
        let mut world = waiting(&policy, "2026-03-02T16:00:00Z");
        world.waive_gate("1.9.0", "dave", "stage", "hours", until.map(at)).unwrap();
        assert_eq!(world.is("1.9.0", "promote-stage/deploy") == "not reached", waits);
    }
}

#[test]
fn days_with_another_length_count_as_they_are() {
    // On 29 March 2026 clocks in Berlin go from 02:00 to 03:00; on 25 October back from 03:00 to 02:00.
    let policy = budgeted("daily 00:00-04:00 Europe/Berlin", minutes(180), None);
    for (moment, fits) in [
        ("2026-03-28T23:00:00Z", true),
        ("2026-03-28T23:00:01Z", false),
        ("2026-10-25T00:00:00Z", true),
        ("2026-10-25T00:00:01Z", false),
    ] {
        let world = waiting(&policy, moment);
        assert_eq!(matches!(budget(&world), GateAnswer::Open(_)), fits, "{moment}");
    }
    // Across midnight.
    let policy = budgeted("daily 22:00-02:00 UTC", minutes(240), None);
    assert!(matches!(budget(&waiting(&policy, "2026-03-02T22:00:00Z")), GateAnswer::Open(_)));
    assert_eq!(closed(&waiting(&policy, "2026-03-03T00:00:00Z")).1, Some(at("2026-03-03T22:00:00Z")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// While it is open, every window is open until the time is over, and no freeze is on; and where it says when it fits, it does.
    #[test]
    fn what_fits_is_open_all_the_time(
        start in 0_i64..60 * 24 * 7,
        needs in 1_i64..600,
        (from, long) in (0_i64..24, 1_i64..12),
        freeze_at in 1_i64..60 * 24 * 3,
        freeze_long in 1_i64..600,
    ) {
        let rule = format!("daily {from:02}:00-{:02}:00 Europe/Berlin", (from + long) % 24);
        let policy = budgeted(&rule, minutes(needs), None);
        let mut world = World::new(&policy);
        // The week in which the clocks change.
        world.now = at("2026-03-25T00:00:00Z") + mins(start);
        world.not_there_yet(&policy);
        let (begins, ends) = (world.now + mins(freeze_at), world.now + mins(freeze_at + freeze_long));
        frozen(&mut world, &policy, &begins.to_string(), &ends.to_string(), "");
        let fits = match budget(&world) {
            GateAnswer::Open(_) => Some(world.now),
            GateAnswer::Closed(hold) => hold.earliest,
        };
        let Some(fits) = fits else { return Ok(()) };
        world.now = fits;
        prop_assert!(matches!(budget(&world), GateAnswer::Open(_)), "it does not fit at {fits}: {:?}", budget(&world));
        let windows = windows(&rule);
        for minute in 0..needs {
            let moment = fits + mins(minute);
            let open = matches!(windows.at(moment, &Default::default()), Answer::Open { .. });
            prop_assert!(open, "{rule} is closed at {moment}, {needs} minutes from {fits}");
            prop_assert!(moment < begins || ends <= moment, "frozen at {moment}");
        }
    }
}

impl World {
    /// A release that waits to enter stage once something else is done.
    fn not_there_yet(&mut self, policy: &Policy) {
        let steps = vec![manual("first"), promote("stage")];
        self.start(&plan("1.9.0", steps, policy), "anna");
    }
}
