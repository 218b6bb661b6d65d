//! A release in one row.

use tollgate_core::act::FailureClass;
use tollgate_core::model::*;
use tollgate_core::summary::{ReleaseSummary, SummaryStatus, summary};

use crate::build::*;
use crate::world::*;

fn row(world: &World) -> ReleaseSummary {
    let row = summary(&world.view("1.9.0"), world.now);
    let text = serde_json::to_string(&row).unwrap();
    assert_eq!(serde_json::from_str::<ReleaseSummary>(&text).unwrap(), row);
    row
}

#[test]
fn a_row_follows_the_release() {
    let policy = with_gate(policy(), "stage", "good", approval_gate(rule("releng", 1)));
    let policy = with_environment(policy, "stage", |stage| {
        stage.probe = Some(probe("https://stage.example.org", 1));
    });
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![shell("build"), promote("stage")], &policy), "anna");
    let started = world.now;
    let row_at_start = row(&world);
    assert_eq!(row_at_start.status, SummaryStatus::Running);
    assert_eq!((row_at_start.steps_over, row_at_start.steps_total), (0, 5));
    world.fail("1.9.0", "build", FailureClass::Transient);
    assert_eq!(row(&world).status, SummaryStatus::WaitingTime);
    world.pass(secs(2));
    world.fail("1.9.0", "build", FailureClass::Permanent);
    assert_eq!(row(&world).status, SummaryStatus::Stuck);
    world.waive_step("1.9.0", "dave", "build").unwrap();
    let waiting = row(&world);
    assert_eq!((waiting.status, waiting.waivers, waiting.steps_over), (SummaryStatus::WaitingPerson, 1, 1));
    assert_eq!(waiting.steps, [n("promote-stage/enter")]);
    assert_eq!(waiting.holds[0].what, "approval `good` of stage");
    world.hold("1.9.0", "eve");
    assert_eq!(row(&world).status, SummaryStatus::Held);
    world.resume("1.9.0", "eve");
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    world.act_on("1.9.0", "promote-stage/deploy");
    assert_eq!(row(&world).status, SummaryStatus::WaitingWorld);
    assert!(row(&world).live.is_empty());
    world.settle("1.9.0");
    let over = row(&world);
    assert_eq!((over.status, over.steps_over), (SummaryStatus::Done, 5));
    assert_eq!(over.live.get(&n("stage")), Some(&world.now));
    assert_eq!((over.started_at, over.ended_at), (Some(started), Some(world.now)));
    assert!(over.status.is_over() && over.holds.is_empty() && over.steps.is_empty());
}

#[test]
fn the_first_holds_are_told_in_brief() {
    let policy = policy();
    let mut world = World::new(&policy);
    let long =
        StepKind::Manual { instruction: text(&format!("{}\nsecond line", "x".repeat(500))), evidence: false };
    let each = Step {
        each: Some(Each::List(["a", "b", "c", "d", "e"].map(String::from).to_vec())),
        ..step("try", long)
    };
    world.start(&plan("1.9.0", vec![each], &policy), "anna");
    let told = row(&world);
    assert_eq!((told.holds.len(), told.holds_more, told.steps.len()), (3, 2, 3));
    assert_eq!(told.holds[0].why.chars().count(), 161);
    world.abort("1.9.0", "anna").unwrap();
    assert_eq!(row(&world).status, SummaryStatus::Aborted);
    assert_eq!(SummaryStatus::ALL.map(SummaryStatus::as_str)[3], "waiting-person");
}
