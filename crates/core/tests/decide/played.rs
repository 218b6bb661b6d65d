//! Scenarios in which people go on after the run of the procedure is over.

use jiff::Timestamp;
use jiff::civil::Date;
use tollgate_core::calendar::Zone;
use tollgate_core::event::RunOutcome;
use tollgate_core::forward::ride::{judge_ride, ride};
use tollgate_core::forward::scenario::{Does, Ending, Expectation, Expected, Limit, Part, Scenario, When};
use tollgate_core::forward::script::{Replan, Wanted, play};
use tollgate_core::forward::verdict::{Verdict, judge};
use tollgate_core::forward::{Driven, Told};
use tollgate_core::model::*;
use tollgate_core::plan::Plan;
use tollgate_core::state::RunStatus;
use tollgate_core::view::{Refusal, View};

use crate::build::*;
use crate::world::*;

/// The same plan, whatever is asked for.
struct Same(Plan);

impl Replan for Same {
    fn replan(&self, _: &Scenario, _: &View, _: &Wanted<'_>, _: Timestamp) -> Result<Plan, Refusal> {
        Ok(self.0.clone())
    }

    fn depart(&self, _: &Scenario, _: Option<Date>) -> Result<Plan, Refusal> {
        Ok(self.0.clone())
    }
}

/// A moment of the Monday of these scenarios.
fn at(time: &str) -> Timestamp {
    format!("2026-03-02T{time}:00Z").parse().unwrap()
}

fn part(time: &str, does: Does) -> Part {
    Part {
        when: When::At(at(time)),
        by: Some(n("anna")),
        does,
        respins: 0,
        release: None,
        place: Place::default(),
    }
}

fn expected(what: Expectation, limit: Limit) -> Expected {
    Expected { what, limit: Some(limit), candidate: None, release: None, place: Place::default() }
}

/// From 9:00 on; nobody answers by themselves.
fn scenario(people: Vec<Part>, expect: Vec<Expected>) -> Scenario {
    let good = Scenario::good_day(at("09:00"), Zone::utc());
    Scenario { until: at("21:00"), answer_after: None, people, expect, ..good }
}

/// Goes to stage, which takes five minutes, and no further.
fn to_stage(policy: &Policy) -> Plan {
    let steps = vec![
        step("tag", StepKind::GitTag { message: None, sign: None }),
        step("push", StepKind::GitPush { branch: false, tag: true }),
        promote("stage"),
    ];
    plan("1.9.0", steps, policy)
}

fn played(scenario: &Scenario, plan: &Plan) -> Driven {
    play(scenario, plan.clone(), &Same(plan.clone()))
}

fn all_met(verdicts: &[Verdict]) {
    assert!(verdicts.iter().all(|verdict| verdict.met), "{verdicts:#?}");
}

#[test]
fn somebody_promotes_what_a_train_released_when_its_run_is_over() {
    let mut policy = policy();
    let train = Train {
        runs: n("release"),
        departs: Departs::Every("Mon 10:00 UTC".parse().unwrap()),
        branch: "main".into(),
        line: None,
        url: None,
        late: Late::Ask,
        grace: GRACE,
        overlap: Overlap::Queue,
        heads_up: None,
    };
    policy.trains.insert(n("weekly"), train);
    let plan = to_stage(&policy);
    let people = vec![part("12:00", Does::Promote(n("production")))];
    let expect = vec![
        expected(Expectation::Ends(Ending::Done), Limit::At(at("10:05"))),
        expected(Expectation::Live(n("production")), Limit::At(at("12:05"))),
    ];
    let scenario = Scenario { trains: vec![n("weekly")], ..scenario(people, expect) };
    let ride = ride(&scenario, &n("shop"), &policy, &Same(plan));
    all_met(&judge_ride(&scenario, &ride));
}

#[test]
fn it_ends_when_its_own_run_does() {
    let plan = to_stage(&policy());
    let people = vec![part("10:00", Does::Promote(n("production")))];
    let ends = |limit| expected(Expectation::Ends(Ending::Done), limit);
    let expect = vec![
        ends(Limit::At(at("09:05"))),
        ends(Limit::Before(at("10:00"))),
        expected(Expectation::Live(n("production")), Limit::At(at("10:05"))),
    ];
    let fine = scenario(people, expect);
    let driven = played(&fine, &plan);
    all_met(&judge(&fine, &plan, &driven));

    let late = Scenario { expect: vec![ends(Limit::After(at("10:00")))], ..fine };
    let verdicts = judge(&late, &plan, &driven);
    assert_eq!(verdicts[0].found, "it ends so at Mon 2 Mar 09:05");

    // The same in words, where something else is expected.
    let aborted = expected(Expectation::Ends(Ending::Aborted), Limit::At(at("09:05")));
    let other = Scenario { expect: vec![aborted], ..late };
    let verdicts = judge(&other, &plan, &driven);
    assert_eq!(verdicts[0].found, "it is done at Mon 2 Mar 09:05");
}

#[test]
fn what_is_held_and_given_up_is_the_promotion_under_way() {
    let policy = with_gate(policy(), "production", "good", approval_gate(rule("ops", 1)));
    let plan = to_stage(&policy);
    let people = vec![
        part("10:00", Does::Promote(n("production"))),
        part("10:10", Does::Hold("lunch".into())),
        part("10:20", Does::Resume),
        part("10:30", Does::Abort("not today".into())),
    ];
    let driven = played(&scenario(people, Vec::new()), &plan);
    let refused: Vec<&Told> =
        driven.told.iter().filter(|told| matches!(told, Told::Refused { .. })).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let statuses: Vec<&RunStatus> = driven.stage.view.release.runs.iter().map(|run| &run.status).collect();
    assert!(
        matches!(
            statuses[..],
            [
                RunStatus::Finished { outcome: RunOutcome::Done, .. },
                RunStatus::Finished { outcome: RunOutcome::Aborted { .. }, .. },
            ]
        ),
        "{statuses:#?}"
    );
}
