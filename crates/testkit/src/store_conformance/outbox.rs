//! Timers, tasks and polls.

use std::sync::Arc;

use jiff::Timestamp;
use tollgate_engine::store::{
    Claim, Commit, Poll, PollChange, Store, StoreError, Task, TaskChange, Timer, TimerChange, latest_storable,
};

use super::samples::{at, effect, policy, release, task, tasks};

type Shared = Arc<dyn Store>;

fn claim(number: u64, epoch: u64, holder: &str) -> TaskChange {
    let claim = Claim { holder: holder.to_owned(), until: at(1_000_000) };
    TaskChange::Claim { id: effect(number), epoch, claim }
}

fn finish(number: u64, epoch: u64) -> TaskChange {
    TaskChange::Finish { id: effect(number), epoch }
}

async fn fenced(store: &Shared, change: TaskChange, number: u64, epoch: u64) {
    let expected = StoreError::Fenced { id: effect(number), epoch };
    assert_eq!(store.commit(tasks(vec![change])).await, Err(expected));
}

pub(super) async fn timers_come_due_in_order(store: Shared) {
    let set = |service: &str, name: &str, due: i64| {
        TimerChange::Set(Timer { stream: policy(service), name: name.into(), due: at(due) })
    };
    let change = async |timers: Vec<TimerChange>| {
        store.commit(Commit { timers, ..Commit::default() }).await.unwrap();
    };
    let due = async |now: i64, limit: usize| {
        let timers = store.due_timers(at(now), limit).await.unwrap();
        timers.into_iter().map(|timer| (timer.name, timer.due)).collect::<Vec<_>>()
    };
    change(vec![set("a", "x", 30), set("a", "y", 10), set("b", "z", 10), set("b", "x", 20)]).await;
    let named = |names: &[(&str, i64)]| {
        names.iter().map(|(name, due)| ((*name).to_owned(), at(*due))).collect::<Vec<_>>()
    };
    assert_eq!(due(9, 9).await, named(&[]));
    assert_eq!(due(10, 9).await, named(&[("y", 10), ("z", 10)]));
    assert_eq!(due(99, 3).await, named(&[("y", 10), ("z", 10), ("x", 20)]));
    change(vec![set("a", "y", 40), TimerChange::Clear { stream: policy("b"), name: "z".into() }]).await;
    change(vec![TimerChange::Clear { stream: policy("none"), name: "z".into() }]).await;
    assert_eq!(due(99, 9).await, named(&[("x", 20), ("x", 30), ("y", 40)]));
}

pub(super) async fn tasks_are_claimed_once(store: Shared) {
    let (one, two) = (task(1, at(20)), task(2, at(10)));
    store.commit(tasks(vec![TaskChange::Put(one.clone()), TaskChange::Put(two.clone())])).await.unwrap();
    let due = async |now: i64| store.due_tasks(at(now), false, 9).await.unwrap();
    assert_eq!(due(9).await, []);
    assert_eq!(due(10).await, std::slice::from_ref(&two));
    assert_eq!(due(20).await, [two, one]);
    assert_eq!(store.due_tasks(at(20), false, 1).await.unwrap().len(), 1);
    store.commit(tasks(vec![claim(2, 0, "me")])).await.unwrap();
    assert_eq!(due(20).await.iter().map(|task| task.id).collect::<Vec<_>>(), [effect(1)]);
    fenced(&store, claim(2, 0, "you"), 2, 0).await;
    fenced(&store, claim(3, 0, "you"), 3, 0).await;
    store.commit(tasks(vec![finish(2, 1)])).await.unwrap();
    fenced(&store, finish(2, 1), 2, 1).await;
}

pub(super) async fn a_stale_claim_is_fenced(store: Shared) {
    store.commit(tasks(vec![TaskChange::Put(task(1, at(1)))])).await.unwrap();
    store.commit(tasks(vec![claim(1, 0, "first")])).await.unwrap();
    store.commit(tasks(vec![claim(1, 1, "second")])).await.unwrap();
    fenced(&store, finish(1, 1), 1, 1).await;
    fenced(&store, finish(1, 0), 1, 0).await;
    store.commit(tasks(vec![finish(1, 2)])).await.unwrap();
    assert_eq!(store.due_tasks(at(9), true, 9).await.unwrap(), []);
}

pub(super) async fn a_withdrawn_task_is_gone_for_its_worker(store: Shared) {
    store.commit(tasks(vec![TaskChange::Put(task(1, at(1)))])).await.unwrap();
    store.commit(tasks(vec![claim(1, 0, "worker")])).await.unwrap();
    let withdraw = || tasks(vec![TaskChange::Withdraw { id: effect(1) }]);
    store.commit(withdraw()).await.unwrap();
    store.commit(withdraw()).await.unwrap();
    fenced(&store, finish(1, 1), 1, 1).await;
}

pub(super) async fn a_task_can_be_finished_and_put_back_at_once(store: Shared) {
    store.commit(tasks(vec![TaskChange::Put(task(1, at(1)))])).await.unwrap();
    store.commit(tasks(vec![claim(1, 0, "worker")])).await.unwrap();
    let again = Task { due: at(50), epoch: 1, ..task(1, at(1)) };
    store.commit(tasks(vec![finish(1, 1), TaskChange::Put(again.clone())])).await.unwrap();
    assert_eq!(store.due_tasks(at(50), false, 9).await.unwrap(), [again]);
    // And the other way round: what is put can be claimed in the same commit.
    store.commit(tasks(vec![TaskChange::Put(task(2, at(1))), claim(2, 0, "worker")])).await.unwrap();
    fenced(&store, claim(2, 0, "other"), 2, 0).await;
}

pub(super) async fn claimed_tasks_are_recovered(store: Shared) {
    store
        .commit(tasks(vec![TaskChange::Put(task(1, at(10))), TaskChange::Put(task(2, at(5)))]))
        .await
        .unwrap();
    store.commit(tasks(vec![claim(1, 0, "dead")])).await.unwrap();
    let found = store.due_tasks(at(20), true, 9).await.unwrap();
    let claimed = Claim { holder: "dead".into(), until: at(1_000_000) };
    assert_eq!(found, [task(2, at(5)), Task { epoch: 1, claim: Some(claimed), ..task(1, at(10)) }]);
    assert_eq!(store.due_tasks(at(20), true, 1).await.unwrap(), [task(2, at(5))]);
    assert_eq!(
        store.due_tasks(at(1), true, 9).await.unwrap().len(),
        1,
        "the claimed one, whenever it was due"
    );
}

fn subscribe(key: &str, due: i64, number: u64) -> PollChange {
    let spec = format!(r#"{{"of":"{key}"}}"#);
    PollChange::Subscribe { key: key.into(), spec, due: at(due), stream: release("a", number) }
}

fn unsubscribe(key: &str, number: u64) -> PollChange {
    PollChange::Unsubscribe { key: key.into(), stream: release("a", number) }
}

pub(super) async fn polls_are_shared(store: Shared) {
    let change = async |polls: Vec<PollChange>| {
        store.commit(Commit { polls, ..Commit::default() }).await.unwrap();
    };
    change(vec![subscribe("k", 20, 2), subscribe("k", 10, 1), subscribe("k", 30, 1), subscribe("l", 5, 3)])
        .await;
    let poll = |key: &str, due: i64| Poll {
        key: key.into(),
        spec: format!(r#"{{"of":"{key}"}}"#),
        due: at(due),
        failures: 0,
        memo: None,
    };
    assert_eq!(store.due_polls(at(9), 9).await.unwrap(), [poll("l", 5)]);
    assert_eq!(store.due_polls(at(10), 9).await.unwrap(), [poll("l", 5), poll("k", 10)]);
    assert_eq!(store.due_polls(at(10), 1).await.unwrap(), [poll("l", 5)]);
    assert_eq!(store.poll_subscribers("k").await.unwrap(), [release("a", 1), release("a", 2)]);
    assert_eq!(store.subscriptions(&release("a", 2)).await.unwrap(), ["k"]);

    store.polled("k", at(40), 3, Some("\"etag\"".into())).await.unwrap();
    let looked = Poll { due: at(40), failures: 3, memo: Some("\"etag\"".into()), ..poll("k", 0) };
    assert_eq!(store.due_polls(at(99), 9).await.unwrap(), [poll("l", 5), looked.clone()]);
    change(vec![unsubscribe("k", 2), unsubscribe("k", 9), unsubscribe("none", 1)]).await;
    assert_eq!(store.poll_subscribers("k").await.unwrap(), [release("a", 1)]);
    change(vec![subscribe("k", 50, 2)]).await;
    assert_eq!(store.due_polls(at(99), 9).await.unwrap(), [poll("l", 5), looked], "what was learnt stays");

    change(vec![unsubscribe("k", 1), unsubscribe("k", 2)]).await;
    assert_eq!(store.due_polls(at(99), 9).await.unwrap(), [poll("l", 5)]);
    assert!(store.poll_subscribers("k").await.unwrap().is_empty());
    store.polled("k", at(60), 0, None).await.unwrap();
    assert_eq!(store.due_polls(at(99), 9).await.unwrap().len(), 1, "a poll that is gone does not come back");
}

pub(super) async fn the_earliest_due_time_is_known(store: Shared) {
    assert_eq!(store.next_due().await.unwrap(), None);
    let timer = Timer { stream: policy("a"), name: "t".into(), due: at(30) };
    let commit = Commit {
        timers: vec![TimerChange::Set(timer)],
        tasks: vec![TaskChange::Put(task(1, at(10)))],
        polls: vec![subscribe("k", 20, 1)],
        ..Commit::default()
    };
    store.commit(commit).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(10)));
    store.commit(tasks(vec![claim(1, 0, "me")])).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(20)), "a claimed task is in good hands");
    store.polled("k", at(40), 0, None).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(30)));
}

pub(super) async fn times_out_of_range_become_the_nearest(store: Shared) {
    let timer = |due: Timestamp| Timer { stream: policy("a"), name: due.to_string(), due };
    let set = |due: Timestamp| TimerChange::Set(timer(due));
    let timers = vec![set(Timestamp::MAX), set(Timestamp::MIN)];
    store.commit(Commit { timers, ..Commit::default() }).await.unwrap();
    let due = store.due_timers(at(0), 9).await.unwrap();
    assert_eq!(due.len(), 1);
    assert!(due[0].due < at(-1_000_000_000));
    let all = store.due_timers(Timestamp::MAX, 9).await.unwrap();
    assert_eq!(all.iter().map(|timer| timer.due).max(), Some(latest_storable()));
}
