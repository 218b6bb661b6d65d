//! Deployments by merges into the branch that an environment runs.

use tollgate_core::event::RunOutcome;
use tollgate_core::explain::explain;
use tollgate_core::ids::ReleaseId;
use tollgate_core::model::{Deploy, MergeHow, Template};
use tollgate_core::state::RunStatus;

use crate::bench::{Bench, definition, environment, named, person, policy, promote};

/// Releases that are deployed by a merge into `live`, one after the other.
async fn merged(how: MergeHow, versions: &[&str]) -> (Bench, Vec<ReleaseId>) {
    let branch = Template("live".into());
    let production = environment(Deploy::Merge { branch, how, by: None });
    let bench =
        Bench::new(definition(vec![promote("production")]), policy(vec![("production", production)])).await;
    let first = bench.world.state().git.remote["refs/heads/main"].clone();
    bench.world.state().git.remote.insert("refs/heads/live".into(), first);
    let mut releases = Vec::new();
    for version in versions {
        let now = bench.world.now();
        let title = format!("feat: what {version} is for");
        bench.world.state().git.others_commit("main", "fay@example.org", &title, now);
        releases.push(bench.start(version).await);
        bench.settle().await;
        let release = *releases.last().unwrap();
        let held = explain(&bench.view(release).await, bench.world.now());
        assert!(bench.is_done(release).await, "{how:?} {version}: {held:?}");
    }
    (bench, releases)
}

/// Promotes a release once more; gives how its run ended, or what holds it.
async fn promoted(bench: &Bench, release: ReleaseId) -> Result<RunOutcome, String> {
    let state = bench.view(release).await.release;
    let plan = bench.engine.plan_promotion(&state, &bench.policy, &named("production")).await.unwrap();
    bench.engine.start(plan.into(), Some(release), &person("ann")).await.unwrap();
    bench.settle().await;
    let view = bench.view(release).await;
    match &view.release.runs.last().unwrap().status {
        RunStatus::Finished { outcome, .. } => Ok(outcome.clone()),
        _ => Err(explain(&view, bench.world.now())[0].hold.why.clone()),
    }
}

#[tokio::test]
async fn what_is_at_the_end_of_the_branch_is_found_and_what_is_below_others_is_refused() {
    for how in [MergeHow::FfOnly, MergeHow::NoFf] {
        let (bench, releases) = merged(how, &["1.0.0", "1.1.0"]).await;
        let written = bench.world.state().git.written.len();
        assert_eq!(promoted(&bench, releases[1]).await, Ok(RunOutcome::Done), "{how:?}");
        let why = promoted(&bench, releases[0]).await.unwrap_err();
        assert!(why.starts_with("`live` has 1.0.0 ("), "{how:?}: {why}");
        assert!(why.contains("“feat: what 1.1.0 is for”"), "{how:?}: {why}");
        assert!(why.contains("a merge takes no commit away"), "{how:?}: {why}");
        assert_eq!(bench.world.state().git.written.len(), written, "{how:?}: nothing is pushed");
    }
}

#[tokio::test]
async fn what_somebody_put_on_top_is_named() {
    let (bench, releases) = merged(MergeHow::NoFf, &["1.0.0"]).await;
    let now = bench.world.now();
    for n in 1..=5 {
        let title = format!("fix: by hand, {n}");
        bench.world.state().git.others_commit("live", "fay@example.org", &title, now);
    }
    let why = promoted(&bench, releases[0]).await.unwrap_err();
    assert!(why.contains("“fix: by hand, 5”") && why.contains(" and 3 more;"), "{why}");
}
