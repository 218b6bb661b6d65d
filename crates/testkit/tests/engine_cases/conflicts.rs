//! Two processes decide at once.

use tollgate_core::event::ApprovalTarget;
use tollgate_core::model::{Deploy, StepKind, Template};
use tollgate_core::view::Stimulus;
use tollgate_engine::EngineError;
use tollgate_engine::inject::Point;
use tollgate_engine::store::Store as _;

use crate::bench::{
    Bench, Between, approval, at_once, definition, environment, manual, named, person, policy, promote,
    shell, step,
};

fn observed() -> tollgate_core::model::Environment {
    environment(Deploy::Manual { instruction: Template("Deploy.".into()), by: None })
}

#[tokio::test]
async fn both_are_heard_who_approve_at_once() {
    let mut stage = observed();
    stage.gates.insert(named("good"), approval(2));
    let bench = Bench::new(definition(vec![promote("stage")]), policy(vec![("stage", stage)])).await;
    let release = bench.start("1.0.0").await;
    let target = ApprovalTarget::Gate(named("stage"), named("good"));
    let approve = Stimulus::Approve { target, note: None };
    let meanwhile = {
        let (bench, approve) = (bench.clone(), approve.clone());
        move || at_once(bench.submit(release, "bob", approve)).map(|_| ()).unwrap()
    };
    let slow = bench.other(Between::new(vec![(Point::BeforeCommit, Box::new(meanwhile))]));
    let submitted = slow.submit(&named("svc"), release, approve, &person("ann")).await.unwrap();
    assert_eq!(submitted.view.release.opinions.len(), 2, "both stand in what was decided in the end");
    let held = submitted.view.environments[&named("stage")].held.clone();
    assert!(held.is_some(), "the second yes opened the gate");
}

#[tokio::test]
async fn what_is_no_longer_possible_is_refused() {
    let bench = Bench::new(definition(vec![manual("look")]), policy(vec![])).await;
    let release = bench.start("1.0.0").await;
    let run = bench.run(release).await;
    let meanwhile = {
        let bench = bench.clone();
        let abort = Stimulus::Abort { run, why: "no".into() };
        move || at_once(bench.submit(release, "bob", abort)).map(|_| ()).unwrap()
    };
    let slow = bench.other(Between::new(vec![(Point::BeforeCommit, Box::new(meanwhile))]));
    let hold = Stimulus::Hold { run, why: "wait".into() };
    let refused = slow.submit(&named("svc"), release, hold, &person("ann")).await.unwrap_err();
    assert!(matches!(&refused, EngineError::Refused(refusal) if refusal.code == "no-run"), "{refused}");
}

#[tokio::test]
async fn one_environment_is_taken_once() {
    let bench = Bench::new(definition(vec![promote("stage")]), policy(vec![("stage", observed())])).await;
    let (first, second) = (bench.plan("1.0.0").await, bench.plan("1.1.0").await);
    let meanwhile = {
        let bench = bench.clone();
        move || at_once(bench.engine.start(second, None, &person("bob"))).map(|_| ()).unwrap()
    };
    let slow = bench.other(Between::new(vec![(Point::BeforeCommit, Box::new(meanwhile))]));
    let (_, submitted) = slow.start(first, None, &person("ann")).await.unwrap();
    let held = submitted.view.environments[&named("stage")].held.clone().unwrap();
    assert_eq!(held.deploying[&named("app")].version, "1.1.0", "the one that was written down first");
}

/// A task that was seen due, whose run is held and goes on again while the engine looks at it, is still there afterwards.
#[tokio::test]
async fn a_task_is_not_withdrawn_behind_anybodys_back() {
    let work = step("work", StepKind::Shell(shell("work once")));
    let bench = Bench::new(definition(vec![work]), policy(vec![])).await;
    let release = bench.start("1.0.0").await;
    let run = bench.run(release).await;
    let does = |stimulus: Stimulus| {
        let bench = bench.clone();
        move || at_once(bench.submit(release, "bob", stimulus)).map(|_| ()).unwrap()
    };
    let slow = bench.other(Between::new(vec![
        (Point::BeforeCommit, Box::new(does(Stimulus::Hold { run, why: "wait".into() }))),
        (Point::BeforeCommit, Box::new(does(Stimulus::Resume { run }))),
    ]));
    slow.turn().await.unwrap();
    assert_eq!(bench.tasks().await.len(), 1);
    bench.settle().await;
    assert!(bench.is_done(release).await);
}

/// Of two processes that see one task due, one carries it out, and its result counts.
#[tokio::test]
async fn one_task_is_leased_once() {
    let bench = Bench::new(
        definition(vec![step("mail", message()), step("work", StepKind::Shell(shell("work once")))]),
        policy(vec![]),
    )
    .await;
    let release = bench.start("1.0.0").await;
    let meanwhile = {
        let bench = bench.clone();
        move || assert_eq!(at_once(bench.engine.turn()).unwrap(), 1)
    };
    let slow = bench.other(Between::new(vec![(Point::BeforeCommit, Box::new(meanwhile))]));
    slow.turn().await.unwrap();
    bench.settle().await;
    assert!(bench.is_done(release).await);
    assert_eq!(bench.world.state().mail.values().copied().collect::<Vec<_>>(), [1]);
    assert_eq!(bench.world.state().started.len(), 1);
}

fn message() -> StepKind {
    StepKind::Message(tollgate_core::model::Message {
        via: named("mail"),
        to: vec![tollgate_core::model::Recipient::Address("all@example.org".into())],
        subject: Template("{{ version }}".into()),
        body: Template("It is out.".into()),
    })
}

/// A release that is started while rules are adopted hears of them as well.
#[tokio::test]
async fn new_rules_reach_what_was_started_meanwhile() {
    let before = policy(vec![("stage", observed())]);
    let bench = Bench::new(definition(vec![manual("look"), promote("stage")]), before.clone()).await;
    let plan = bench.plan("1.0.0").await;
    let meanwhile = {
        let bench = bench.clone();
        move || at_once(bench.engine.start(plan, None, &person("bob"))).map(|_| ()).unwrap()
    };
    let slow = bench.other(Between::new(vec![(Point::BeforeCommit, Box::new(meanwhile))]));
    let mut after = before;
    after.waivers = None;
    slow.adopt(&after, &person("ann")).await.unwrap();
    // The timer of the rules comes first, then that of each release.
    let now = bench.world.now();
    let due = bench.store.due_timers(now, 10).await.unwrap();
    assert_eq!(due.iter().map(|timer| timer.stream.to_string()).collect::<Vec<_>>(), ["policy/svc"]);
    bench.turn().await;
    let due = bench.store.due_timers(now, 10).await.unwrap();
    assert!(matches!(due.as_slice(), [timer] if timer.stream.to_string().starts_with("release/svc/")));
    bench.turn().await;
    assert!(bench.store.due_timers(now, 10).await.unwrap().is_empty());
}
