//! A tag that is pushed anew: what was approved is deployed, or nothing.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use tollgate_core::event::ApprovalTarget;
use tollgate_core::explain::explain;
use tollgate_core::ids::ReleaseId;
use tollgate_core::model::{
    Deploy, Environment, FactAsk, FactGate, FactRead, FactSpec, FactWait, Gate, GateKind, StepKind, Template,
};
use tollgate_core::view::Stimulus;
use tollgate_engine::store::Store;

use crate::bench::{Bench, approval, definition, environment, manual, named, policy, promote, shell, step};

const IMAGE: &str = "https://registry.sim/v1.0.0";

fn image() -> FactSpec {
    let ask = FactAsk::Http {
        url: Template("https://registry.sim/{{ tag }}".into()),
        query: None,
        headers: BTreeMap::new(),
        secrets: BTreeMap::new(),
        bearer: None,
    };
    let mins = SignedDuration::from_mins;
    FactSpec {
        name: Some(named("image")),
        ask,
        read: FactRead::Text,
        about: None,
        every: mins(1),
        valid: mins(5),
        timeout: mins(1),
    }
}

fn digest(of: char) -> String {
    format!("sha256:{}", of.to_string().repeat(64))
}

/// Production with an approval, somebody who is told before the deployment, and the image that has to be what was found.
fn production() -> Environment {
    let timeout = SignedDuration::from_mins(20);
    let mut production = environment(Deploy::Command { shell: shell("deploy once"), timeout });
    let of = BTreeMap::from([(named("app"), image())]);
    let images = GateKind::Fact(FactGate::Artifacts(of));
    production.gates.insert(named("good"), approval(1));
    production.gates.insert(named("images"), Gate::new(images));
    production.before = vec![manual("tell")];
    production
}

async fn released() -> (Bench, ReleaseId) {
    let wait = StepKind::Wait(FactWait::Artifact { digest: Box::new(image()), component: named("app") });
    let steps = vec![
        step("tag", StepKind::GitTag { message: None, sign: None }),
        step("image", wait),
        promote("production"),
    ];
    let bench = Bench::new(definition(steps), policy(vec![("production", production())])).await;
    bench.world.state().fact(IMAGE, Some(&digest('a')));
    let release = bench.start("1.0.0").await;
    pass(&bench, 0).await;
    (bench, release)
}

/// What is due is done, until so many minutes have passed.
async fn pass(bench: &Bench, minutes: i64) {
    let until = bench.world.now() + SignedDuration::from_mins(minutes);
    for _ in 0..200 {
        bench.turn().await;
        match bench.store.next_due().await.unwrap() {
            Some(due) if due <= until => bench.world.advance(due.max(bench.world.now())),
            _ => break,
        }
    }
    bench.world.advance(until.max(bench.world.now()));
    bench.turn().await;
}

async fn approve(bench: &Bench, release: ReleaseId) {
    let target = ApprovalTarget::Gate(named("production"), named("good"));
    bench.submit(release, "bob", Stimulus::Approve { target, note: None }).await.unwrap();
}

async fn told(bench: &Bench, release: ReleaseId) {
    let (run, step) = (bench.run(release).await, named("promote-production/tell"));
    let done = Stimulus::Done { run, step, evidence: None, outputs: BTreeMap::new() };
    bench.submit(release, "bob", done).await.unwrap();
}

async fn why(bench: &Bench, release: ReleaseId) -> String {
    let holdings = explain(&bench.view(release).await, bench.world.now());
    holdings.iter().map(|one| format!("{}: {}", one.hold.what, one.hold.why)).collect::<Vec<_>>().join("\n")
}

fn deployed(bench: &Bench) -> usize {
    bench.world.state().started.len()
}

#[tokio::test]
async fn what_was_approved_is_deployed() {
    let (bench, release) = released().await;
    approve(&bench, release).await;
    pass(&bench, 0).await;
    told(&bench, release).await;
    pass(&bench, 30).await;
    assert!(bench.is_done(release).await, "{}", why(&bench, release).await);
    assert_eq!(deployed(&bench), 1);
}

/// Whenever the tag is pushed anew: before the approval, or when the gates were open already and people had something to do.
#[tokio::test]
async fn what_was_pushed_anew_is_never_deployed() {
    for when in ["before the yes", "when the gates were open"] {
        let (bench, release) = released().await;
        let push = || bench.world.state().fact(IMAGE, Some(&digest('b')));
        if when == "before the yes" {
            push();
            pass(&bench, 2).await;
        }
        approve(&bench, release).await;
        if when != "before the yes" {
            pass(&bench, 0).await;
            assert!(why(&bench, release).await.contains("Do it."), "{when}: {}", why(&bench, release).await);
            push();
            // Nobody looks in between: the next look is the one before the deployment.
            bench.world.advance(bench.world.now() + SignedDuration::from_secs(1));
            told(&bench, release).await;
        }
        pass(&bench, 60 * 24).await;
        assert_eq!(deployed(&bench), 0, "{when}");
        let why = why(&bench, release).await;
        let names =
            ["artifacts `images` of production", "`app`", &digest('a'), &digest('b'), "tollgate respin"];
        assert!(names.iter().all(|name| why.contains(name)), "{when}: {why}");
        bench.world.state().fact(IMAGE, Some(&digest('a')));
        pass(&bench, 2).await;
        if when == "before the yes" {
            told(&bench, release).await;
        }
        pass(&bench, 30).await;
        assert_eq!(deployed(&bench), 1, "{when}: it was put back");
    }
}

/// A registry that answers nothing, or something that is no digest.
#[tokio::test]
async fn without_an_answer_nothing_is_deployed() {
    for answer in [None, Some("latest")] {
        let (bench, release) = released().await;
        approve(&bench, release).await;
        pass(&bench, 0).await;
        bench.world.state().fact(IMAGE, answer);
        pass(&bench, 10).await;
        told(&bench, release).await;
        pass(&bench, 60).await;
        assert_eq!(deployed(&bench), 0);
        assert!(why(&bench, release).await.starts_with("artifacts `images` of production: `image` "));
    }
}
