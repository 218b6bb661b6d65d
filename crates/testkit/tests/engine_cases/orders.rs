//! Oldest first, with the engine: who waits is told when it can go on, and whoever starts in between is not missed.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use tollgate_core::explain::explain;
use tollgate_core::ids::ReleaseId;
use tollgate_core::model::{Deploy, Environment, Gate, GateKind, Order, Step, StepKind, Template};
use tollgate_core::view::Stimulus;
use tollgate_engine::inject::Point;

use crate::bench::{
    Bench, Between, at_once, definition, environment, manual, named, person, policy, promote, shell, step,
};

fn in_order(deploy: Deploy) -> Environment {
    let mut stage = environment(deploy);
    stage.gates.insert(named("line"), Gate::new(GateKind::Order(Order::OldestFirst)));
    stage
}

fn command() -> Deploy {
    Deploy::Command { shell: shell("deploy once"), timeout: SignedDuration::from_mins(20) }
}

fn by_hand() -> Deploy {
    Deploy::Manual { instruction: Template("Deploy.".into()), by: None }
}

async fn why(bench: &Bench, release: ReleaseId) -> String {
    let holdings = explain(&bench.view(release).await, bench.world.now());
    holdings.iter().map(|one| format!("{}: {}", one.hold.what, one.hold.why)).collect::<Vec<_>>().join("\n")
}

async fn go(bench: &Bench, release: ReleaseId) {
    did(bench, release, "go").await;
}

async fn did(bench: &Bench, release: ReleaseId, step: &str) {
    let (run, step) = (bench.run(release).await, named(step));
    let done = Stimulus::Done { run, step, evidence: None, outputs: BTreeMap::new() };
    bench.submit(release, "bob", done).await.unwrap();
}

async fn begun(bench: &Bench) -> Vec<String> {
    let state = bench.engine.environment(&named("svc"), &named("stage")).await.unwrap();
    state.begun.iter().map(|one| one.version.clone()).collect()
}

/// Two releases, the newer one ahead; nobody says anything to it afterwards.
async fn two(steps: Vec<Step>) -> (Bench, ReleaseId, ReleaseId) {
    let bench = Bench::new(definition(steps), policy(vec![("stage", in_order(command()))])).await;
    let (newer, older) = (bench.start("2.0.0").await, bench.start("1.4.7").await);
    bench.settle().await;
    go(&bench, newer).await;
    bench.settle().await;
    (bench, newer, older)
}

#[tokio::test]
async fn the_newer_one_goes_on_by_itself_when_the_older_one_got_there() {
    let (bench, newer, older) = two(vec![manual("go"), promote("stage")]).await;
    let told = why(&bench, newer).await;
    assert!(
        told.contains("`1.4.7` is older and has still to get to stage; 1.4.7 waits for step `go`"),
        "{told}"
    );
    let row = bench.engine.release_row(&named("svc"), newer).await.unwrap().unwrap();
    assert_eq!(row.status, "scheduled");
    go(&bench, older).await;
    bench.settle().await;
    assert!(bench.is_done(older).await && bench.is_done(newer).await, "{}", why(&bench, newer).await);
    assert_eq!(begun(&bench).await, ["1.4.7", "2.0.0"]);
}

#[tokio::test]
async fn it_goes_on_by_itself_when_the_older_one_is_given_up() {
    let (bench, newer, older) = two(vec![manual("go"), promote("stage")]).await;
    let run = bench.run(older).await;
    bench.submit(older, "bob", Stimulus::Abort { run, why: "no".into() }).await.unwrap();
    bench.settle().await;
    assert!(bench.is_done(newer).await, "{}", why(&bench, newer).await);
    assert_eq!(begun(&bench).await, ["2.0.0"]);
}

#[tokio::test]
async fn a_step_goes_on_by_itself_when_the_older_one_has_done_it() {
    let publish =
        Step { order: Some(Order::OldestFirst), ..step("publish", StepKind::Shell(shell("publish once"))) };
    let (bench, newer, older) = two(vec![manual("go"), publish, manual("later")]).await;
    let told = why(&bench, newer).await;
    assert!(told.contains("`1.4.7` is older and has still to do its step `publish`"), "{told}");
    assert_eq!(bench.world.state().started.len(), 0);
    go(&bench, older).await;
    bench.settle().await;
    let told = why(&bench, newer).await;
    assert_eq!(bench.world.state().started.len(), 2, "{told}");
}

/// What the older one's procedure says of the step does not matter: there it is done by hand, and no order is asked for.
#[tokio::test]
async fn a_step_goes_on_by_itself_when_the_older_one_did_it_by_hand() {
    let rules = policy(vec![("stage", environment(command()))]);
    let publish =
        Step { order: Some(Order::OldestFirst), ..step("publish", StepKind::Shell(shell("publish once"))) };
    let steps = vec![manual("go"), publish, manual("later")];
    let bench = Bench::new(definition(steps), rules.clone()).await;
    let line = Bench::new(definition(vec![manual("publish"), manual("later")]), rules).await;
    let plan = line.plan("1.4.7").await;
    let (older, _) = bench.engine.start(plan, None, &person("bob")).await.unwrap();
    let newer = bench.start("2.0.0").await;
    bench.settle().await;
    go(&bench, newer).await;
    bench.settle().await;
    let told = why(&bench, newer).await;
    assert!(told.contains("`1.4.7` is older and has still to do its step `publish`"), "{told}");
    assert_eq!(bench.world.state().started.len(), 0);
    did(&bench, older, "publish").await;
    bench.settle().await;
    let told = why(&bench, newer).await;
    assert_eq!(bench.world.state().started.len(), 1, "{told}");
}

/// The older one starts while it is being decided that the newer one may go: that is decided anew.
#[tokio::test]
async fn an_older_one_that_starts_meanwhile_is_not_missed() {
    let rules = policy(vec![("stage", in_order(by_hand()))]);
    let bench = Bench::new(definition(vec![promote("stage")]), rules.clone()).await;
    let newer = bench.plan("2.0.0").await;
    // It holds nothing yet: only the list of what is under way tells of it.
    let waits = Bench::new(definition(vec![manual("go"), promote("stage")]), rules).await;
    let older = Arc::new((*waits.plan("1.4.7").await).clone());
    let meanwhile = {
        let bench = bench.clone();
        let starts = move || at_once(bench.engine.start(older, None, &person("bob"))).map(|_| ()).unwrap();
        Between::new(vec![(Point::BeforeCommit, Box::new(starts))])
    };
    let slow = bench.other(meanwhile);
    let (release, submitted) = slow.start(newer, None, &person("ann")).await.unwrap();
    assert_eq!(submitted.view.environments[&named("stage")].held, None, "decided anew");
    let told = why(&bench, release).await;
    assert!(told.contains("1.4.7 waits for step `go`"), "{told}");
}
