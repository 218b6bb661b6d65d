//! Windows and freezes: what the calendar opens and closes, on every path.

use tollgate_core::act::Act;
use tollgate_core::calendar::{Freeze, Only, Scope, Windows};
use tollgate_core::decide::{PolicyView, freeze, thaw};
use tollgate_core::event::{PolicyEvent, RunOutcome};
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::model::*;
use tollgate_core::notices::{NoticeEvent, about_freeze, freeze_moment, freeze_turns};
use tollgate_core::state::PolicyState;
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::world::*;

fn window(open: &[&str], closed: &[&str], fits: Option<Fits>) -> Policy {
    let rules = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let windows = Windows::new(rules(open), rules(closed)).unwrap();
    with_gate(policy(), "stage", "hours", gate_of(GateKind::Window { windows, fits, closing: Closing::Wait }))
}

/// A release that waits to enter stage. It is Monday, 2 March 2026, 09:00 UTC.
fn waiting(policy: &Policy) -> World {
    let mut world = World::new(policy);
    world.start(&plan("1.9.0", vec![promote("stage")], policy), "anna");
    world
}

/// A freeze by `eve`, from now on.
fn frozen(world: &World, hours_long: i64, scope: Scope) -> Freeze {
    let end = world.now + hours(hours_long);
    Freeze::new(scope, "the database is on fire", n("eve"), world.now, end).unwrap()
}

fn only(environment: &str) -> Scope {
    Scope { environments: Only::These([n(environment)].into()), ..Scope::ALL }
}

fn rules(world: &World, policy: &Policy) -> PolicyView {
    let state = PolicyState { freezes: world.freezes.clone(), frozen: 0, ..PolicyState::default() };
    PolicyView { service: n("shop"), state, in_force: Some(policy.clone().into()) }
}

/// Takes a freeze in, as the engine does.
fn begin(world: &mut World, policy: &Policy, what: Freeze) {
    let decision = freeze(&rules(world, policy), what, false, &actor("eve"), world.now).unwrap();
    world.freezes.push(decision.freeze);
    world.wake("1.9.0");
}

#[test]
fn the_first_deployment_waits_for_the_window_and_goes_by_itself() {
    let mut world = waiting(&window(&["Tue 10:00-12:00 Europe/London"], &[], None));
    let hold = world.explain("1.9.0")[0].hold.clone();
    assert_eq!(hold.what, "window `hours` of stage");
    assert_eq!(hold.why, "next opened by `Tue 10:00-12:00 Europe/London`");
    assert_eq!((hold.on, hold.earliest), (WaitsOn::Time, Some("2026-03-03T10:00:00Z".parse().unwrap())));
    assert_eq!(world.agenda("1.9.0").look_at(), hold.earliest);
    world.now = hold.earliest.unwrap();
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn what_closes_wins_and_is_told() {
    let world = waiting(&window(&["daily UTC"], &["Mon America/Los_Angeles"], None));
    // Here it is Monday already, there it is not yet: 01:00.
    assert_eq!(world.why("1.9.0"), "window `hours` of stage: closed by `Mon America/Los_Angeles`");
}

#[test]
fn a_window_that_closes_before_the_deployment_starts_stops_it() {
    let mut world = waiting(&window(&["Mon 08:00-10:00 UTC"], &[], None));
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
    world.now = "2026-03-02T10:00:00Z".parse().unwrap();
    world.lease("1.9.0", "promote-stage/deploy").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "open");
    assert_eq!(world.agenda("1.9.0").wake, Some("2026-03-09T08:00:00Z".parse().unwrap()));
}

#[test]
fn what_has_begun_is_finished_and_only_the_next_one_waits() {
    let mut world = waiting(&window(&["Mon 08:00-10:00 UTC"], &[], None));
    world.lease("1.9.0", "promote-stage/deploy").unwrap();
    world.now = "2026-03-02T11:00:00Z".parse().unwrap();
    let outcome = outcome(&world.act("1.9.0", "promote-stage/deploy"));
    world.report("1.9.0", "promote-stage/deploy", tollgate_core::act::Report::Done(outcome)).unwrap();
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn what_becomes_of_a_promotion_that_has_begun_is_declared() {
    let monday = |text: &str| format!("2026-03-02T{text}Z").parse().unwrap();
    for (closing, goes) in [(Closing::Wait, false), (Closing::Finish, true)] {
        let mut policy = window(&["Mon 08:00-10:00 UTC"], &[], None);
        let GateKind::Window { closing: declared, .. } = &mut policy
            .environments
            .get_mut::<tollgate_core::ids::EnvironmentName>(&n("stage"))
            .unwrap()
            .gates[0]
            .kind
        else {
            panic!()
        };
        *declared = closing;
        let policy = with_environment(policy, "stage", |stage| stage.before = vec![manual("drain")]);
        let mut world = waiting(&policy);
        assert_eq!(world.is("1.9.0", "promote-stage/enter"), "done");
        // It closes while somebody is at the step before the deployment: that step ends as it would have.
        world.now = monday("10:30:00");
        world.wake("1.9.0");
        world.done("1.9.0", "anna", "promote-stage/drain").unwrap();
        assert_eq!(world.is("1.9.0", "promote-stage/drain"), "done");
        if goes {
            world.act_on("1.9.0", "promote-stage/deploy");
            assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done), "{closing:?}");
        } else {
            let hold = world.explain("1.9.0")[0].hold.clone();
            assert_eq!(hold.why, "next opened by `Mon 08:00-10:00 UTC`");
            assert_eq!(hold.earliest, Some("2026-03-09T08:00:00Z".parse().unwrap()), "why says until when");
            assert_eq!(world.agenda("1.9.0").look_at(), hold.earliest, "and it does not hang");
            world.now = hold.earliest.unwrap();
            world.wake("1.9.0");
            world.act_on("1.9.0", "promote-stage/deploy");
            assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done), "{closing:?}");
        }
        // What has not begun waits in either case, and a freeze stops also what has begun.
        let mut late = World::new(&policy);
        late.now = monday("10:30:00");
        late.start(&plan("1.9.0", vec![promote("stage")], &policy), "anna");
        assert_eq!(late.is("1.9.0", "promote-stage/enter"), "open", "{closing:?}");
        let mut stopped = waiting(&policy);
        let what = frozen(&stopped, 5, Scope::ALL);
        begin(&mut stopped, &policy, what);
        stopped.done("1.9.0", "anna", "promote-stage/drain").unwrap();
        assert!(stopped.why("1.9.0").contains("freeze 1 by eve"), "{}", stopped.why("1.9.0"));
    }
}

#[test]
fn what_may_be_finished_may_until_the_window_opens_again() {
    let windows = Windows::new(vec!["Mon 08:00-10:00 UTC".parse().unwrap()], Vec::new()).unwrap();
    let gate = gate_of(GateKind::Window { windows, fits: None, closing: Closing::Finish });
    let policy = with_gate(policy(), "stage", "hours", gate);
    let policy = with_environment(policy, "stage", |stage| stage.before = vec![manual("drain")]);
    let cases = [
        ("2026-03-02T10:30:00Z", true),
        ("2026-03-09T07:59:59Z", true),
        ("2026-03-09T09:00:00Z", true),
        ("2026-03-09T10:00:00Z", false),
        ("2026-03-12T03:00:00Z", false),
    ];
    for (at, goes) in cases {
        let mut world = waiting(&policy);
        world.now = at.parse().unwrap();
        world.wake("1.9.0");
        world.done("1.9.0", "anna", "promote-stage/drain").unwrap();
        assert_eq!(world.is("1.9.0", "promote-stage/deploy") == "wanted", goes, "{at}");
        if goes {
            world.act_on("1.9.0", "promote-stage/deploy");
            assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done), "{at}");
        } else {
            let hold = world.explain("1.9.0")[0].hold.clone();
            assert_eq!(hold.earliest, Some("2026-03-16T08:00:00Z".parse().unwrap()), "{at}");
            assert_eq!(world.agenda("1.9.0").look_at(), hold.earliest, "{at}");
        }
    }
}

#[test]
fn it_has_to_fit() {
    let world = waiting(&window(&["Mon 08:00-09:30 UTC"], &[], Some(Fits::Stated(mins(45)))));
    let hold = &world.explain("1.9.0")[0].hold;
    assert_eq!(hold.why, "it closes at 2026-03-02 09:30:00 UTC; it takes 45m");
    assert_eq!(hold.earliest, Some("2026-03-09T08:00:00Z".parse().unwrap()));
    let world = waiting(&window(&["Mon 08:00-08:30 UTC"], &[], Some(Fits::Stated(mins(45)))));
    let hold = &world.explain("1.9.0")[0].hold;
    assert!(hold.why.ends_with("which never fits"), "{}", hold.why);
    assert_eq!((hold.on, hold.earliest), (WaitsOn::Person, None), "time alone does not open it");
    assert!(matches!(hold.how[0], Action::Waive(_)));
}

#[test]
fn how_long_it_takes_can_be_learned() {
    let policy = window(&["Mon 08:00-09:30 UTC"], &[], Some(Fits::Learned));
    let mut plan = plan("1.9.0", vec![promote("stage")], &policy);
    let mut world = World::new(&policy);
    world.start(&plan, "anna");
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted", "what is not known is not asked");
    plan.usual.insert(n("promote-stage/deploy"), mins(40));
    let mut world = World::new(&policy);
    world.start(&plan, "anna");
    assert!(world.why("1.9.0").ends_with("it takes 40m"), "{}", world.why("1.9.0"));
}

#[test]
fn several_windows_are_waited_for_together() {
    let windows = |text: &str| Windows::new(vec![text.parse().unwrap()], Vec::new()).unwrap();
    let gate =
        |text: &str| gate_of(GateKind::Window { windows: windows(text), fits: None, closing: Closing::Wait });
    let with = |one: &str, other: &str| {
        with_gate(with_gate(policy(), "stage", "one", gate(one)), "stage", "other", gate(other))
    };
    // It is Monday, and the first moment in both is on Wednesday.
    let mut world = waiting(&with("daily 14:00-16:00 UTC", "Wed 12:00-15:00 UTC"));
    let both: Vec<_> = world.explain("1.9.0").iter().map(|holding| holding.hold.earliest).collect();
    assert_eq!(both, [Some("2026-03-04T14:00:00Z".parse().unwrap()); 2]);
    world.now = "2026-03-04T14:00:00Z".parse().unwrap();
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
    let world = waiting(&with("daily 14:00-16:00 UTC", "daily 16:00-18:00 UTC"));
    let hold = &world.explain("1.9.0")[0].hold;
    assert!(hold.why.ends_with("it is never open together with the other windows"), "{}", hold.why);
    assert_eq!((hold.on, hold.earliest), (WaitsOn::Person, None));
}

#[test]
fn a_freeze_holds_every_path_and_ends_by_itself() {
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![manual("wait"), promote("stage")], &policy), "anna");
    let what = frozen(&world, 5, Scope::ALL);
    begin(&mut world, &policy, what);
    world.done("1.9.0", "anna", "wait").unwrap();
    let hold = world.explain("1.9.0")[0].hold.clone();
    assert_eq!(hold.what, "freeze 1 by eve: the database is on fire");
    assert_eq!(hold.why, "frozen until 2026-03-02 14:00:00 UTC");
    assert!(hold.how.contains(&Action::Thaw(1)) && hold.anybody);
    let target = tollgate_core::event::WaiverTarget::Gate(n("stage"), n("freeze"));
    let waive = Stimulus::Waive { target, why: "it has to".into(), until: None, follow_up: None };
    assert_eq!(world.refused("1.9.0", "dave", waive), "never-waived");
    world.now = hold.earliest.unwrap();
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn a_freeze_that_begins_in_between_stops_what_has_not_begun() {
    let policy = policy();
    let mut world = waiting(&policy);
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
    let what = frozen(&world, 5, only("stage"));
    begin(&mut world, &policy, what);
    world.lease("1.9.0", "promote-stage/deploy").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "open");
    assert_eq!(world.environment("stage").held, None, "who waits holds nothing");
}

#[test]
fn a_freeze_elsewhere_holds_nothing_here() {
    let policy = policy();
    let mut world = World::new(&policy);
    let what = frozen(&world, 5, only("production"));
    begin(&mut world, &policy, what);
    world.start(&plan("1.9.0", vec![promote("stage")], &policy), "anna");
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

/// A promotion moves all components of its service.
#[test]
fn a_freeze_of_a_component_holds_what_moves_it() {
    let of = |component: &str| Scope { components: Only::These([n(component)].into()), ..Scope::ALL };
    let policy = policy();
    for (component, status) in [("web", "leased"), ("shop", "open")] {
        let mut world = waiting(&policy);
        let what = frozen(&world, 5, of(component));
        begin(&mut world, &policy, what);
        world.lease("1.9.0", "promote-stage/deploy").unwrap();
        assert_eq!(world.is("1.9.0", "promote-stage/deploy"), status, "{component}");
    }
}

#[test]
fn one_person_stops_and_a_quorum_goes_on() {
    let policy = Policy { thaw: Some(SignOff { by: group("releng"), count: 2 }), ..policy() };
    let mut world = waiting(&policy);
    let what = frozen(&world, 5, Scope::ALL);
    begin(&mut world, &policy, what);
    let mut view = rules(&world, &policy);
    assert_eq!(thaw(&view, 1, &actor("eve"), world.now).unwrap_err().code, "not-allowed");
    assert_eq!(thaw(&view, 7, &actor("anna"), world.now).unwrap_err().code, "no-freeze");
    let first = thaw(&view, 1, &actor("anna"), world.now).unwrap();
    assert!(!first.lifted && first.needed == 2);
    view.state.freezes = vec![first.freeze];
    assert_eq!(thaw(&view, 1, &actor("anna"), world.now).unwrap_err().code, "signed");
    assert!(thaw(&view, 1, &actor("bob"), world.now).unwrap().lifted);
}

#[test]
fn what_looks_like_a_mistake_is_asked_about() {
    let policy = policy();
    let world = World::new(&policy);
    let view = rules(&world, &policy);
    let long = frozen(&world, 24 * 40, Scope::ALL);
    let by = actor("eve");
    assert_eq!(freeze(&view, long.clone(), false, &by, world.now).unwrap_err().code, "doubtful");
    assert_eq!(freeze(&view, long, true, &by, world.now).unwrap().freeze.number, 1);
    assert_eq!(freeze(&view, frozen(&world, -1, Scope::ALL), true, &by, world.now).unwrap_err().code, "past");
    let unknown = frozen(&world, 1, only("stag"));
    assert_eq!(freeze(&view, unknown, false, &by, world.now).unwrap_err().code, "no-environment");
    let other = Scope { services: Only::These([n("ship")].into()), ..Scope::ALL };
    assert_eq!(
        freeze(&view, frozen(&world, 1, other), false, &by, world.now).unwrap_err().code,
        "other-service"
    );
    let fine = frozen(&world, 1, Scope::ALL);
    assert_eq!(freeze(&view, fine, false, &actor("?mallory"), world.now).unwrap_err().code, "not-allowed");
}

#[test]
fn what_is_exempt_with_an_approval_goes_once_others_than_its_own_have_said_so() {
    let with_nobody = policy();
    let policy = Policy { thaw: Some(SignOff { by: group("releng"), count: 2 }), ..policy() };
    let policy = with_gate(policy, "stage", "good", approval_gate(rule("releng", 1)));
    let mut world = World::new(&policy);
    let mut plan = plan("1.9.0", vec![promote("stage")], &policy);
    plan.authors.clear();
    world.start(&plan, "anna");
    let exempting = |text: &str| frozen(&world, 5, Scope::ALL).exempting(vec![text.parse().unwrap()]);
    let (one, many) = (exempting("everything with 1 approval"), exempting("everything with 9 approvals"));
    let by = actor("eve");
    let refused = |policy: &Policy, what: &Freeze| {
        freeze(&rules(&world, policy), what.clone(), false, &by, world.now).unwrap_err().code
    };
    assert_eq!(refused(&with_nobody, &one), "no-exemption");
    assert_eq!(refused(&policy, &many), "no-exemption");
    begin(&mut world, &policy, one);
    world.approve("1.9.0", "bob", gate("stage", "good")).unwrap();
    let why = world.why("1.9.0");
    assert!(why.contains("this is exempt, if approved: it needs 1 approval by releng, given: none"), "{why}");
    // One person fills one place, and whoever asked for it does not approve it here either.
    assert_eq!(world.approve("1.9.0", "bob", gate("stage", "freeze-1")).unwrap_err().code, "one-slot");
    assert_eq!(world.approve("1.9.0", "anna", gate("stage", "freeze-1")).unwrap_err().code, "not-allowed");
    assert_eq!(world.approve("1.9.0", "carol", gate("stage", "freeze-2")).unwrap_err().code, "no-gate");
    world.approve("1.9.0", "carol", gate("stage", "freeze-1")).unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
    // Taken back before the deployment starts, it counts no longer.
    world.revoke("1.9.0", "carol", gate("stage", "freeze-1")).unwrap();
    world.lease("1.9.0", "promote-stage/deploy").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "open");
}

#[test]
fn freezes_begin_and_end_by_themselves_and_people_are_told() {
    let to = [Recipient::Who(group("leads")), Recipient::Address("list@example.org".into())];
    let mut policy = crate::notices::telling(policy(), &to, &[Happening::Frozen, Happening::Thawed]);
    policy.notify[0].via = Connection::Maildir { path: "/mail".into(), from: "shop@example.org".into() };
    let world = World::new(&policy);
    let mut state = PolicyState::default();
    let mut told: Vec<String> = Vec::new();
    let mut take = |state: &mut PolicyState, events: Vec<PolicyEvent>, now| {
        for event in events {
            let service = n("shop");
            let folder = None;
            for notice in about_freeze(&service, &policy, state, &event, folder, now) {
                let NoticeEvent::Wanted { act: Act::Mail { to, subject, .. }, .. } = &notice else {
                    panic!()
                };
                assert_eq!(to, &["dave@example.org", "list@example.org"]);
                told.push(subject.clone());
                state.notices.apply(now, &notice);
            }
            state.apply(now, &actor("eve"), &event);
        }
    };
    let later = |hours_on: i64| world.now + hours(hours_on);
    let span =
        |from: i64, to: i64| Freeze::new(Scope::ALL, "a fair", n("eve"), later(from), later(to)).unwrap();
    let frozen = |number, freeze| PolicyEvent::Frozen { number, freeze, extra: Vec::new() };
    take(&mut state, vec![frozen(1, span(0, 2)), frozen(2, span(5, 9)), frozen(3, span(20, 30))], world.now);
    assert_eq!(freeze_turns(&state, world.now), []);
    assert_eq!(freeze_moment(&state, world.now), Some(later(2)));
    let turns = |state: &PolicyState, hours_on| freeze_turns(state, later(hours_on));
    assert_eq!(turns(&state, 2), [PolicyEvent::FreezeEnded { number: 1 }]);
    let ended = turns(&state, 2);
    take(&mut state, ended.clone(), later(2));
    // Told twice, by whatever crash, it is one notice.
    take(&mut state, ended, later(2));
    assert_eq!(freeze_moment(&state, later(2)), Some(later(5)));
    let began = turns(&state, 5);
    take(&mut state, began, later(5));
    take(&mut state, vec![PolicyEvent::Thawed { number: 2, signed: vec![n("dave")] }], later(6));
    assert_eq!(freeze_moment(&state, later(6)), Some(later(20)));
    // Nobody looked for two days: it began and is over.
    assert_eq!(turns(&state, 48), [PolicyEvent::FreezeEnded { number: 3 }]);
    let expected = [
        "shop is frozen until 2026-03-02 11:00:00 UTC",
        "the freeze of shop is over",
        "shop is frozen until 2026-03-02 18:00:00 UTC",
        "the freeze of shop was lifted",
    ];
    assert_eq!(told, expected);
}

/// Whoever agreed has done what they can; whoever else can is named, until it is lifted.
#[test]
fn whoever_agreed_to_lift_a_freeze_is_not_asked_again() {
    let rules_of = |count| Policy { thaw: Some(SignOff { by: group("releng"), count }), ..policy() };
    let policy = rules_of(2);
    let mut world = World::new(&policy);
    let begun =
        freeze(&rules(&world, &policy), frozen(&world, 5, Scope::ALL), false, &actor("eve"), world.now);
    world.freezes.push(begun.unwrap().freeze);
    world.start(&plan("1.9.0", vec![promote("stage")], &policy), "anna");
    let who = |world: &World| -> Vec<String> {
        let told = world.explain("1.9.0");
        let hold = &told.iter().find(|one| one.gate.as_deref() == Some("freeze")).unwrap().hold;
        assert_eq!(hold.how, [Action::Wait, Action::Thaw(1)]);
        hold.who.iter().map(ToString::to_string).collect()
    };
    assert_eq!(who(&world), ["anna", "bob", "carol"]);
    let first = thaw(&rules(&world, &policy), 1, &actor("anna"), world.now).unwrap();
    assert!(!first.lifted);
    world.freezes = vec![first.freeze];
    assert_eq!(who(&world), ["bob", "carol"]);
    let again = thaw(&rules(&world, &policy), 1, &actor("anna"), world.now).unwrap_err();
    assert_eq!(again.code, "signed");
    // By rules that were adopted since, one is enough: she lifts it by saying so once more.
    let policy = rules_of(1);
    world.policy = policy.clone().into();
    assert_eq!(who(&world), ["anna", "bob", "carol"]);
    let lifted = thaw(&rules(&world, &policy), 1, &actor("anna"), world.now).unwrap();
    assert!(lifted.lifted && lifted.entries.len() == 1, "{:?}", lifted.entries);
    // And a group in which nobody is left who did not agree has nobody to name.
    let mut policy = rules_of(2);
    policy.groups.insert(n("releng"), vec![n("anna")]);
    world.policy = policy.into();
    let told = world.explain("1.9.0");
    let hold = &told.iter().find(|one| one.gate.as_deref() == Some("freeze")).unwrap().hold;
    assert_eq!((&hold.how[..], hold.who.len(), hold.anybody), (&[Action::Wait][..], 0, false));
}
