//! Load tests, carried out: once, with numbers that come out of what the command printed.

use indexmap::IndexMap;
use jiff::SignedDuration;
use tollgate_core::event::{ApprovalTarget, StepResult};
use tollgate_core::ids::ReleaseId;
use tollgate_core::model::{
    ApprovalRule, Bound, Deploy, Gate, GateKind, LoadBound, LoadGate, LoadRule, LoadTest, Measure, Step,
    StepKind, Who,
};
use tollgate_core::state::StepStatus;
use tollgate_core::view::Stimulus;

use crate::bench::{Bench, definition, environment, named, policy, promote, shell, step};

fn rule() -> LoadRule {
    let bounds = vec![LoadBound { bound: Bound::AtLeast(named("90")), percent: true }];
    let measure = Measure { json: "/rps".into(), bounds };
    LoadRule { measures: IndexMap::from([(named("rps"), measure)]), baseline: Some(named("production")) }
}

fn accept() -> Option<ApprovalRule> {
    let by = Who::Group(named("all"));
    Some(ApprovalRule { by, exclude: Vec::new(), count: 1, allow_self: true, covers: None, valid: None })
}

fn load() -> Step {
    let test = LoadTest { shell: shell("load once"), rule: rule(), accept: accept() };
    Step { outputs: rule().outputs(), ..step("load", StepKind::LoadTest(Box::new(test))) }
}

async fn bench() -> Bench {
    let timeout = SignedDuration::from_mins(20);
    let mut production = environment(Deploy::Command { shell: shell("deploy once"), timeout });
    let gate = LoadGate { step: named("load"), rule: rule(), accept: accept(), places: Vec::new() };
    production.gates.insert(named("fast"), Gate::new(GateKind::LoadTest(Box::new(gate))));
    let environments = vec![("production", production)];
    Bench::new(definition(vec![load(), promote("production")]), policy(environments)).await
}

async fn status(bench: &Bench, release: ReleaseId) -> StepStatus {
    bench.view(release).await.release.runs[0].steps[&named("load")].status.clone()
}

/// Starts a release whose load test gives a number, and goes on until nothing happens by itself.
async fn measured(bench: &Bench, version: &str, number: u32) -> ReleaseId {
    bench.world.state().load = Some(number);
    let release = bench.start(version).await;
    bench.settle().await;
    release
}

#[tokio::test]
async fn each_release_is_compared_with_the_one_before() {
    let bench = bench().await;
    let first = measured(&bench, "1.0.0", 800).await;
    let target = ApprovalTarget::Step(bench.run(first).await, named("load"));
    assert!(matches!(status(&bench, first).await, StepStatus::Open { .. }), "nobody has accepted them");
    bench.submit(first, "bob", Stimulus::Approve { target, note: None }).await.unwrap();
    bench.settle().await;
    assert!(bench.is_done(first).await);

    let second = measured(&bench, "1.1.0", 700).await;
    let StepStatus::Stuck { failure, .. } = status(&bench, second).await else {
        panic!("{:?}", status(&bench, second).await)
    };
    assert!(
        failure.why.contains("`rps` is 700, was 800 (87.5%): at least 90%; compared with 1.0.0"),
        "{failure:?}"
    );
    bench.world.state().load = Some(720);
    let run = bench.run(second).await;
    bench.submit(second, "bob", Stimulus::Retry { run, step: named("load") }).await.unwrap();
    bench.settle().await;
    assert!(bench.is_done(second).await);
    let StepStatus::Done { result: StepResult::Measured { told, accepted, .. }, .. } =
        status(&bench, second).await
    else {
        panic!("{:?}", status(&bench, second).await)
    };
    assert!(told.starts_with("`rps` is 720, was 800 (90%): at least 90%; ") && accepted.is_empty(), "{told}");

    let third = measured(&bench, "1.2.0", 648).await;
    assert!(bench.is_done(third).await, "a tenth less than 720");
    let problems = bench.engine.replay_differences().await.unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    assert!(bench.world.state().violations.is_empty());
}

/// A machine that goes down takes the load test with it: nobody knows how far it was, so somebody says how it goes on.
#[tokio::test]
async fn one_that_is_lost_is_not_run_again_by_itself() {
    let bench = bench().await;
    bench.world.state().load = Some(800);
    let release = bench.start("1.0.0").await;
    bench.settle_until_started().await;
    bench.world.state().reboot();
    bench.settle().await;
    assert!(matches!(status(&bench, release).await, StepStatus::Stuck { .. }));
    assert_eq!(bench.world.state().started.len(), 1);
}
