//! Every act repeated, failed, and cut off at every point.

use std::sync::Arc;

use tollgate_core::model::{
    Deploy, Environment, FactGate, Gate, GateKind, GitCheck, GitCherryPick, GitMerge, GitVerify, MergeHow,
    MergeWay, Message, Recipient, Step, StepKind, Template,
};
use tollgate_core::signatures::Signers;
use tollgate_engine::inject::{Fault, Inject, Point};
use tollgate_engine::ports::Checkout;
use tollgate_testkit::world::Git;

use crate::bench::{Bench, Nth, definition, environment, named, policy, probe, promote, shell, step};

/// Every kind of act.
const KINDS: [&str; 13] = [
    "check-copy",
    "cherry-pick",
    "merge-from",
    "edit-version",
    "edit-changelog",
    "commit",
    "tag",
    "verify",
    "prepare-merge",
    "push",
    "merge-into",
    "run",
    "mail",
];

/// A procedure with every kind of act.
fn everything() -> Vec<Step> {
    let message = Message {
        via: named("mail"),
        to: vec![Recipient::Address("all@example.org".into())],
        subject: Template("{{ version }}".into()),
        body: Template("It is out.".into()),
    };
    let commits = vec![Template(Git::new().remote["refs/heads/develop"].to_string())];
    let into = |way, later| {
        let (how, sign) = (MergeHow::NoFf, Some(true));
        StepKind::GitMerge(GitMerge { way, how, message: None, sign, later })
    };
    let merge = |way| into(way, false);
    vec![
        step("check", StepKind::GitCheck(GitCheck { branch: None, clean: true, in_sync: true })),
        step("branch", StepKind::GitBranch { name: Template("release/{{ version }}".into()) }),
        step("pick", StepKind::GitCherryPick(GitCherryPick { commits, mainline: None, sign: Some(true) })),
        step("bring-in", merge(MergeWay::From("feature".into()))),
        step("bump", StepKind::VersionBump),
        step("changelog", StepKind::Changelog),
        step("commit", StepKind::GitCommit { message: Template("{{ version }}".into()), sign: Some(true) }),
        step("tag", StepKind::GitTag { message: None, sign: Some(true) }),
        step("verify", StepKind::GitVerify(signed_tag())),
        step("join", into(MergeWay::Into(Template("next".into())), true)),
        step("push", StepKind::GitPush { branch: true, tag: true }),
        step("merge-back", merge(MergeWay::Into(Template("develop".into())))),
        step("work", StepKind::Shell(shell("work once"))),
        promote("stage"),
        step("mail", StepKind::Message(message)),
    ]
}

fn signed_tag() -> GitVerify {
    let signers = Signers::parse("signers", &"A".repeat(40)).unwrap();
    GitVerify { tag: true, commits: false, signers }
}

fn stage() -> Environment {
    let timeout = jiff::SignedDuration::from_mins(20);
    let mut stage = environment(Deploy::Command { shell: shell("deploy once"), timeout });
    stage.probe = Some(probe("stage"));
    let signed = GateKind::Fact(FactGate::Signed(Box::new(signed_tag())));
    stage.gates.insert(named("genuine"), Gate::new(signed));
    stage
}

async fn bench() -> Bench {
    let bench = Bench::new(definition(everything()), policy(vec![("stage", stage())])).await;
    let now = bench.world.now();
    let mut state = bench.world.state();
    state.git.others_commit("next", "fay@example.org", "feat: what comes next", now);
    state.git.others_commit("feature", "fay@example.org", "feat: a feature", now);
    let head = state.git.remote.get("refs/heads/main").cloned();
    state.git.checkout = Some(Checkout {
        root: "/sim/checkout".into(),
        branch: Some("main".into()),
        head,
        dirty: Vec::new(),
        remote_url: None,
        shallow: false,
    });
    drop(state);
    bench
}

/// What stands in the world at the end, once each.
async fn check_once(bench: &Bench, case: &str) {
    let state = bench.world.state();
    assert!(state.violations.is_empty(), "{case}: {:?}", state.violations);
    assert_eq!(state.started.len(), 2, "{case}: {:?}", state.started);
    assert_eq!(state.mail.values().copied().collect::<Vec<_>>(), [1], "{case}");
    let written: Vec<&str> = state.git.written.iter().map(|(name, _)| name.as_str()).collect();
    let wanted = ["refs/heads/release/1.0.0", "refs/tags/v1.0.0", "refs/heads/next", "refs/heads/develop"];
    assert_eq!(written, wanted, "{case}");
    let released = &state.git.remote["refs/heads/release/1.0.0"];
    for branch in ["next", "develop"] {
        assert_eq!(state.git.merged_into(branch), std::slice::from_ref(released), "{case}: {branch}");
    }
    assert!(state.git.contains(released, &state.git.remote["refs/heads/feature"]), "{case}");
    assert!(!state.git.contains(released, &Git::new().remote["refs/heads/develop"]), "{case}");
}

/// A fault at one kind of point.
#[derive(Debug)]
struct At(Point, Fault);

impl Inject for At {
    fn at(&self, point: Point) -> Fault {
        if point == self.0 { self.1 } else { Fault::None }
    }
}

#[tokio::test]
async fn every_act_can_be_repeated() {
    for kind in KINDS {
        let bench = bench().await;
        let release = bench.start("1.0.0").await;
        let engine = bench.other(Arc::new(At(Point::BeforeAct(kind), Fault::Repeat)));
        bench.settle_with(|| engine.clone()).await;
        assert!(bench.is_done(release).await, "{kind}");
        check_once(&bench, kind).await;
    }
}

#[tokio::test]
async fn every_commit_can_be_handed_in_twice() {
    let bench = bench().await;
    let release = bench.start("1.0.0").await;
    let engine = bench.other(Arc::new(At(Point::BeforeCommit, Fault::Repeat)));
    bench.settle_with(|| engine.clone()).await;
    assert!(bench.is_done(release).await);
    check_once(&bench, "commits").await;
}

/// Carries a release through with one fault at every point there is; gives how many there are.
async fn at_every_point(fault: Fault) -> u64 {
    for at in 1.. {
        let bench = bench().await;
        let release = bench.start("1.0.0").await;
        let nth = Nth::new(at, fault);
        bench.settle_with(|| bench.other(nth.clone())).await;
        assert!(bench.is_done(release).await, "{fault:?} at point {at}");
        check_once(&bench, &format!("{fault:?} at point {at}")).await;
        assert!(bench.engine.reconcile().await.unwrap().is_empty(), "{fault:?} at point {at}");
        if nth.passed() < at {
            return at - 1;
        }
    }
    unreachable!()
}

#[tokio::test]
async fn a_crash_at_any_point_loses_and_doubles_nothing() {
    assert!(at_every_point(Fault::Crash).await > 40);
}

#[tokio::test]
async fn an_act_that_fails_once_is_done_all_the_same() {
    for kind in KINDS {
        let bench = bench().await;
        let release = bench.start("1.0.0").await;
        let failing = bench.other(Arc::new(At(Point::BeforeAct(kind), Fault::Fail)));
        let mut engines = vec![bench.engine.clone(), failing];
        // One turn with the fault after another, then without it.
        for _ in 0..30 {
            let engine = engines[1].clone();
            let before = bench.view(release).await.release.clone();
            bench.world.finish(engine.turn()).await.unwrap();
            let after = bench.view(release).await.release;
            let failed = |state: &tollgate_core::state::ReleaseState| {
                state.runs[0].steps.values().map(|step| step.failed_tries).sum::<u32>()
            };
            if failed(&after) > failed(&before) {
                break;
            }
        }
        engines.truncate(1);
        bench.settle().await;
        assert!(bench.is_done(release).await, "{kind}");
        check_once(&bench, kind).await;
    }
}
