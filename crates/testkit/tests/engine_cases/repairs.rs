//! Tables that were lost are made again.

use jiff::SignedDuration;
use tollgate_core::calendar::{Asked, Freeze, Scope, Zone};
use tollgate_core::journal::StreamId;
use tollgate_core::model::{Connection, Departs, Deploy, FeedSpec, Happening, Notify, Recipient, StepKind};
use tollgate_core::view::Stimulus;
use tollgate_engine::store::{
    Commit, Poll, PollChange, Store as _, Task, TaskChange, Timer, TimerChange, latest_storable,
};

use crate::bench::{
    Bench, definition, departing, environment, manual, named, person, policy, probe, promote, shell, step,
};

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

/// Takes every task, timer and look out of the tables.
async fn lose_all(bench: &Bench) -> usize {
    let (tasks, timers) = (bench.tasks().await, bench.timers().await);
    let mut polls = Vec::new();
    for poll in bench.store.due_polls(latest_storable(), 100).await.unwrap() {
        for stream in bench.store.poll_subscribers(&poll.key).await.unwrap() {
            polls.push(PollChange::Unsubscribe { key: poll.key.clone(), stream });
        }
    }
    let count = tasks.len() + timers.len() + polls.len();
    let clear = |timer: &Timer| TimerChange::Clear { stream: timer.stream.clone(), name: timer.name.clone() };
    let lost = Commit {
        tasks: tasks.iter().map(|task| TaskChange::Withdraw { id: task.id }).collect(),
        timers: timers.iter().map(clear).collect(),
        polls,
        ..Commit::default()
    };
    bench.store.commit(lost).await.unwrap();
    assert_eq!(bench.store.next_due().await.unwrap(), None, "nothing would ever happen again");
    count
}

#[tokio::test]
async fn trains_and_rules_come_back() {
    let mut rules = policy(Vec::new());
    rules.trains.insert(named("timed"), departing(Departs::Every("Tue 12:00 UTC".parse().unwrap())));
    rules.trains.insert(named("pushed"), departing(Departs::Push));
    let spec = FeedSpec {
        asked: Asked::Events,
        url: "https://calendars.sim/ops.ics".into(),
        bearer: None,
        zone: Zone::utc(),
        every: SignedDuration::from_hours(1),
        valid: SignedDuration::from_hours(24),
    };
    rules.feeds.insert(named("ops"), spec);
    let bench = Bench::new(definition(vec![manual("look")]), policy(Vec::new())).await;
    let answer = "BEGIN:VCALENDAR\nEND:VCALENDAR\n";
    bench.world.state().fact("https://calendars.sim/ops.ics", Some(answer));
    bench.engine.adopt(&rules, &person("ann")).await.unwrap();
    let (start, end) = (bench.world.now(), bench.world.now() + SignedDuration::from_hours(4));
    let freeze = Freeze::new(Scope::ALL, "moving", named("ann"), start, end).unwrap();
    bench.engine.freeze(&named("svc"), &freeze, true, &person("ann")).await.unwrap();
    bench.turn().await;
    bench.turn().await;
    assert_eq!(bench.engine.reconcile().await.unwrap(), [], "nothing is amiss");
    let (timers, polls) = (bench.timers().await, bench.store.due_polls(latest_storable(), 10).await.unwrap());
    assert_eq!((timers.len(), polls.len()), (2, 2), "{timers:?}");
    assert_eq!(lose_all(&bench).await, 4);
    let repairs = bench.engine.reconcile().await.unwrap();
    assert_eq!(repairs.len(), 4, "{repairs:?}");
    let keys = |polls: &[Poll]| polls.iter().map(|poll| poll.key.clone()).collect::<Vec<_>>();
    let again = bench.store.due_polls(latest_storable(), 10).await.unwrap();
    let (mut was, mut is) = (keys(&polls), keys(&again));
    was.sort();
    is.sort();
    assert_eq!(was, is);
    let sorted = |mut timers: Vec<Timer>| {
        timers.sort_by_key(|timer| (timer.stream.to_string(), timer.name.clone()));
        timers
    };
    assert_eq!(sorted(bench.timers().await), sorted(timers));
    assert_eq!(bench.engine.reconcile().await.unwrap(), []);
    // What nobody wants goes, also here.
    let stream = StreamId::Train(named("svc"), named("timed"));
    let (key, spec, due) = ("branch svc other".to_owned(), "{}".to_owned(), bench.world.now());
    let subscribe = PollChange::Subscribe { key, spec, due, stream };
    bench.store.commit(Commit { polls: vec![subscribe], ..Commit::default() }).await.unwrap();
    assert_eq!(bench.engine.reconcile().await.unwrap().len(), 1);
}

#[tokio::test]
async fn notices_of_what_is_over_come_back() {
    let via = Connection::Maildir { path: "/mail".into(), from: "tollgate@example.org".into() };
    let mut rules = policy(Vec::new());
    let to = vec![Recipient::Address("all@example.org".into())];
    let notify = Notify { via, to, events: [Happening::Finished, Happening::Frozen].into() };
    rules.notify.insert(named("all"), notify);
    let bench = Bench::new(definition(vec![manual("look")]), rules).await;
    let release = bench.start("1.0.0").await;
    bench.turn().await;
    let run = bench.run(release).await;
    bench
        .submit(
            release,
            "ann",
            Stimulus::Done { run, step: named("look"), evidence: None, outputs: Default::default() },
        )
        .await
        .unwrap();
    let (start, end) = (bench.world.now(), bench.world.now() + SignedDuration::from_hours(4));
    let freeze = Freeze::new(Scope::ALL, "moving", named("ann"), start, end).unwrap();
    bench.engine.freeze(&named("svc"), &freeze, true, &person("ann")).await.unwrap();
    assert!(bench.is_done(release).await);
    assert_eq!(bench.tasks().await.len(), 2, "both are still to be told");
    assert_eq!(bench.engine.reconcile().await.unwrap(), []);
    lose_all(&bench).await;
    let repairs = bench.engine.reconcile().await.unwrap();
    assert_eq!(bench.tasks().await.len(), 2, "{repairs:?}");
    bench.settle().await;
    assert_eq!(bench.world.state().mail.values().copied().collect::<Vec<_>>(), [1, 1]);
}
