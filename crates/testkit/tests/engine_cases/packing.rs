//! Packing: once in a run, whatever crashes when, and laid out for whoever asks.

use std::sync::Arc;

use jiff::SignedDuration;
use tollgate_core::act::{Failure, Outcome};
use tollgate_core::event::StepResult;
use tollgate_core::ids::ReleaseId;
use tollgate_core::model::*;
use tollgate_core::pack::Packed;
use tollgate_core::state::StepStatus;
use tollgate_core::view::Stimulus;
use tollgate_engine::inject::{Fault, Inject, Point};
use tollgate_engine::{EngineError, Idle};

use crate::bench::{Bench, Nth, definition, manual, named, person, policy, shell, step};

const SBOM: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"name":"a"}],
    "metadata":{"component":{"name":"svc","version":"1.0.0"}}}"#;

fn steps(build: Option<&str>) -> Vec<Step> {
    let spec = PackSpec {
        build: build.map(Into::into),
        files: vec!["dist/*".into()],
        published: Vec::new(),
        checksums: vec![Algorithm::Sha256],
        sbom: Some(SbomSpec { command: "write sbom".into(), format: SbomFormat::Cyclonedx, name: None }),
        provenance: Some(ProvenanceSpec { builder: "https://example.org/builder".into() }),
        component: None,
    };
    let upload = Step { packed: Some(named("dist")), ..step("upload", StepKind::Shell(shell("repeatable"))) };
    vec![step("dist", StepKind::Pack(spec)), upload, manual("last")]
}

async fn bench(sbom: &str) -> Bench {
    let bench = Bench::new(definition(steps(Some("make"))), policy(vec![])).await;
    bench.world.state().registry.sbom = sbom.into();
    bench
}

async fn status(bench: &Bench, release: ReleaseId, id: &str) -> StepStatus {
    bench.view(release).await.release.runs[0].steps[&named(id)].status.clone()
}

async fn packed(bench: &Bench, release: ReleaseId, case: &str) -> Packed {
    match status(bench, release, "dist").await {
        StepStatus::Done { result: StepResult::Act(Outcome::Packed(packed)), .. } => *packed,
        other => panic!("{case}: {other:?}"),
    }
}

async fn stuck(bench: &Bench, release: ReleaseId) -> Failure {
    match status(bench, release, "dist").await {
        StepStatus::Stuck { failure, .. } => failure,
        other => panic!("{other:?}"),
    }
}

/// The command got the files that were packed, and what is told of them.
async fn check_laid_out(bench: &Bench, release: ReleaseId, case: &str) {
    let packed = packed(bench, release, case).await;
    assert_eq!((packed.files.len(), packed.parts), (2, Some(1)), "{case}: {packed:?}");
    assert!(matches!(status(bench, release, "upload").await, StepStatus::Done { .. }), "{case}");
    let state = bench.world.state();
    assert!(state.violations.is_empty(), "{case}: {:?}", state.violations);
    let started = state.started.iter().find(|started| started.command == "repeatable").expect("it ran");
    let files = &state.registry.laid_out[&started.variables["TOLLGATE_FILES"]];
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let expected = ["SHA256SUMS", "files-1.0.0.tar.gz", "svc-1.0.0.cdx.json", "svc-1.0.0.provenance.json"];
    assert_eq!(names, expected, "{case}");
    for (name, file) in &packed.files {
        let line = format!("{}  {name}\n", file.sha256.digits());
        assert!(files["SHA256SUMS"].contains(&line), "{case}: {files:?}");
        assert!(files["svc-1.0.0.provenance.json"].contains(file.sha256.digits()), "{case}");
    }
}

#[tokio::test]
async fn files_are_packed_once_and_removed_when_the_release_is_over() {
    let bench = bench(SBOM).await;
    let release = bench.start("1.0.0").await;
    bench.settle().await;
    check_laid_out(&bench, release, "fine").await;
    let counts = |registry: &tollgate_testkit::world::Registry| (registry.packed, registry.kept());
    assert_eq!(counts(&bench.world.state().registry), (1, 2));
    let run = bench.run(release).await;
    let done = tollgate_core::view::Stimulus::Done {
        run,
        step: named("last"),
        evidence: None,
        outputs: Default::default(),
    };
    bench.submit(release, "ann", done).await.unwrap();
    assert!(bench.is_done(release).await);
    assert_eq!(bench.world.state().registry.kept(), 0);
}

#[tokio::test]
async fn a_crash_at_any_point_packs_once() {
    for at in 1.. {
        let bench = bench(SBOM).await;
        let release = bench.start("1.0.0").await;
        let nth = Nth::new(at, Fault::Crash);
        bench.settle_with(|| bench.other(nth.clone())).await;
        check_laid_out(&bench, release, &format!("point {at}")).await;
        assert_eq!(bench.world.state().registry.packed, 1, "point {at}");
        if nth.passed() < at {
            assert!(at > 10, "{at} points");
            return;
        }
    }
}

/// The process ends at a point, whenever it comes there.
#[derive(Debug)]
struct EndsAt(Point);

impl Inject for EndsAt {
    fn at(&self, point: Point) -> Fault {
        if point == self.0 { Fault::Crash } else { Fault::None }
    }
}

#[tokio::test]
async fn what_was_packed_for_a_run_that_is_over_is_removed_at_the_next_start() {
    let bench = bench(SBOM).await;
    let release = bench.start("1.0.0").await;
    let ended = bench.world.finish(bench.other(Arc::new(EndsAt(Point::AfterAct("build")))).turn()).await;
    assert!(matches!(ended, Err(EngineError::Crashed)), "{ended:?}");
    let kept = || bench.world.state().registry.kept();
    assert_eq!(kept(), 2, "the files are kept, and no event tells of them");
    let another_start = || async { bench.other(Nth::new(0, Fault::None)).sweep().await.unwrap() };
    another_start().await;
    assert_eq!(kept(), 2, "the run goes on, and asks for them");
    let run = bench.run(release).await;
    bench.submit(release, "ann", Stimulus::Abort { run, why: "no".into() }).await.unwrap();
    assert_eq!(kept(), 2, "nothing is removed that no event tells of");
    bench.other(Nth::new(0, Fault::None)).work(Idle::Within(SignedDuration::ZERO)).await.unwrap();
    assert_eq!(kept(), 0);
    another_start().await;
}

#[tokio::test]
async fn a_process_that_is_killed_while_a_release_ends_leaves_nothing_for_ever() {
    let bench = bench(SBOM).await;
    let release = bench.start("1.0.0").await;
    bench.settle().await;
    let run = bench.run(release).await;
    // It is written down, and the process is gone before it removes anything.
    let done = Stimulus::Done { run, step: named("last"), evidence: None, outputs: Default::default() };
    let engine = bench.other(Arc::new(EndsAt(Point::AfterCommit)));
    let ended = engine.submit(&named("svc"), release, done, &person("ann")).await;
    assert!(matches!(ended, Err(EngineError::Crashed)), "{ended:?}");
    assert!(bench.is_done(release).await);
    assert_eq!(bench.world.state().registry.kept(), 2);
    bench.engine.work(Idle::Within(SignedDuration::ZERO)).await.unwrap();
    assert_eq!(bench.world.state().registry.kept(), 0);
}

#[tokio::test]
async fn a_pointer_of_lfs_is_not_packed() {
    let bench = bench(SBOM).await;
    bench.world.state().registry.content =
        Some("version https://git-lfs.github.com/spec/v1\nsize 12\n".into());
    let release = bench.start("1.0.0").await;
    bench.settle().await;
    let failure = stuck(&bench, release).await;
    assert!(failure.why.starts_with("`files-1.0.0.tar.gz` is a pointer of Git LFS"), "{failure:?}");
    assert_eq!(bench.world.state().registry.kept(), 0, "another try makes it anew");
    // Mended where it is built, and tried again.
    bench.world.state().registry.content = None;
    let run = bench.run(release).await;
    bench.submit(release, "ann", Stimulus::Retry { run, step: named("dist") }).await.unwrap();
    bench.settle().await;
    check_laid_out(&bench, release, "retried").await;
}

#[tokio::test]
async fn what_a_lost_build_left_is_not_packed() {
    let mut steps = steps(Some("make"));
    let StepKind::Pack(spec) = &mut steps[0].kind else { panic!() };
    spec.files.push("../*.deb".into());
    let bench = Bench::new(definition(steps), policy(vec![])).await;
    bench.world.state().registry.sbom = SBOM.into();
    let release = bench.start("1.0.0").await;
    bench.settle_until_started().await;
    bench.world.state().reboot();
    bench.settle_with(|| bench.other(Nth::new(0, Fault::None))).await;
    assert_eq!(bench.world.state().registry.packed, 2, "it was lost, and built again");
    let packed = packed(&bench, release, "lost").await;
    let names: Vec<&str> = packed.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["above-2.deb", "files-1.0.0.tar.gz", "svc-1.0.0.cdx.json"]);
}

#[tokio::test]
async fn an_sbom_of_something_else_is_kept_by_nobody() {
    for (sbom, why) in [
        ("not json", "is not JSON"),
        ("{}", "is no CycloneDX"),
        (&SBOM.replace("1.0.0", "0.9.0"), "describes svc 0.9.0, not 1.0.0"),
        (&SBOM.replace("svc", "\\u001b[2Jother"), "describes"),
    ] {
        let bench = bench(sbom).await;
        let release = bench.start("1.0.0").await;
        bench.settle().await;
        let failure = stuck(&bench, release).await;
        assert!(failure.why.contains(why) && !failure.why.contains('\u{1b}'), "{failure:?}");
        assert_eq!(bench.world.state().registry.kept(), 0, "{sbom}");
        // Corrected, it is built anew.
        bench.world.state().registry.sbom = SBOM.into();
        let run = bench.run(release).await;
        let retry = tollgate_core::view::Stimulus::Retry { run, step: named("dist") };
        bench.submit(release, "ann", retry).await.unwrap();
        bench.settle().await;
        check_laid_out(&bench, release, sbom).await;
    }
}
