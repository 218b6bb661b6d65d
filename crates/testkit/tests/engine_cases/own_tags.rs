//! Tags that were made in the clone, and whether they count for what is planned next.

use std::sync::Arc;

use tollgate_core::act::FailureClass;
use tollgate_core::ids::ReleaseId;
use tollgate_core::model::{Step, StepKind};
use tollgate_core::plan::Plan;
use tollgate_core::view::Stimulus;
use tollgate_engine::inject::{Fault, Inject, Point};
use tollgate_engine::versioning::Wanted;
use tollgate_engine::{EngineError, planning::PlanningError};

use crate::bench::{Bench, definition, manual, named, person, policy, step};

const TAG: &str = "refs/tags/v2.0.0";

/// The tag is put on the base itself, as where no commit is made for a release.
fn steps() -> Vec<Step> {
    let push = StepKind::GitPush { branch: false, tag: true };
    let tag = StepKind::GitTag { message: None, sign: None };
    vec![step("tag", tag), manual("look"), step("push", push), manual("last")]
}

/// 1.0.0 is released, and something that breaks is on the branch.
async fn bench() -> Bench {
    let bench = Bench::new(definition(steps()), policy(vec![])).await;
    bench.world.state().git.others_tag("v1.0.0");
    others(&bench, "feat!: another world").await;
    bench
}

async fn others(bench: &Bench, message: &str) {
    let now = bench.world.now();
    bench.world.state().git.others_commit("main", "fay@example.org", message, now);
}

async fn planned(bench: &Bench) -> Result<Arc<Plan>, EngineError> {
    bench.plan_for(&Wanted::default()).await
}

/// What is planned now: the version, what it is after, and how many changes are in it.
async fn next(bench: &Bench) -> (String, String, u64) {
    let plan = planned(bench).await.unwrap();
    let previous = plan.version.previous.as_ref().map(|previous| previous.text.clone()).unwrap_or_default();
    (plan.version.text.clone(), previous, plan.changes_total)
}

async fn start(bench: &Bench) -> ReleaseId {
    let plan = planned(bench).await.unwrap();
    let release = bench.engine.start(plan, None, &person("ann")).await.unwrap().0;
    bench.settle().await;
    release
}

async fn look(bench: &Bench, release: ReleaseId, step: &str) {
    let run = bench.run(release).await;
    let done = Stimulus::Done { run, step: named(step), evidence: None, outputs: Default::default() };
    bench.submit(release, "bob", done).await.unwrap();
}

async fn abort(bench: &Bench, release: ReleaseId) {
    let run = bench.run(release).await;
    bench.submit(release, "ann", Stimulus::Abort { run, why: "no".into() }).await.unwrap();
}

fn after(version: &str, previous: &str, changes: u64) -> (String, String, u64) {
    (version.into(), previous.into(), changes)
}

#[tokio::test]
async fn a_tag_that_the_remote_declined_is_no_release_and_is_made_again() {
    let bench = bench().await;
    bench.world.state().git.declined.insert("refs/tags/".into());
    let release = start(&bench).await;
    look(&bench, release, "look").await;
    bench.settle().await;
    let first = bench.world.state().git.clone[TAG].clone();
    abort(&bench, release).await;
    others(&bench, "fix: more").await;
    assert_eq!(next(&bench).await, after("2.0.0", "1.0.0", 2));
    assert!(!bench.world.state().git.clone.contains_key(TAG), "it goes with the next look");

    bench.world.state().git.declined.clear();
    let release = start(&bench).await;
    look(&bench, release, "look").await;
    bench.settle().await;
    look(&bench, release, "last").await;
    assert!(bench.is_done(release).await);
    let pushed = bench.world.state().git.remote[TAG].clone();
    assert_ne!(pushed, first, "another tag, of the newer commit");
    others(&bench, "fix: and more").await;
    assert_eq!(next(&bench).await, after("2.0.1", "2.0.0", 1));
}

#[tokio::test]
async fn a_tag_that_is_not_pushed_yet_is_no_release() {
    let bench = bench().await;
    let release = start(&bench).await;
    others(&bench, "fix: more").await;
    let refused = planned(&bench).await.unwrap_err();
    let EngineError::Planning(PlanningError::Repository { code, why, .. }) = &refused else {
        panic!("{refused}")
    };
    assert_eq!(*code, "under-way", "{why}");
    assert!(bench.world.state().git.clone.contains_key(TAG), "its run needs it");
    look(&bench, release, "look").await;
    bench.settle().await;
    assert_eq!(next(&bench).await, after("2.0.1", "2.0.0", 1));
}

#[tokio::test]
async fn what_somebody_else_pushed_meanwhile_counts() {
    let bench = bench().await;
    let release = start(&bench).await;
    let own = bench.world.state().git.clone[TAG].clone();
    abort(&bench, release).await;
    others(&bench, "fix: more").await;
    bench.world.state().git.others_tag("v2.0.0");
    others(&bench, "fix: and more").await;
    assert_eq!(next(&bench).await, after("2.0.1", "2.0.0", 1));
    assert_ne!(bench.world.state().git.clone[TAG], own, "the clone has what the remote has");
}

#[tokio::test]
async fn what_somebody_else_pushed_after_a_push_in_doubt_counts() {
    let bench = bench().await;
    let release = start(&bench).await;
    look(&bench, release, "look").await;
    let dying = bench.other(Arc::new(Once(Point::BeforeAct("push"), false.into())));
    let died = bench.world.finish(dying.turn()).await;
    assert!(matches!(died, Err(EngineError::Crashed)), "{died:?}");
    let own = bench.world.state().git.clone[TAG].clone();
    abort(&bench, release).await;
    others(&bench, "fix: more").await;
    assert_eq!(next(&bench).await, after("2.0.1", "1.0.0", 2));
    assert!(!bench.world.state().git.clone.contains_key(TAG), "the remote does not have it");
    bench.world.state().git.others_tag("v2.0.0");
    others(&bench, "fix: and more").await;
    assert_eq!(next(&bench).await, after("2.0.1", "2.0.0", 1));
    assert_ne!(bench.world.state().git.clone[TAG], own, "the clone has what the remote has");
}

/// Ends the process at a point, once.
#[derive(Debug)]
struct Once(Point, std::sync::atomic::AtomicBool);

impl Inject for Once {
    fn at(&self, point: Point) -> Fault {
        let now = point == self.0 && !self.1.swap(true, std::sync::atomic::Ordering::SeqCst);
        if now { Fault::Crash } else { Fault::None }
    }
}

/// Neither the tag of another run, nor that of the run itself, which was made before.
#[tokio::test]
async fn a_changelog_made_anew_tells_of_no_tag_that_is_not_pushed() {
    let tag = StepKind::GitTag { message: None, sign: None };
    let mut definition =
        definition(vec![step("tag", tag), manual("look"), step("notes", StepKind::Changelog)]);
    definition.changelog.as_mut().unwrap().whole = true;
    let bench = Bench::new(definition, policy(vec![])).await;
    bench.world.state().git.others_tag("v1.0.0");
    others(&bench, "feat!: another world").await;
    start(&bench).await;
    others(&bench, "fix: something more").await;
    let release = bench.start("2.1.0").await;
    bench.settle().await;
    let clone = bench.world.state().git.clone.clone();
    assert!(clone.contains_key(TAG) && clone.contains_key("refs/tags/v2.1.0"));
    look(&bench, release, "look").await;
    bench.settle().await;
    let view = bench.view(release).await;
    let notes = view.release.candidates[0].notes.clone().unwrap_or_default().to_lowercase();
    assert!(notes.contains("another world") && notes.contains("something more"), "{notes}");
}

/// A process that dies in the push leaves nobody knowing; the version is not used again, and the remote says what counts.
#[tokio::test]
async fn after_a_push_in_doubt_the_remote_says_what_counts() {
    let cases = [
        (Point::BeforeAct("push"), after("2.0.1", "1.0.0", 2)),
        (Point::AfterAct("push"), after("2.0.1", "2.0.0", 1)),
    ];
    for (point, expected) in cases {
        let bench = bench().await;
        let release = start(&bench).await;
        look(&bench, release, "look").await;
        let dying = bench.other(Arc::new(Once(point, false.into())));
        let died = bench.world.finish(dying.turn()).await;
        assert!(matches!(died, Err(EngineError::Crashed)), "{died:?}");
        abort(&bench, release).await;
        others(&bench, "fix: more").await;
        assert_eq!(next(&bench).await, expected, "{point:?}");
        let plan = planned(&bench).await.unwrap();
        let told = plan.version.because.iter().any(|because| because.contains("2.0.0 was given up"));
        assert_eq!(told, expected.1 == "1.0.0", "{:?}", plan.version.because);
        // Nobody takes it by hand either.
        let by_hand = bench.plan_for(&Wanted::exactly("2.0.0")).await;
        assert!(by_hand.is_err(), "{point:?}");
        // What is not used again can be passed by whatever starts releases by itself.
        let next = start(&bench).await;
        look(&bench, next, "look").await;
        bench.settle().await;
        look(&bench, next, "last").await;
        assert!(bench.is_done(next).await);
    }
}

#[tokio::test]
async fn a_process_that_dies_while_the_tag_is_made_loses_nothing() {
    for point in [Point::BeforeAct("tag"), Point::AfterAct("tag")] {
        let bench = bench().await;
        let plan = planned(&bench).await.unwrap();
        let release = bench.engine.start(plan, None, &person("ann")).await.unwrap().0;
        let dying = bench.other(Arc::new(Once(point, false.into())));
        let died = bench.world.finish(dying.turn()).await;
        assert!(matches!(died, Err(EngineError::Crashed)), "{died:?}");
        abort(&bench, release).await;
        others(&bench, "fix: more").await;
        assert_eq!(next(&bench).await, after("2.0.1", "1.0.0", 2), "{point:?}");
    }
}

#[tokio::test]
async fn a_push_that_failed_in_passing_is_in_doubt() {
    let bench = bench().await;
    let release = start(&bench).await;
    look(&bench, release, "look").await;
    let failing = bench.other(Arc::new(Fails));
    bench.world.finish(failing.turn()).await.unwrap();
    let view = bench.view(release).await;
    let step = &view.release.runs[0].steps[&named("push")];
    assert_eq!(step.failures[0].1.class, FailureClass::Transient);
    abort(&bench, release).await;
    assert_eq!(next(&bench).await, after("2.0.1", "1.0.0", 1));
}

/// Lets every push fail.
#[derive(Debug)]
struct Fails;

impl Inject for Fails {
    fn at(&self, point: Point) -> Fault {
        if point == Point::BeforeAct("push") { Fault::Fail } else { Fault::None }
    }
}
