//! The loop: when it ends, what it looks at, how it tries again.

use jiff::{SignedDuration, Timestamp};
use tollgate_core::actor::Actor;
use tollgate_core::event::{Entry, Event};
use tollgate_core::journal::{NewEvent, StreamId};
use tollgate_core::model::{Deploy, StepKind, Template};
use tollgate_core::state::{ReleaseState, StepStatus};
use tollgate_core::view::Stimulus;
use tollgate_engine::store::{Append, Commit, Store as _};
use tollgate_engine::{Idle, WorkEnd};

use crate::bench::{Bench, definition, environment, manual, named, policy, probe, promote, shell, step};

fn watched(host: &str) -> tollgate_core::model::Environment {
    let mut watched = environment(Deploy::Observed);
    watched.probe = Some(probe(host));
    watched
}

fn waiting_for_long() -> tollgate_core::model::Step {
    let mut look = manual("look");
    look.timeout = Some(SignedDuration::from_hours(5));
    look
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_nothing_is_due_soon() {
    let bench = Bench::new(definition(vec![waiting_for_long()]), policy(vec![])).await;
    let soon = Idle::Within(SignedDuration::from_mins(1));
    assert_eq!(bench.engine.work(soon).await.unwrap(), WorkEnd::Idle(None));
    let release = bench.start("1.0.0").await;
    let due = bench.world.now() + SignedDuration::from_hours(5);
    assert_eq!(bench.engine.work(soon).await.unwrap(), WorkEnd::Idle(Some(due)));
    bench.world.advance(due);
    assert_eq!(bench.engine.work(soon).await.unwrap(), WorkEnd::Idle(None));
    let run = bench.view(release).await.release.runs[0].clone();
    assert_eq!(run.steps[&named("look")].status, StepStatus::Expired);
}

#[tokio::test(start_paused = true)]
async fn somebody_else_may_be_at_it() {
    let bench = Bench::new(definition(vec![manual("look")]), policy(vec![])).await;
    let lock = bench.store.work_lock().await.unwrap();
    assert_eq!(bench.engine.work(Idle::Never).await.unwrap(), WorkEnd::Elsewhere);
    drop(lock);
    let soon = Idle::Within(SignedDuration::from_mins(1));
    assert_eq!(bench.engine.work(soon).await.unwrap(), WorkEnd::Idle(None));
}

#[tokio::test(start_paused = true)]
async fn the_loop_carries_a_release_to_its_end() {
    let work = step("work", StepKind::Shell(shell("work once")));
    let stage = watched("stage");
    let bench = Bench::new(definition(vec![work, promote("stage")]), policy(vec![("stage", stage)])).await;
    let release = bench.start("1.0.0").await;
    let (world, engine) = (bench.world.clone(), bench.engine.clone());
    let working = tokio::spawn(async move { engine.work(Idle::Never).await.map(|_| ()) });
    for _ in 0..200 {
        // Time passes inside the world and outside of it alike.
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        world.advance(world.now() + SignedDuration::from_secs(10));
        if bench.view(release).await.environments[&named("stage")].held.is_some() {
            world.state().deploy("stage", "1.0.0", SignedDuration::ZERO);
        }
        if bench.is_done(release).await {
            working.abort();
            return;
        }
    }
    panic!("it did not come to its end: {:?}", world.trace());
}

/// Two releases that wait for the same answer make one look.
#[tokio::test]
async fn looks_are_shared() {
    let environments = vec![("left", watched("shared")), ("right", watched("shared"))];
    let bench = Bench::new(definition(vec![manual("look")]), policy(environments)).await;
    let mut releases = Vec::new();
    for (version, environment) in [("1.0.0", "left"), ("1.1.0", "right")] {
        let release = bench.start(version).await;
        let run = bench.run(release).await;
        let (evidence, outputs) = (None, Default::default());
        let done = Stimulus::Done { run, step: named("look"), evidence, outputs };
        bench.submit(release, "ann", done).await.unwrap();
        let state = bench.view(release).await.release;
        let rules = bench.engine.policy(&named("svc")).await.unwrap().in_force.unwrap();
        let plan = bench.engine.plan_promotion(&state, &rules, &named(environment)).await.unwrap();
        let ann = crate::bench::person("ann");
        bench.engine.start(plan.into(), Some(release), &ann).await.unwrap();
        releases.push(release);
    }
    bench.turn().await;
    assert_eq!(bench.world.state().looks, 1);
    bench.world.state().deploy("shared", "1.1.0", SignedDuration::ZERO);
    bench.turn().await;
    assert_eq!(bench.world.state().looks, 1, "not before its time");
    bench.world.advance(bench.world.now() + SignedDuration::from_secs(20));
    bench.turn().await;
    assert_eq!(bench.world.state().looks, 2);
    assert!(!bench.is_done(releases[0]).await, "it looks for 1.0.0");
    assert!(bench.is_done(releases[1]).await);
    // Who waits on keeps the look; nobody left ends it.
    let polls = bench.store.due_polls(tollgate_engine::store::latest_storable(), 10).await.unwrap();
    let [poll] = polls.as_slice() else { panic!("{polls:?}") };
    assert_eq!(bench.store.poll_subscribers(&poll.key).await.unwrap().len(), 1);
}

/// What is loaded with a snapshot is what the whole stream gives.
#[tokio::test]
async fn a_snapshot_says_the_same_as_the_stream() {
    let steps = (1..=40).map(|number| manual(&format!("step-{number}"))).collect();
    let bench = Bench::new(definition(steps), policy(vec![])).await;
    let release = bench.start("1.0.0").await;
    let run = bench.run(release).await;
    for number in 1..=33 {
        let step = named(&format!("step-{number}"));
        let done = Stimulus::Done { run, step, evidence: Some("seen".into()), outputs: Default::default() };
        bench.submit(release, "bob", done).await.unwrap();
    }
    let stream = StreamId::Release(named("svc"), release);
    let read = bench.store.read(std::slice::from_ref(&stream)).await.unwrap().remove(0);
    let snapshot = read.snapshot.expect("there are more events than replaying should take");
    assert!(snapshot.version.0 > 32 && read.records.len() < 32, "{snapshot:?}");
    let mut whole = ReleaseState::default();
    for record in bench.store.records(&stream, 1, usize::MAX).await.unwrap() {
        let entry = Entry::decode(&stream, &record.event).unwrap();
        let Event::Release(event) = entry.event else { panic!() };
        whole.apply(entry.at, &entry.actor, &event);
    }
    assert_eq!(bench.view(release).await.release, whole);
}

/// Releases of a newer version are left alone, and keep nobody else waiting.
#[tokio::test(start_paused = true)]
async fn what_a_newer_version_wrote_is_left_alone() {
    let work = |id: &str| step(id, StepKind::Shell(shell("work once")));
    let mut waits = manual("waits");
    waits.timeout = Some(SignedDuration::from_mins(1));
    let steps = vec![step("both", StepKind::Parallel { steps: vec![work("work"), waits] })];
    let bench = Bench::new(definition(steps), policy(vec![])).await;
    let (newer, known) = (bench.start("1.0.0").await, bench.start("1.1.0").await);
    let stream = StreamId::Release(named("svc"), newer);
    let version = bench.store.read(std::slice::from_ref(&stream)).await.unwrap()[0].version;
    let event = NewEvent {
        at: bench.world.now(),
        kind: "step-teleported".into(),
        kind_version: 1,
        actor: serde_json::to_string(&Actor::Tollgate).unwrap(),
        data: "{}".into(),
    };
    let append = vec![Append { stream: stream.clone(), events: vec![event] }];
    bench
        .store
        .commit(Commit { read: vec![(stream.clone(), version)], append, ..Commit::default() })
        .await
        .unwrap();
    bench.world.advance(bench.world.now() + SignedDuration::from_mins(2));

    bench.turn().await;
    bench.turn().await;
    let state = bench.view(known).await.release.runs[0].clone();
    assert!(state.steps[&named("work")].status.is_over(), "the other one went on");
    assert_eq!(state.steps[&named("waits")].status, StepStatus::Expired);
    let head = bench.store.read(std::slice::from_ref(&stream)).await.unwrap()[0].version;
    assert_eq!(head.0, version.0 + 1, "nothing was written to it");
    let later: Vec<Timestamp> = bench
        .tasks()
        .await
        .iter()
        .filter(|task| task.stream == stream)
        .map(|task| task.due)
        .chain(bench.timers().await.iter().filter(|timer| timer.stream == stream).map(|timer| timer.due))
        .collect();
    assert_eq!(later.len(), 2, "nothing of it was lost");
    assert!(later.iter().all(|due| *due >= bench.world.now() + SignedDuration::from_mins(5)));
    // The loop does not turn round and round about it.
    let soon = Idle::Within(SignedDuration::from_mins(1));
    assert!(matches!(bench.engine.work(soon).await.unwrap(), WorkEnd::Idle(Some(_))));
    // And whoever asks is told.
    let told = bench.engine.view(&named("svc"), newer).await.unwrap_err().to_string();
    assert!(told.contains("step-teleported"), "{told}");
}

/// What fails again and again is tried at growing pauses, and then asked about.
#[tokio::test]
async fn pauses_grow() {
    use std::sync::Arc;
    use tollgate_engine::inject::{Fault, Inject, Point};

    #[derive(Debug)]
    struct Failing;
    impl Inject for Failing {
        fn at(&self, point: Point) -> Fault {
            if point == Point::BeforeAct("run") { Fault::Fail } else { Fault::None }
        }
    }
    let work = step("work", StepKind::Shell(shell("work once")));
    let bench = Bench::new(definition(vec![work]), policy(vec![])).await;
    let release = bench.start("1.0.0").await;
    let failing = bench.other(Arc::new(Failing));
    let mut pauses = Vec::new();
    loop {
        let before = bench.world.now();
        failing.turn().await.unwrap();
        let Some(due) = bench.store.next_due().await.unwrap() else { break };
        pauses.push(due.duration_since(before).as_secs());
        bench.world.advance(due);
    }
    assert_eq!(pauses, [2, 4, 8, 16]);
    let run = bench.view(release).await.release.runs[0].clone();
    let stuck = &run.steps[&named("work")];
    assert!(matches!(stuck.status, StepStatus::Stuck { .. }), "{stuck:?}");
    assert!(bench.world.state().started.is_empty(), "nothing was tried");
    bench.submit(release, "bob", Stimulus::Retry { run: run.id, step: named("work") }).await.unwrap();
    bench.settle().await;
    assert!(bench.is_done(release).await);
    assert_eq!(bench.world.state().started.len(), 1);
}

/// The end of a deployment reaches whoever waits for the environment.
#[tokio::test]
async fn an_environment_that_is_free_again_is_told_to_the_next() {
    let by_hand = Deploy::Manual { instruction: Template("Deploy.".into()), by: None };
    let bench =
        Bench::new(definition(vec![promote("stage")]), policy(vec![("stage", environment(by_hand))])).await;
    let (first, second) = (bench.start("1.0.0").await, bench.start("1.1.0").await);
    assert!(bench.timers().await.is_empty());
    let run = bench.run(first).await;
    let (evidence, outputs) = (None, Default::default());
    let done = Stimulus::Done { run, step: named("promote-stage/deploy"), evidence, outputs };
    bench.submit(first, "bob", done).await.unwrap();
    assert!(bench.is_done(first).await);
    bench.turn().await;
    let held = bench.view(second).await.environments[&named("stage")].held.clone().unwrap();
    assert_eq!(held.by.release, second);
}
