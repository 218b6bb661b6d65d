//! Labels that are asked for by a command.

use jiff::SignedDuration;
use tollgate_core::model::{BumpSource, FactAsk, FactRead};
use tollgate_core::pulls::{LabelRules, Unlabelled};
use tollgate_engine::EngineError;
use tollgate_engine::planning::Origin;
use tollgate_engine::versioning::Wanted;

use crate::bench::{Bench, definition, manual, named, policy, shell};

#[tokio::test(start_paused = true)]
async fn a_command_that_nobody_waits_for_any_more_is_ended() {
    let mut definition = definition(vec![manual("look")]);
    let next = &mut definition.version.next;
    next.bump = BumpSource::Labels;
    next.labels = Some(Box::new(LabelRules {
        ask: FactAsk::Command(shell("labels json")),
        read: FactRead::Text,
        timeout: SignedDuration::from_hours(1),
        types: Default::default(),
        other: Unlabelled::Ask,
    }));
    let bench = Bench::new(definition.clone(), policy(vec![])).await;
    let now = bench.world.now();
    bench.world.state().git.others_commit("main", "fay@example.org", "feat: gift cards (#12)", now);
    bench.world.state().faults.command_hangs = 1000;
    let origin = Origin { url: "sim://repository".into(), checkout: None, folder: Some("/sim".into()) };
    let surveyed = bench.world.finish(bench.engine.survey(&named("svc"), origin, "main")).await.unwrap();
    // Time passes outside of the world alone: in it, the command goes on and on.
    let (name, wanted) = (named("release"), Wanted::default());
    let refused = bench.engine.plan(&surveyed, &definition, &bench.policy, &name, &wanted).await.unwrap_err();
    assert!(matches!(&refused, EngineError::Planning(_)), "{refused:?}");
    assert!(refused.to_string().contains("within 300 seconds"), "{refused}");
    let state = bench.world.state();
    assert_eq!(state.started.len(), 1);
    assert_eq!(state.started[0].ended.as_ref().and_then(|exit| exit.signal), Some(15));
    assert_eq!(state.running().count(), 0);
    assert!(state.violations.is_empty(), "{:?}", state.violations);
}
