//! Publishing: once, with the content that was packed, whatever the registry and its tool do.

use std::sync::Arc;

use jiff::SignedDuration;
use tollgate_core::act::{Failure, FailureClass, Outcome};
use tollgate_core::event::StepResult;
use tollgate_core::ids::ReleaseId;
use tollgate_core::model::{Crates, PublishSpec, Step, StepKind, Target};
use tollgate_core::state::StepStatus;
use tollgate_core::view::Stimulus;
use tollgate_engine::inject::{Fault, Inject, Point};
use tollgate_testkit::world::{Registry, Upload};

use crate::bench::{Bench, Nth, definition, manual, named, policy, step};

fn publish() -> Step {
    let target = Target::Crates(Crates {
        package: "svc".into(),
        manifest: "Cargo.toml".into(),
        registry: None,
        index: "https://index.sim".into(),
        verify: true,
    });
    step("publish", StepKind::Publish(PublishSpec { target, token: Some("TOKEN".into()) }))
}

async fn bench(prepare: impl FnOnce(&mut Registry)) -> Bench {
    let bench = Bench::new(definition(vec![publish(), manual("last")]), policy(vec![])).await;
    prepare(&mut bench.world.state().registry);
    bench
}

async fn status(bench: &Bench, release: ReleaseId) -> StepStatus {
    let view = bench.view(release).await;
    view.release.runs[0].steps[&named("publish")].status.clone()
}

/// The version stands in the registry with what was packed first, was uploaded so often; 0 is any number.
async fn check_published(bench: &Bench, release: ReleaseId, uploads: usize, case: &str) {
    let StepStatus::Done { result: StepResult::Act(Outcome::Published { files, .. }), .. } =
        status(bench, release).await
    else {
        panic!("{case}: {:?}", status(bench, release).await)
    };
    let state = bench.world.state();
    assert!(state.violations.is_empty(), "{case}: {:?}", state.violations);
    let (_, listed) = &state.registry.listed[&("svc".to_owned(), "1.0.0".to_owned())];
    assert_eq!(files["svc-1.0.0.crate"].sha256, *listed, "{case}");
    assert!(uploads == 0 || state.registry.begun.len() == uploads, "{case}: {:?}", state.registry.begun);
    assert!(state.registry.begun.iter().all(|content| content == listed), "{case}");
}

async fn stuck(bench: &Bench, release: ReleaseId) -> Failure {
    match status(bench, release).await {
        StepStatus::Stuck { failure, .. } => failure,
        other => panic!("{other:?}"),
    }
}

/// What a registry and its tool can do, and how it ends: how often the tool uploads, or what the step is stuck with.
#[tokio::test]
async fn whatever_happens_a_version_is_published_once() {
    type Prepare = fn(&mut Registry);
    let minutes = SignedDuration::from_mins;
    let cases: [(&str, Prepare, Result<usize, &str>); 8] = [
        ("fine", |_| {}, Ok(1)),
        ("listed late", |registry| registry.lag = SignedDuration::from_mins(8), Ok(1)),
        ("answer lost", |registry| registry.uploads = vec![Upload::AnswerLost], Ok(1)),
        ("busy once", |registry| registry.uploads = vec![Upload::Busy, Upload::Fine], Ok(2)),
        ("too many requests", |registry| registry.too_many = (3, SignedDuration::from_mins(2)), Ok(1)),
        ("refused", |registry| registry.uploads = vec![Upload::Refused], Err("did not get into")),
        (
            "never listed",
            |registry| registry.lag = SignedDuration::from_hours(200),
            Err("does not list it yet"),
        ),
        (
            "listed late, answer lost",
            |registry| {
                registry.lag = SignedDuration::from_mins(2);
                registry.uploads = vec![Upload::AnswerLost, Upload::Fine];
            },
            // Refused each time, since the registry has it; until it shows.
            Ok(0),
        ),
    ];
    for (case, prepare, expected) in cases {
        let bench = bench(prepare).await;
        let before = bench.world.now();
        let release = bench.start("1.0.0").await;
        bench.settle().await;
        match expected {
            Ok(uploads) => check_published(&bench, release, uploads, case).await,
            Err(words) => {
                let failure = stuck(&bench, release).await;
                assert!(failure.why.contains(words), "{case}: {failure:?}");
            }
        }
        assert_eq!(bench.world.state().registry.packed, 1, "{case}");
        if case == "too many requests" {
            assert!(bench.world.now() >= before + minutes(6), "the registry's pauses are kept");
        }
    }
}

#[tokio::test]
async fn a_version_of_somebody_else_is_left_alone() {
    let bench = bench(|_| {}).await;
    bench.world.state().publish_elsewhere("svc", "1.0.0");
    let release = bench.start("1.0.0").await;
    bench.settle().await;
    let failure = stuck(&bench, release).await;
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.why.contains("has another svc 1.0.0 already"), "{failure:?}");
    assert!(failure.hint.unwrap().contains("release a higher version"));
    assert!(bench.world.state().registry.begun.is_empty());
}

#[tokio::test]
async fn a_person_who_retries_publishes_what_was_packed_at_first() {
    let bench = bench(|registry| registry.uploads = vec![Upload::Refused, Upload::Fine]).await;
    let release = bench.start("1.0.0").await;
    bench.settle().await;
    assert!(stuck(&bench, release).await.why.contains("it is refused"));
    let run = bench.run(release).await;
    bench.submit(release, "ann", Stimulus::Retry { run, step: named("publish") }).await.unwrap();
    bench.settle().await;
    check_published(&bench, release, 2, "retried").await;
    assert_eq!(bench.world.state().registry.packed, 1);
}

#[tokio::test]
async fn a_crash_at_any_point_publishes_once() {
    for at in 1.. {
        // With a registry that is slow, and an upload of which nobody hears.
        let bench = bench(|registry| {
            registry.lag = SignedDuration::from_secs(1);
            registry.uploads = vec![Upload::AnswerLost];
        })
        .await;
        let release = bench.start("1.0.0").await;
        let nth = Nth::new(at, Fault::Crash);
        bench.settle_with(|| bench.other(nth.clone())).await;
        check_published(&bench, release, 1, &format!("point {at}")).await;
        assert_eq!(bench.world.state().registry.packed, 1, "point {at}");
        if nth.passed() < at {
            assert!(at > 10, "{at} points");
            return;
        }
    }
}

#[derive(Debug)]
struct Repeating;

impl Inject for Repeating {
    fn at(&self, point: Point) -> Fault {
        if point == Point::BeforeAct("publish") { Fault::Repeat } else { Fault::None }
    }
}

#[tokio::test]
async fn an_act_that_is_repeated_publishes_once() {
    let bench = bench(|_| {}).await;
    let release = bench.start("1.0.0").await;
    let engine = bench.other(Arc::new(Repeating));
    bench.settle_with(|| engine.clone()).await;
    check_published(&bench, release, 1, "repeated").await;
}
