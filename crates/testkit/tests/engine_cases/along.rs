//! Merges that go out in one push with the branch and the tag.

use std::sync::{Arc, Mutex};

use tollgate_core::act::Outcome;
use tollgate_core::event::StepResult;
use tollgate_core::explain::explain;
use tollgate_core::ids::ReleaseId;
use tollgate_core::model::{GitMerge, MergeHow, MergeWay, Step, StepKind, Template};
use tollgate_core::state::StepStatus;
use tollgate_core::view::Stimulus;
use tollgate_engine::inject::{Fault, Inject, Point};

use crate::bench::{Bench, Nth, definition, manual, named, policy, step};

const BRANCH: &str = "refs/heads/release/1.0.0";
const TAG: &str = "refs/tags/v1.0.0";
const DEVELOP: &str = "refs/heads/develop";

/// A cut that goes back to where development is; somebody looks at it between the merge and the push.
fn steps(how: MergeHow) -> Vec<Step> {
    let way = MergeWay::Into(Template("develop".into()));
    vec![
        step("branch", StepKind::GitBranch { name: Template("release/{{ version }}".into()) }),
        step("bump", StepKind::VersionBump),
        step("commit", StepKind::GitCommit { message: Template("{{ version }}".into()), sign: None }),
        step("tag", StepKind::GitTag { message: None, sign: None }),
        step("merge", StepKind::GitMerge(GitMerge { way, how, message: None, sign: None, later: true })),
        manual("look"),
        step("push", StepKind::GitPush { branch: true, tag: true }),
    ]
}

/// A release whose merge is made and not pushed.
async fn made(how: MergeHow) -> (Bench, ReleaseId) {
    let bench = Bench::new(definition(steps(how)), policy(vec![])).await;
    if how == MergeHow::FfOnly {
        let main = bench.world.state().git.remote["refs/heads/main"].clone();
        bench.world.state().git.remote.insert(DEVELOP.into(), main);
    }
    let release = bench.start("1.0.0").await;
    bench.settle().await;
    assert_eq!(bench.world.state().git.written, [], "nothing is public yet");
    (bench, release)
}

async fn look(bench: &Bench, release: ReleaseId) {
    let run = bench.run(release).await;
    let done = Stimulus::Done { run, step: named("look"), evidence: None, outputs: Default::default() };
    bench.submit(release, "bob", done).await.unwrap();
}

fn others(bench: &Bench, title: &str) {
    let now = bench.world.now();
    bench.world.state().git.others_commit("develop", "fay@example.org", title, now);
}

/// What was written to the remote, in order.
fn written(bench: &Bench) -> Vec<String> {
    bench.world.state().git.written.iter().map(|(name, _)| name.clone()).collect()
}

async fn held(bench: &Bench, release: ReleaseId) -> String {
    let view = bench.view(release).await;
    let holding = explain(&view, bench.world.now());
    holding.first().map(|one| format!("{} {:?}", one.hold.why, one.hold.how)).unwrap_or_default()
}

async fn retry(bench: &Bench, release: ReleaseId, step: &str) {
    let run = bench.run(release).await;
    bench.submit(release, "ann", Stimulus::Retry { run, step: named(step) }).await.unwrap();
    bench.settle().await;
}

/// Everything is there, and develop has the release and what others did.
async fn check_whole(bench: &Bench, release: ReleaseId, case: &str) {
    assert!(bench.is_done(release).await, "{case}: {}", held(bench, release).await);
    assert_eq!(written(bench), [BRANCH, TAG, DEVELOP], "{case}");
    let state = bench.world.state();
    let released = &state.git.remote[BRANCH];
    assert!(state.git.contains(&state.git.remote[DEVELOP], released), "{case}");
}

#[tokio::test]
async fn what_was_made_is_what_is_pushed() {
    for how in [MergeHow::NoFf, MergeHow::FfOnly] {
        let (bench, release) = made(how).await;
        let view = bench.view(release).await;
        let StepStatus::Done { result: StepResult::Act(outcome), .. } =
            &view.release.runs[0].steps[&named("merge")].status
        else {
            panic!()
        };
        let Outcome::MergePrepared { commit, found: false, .. } = outcome.clone() else { panic!() };
        look(&bench, release).await;
        bench.settle().await;
        check_whole(&bench, release, &format!("{how:?}")).await;
        assert_eq!(bench.world.state().git.remote[DEVELOP], commit, "{how:?}");
    }
}

#[tokio::test]
async fn a_branch_that_moved_on_gets_the_merge_on_top() {
    let (bench, release) = made(MergeHow::NoFf).await;
    others(&bench, "feat: in between");
    let theirs = bench.world.state().git.remote[DEVELOP].clone();
    look(&bench, release).await;
    bench.settle().await;
    check_whole(&bench, release, "moved on").await;
    let state = bench.world.state();
    assert!(state.git.contains(&state.git.remote[DEVELOP], &theirs));
}

/// What somebody took from the branch after the merge was made does not come back with it.
#[tokio::test]
async fn what_was_taken_from_a_branch_stays_away() {
    let bench = Bench::new(definition(steps(MergeHow::NoFf)), policy(vec![])).await;
    let before = bench.world.state().git.remote[DEVELOP].clone();
    others(&bench, "feat: what nobody should see");
    let taken = bench.world.state().git.remote[DEVELOP].clone();
    let release = bench.start("1.0.0").await;
    bench.settle().await;
    bench.world.state().git.remote.insert(DEVELOP.into(), before);
    look(&bench, release).await;
    bench.settle().await;
    check_whole(&bench, release, "set back").await;
    let state = bench.world.state();
    assert!(!state.git.contains(&state.git.remote[DEVELOP], &taken));
}

/// Where it cannot be had on what is there now, nothing of the push is: neither the branch nor the tag.
#[tokio::test]
async fn what_no_longer_goes_together_holds_everything() {
    let (bench, release) = made(MergeHow::FfOnly).await;
    others(&bench, "feat: in between");
    look(&bench, release).await;
    bench.settle().await;
    assert!(held(&bench, release).await.contains("`develop` cannot simply be moved on to 1.0.0"));
    assert_eq!(written(&bench), [] as [String; 0]);
    // The branch is set back by whoever looks after it, and the merge made anew.
    let main = bench.world.state().git.remote["refs/heads/main"].clone();
    bench.world.state().git.remote.insert(DEVELOP.into(), main);
    retry(&bench, release, "push").await;
    check_whole(&bench, release, "retried").await;
}

/// What others do in a way that does not go together is told before anything is public, with whom to ask and what then happens.
#[tokio::test]
async fn a_conflict_in_between_is_told_and_made_anew() {
    let (bench, release) = made(MergeHow::NoFf).await;
    let now = bench.world.now();
    let edited = {
        let state = bench.world.state();
        let written = state.git.remote[DEVELOP].clone();
        drop(state);
        written
    };
    let file = definition(Vec::new()).version.files[0].path.clone();
    bench.world.state().git.others_write(
        "develop",
        (&file, "0.9.9\n"),
        "fay@example.org",
        "chore: mine",
        now,
    );
    look(&bench, release).await;
    bench.settle().await;
    let why = held(&bench, release).await;
    assert!(why.contains("does not merge cleanly into `develop`"), "{why}");
    assert!(why.contains("nothing is pushed before it does"), "{why}");
    assert!(why.contains("the merge is made anew"), "{why}");
    assert_eq!(written(&bench), [] as [String; 0]);
    bench.world.state().git.remote.insert(DEVELOP.into(), edited);
    retry(&bench, release, "push").await;
    check_whole(&bench, release, "retried").await;
}

/// A branch that only pull requests may change holds the tag back too.
#[tokio::test]
async fn one_branch_that_is_declined_declines_all() {
    let (bench, release) = made(MergeHow::NoFf).await;
    bench.world.state().git.declined.insert(DEVELOP.into());
    look(&bench, release).await;
    bench.settle().await;
    let why = held(&bench, release).await;
    assert!(why.contains("the branch is locked") && why.contains("only pull requests"), "{why}");
    assert_eq!(written(&bench), [] as [String; 0]);
    bench.world.state().git.declined.clear();
    retry(&bench, release, "push").await;
    check_whole(&bench, release, "unlocked").await;
}

/// Others have pushed to the branch, and the process dies at every point in turn.
#[tokio::test]
async fn whoever_dies_when_it_goes_out_once() {
    for at in 1.. {
        let (bench, release) = made(MergeHow::NoFf).await;
        others(&bench, "feat: in between");
        look(&bench, release).await;
        let nth = Nth::new(at, Fault::Crash);
        bench.settle_with(|| bench.other(nth.clone())).await;
        check_whole(&bench, release, &format!("at point {at}")).await;
        assert_eq!(bench.world.state().git.merged_into("develop").len(), 1, "at point {at}");
        if nth.passed() < at {
            assert!(at > 3, "it passes no points");
            return;
        }
    }
}

/// Somebody pushes to the branch after its merge was pushed and before anybody heard of it.
#[tokio::test]
async fn what_was_pushed_unheard_is_found_below_what_others_did() {
    let (bench, release) = made(MergeHow::NoFf).await;
    look(&bench, release).await;
    let theirs = bench.clone();
    let dies = Arc::new(Dies(Mutex::new(Some(Box::new(move || others(&theirs, "feat: right after"))))));
    bench.settle_with(|| bench.other(dies.clone())).await;
    assert!(dies.0.lock().unwrap().is_none());
    check_whole(&bench, release, "unheard").await;
}

/// Does something right after the first push, and dies before it is heard of.
struct Dies(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl std::fmt::Debug for Dies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dies").finish_non_exhaustive()
    }
}

impl Inject for Dies {
    fn at(&self, point: Point) -> Fault {
        let deed = (point == Point::AfterAct("push")).then(|| self.0.lock().unwrap().take()).flatten();
        match deed {
            None => Fault::None,
            Some(deed) => {
                deed();
                Fault::Crash
            }
        }
    }
}
