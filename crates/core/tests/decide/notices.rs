//! Who is told what: once for each cause, in words that say what to do.

use tollgate_core::act::{Act, FailureClass, Outcome, Report};
use tollgate_core::event::{Event, ReleaseEvent, WaiverTarget};
use tollgate_core::model::*;
use tollgate_core::notices::{NoticeEvent, NoticeStatus};
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::world::*;

/// The policy, with a rule that tells of these.
pub(crate) fn telling(mut policy: Policy, to: &[Recipient], events: &[Happening]) -> Policy {
    let via = Connection::Maildir { path: "mail".into(), from: "shop@example.org".into() };
    let rule = Notify { via, to: to.to_vec(), events: events.iter().copied().collect() };
    policy.notify.insert(n("team"), rule);
    policy
}

/// What people were told so far: to whom, and the subject.
pub(crate) fn told(world: &World) -> Vec<(String, String)> {
    let wanted = world.journal.iter().filter_map(|entry| match &entry.event {
        Event::Release(ReleaseEvent::Notice(NoticeEvent::Wanted {
            act: Act::Mail { to, subject, .. },
            ..
        })) => {
            let to: Vec<&str> = to.iter().map(|to| to.split('@').next().unwrap()).collect();
            Some((to.join(" "), subject.clone()))
        }
        _ => None,
    });
    wanted.collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(to, subject)| ((*to).to_owned(), (*subject).to_owned())).collect()
}

fn body(world: &World, subject: &str) -> String {
    let found = world.journal.iter().rev().find_map(|entry| match &entry.event {
        Event::Release(ReleaseEvent::Notice(NoticeEvent::Wanted {
            act: Act::Mail { subject: is, body, .. },
            ..
        })) if is == subject => Some(body.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("nobody was told {subject}: {:?}", told(world)))
}

fn good(policy: Policy) -> Policy {
    with_gate(policy, "stage", "good", approval_gate(rule("releng", 2)))
}

#[test]
fn who_can_act_is_who_is_told() {
    let mut policy = telling(good(policy()), &[], &[Happening::Waiting]);
    policy.people.get_mut(&n::<tollgate_core::ids::PersonName>("bob")).unwrap().chat = vec!["@bobby".into()];
    let mut world = World::new(&policy);
    let mut plan = plan("1.9.0", vec![promote("stage")], &policy);
    plan.authors.clear();
    world.start(&plan, "anna");
    // Anna asked for it, so she cannot approve, and is not told to.
    let subject = "shop 1.9.0 waits: approval `good` of stage";
    assert_eq!(told(&world), pairs(&[("bob carol", subject)]));
    let text = body(&world, subject);
    for part in [
        "it needs 2 approvals by releng, given: none",
        "bob (@bobby), carol can:\n  tollgate approve stage/good --release 1.9.0 --service shop",
        "A yes counts as 1 of 2, and leaves one more missing.",
        "shop 1.9.0 (tag v1.9.0)",
        "tollgate why 1.9.0 --service shop",
    ] {
        assert!(text.contains(part), "no “{part}” in:\n{text}");
    }
    // However often it is looked at, one cause is told once; also when one of two has approved.
    world.pass(hours(5));
    assert!(world.wake("1.9.0").is_empty());
    world.approve("1.9.0", "bob", gate("stage", "good")).unwrap();
    assert_eq!(told(&world).len(), 1);
}

#[test]
fn each_new_cause_is_told() {
    let ask = ask_gate("Is it quiet?", Some(group("ops")), Some(60));
    let policy = telling(with_gate(good(policy()), "stage", "quiet", ask), &[], &[Happening::Waiting]);
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![promote("stage")], &policy), "anna");
    world.answer_gate("1.9.0", "dave", "stage", "quiet", "yes").unwrap();
    assert_eq!(told(&world).len(), 2);
    // The yes runs out: it has to be answered again, and that is another cause.
    world.pass(hours(2));
    world.wake("1.9.0");
    let all = told(&world);
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(all[2].0, "carol dave");
    assert!(body(&world, &all[2].1).contains("the yes of dave ran out"));
}

#[test]
fn what_happens_is_told_to_those_who_want_to_know() {
    let all = &Happening::ALL;
    let to = [Recipient::Who(group("leads")), Recipient::Address("list@example.org".into())];
    let policy = telling(policy(), &to, all);
    let mut world = World::new(&policy);
    let steps = vec![manual("look"), promote("stage"), shell("after")];
    world.start(&plan("1.9.0", steps, &policy), "anna");
    world.done("1.9.0", "bob", "look").unwrap();
    world.act_on("1.9.0", "promote-stage/deploy");
    world.fail("1.9.0", "after", FailureClass::Permanent);
    let (target, until) = (WaiverTarget::Step(world.run("1.9.0"), n("after")), Some(world.now + hours(4)));
    let waiver = Stimulus::Waive { target, why: "it has to".into(), until, follow_up: None };
    world.by("1.9.0", "dave", waiver).unwrap();
    let expected = [
        ("dave list", "shop 1.9.0 was started by anna"),
        // Anybody can: whoever started it is asked.
        ("anna dave list", "shop 1.9.0 waits: step `look`"),
        ("dave list", "shop 1.9.0 is live in stage"),
        ("anna dave list", "shop 1.9.0: after failed"),
        ("dave list", "shop 1.9.0: dave waived after"),
        ("dave list", "shop 1.9.0 is done"),
    ];
    assert_eq!(told(&world), pairs(&expected));
    let waived = "What was waived:\n- after by dave, until 2026-03-02 13:00:00 UTC: it has to";
    assert!(body(&world, "shop 1.9.0 is done").contains(waived));
    assert!(body(&world, "shop 1.9.0: after failed").contains("it broke"));
}

#[test]
fn a_run_that_was_held_or_given_up_is_told() {
    let to = [Recipient::Who(group("leads"))];
    let policy = telling(policy(), &to, &[Happening::Held, Happening::Finished, Happening::Expired]);
    let mut world = World::new(&policy);
    let waits = Step { timeout: Some(hours(1)), ..manual("look") };
    world.start(&plan("1.9.0", vec![waits], &policy), "anna");
    world.hold("1.9.0", "bob");
    world.resume("1.9.0", "bob");
    world.pass(hours(2));
    world.wake("1.9.0");
    world.abort("1.9.0", "anna").unwrap();
    let expected = [
        ("dave", "shop 1.9.0 is held by bob"),
        ("anna dave", "shop 1.9.0: look expired"),
        ("dave", "shop 1.9.0 was given up"),
    ];
    assert_eq!(told(&world), pairs(&expected));
}

#[test]
fn a_notice_never_holds_a_release() {
    let policy = telling(policy(), &[], &[Happening::Started, Happening::Finished]);
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![manual("only")], &policy), "anna");
    let effect = *world.agenda("1.9.0").tasks.keys().next().unwrap();
    world.by("1.9.0", "tollgate", Stimulus::Lease { effect, epoch: 1 }).unwrap();
    let report = Report::Failed(failure(FailureClass::Permanent, "no such folder"));
    let given = Stimulus::Reported { effect, epoch: 1, report: report.clone() };
    world.by("1.9.0", "tollgate", given.clone()).unwrap();
    assert_eq!(world.refused("1.9.0", "tollgate", given), "stale");
    let notices = world.releases["1.9.0"].state.notices.clone();
    let gone: Vec<_> = notices.undelivered().collect();
    assert!(matches!(&gone[0].status, NoticeStatus::Undelivered { why, .. } if why == "no such folder"));
    world.done("1.9.0", "bob", "only").unwrap();
    assert!(world.outcome("1.9.0").is_some());
    // Also what was done is told after its end.
    let last = *world.agenda("1.9.0").tasks.keys().next().unwrap();
    world.by("1.9.0", "tollgate", Stimulus::Lease { effect: last, epoch: 1 }).unwrap();
    let report = Report::Done(Outcome::Sent { found: false });
    world.by("1.9.0", "tollgate", Stimulus::Reported { effect: last, epoch: 1, report }).unwrap();
    assert!(world.agenda("1.9.0").tasks.is_empty());
}

#[test]
fn whom_no_mail_reaches_is_told_of_in_the_journal() {
    let mut policy = telling(policy(), &[], &[Happening::Started]);
    policy.people.values_mut().for_each(|person| person.mail = None);
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![manual("only")], &policy), "anna");
    assert!(told(&world).is_empty() && world.agenda("1.9.0").tasks.is_empty());
    let notices = &world.releases["1.9.0"].state.notices;
    assert_eq!(notices.undelivered().count(), 1);
}

/// The policy, with patience at a gate of stage.
fn patient(policy: Policy, gate: Gate, remind: Option<i64>, escalate: Option<(i64, bool)>) -> Policy {
    let escalate =
        escalate.map(|(after, may_act)| Escalation { after: hours(after), to: group("leads"), may_act });
    let patience = Patience { remind: remind.map(hours), escalate };
    with_gate(policy, "stage", "good", Gate { patience, ..gate })
}

/// Lets time pass as the engine does: from one wake-up to the next.
fn wait_until(world: &mut World, hours_on: i64) -> usize {
    let end = world.now + hours(hours_on);
    let mut woken = 0;
    while let Some(at) = world.agenda("1.9.0").look_at().filter(|at| *at <= end) {
        world.now = at;
        assert!(!world.wake("1.9.0").is_empty(), "it was woken at {at} for nothing");
        woken += 1;
    }
    world.now = end;
    woken
}

#[test]
fn who_is_waited_for_is_reminded_and_others_are_told() {
    let gate = approval_gate(rule("releng", 1));
    let policy = telling(patient(policy(), gate, Some(24), Some((48, false))), &[], &[Happening::Waiting]);
    let mut world = World::new(&policy);
    let mut plan = plan("1.9.0", vec![promote("stage")], &policy);
    plan.authors.clear();
    world.start(&plan, "anna");
    assert!(
        world.why("1.9.0").ends_with("; leads told at 2026-03-04 09:00:00 UTC"),
        "{}",
        world.why("1.9.0")
    );
    assert_eq!(wait_until(&mut world, 80), 3);
    let expected = [
        ("bob carol", "shop 1.9.0 waits: approval `good` of stage"),
        ("bob carol", "shop 1.9.0 still waits: approval `good` of stage"),
        ("dave", "shop 1.9.0 waits for too long: approval `good` of stage"),
        ("bob carol", "shop 1.9.0 still waits: approval `good` of stage (reminder 2)"),
        ("bob carol", "shop 1.9.0 still waits: approval `good` of stage (reminder 3)"),
    ];
    assert_eq!(told(&world), pairs(&expected));
    let why = world.why("1.9.0");
    assert!(why.contains("; reminded 3 times, last at 2026-03-05 09:00:00 UTC; leads told at"), "{why}");
    // Who was told could not act, and who could is not asked again once it is done.
    assert_eq!(world.approve("1.9.0", "dave", gate_of_stage()).unwrap_err().code, "not-allowed");
    world.approve("1.9.0", "bob", gate_of_stage()).unwrap();
    assert_eq!(wait_until(&mut world, 100), 0);
}

fn gate_of_stage() -> tollgate_core::event::ApprovalTarget {
    gate("stage", "good")
}

#[test]
fn after_a_while_others_can_act_as_well() {
    let ask = ask_gate("Is it quiet?", Some(person("bob")), None);
    let policy = patient(policy(), approval_gate(rule("releng", 1)), None, Some((48, true)));
    let mut with_ask = policy.clone();
    let patience =
        with_ask.environments[0].gates[&n::<tollgate_core::ids::GateName>("good")].patience.clone();
    with_ask = with_gate(with_ask, "stage", "quiet", Gate { patience: patience.clone(), ..ask });
    let mut list = gate_of(GateKind::Checklist { list: checklist(&["a"]), by: Some(person("bob")) });
    list.patience = patience.clone();
    with_ask = with_gate(with_ask, "stage", "list", list);
    let mut world = World::new(&with_ask);
    let look = Step { by: Some(person("bob")), patience, ..manual("look") };
    world.start(
        &plan("1.9.0", vec![promote("stage"), Step { after: Some(Vec::new()), ..look }], &with_ask),
        "anna",
    );
    world.pass(hours(47));
    world.wake("1.9.0");
    assert_eq!(world.approve("1.9.0", "dave", gate("stage", "good")).unwrap_err().code, "not-allowed");
    assert_eq!(world.answer_gate("1.9.0", "dave", "stage", "quiet", "yes").unwrap_err().code, "not-allowed");
    assert_eq!(world.done("1.9.0", "dave", "look").unwrap_err().code, "not-allowed");
    world.pass(hours(1));
    world.wake("1.9.0");
    for holding in world.explain("1.9.0") {
        assert!(holding.hold.who.contains(&n("dave")), "{holding:?}");
    }
    world.done("1.9.0", "dave", "look").unwrap();
    world.answer_gate("1.9.0", "dave", "stage", "quiet", "yes").unwrap();
    world
        .tick("1.9.0", "dave", gate("stage", "list"), &["a"], tollgate_core::event::TickResult::Passed, None)
        .unwrap();
    world.approve("1.9.0", "dave", gate("stage", "good")).unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
    // It counts on, also at the moment of the deployment.
    world.settle("1.9.0");
    assert_eq!(world.runs("stage").as_deref(), Some("1.9.0"));
}

#[test]
fn a_run_that_is_held_reminds_nobody() {
    let policy = patient(policy(), approval_gate(rule("releng", 1)), Some(1), None);
    let policy = telling(policy, &[], &[Happening::Waiting]);
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![promote("stage")], &policy), "anna");
    world.hold("1.9.0", "bob");
    assert_eq!(wait_until(&mut world, 10), 0);
    world.resume("1.9.0", "bob");
    // What was missed is said once.
    assert_eq!(told(&world).len(), 2);
    assert_eq!(wait_until(&mut world, 2), 2);
}
