//! What lists say of a release of which no run is under way.

use std::collections::BTreeMap;

use tollgate_core::ids::ReleaseId;
use tollgate_core::model::{Deploy, Template};
use tollgate_core::plan::{Items, PROMOTION, Plan, unfold_promotion};
use tollgate_core::view::Stimulus;
use tollgate_engine::ReleaseRow;

use crate::bench::{Bench, definition, environment, manual, named, person, policy};

async fn row(bench: &Bench, release: ReleaseId) -> ReleaseRow {
    bench.engine.release_row(&named("svc"), release).await.unwrap().unwrap()
}

async fn give_up(bench: &Bench, release: ReleaseId) {
    let run = bench.run(release).await;
    bench.submit(release, "bob", Stimulus::Abort { run, why: "enough".into() }).await.unwrap();
}

#[tokio::test]
async fn a_release_that_ended_well_stays_done_when_a_promotion_of_it_is_given_up() {
    let by_hand = environment(Deploy::Manual { instruction: Template("Deploy.".into()), by: None });
    let rules = policy(vec![("stage", by_hand)]);
    let steps = vec![crate::bench::step("tag", tag()), manual("look")];
    let bench = Bench::new(definition(steps), rules.clone()).await;
    let plan = bench.plan("1.0.0").await;
    let (release, _) = bench.engine.start(plan.clone(), None, &person("ann")).await.unwrap();
    bench.settle().await;
    let (run, step) = (bench.run(release).await, named("look"));
    let done = Stimulus::Done { run, step, evidence: None, outputs: BTreeMap::new() };
    bench.submit(release, "bob", done).await.unwrap();
    bench.settle().await;
    let before = row(&bench, release).await;
    assert_eq!((before.status.as_str(), before.at.as_str(), before.progress), ("done", "", (2, 2)));

    let items = Items { changes: &[], changes_total: 0, components: Vec::new() };
    let steps = unfold_promotion(&named("stage"), &rules, &items).unwrap();
    let promotion = Plan { procedure: named(PROMOTION), steps, ..(*plan).clone() };
    bench.engine.start(promotion.into(), Some(release), &person("ann")).await.unwrap();
    bench.settle().await;
    assert_eq!(row(&bench, release).await.status, "waiting");
    give_up(&bench, release).await;
    let after = row(&bench, release).await;
    assert_eq!(
        (after.status.as_str(), after.at.as_str()),
        ("done", "a `promotion` after it was given up: enough")
    );
    assert_eq!((after.procedure, after.progress), (before.procedure, before.progress));
}

fn tag() -> tollgate_core::model::StepKind {
    tollgate_core::model::StepKind::GitTag { message: None, sign: None }
}

#[tokio::test]
async fn one_that_never_ended_well_is_aborted() {
    let bench = Bench::new(definition(vec![manual("look")]), policy(vec![])).await;
    let release = bench.start("1.0.0").await;
    give_up(&bench, release).await;
    let row = row(&bench, release).await;
    assert_eq!((row.status.as_str(), row.at.as_str()), ("aborted", "enough"));
}
