//! Gates of environments: approvals, questions, conditions, one deployment at a time.

use tollgate_core::event::{ApprovalTarget, Asked, RunOutcome};
use tollgate_core::gate::{Action, GateOrigin, WaitsOn};
use tollgate_core::model::*;
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::world::*;

/// A world where a release waits to enter stage.
fn waiting(policy: &Policy) -> World {
    let mut world = World::new(policy);
    world.start(&plan("1.9.0", vec![promote("stage")], policy), "anna");
    world
}

fn approved_by(rule: ApprovalRule) -> Policy {
    with_gate(policy(), "stage", "good", approval_gate(rule))
}

fn open_question(valid: Option<i64>) -> Policy {
    with_gate(policy(), "stage", "quiet", ask_gate("Is it quiet on {{ env.name }}?", None, valid))
}

#[test]
fn so_many_of_a_group_and_nobody_twice() {
    let policy = approved_by(ApprovalRule { allow_self: true, ..rule("releng", 2) });
    let mut world = waiting(&policy);
    assert_eq!(world.why("1.9.0"), "approval `good` of stage: it needs 2 approvals by releng, given: none");
    assert_eq!(world.explain("1.9.0")[0].hold.who, [n("anna"), n("bob"), n("carol")]);
    assert_eq!(world.approve("1.9.0", "dave", gate("stage", "good")).unwrap_err().code, "not-allowed");
    world.approve("1.9.0", "anna", gate("stage", "good")).unwrap();
    assert_eq!(world.approve("1.9.0", "anna", gate("stage", "good")).unwrap_err().code, "given");
    assert_eq!(world.why("1.9.0"), "approval `good` of stage: it needs 2 approvals by releng, given: anna");
    assert_eq!(world.explain("1.9.0")[0].hold.who, [n("bob"), n("carol")]);
    world.approve("1.9.0", "bob", gate("stage", "good")).unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn neither_who_asked_nor_an_author_approves() {
    let mut world = waiting(&approved_by(rule("releng", 1)));
    assert_eq!(world.explain("1.9.0")[0].hold.who, [n("carol")]);
    for (person, why) in [("anna", "they asked for it"), ("bob", "they wrote a part of it")] {
        let refusal = world.approve("1.9.0", person, gate("stage", "good")).unwrap_err();
        assert_eq!(refusal.why, format!("{person} may not approve this: {why}"));
        assert_eq!(refusal.hint.as_deref(), Some("`carol` can"));
    }
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn a_team_of_one_may_allow_itself_and_it_shows() {
    let policy = approved_by(ApprovalRule { by: person("anna"), allow_self: true, ..rule("releng", 1) });
    let mut world = waiting(&policy);
    world.approve("1.9.0", "anna", gate("stage", "good")).unwrap();
    let result = format!("{:?}", world.step("1.9.0", "promote-stage/enter").status);
    assert!(result.contains("approving one's own release is allowed here"), "{result}");
}

#[test]
fn who_is_left_when_all_are_excluded_is_told() {
    let mut world = waiting(&approved_by(rule("releng", 2)));
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    let why = world.why("1.9.0");
    assert!(
        why.contains("given: carol; anna cannot approve: they asked for it; bob cannot approve"),
        "{why}"
    );
    let hold = &world.explain("1.9.0")[0].hold;
    assert!(matches!(hold.how[..], [Action::Abort(_), Action::Waive(_)]), "{hold:?}");
}

#[test]
fn one_person_fills_one_slot() {
    let policy = approved_by(ApprovalRule { allow_self: true, ..rule("releng", 1) });
    let policy = with_gate(
        policy,
        "stage",
        "safe",
        approval_gate(ApprovalRule { allow_self: true, ..rule("ops", 1) }),
    );
    let mut world = waiting(&policy);
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    assert_eq!(world.approve("1.9.0", "carol", gate("stage", "safe")).unwrap_err().code, "one-slot");
    assert_eq!(world.explain("1.9.0")[0].hold.who, [n("dave")]);
    world.revoke("1.9.0", "carol", gate("stage", "good")).unwrap();
    world.approve("1.9.0", "carol", gate("stage", "safe")).unwrap();
    assert_eq!(world.explain("1.9.0")[0].hold.who, [n("anna"), n("bob")]);
    world.approve("1.9.0", "bob", gate("stage", "good")).unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn a_yes_that_does_not_count_fills_no_slot() {
    let short = ApprovalRule { allow_self: true, valid: Some(mins(10)), ..rule("releng", 1) };
    let policy = with_gate(
        approved_by(short),
        "stage",
        "safe",
        approval_gate(ApprovalRule { allow_self: true, ..rule("ops", 1) }),
    );
    let mut world = waiting(&policy);
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    world.pass(mins(10));
    world.approve("1.9.0", "carol", gate("stage", "safe")).unwrap();
    assert!(
        world.why("1.9.0").contains("the yes of carol does not count: it ran out at 2026-03-02 09:10:00 UTC")
    );
    assert_eq!(world.approve("1.9.0", "carol", gate("stage", "good")).unwrap_err().code, "one-slot");
}

#[test]
fn revoking_before_enactment_stops_it() {
    let mut world = waiting(&approved_by(rule("releng", 1)));
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    let effect = world.effect("1.9.0", "promote-stage/deploy");
    world.revoke("1.9.0", "carol", gate("stage", "good")).unwrap();
    assert_eq!(world.revoke("1.9.0", "carol", gate("stage", "good")).unwrap_err().code, "nothing-given");
    world.lease("1.9.0", "promote-stage/deploy").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "open");
    assert!(world.agenda("1.9.0").tasks.is_empty());
    assert_eq!(world.environment("stage").held, None);
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    assert_ne!(
        world.effect("1.9.0", "promote-stage/deploy"),
        effect,
        "another act, so that no late word fits it"
    );
    world.settle("1.9.0");
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn a_no_holds_whoever_says_it() {
    let mut world = waiting(&approved_by(rule("releng", 1)));
    let reject = |target| Stimulus::Reject { target, why: "the page is blank".into() };
    assert_eq!(world.refused("1.9.0", "dave", reject(gate("stage", "good"))), "not-allowed");
    world.by("1.9.0", "anna", reject(gate("stage", "good"))).unwrap();
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    assert_eq!(world.why("1.9.0"), "approval `good` of stage: anna said no: the page is blank");
    let hold = &world.explain("1.9.0")[0].hold;
    assert_eq!((&hold.who[..], &hold.how[0]), (&[n("anna")][..], &Action::Revoke(gate("stage", "good"))));
    world.revoke("1.9.0", "anna", gate("stage", "good")).unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn a_yes_takes_the_place_of_a_no() {
    let mut world = waiting(&approved_by(rule("releng", 1)));
    world.by("1.9.0", "carol", Stimulus::Reject { target: gate("stage", "good"), why: "no".into() }).unwrap();
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn nothing_is_approved_before_it_is_sealed() {
    let policy = approved_by(rule("releng", 1));
    let mut world = World::new(&policy);
    let mut steps = cut();
    steps.push(promote("stage"));
    world.start(&plan("1.9.0", steps, &policy), "anna");
    let refusal = world.approve("1.9.0", "carol", gate("stage", "good")).unwrap_err();
    assert_eq!(refusal.why, "candidate 1 is not sealed yet: `source`, `tag` and `notes` can still change");
}

#[test]
fn the_approval_of_a_step_is_void_when_a_facet_that_it_covers_changes() {
    let policy = policy();
    let mut world = World::new(&policy);
    let two = ApprovalRule { allow_self: true, ..rule("releng", 2) };
    let notes = ApprovalRule { covers: Some(vec![FacetName::Notes]), ..two.clone() };
    let beside = |id, rule| Step { after: Some(Vec::new()), ..approve_step(id, rule) };
    let mut steps = vec![beside("all", two), beside("the-notes", notes)];
    steps.extend(cut().into_iter().map(|step| match step.id.as_str() {
        "bump" => Step { after: Some(Vec::new()), ..step },
        _ => step,
    }));
    let mut plan = plan("1.9.0", steps, &policy);
    // The cut goes on beside the approvals.
    plan.steps
        .iter_mut()
        .for_each(|step| step.after.retain(|id| id.as_str() != "all" && id.as_str() != "the-notes"));
    world.start(&plan, "anna");
    let run = world.run("1.9.0");
    let target = |step: &str| ApprovalTarget::Step(run, n(step));
    for step in ["bump", "notes"] {
        world.act_on("1.9.0", step);
    }
    world.approve("1.9.0", "bob", target("all")).unwrap();
    world.approve("1.9.0", "bob", target("the-notes")).unwrap();
    world.act_on("1.9.0", "commit");
    assert!(
        world.why("1.9.0").contains("the yes of bob does not count: `source` changed since"),
        "{}",
        world.why("1.9.0")
    );
    world.approve("1.9.0", "carol", target("the-notes")).unwrap();
    assert_eq!(world.is("1.9.0", "the-notes"), "done");
    world.approve("1.9.0", "carol", target("all")).unwrap();
    assert_eq!(world.is("1.9.0", "all"), "open");
    world.approve("1.9.0", "bob", target("all")).unwrap();
    assert_eq!(world.is("1.9.0", "all"), "done");
    assert_eq!(world.approve("1.9.0", "anna", target("all")).unwrap_err().code, "not-open");
    assert_eq!(world.approve("1.9.0", "anna", target("bump")).unwrap_err().code, "no-approval");
}

#[test]
fn rules_compose_by_and() {
    let mut policy = approved_by(rule("releng", 1));
    policy.gates.insert(n("ops"), approval_gate(rule("ops", 1)));
    let mut world = waiting(&policy);
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    assert_eq!(world.why("1.9.0"), "approval `ops` of stage: it needs 1 approval by ops, given: none");
    world.approve("1.9.0", "dave", gate("stage", "ops")).unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn new_rules_hold_beside_those_at_the_start() {
    let mut world = waiting(&approved_by(ApprovalRule { allow_self: true, ..rule("releng", 1) }));
    let stricter = approved_by(ApprovalRule { allow_self: true, ..rule("ops", 2) });
    world.policy = std::sync::Arc::new(stricter);
    world.wake("1.9.0");
    let found = world.explain("1.9.0");
    assert_eq!(found.len(), 2);
    assert!(found[1].hold.what.ends_with("as it was when the run started"));
    world.approve("1.9.0", "dave", gate("stage", "good")).unwrap();
    assert_eq!(world.explain("1.9.0").len(), 2, "one of two, and none of releng");
    // In both groups: fills the place in both rules, which are one gate.
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn a_rule_of_the_start_can_still_be_met_when_the_policy_changed_its_group() {
    let mut world = waiting(&approved_by(rule("releng", 1)));
    let mut stricter = approved_by(rule("leads", 1));
    stricter.groups.shift_remove::<tollgate_core::ids::GroupName>(&n("releng"));
    world.policy = std::sync::Arc::new(stricter);
    world.wake("1.9.0");
    world.approve("1.9.0", "dave", gate("stage", "good")).unwrap();
    assert_eq!(world.explain("1.9.0").len(), 1);
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn an_approval_ends_with_the_membership() {
    let mut world = waiting(&approved_by(ApprovalRule { allow_self: true, ..rule("releng", 2) }));
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    let mut smaller = (*world.policy).clone();
    smaller.groups.insert(n("releng"), vec![n("anna"), n("bob")]);
    world.policy = std::sync::Arc::new(smaller);
    world.approve("1.9.0", "anna", gate("stage", "good")).unwrap();
    let why = world.why("1.9.0");
    assert!(why.contains("given: anna; the yes of carol does not count: they are not in releng"), "{why}");
    world.approve("1.9.0", "bob", gate("stage", "good")).unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn a_gate_taken_out_of_the_policy_still_holds_what_started_under_it() {
    let mut world = waiting(&approved_by(rule("releng", 1)));
    world.policy = std::sync::Arc::new(policy());
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "promote-stage/enter"), "open");
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn an_environment_taken_out_of_the_policy_is_not_entered() {
    let mut world = waiting(&approved_by(rule("releng", 1)));
    let mut without = (*world.policy).clone();
    without.environments.shift_remove::<tollgate_core::ids::EnvironmentName>(&n("stage"));
    world.policy = std::sync::Arc::new(without);
    world.wake("1.9.0");
    assert_eq!(world.why("1.9.0"), "the policy: the policy in force no longer has an environment `stage`");
    assert_eq!(world.waive_gate("1.9.0", "dave", "stage", "policy", None).unwrap_err().code, "never-waived");
}

#[test]
fn a_gate_applies_only_if_its_condition_is_true() {
    let risky = Gate { condition: Some(equals("answers.risk", "high")), ..approval_gate(rule("releng", 1)) };
    let policy = with_gate(policy(), "stage", "good", risky);
    let mut world = waiting(&policy);
    let hold = &world.explain("1.9.0")[0].hold;
    assert_eq!(hold.why, "whether it applies is not known: `answers.risk` is not known yet");
    assert_eq!(hold.how[0], Action::Answer(Asked::Question(n("risk"))));
    world.answer("1.9.0", "anna", "risk", "high").unwrap();
    assert_eq!(world.explain("1.9.0")[0].hold.how[0], Action::Approve(gate("stage", "good")));
    world.answer("1.9.0", "anna", "risk", "low").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn a_required_condition_names_the_clause() {
    let policy = with_gate(policy(), "stage", "calm", require(equals("answers.risk", "low")));
    let mut world = waiting(&policy);
    world.answer("1.9.0", "anna", "risk", "high").unwrap();
    let hold = &world.explain("1.9.0")[0].hold;
    assert_eq!(hold.why, "answers.risk == 'low' (answers.risk is 'high')");
    assert_eq!((hold.anybody, &hold.how[0]), (true, &Action::Answer(Asked::Question(n("risk")))));
}

#[test]
fn a_yes_that_runs_out_between_entering_and_the_deployment_stops_it() {
    let mut world = waiting(&open_question(Some(60)));
    assert!(world.why("1.9.0").contains("“Is it quiet on stage?” is not answered"), "{}", world.why("1.9.0"));
    world.answer_gate("1.9.0", "eve", "stage", "quiet", "yes").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
    world.pass(mins(60));
    world.lease("1.9.0", "promote-stage/deploy").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "open");
    assert!(
        world.why("1.9.0").contains("has to be answered again: the yes of eve ran out"),
        "{}",
        world.why("1.9.0")
    );
    world.answer_gate("1.9.0", "eve", "stage", "quiet", "yes").unwrap();
    world.pass(mins(59));
    world.settle("1.9.0");
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn the_question_of_a_gate_is_answered_for_one_candidate_by_who_may() {
    let policy = with_gate(policy(), "stage", "quiet", ask_gate("Quiet?", Some(group("ops")), None));
    let mut world = waiting(&policy);
    let other = Asked::Gate(n("stage"), n("quiet"), tollgate_core::ids::CandidateNumber(2));
    let early = Stimulus::Answer { question: other, text: "yes".into() };
    assert_eq!(world.refused("1.9.0", "dave", early), "no-gate");
    assert_eq!(world.answer_gate("1.9.0", "anna", "stage", "quiet", "yes").unwrap_err().code, "not-allowed");
    assert_eq!(world.answer_gate("1.9.0", "dave", "stage", "quiet", "maybe").unwrap_err().code, "bad-answer");
    world.answer_gate("1.9.0", "dave", "stage", "quiet", "no").unwrap();
    assert!(world.why("1.9.0").contains("was answered with no by dave"));
    world.answer_gate("1.9.0", "carol", "stage", "quiet", "y").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn two_rules_may_ask_different_people_the_same() {
    let asked = |by: &str| with_gate(policy(), "stage", "quiet", ask_gate("Quiet?", Some(person(by)), None));
    let mut world = waiting(&asked("bob"));
    world.policy = std::sync::Arc::new(asked("eve"));
    world.wake("1.9.0");
    world.answer_gate("1.9.0", "bob", "stage", "quiet", "yes").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/enter"), "open");
    world.answer_gate("1.9.0", "eve", "stage", "quiet", "yes").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn production_only_gets_what_was_verified_before() {
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![promote("production")], &policy), "anna");
    let holding = &world.explain("1.9.0")[0];
    assert_eq!(holding.hold.why, "candidate 1 was not verified in stage");
    assert_eq!(holding.hold.how[0], Action::Promote(n("stage")));
    let cut = plan("1.9.0", vec![promote("production")], &policy);
    let release = world.run("1.9.0");
    world.start(&promotion(&cut, "stage", &policy), "anna");
    world.settle("1.9.0");
    let state = world.releases["1.9.0"].state.run(&release).unwrap();
    assert!(matches!(state.status, tollgate_core::state::RunStatus::Finished { .. }));
    assert_eq!(world.runs("production").as_deref(), Some("1.9.0"));
}

#[test]
fn a_promotion_beside_a_run_that_goes_there_itself_is_refused() {
    let policy = approved_by(rule("releng", 1));
    let mut world = waiting(&policy);
    let cut = plan("1.9.0", vec![promote("stage")], &policy);
    assert_eq!(world.try_start(&promotion(&cut, "stage", &policy), "anna").unwrap_err().code, "under-way");
    assert_eq!(world.try_start(&promotion(&cut, "production", &policy), "anna").map(drop), Ok(()));
    let hold = &world.explain("1.9.0").last().unwrap().hold.clone();
    assert_eq!(hold.on, WaitsOn::Release, "what goes to stage is waited for");
}

#[test]
fn one_deployment_at_a_time_and_who_waits_holds_nothing() {
    let policy = approved_by(rule("releng", 1));
    let mut world = waiting(&policy);
    world.start(&plan("1.10.0", vec![promote("stage")], &policy), "anna");
    assert_eq!(world.environment("stage").held, None);
    world.approve("1.10.0", "carol", gate("stage", "good")).unwrap();
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    world.lease("1.10.0", "promote-stage/deploy").unwrap();
    // Both were wanted; the second finds the environment taken when it would begin.
    world.lease("1.9.0", "promote-stage/deploy").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "open");
    assert_eq!(
        world.why("1.9.0"),
        "the environment stage: 1.10.0 is being deployed there since 2026-03-02 09:00:00 UTC"
    );
    let outcome = outcome(&world.act("1.10.0", "promote-stage/deploy"));
    world.report("1.10.0", "promote-stage/deploy", tollgate_core::act::Report::Done(outcome)).unwrap();
    world.wake("1.9.0");
    world.settle("1.9.0");
    assert_eq!(world.runs("stage").as_deref(), Some("1.9.0"));
}

#[test]
fn two_promotions_of_one_run_take_turns() {
    let policy = policy();
    let mut world = World::new(&policy);
    let one = Step { id: n("one"), ..promote("stage") };
    let two = Step { id: n("two"), ..promote("stage") };
    world.start(
        &plan("1.9.0", vec![step("both", StepKind::Parallel { steps: vec![one, two] })], &policy),
        "anna",
    );
    world.lease("1.9.0", "one/deploy").unwrap();
    world.lease("1.9.0", "two/deploy").unwrap();
    assert_eq!((world.is("1.9.0", "one/deploy"), world.is("1.9.0", "two/deploy")), ("leased", "open"));
    let outcome = outcome(&world.act("1.9.0", "one/deploy"));
    world.report("1.9.0", "one/deploy", tollgate_core::act::Report::Done(outcome)).unwrap();
    world.settle("1.9.0");
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn gates_say_where_they_come_from() {
    let world = waiting(&approved_by(rule("releng", 1)));
    let view = world.view("1.9.0");
    let (run, plan) = view.active().next().unwrap();
    let environment = n("stage");
    let entering =
        tollgate_core::decide::Entering { view: &view, run, plan, environment: &environment, now: world.now };
    let found: Vec<_> = tollgate_core::decide::gates(entering)
        .into_iter()
        .map(|report| (report.gate.clone(), report.origin, report.is_open()))
        .collect();
    let always = GateOrigin::Always;
    assert_eq!(
        found,
        [
            ("going".to_owned(), always, true),
            ("sealed".to_owned(), always, true),
            ("good".to_owned(), GateOrigin::InForce, false),
            ("free".to_owned(), always, true),
        ]
    );
}
