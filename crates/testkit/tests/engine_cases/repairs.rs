//! Tables that were lost are made again.

use jiff::SignedDuration;
use tollgate_core::model::{Deploy, StepKind};
use tollgate_engine::store::{
    Commit, PollChange, Store as _, Task, TaskChange, Timer, TimerChange, latest_storable,
};

use crate::bench::{Bench, definition, environment, manual, policy, probe, promote, shell, step};

async fn bench() -> Bench {
    let mut look = manual("look");
    look.timeout = Some(SignedDuration::from_hours(9));
    let work = step("work", StepKind::Shell(shell("work once")));
    let mut stage = environment(Deploy::Observed);
    stage.probe = Some(probe("stage"));
    let steps = vec![step("all", StepKind::Parallel { steps: vec![look, work, promote("stage")] })];
    Bench::new(definition(steps), policy(vec![("stage", stage)])).await
}

#[tokio::test]
async fn what_was_lost_comes_back() {
    let bench = bench().await;
    let release = bench.start("1.0.0").await;
    assert_eq!(bench.engine.reconcile().await.unwrap(), []);
    let (tasks, timers) = (bench.tasks().await, bench.timers().await);
    let polls = bench.store.due_polls(latest_storable(), 10).await.unwrap();
    assert_eq!((tasks.len(), timers.len(), polls.len()), (1, 1, 1));
    let stream = bench.view(release).await.stream();
    let lost = Commit {
        tasks: tasks.iter().map(|task| TaskChange::Withdraw { id: task.id }).collect(),
        timers: timers
            .iter()
            .map(|timer| TimerChange::Clear { stream: timer.stream.clone(), name: timer.name.clone() })
            .collect(),
        polls: polls
            .iter()
            .map(|poll| PollChange::Unsubscribe { key: poll.key.clone(), stream: stream.clone() })
            .collect(),
        ..Commit::default()
    };
    bench.store.commit(lost).await.unwrap();
    assert_eq!(bench.store.next_due().await.unwrap(), None, "nothing would ever happen again");

    let repairs = bench.engine.reconcile().await.unwrap();
    assert_eq!(repairs.len(), 3, "{repairs:?}");
    assert_eq!((bench.tasks().await, bench.timers().await), (tasks, timers));
    assert_eq!(bench.store.due_polls(latest_storable(), 10).await.unwrap(), polls);
    assert_eq!(bench.engine.reconcile().await.unwrap(), []);
}

#[tokio::test]
async fn what_nobody_wants_goes() {
    let bench = bench().await;
    let release = bench.start("1.0.0").await;
    let stream = bench.view(release).await.stream();
    let now = bench.world.now();
    let stray = tollgate_core::ids::EffectId(uuid::Uuid::from_u128(7));
    let task =
        Task { id: stray, stream: stream.clone(), lane: "git".into(), due: now, epoch: 3, claim: None };
    let subscribe =
        PollChange::Subscribe { key: "probe 0".into(), spec: "{}".into(), due: now, stream: stream.clone() };
    let damage = Commit { tasks: vec![TaskChange::Put(task)], polls: vec![subscribe], ..Commit::default() };
    bench.store.commit(damage).await.unwrap();
    let repairs = bench.engine.reconcile().await.unwrap();
    assert_eq!(repairs.len(), 2, "{repairs:?}");
    assert!(repairs.iter().all(|repair| repair.stream == stream));
    assert_eq!(bench.tasks().await.len(), 1);
    assert_eq!(bench.engine.reconcile().await.unwrap(), []);
}

#[tokio::test]
async fn a_task_behind_its_lease_is_put_right() {
    let bench = bench().await;
    let release = bench.start("1.0.0").await;
    bench.settle_until_started().await;
    let task = bench.tasks().await.remove(0);
    let behind = Task { epoch: 0, claim: None, ..task.clone() };
    bench.store.commit(Commit { tasks: vec![TaskChange::Put(behind)], ..Commit::default() }).await.unwrap();
    assert_eq!(bench.engine.reconcile().await.unwrap().len(), 1);
    assert_eq!(bench.tasks().await[0].epoch, task.epoch);
    // A wake-up that is too late is put right as well.
    let stream = bench.view(release).await.stream();
    let late = Timer { stream, name: "wake".into(), due: latest_storable() };
    let timers = vec![TimerChange::Set(late)];
    bench.store.commit(Commit { timers, ..Commit::default() }).await.unwrap();
    assert_eq!(bench.engine.reconcile().await.unwrap().len(), 1);
}
