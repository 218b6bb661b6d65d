//! Every path into an environment against every exemption of a freeze: what passes, what waits, what is asked.

use std::sync::Arc;

use tollgate_core::calendar::{Freeze, Only, Scope};
use tollgate_core::decide::{PolicyView, freeze};
use tollgate_core::journal::BlobId;
use tollgate_core::model::*;
use tollgate_core::plan::Plan;
use tollgate_core::state::PolicyState;
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::world::*;

/// A way into production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    /// A procedure that somebody started.
    Procedure,
    /// A procedure that a train started.
    Train,
    /// A procedure that releases hotfixes.
    Hotfix,
    /// One that calls itself so in its commit, and not in the rules in force.
    SelfMade,
    /// `tollgate promote`.
    ByHand,
    /// `tollgate promote` of what a procedure for hotfixes cut.
    HotfixByHand,
    /// A merge into the branch of the environment.
    Merge,
    /// `tollgate rollback`.
    Rollback,
}

/// What comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Passes,
    Waits,
    Asks,
}

use Answer::{Asks, Passes, Waits};
use Path::{ByHand, Hotfix, HotfixByHand, Merge, Procedure, Rollback, SelfMade, Train};

const PATHS: [Path; 8] = [Procedure, Train, Hotfix, SelfMade, ByHand, HotfixByHand, Merge, Rollback];

/// What passes for each exemption; everything else waits.
const TABLE: &[(&str, &[(Path, Answer)])] = &[
    ("", &[]),
    ("by-hand", &[(ByHand, Passes), (HotfixByHand, Passes), (Rollback, Passes)]),
    ("rollback", &[(Rollback, Passes)]),
    ("rollback with 1 approval", &[(Rollback, Asks)]),
    ("hotfix", &[(Hotfix, Passes), (HotfixByHand, Passes)]),
    ("hotfix with 1 approval", &[(Hotfix, Asks), (HotfixByHand, Asks)]),
    (
        "everything with 1 approval",
        &[
            (Procedure, Asks),
            (Train, Asks),
            (Hotfix, Asks),
            (SelfMade, Asks),
            (ByHand, Asks),
            (HotfixByHand, Asks),
            (Merge, Asks),
            (Rollback, Asks),
        ],
    ),
];

fn rules(path: Path) -> Policy {
    let thaw = Some(SignOff { by: group("ops"), count: 1 });
    let mut policy = Policy { thaw, ..policy() };
    if path == Merge {
        let merge = Deploy::Merge { branch: text("production"), how: MergeHow::FfOnly, by: None };
        policy = with_environment(policy, "production", |production| production.deploy = merge);
    }
    if matches!(path, Hotfix | HotfixByHand) {
        policy.hotfixes.insert(n("release"));
    }
    if path == Train {
        policy.trains.insert(n("weekly"), on_push());
    }
    policy
}

/// A train that starts `release`.
fn on_push() -> tollgate_core::model::Train {
    tollgate_core::model::Train {
        runs: n("release"),
        departs: Departs::Push,
        branch: "main".into(),
        line: None,
        url: None,
        late: Late::Ask,
        grace: GRACE,
        overlap: Overlap::Queue,
        heads_up: None,
    }
}

fn through(version: &str, policy: &Policy, hotfix: bool) -> Plan {
    let mut steps = cut();
    steps.extend([promote("stage"), promote("production")]);
    let mut definition = definition(steps);
    definition.procedures[0].hotfix = hotfix;
    let mut plan = plan_of(version, definition, policy);
    plan.authors.clear();
    plan
}

/// Starts a release on its path, with the freeze in force; gives its version and the step that deploys.
fn go(world: &mut World, policy: &Policy, path: Path, frozen: &Freeze) -> (&'static str, &'static str) {
    let hotfix = matches!(path, Hotfix | HotfixByHand | SelfMade);
    let (older, newer) = (through("1.8.0", policy, hotfix), through("1.9.0", policy, hotfix));
    if matches!(path, ByHand | HotfixByHand | Rollback) {
        let all = if path == Rollback { vec![&older, &newer] } else { vec![&older] };
        for plan in all {
            world.start(plan, "anna");
            world.settle(&plan.version.text);
        }
    }
    let view = PolicyView {
        service: n("shop"),
        state: PolicyState::default(),
        in_force: Some(policy.clone().into()),
    };
    let made = freeze(&view, frozen.clone(), false, &actor("eve"), world.now).unwrap();
    world.freezes.push(made.freeze);
    let plan = match path {
        ByHand | HotfixByHand => promotion(&older, "production", policy),
        Rollback => rollback(world, &older, "production", policy),
        _ => newer,
    };
    let version = if plan.version.text == "1.8.0" { "1.8.0" } else { "1.9.0" };
    match path {
        Train => {
            let by = tollgate_core::actor::Actor::Schedule(n("weekly"));
            let (run, blob) = (run_id(77), BlobId(plan.id()));
            let start = Stimulus::Start { run, plan: Arc::new(plan.clone()), blob };
            world.give(version, &by, &start).unwrap();
            world.releases.get_mut(version).unwrap().runs.push(run);
        }
        _ => drop(world.start(&plan, "anna")),
    }
    let deploy = match path {
        Rollback => "roll-back-production/deploy",
        _ => "promote-production/deploy",
    };
    for step in ["bump", "notes", "commit", "tag", "push", "promote-stage/deploy"] {
        let wanted = |world: &World| world.reached(version, step) && world.is(version, step) == "wanted";
        while wanted(world) {
            world.act_on(version, step);
        }
    }
    (version, deploy)
}

#[test]
fn a_freeze_covers_every_path_but_for_what_it_names() {
    for (exemption, expected) in TABLE {
        for path in PATHS {
            let policy = rules(path);
            let mut world = World::new(&policy);
            let scope = Scope { environments: Only::These([n("production")].into()), ..Scope::ALL };
            let end = world.now + hours(5);
            let exempt = (!exemption.is_empty()).then(|| exemption.parse().unwrap());
            let frozen = Freeze::new(scope, "the database is on fire", n("eve"), world.now, end).unwrap();
            let frozen = frozen.exempting(exempt.into_iter().collect());
            let (version, deploy) = go(&mut world, &policy, path, &frozen);
            let answer =
                expected.iter().find(|(other, _)| *other == path).map_or(Waits, |(_, answer)| *answer);
            let what = format!("{path:?} in a freeze that exempts `{exemption}`: {}", world.why(version));
            let goes =
                |world: &World| world.reached(version, deploy) && world.is(version, deploy) == "wanted";
            assert_eq!(goes(&world), answer == Passes, "{what}");
            // Asking is for those who can lift it, and for nobody else.
            let approved = world.approve(version, "carol", gate("production", "freeze-1"));
            match answer {
                Asks => assert!(approved.is_ok() && goes(&world), "{what}: {approved:?}"),
                Passes | Waits => assert!(approved.is_err(), "{what}"),
            }
            if answer == Waits {
                assert!(world.why(version).starts_with("freeze 1 by eve: the database is on fire"), "{what}");
                world.now = end;
                world.wake(version);
                assert!(goes(&world), "{what}");
            }
        }
    }
}
