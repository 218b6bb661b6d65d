//! How long it takes to say what holds releases that wait at many gates, read from the store as `tollgate why` and `inbox` do.

use std::hint::black_box;
use std::sync::Arc;

use jiff::SignedDuration;
use tollgate_core::explain::explain;
use tollgate_engine::Idle;
use tollgate_store::{OpenOptions, SqliteStore};

use crate::durable::{prepare_with, println_, start_all};
use crate::{Outcome, now, world};

/// Ten gates that wait for people, four of which have people in common.
const PROCEDURE: &str = r#"
tollgate: 1
service: bench
repository: { url: "/nowhere", branch: main }
version: { format: X.Y.Z }
people: { ana: {}, ben: {}, cas: {}, dan: {}, eva: {}, fay: {} }
groups: { team: [ana, ben, cas, dan, eva, fay], ops: [cas, dan, eva], leads: [eva, fay], qa: [dan] }
environments:
  dev:
    deploy: { manual: Deploy it }
    gates:
      any: { approval: { count: 1 }, by: team }
      ops: { approval: { count: 1 }, by: ops }
      lead: { approval: { count: 1 }, by: leads }
      quality: { approval: { count: 1 }, by: qa }
      quiet: { ask: "No incident?", valid: 4h }
      rested: { ask: "Is everybody rested?" }
      told: { ask: "Are the customers told?", by: leads }
      docs: { ask: "Are the docs there?", by: team }
      support: { ask: "Does support know?" }
      list:
        checklist: [{ id: cart, do: The cart. }, { id: pay, do: Paying. }]
        by: ops
procedures:
  release:
    steps: [{ promote: dev }]
"#;
/// Gates of each release.
const GATES: usize = 10;
/// How often each is measured.
const TIMES: usize = 21;

pub(crate) async fn run(gates: usize) -> Outcome {
    let folder = tempfile::tempdir_in(".")?;
    let store = Arc::new(SqliteStore::open(folder.path().join("state.db"), OpenOptions::new())?);
    let (engine, _) = world::engine(store, folder.path());
    let (plan, actor) = prepare_with(&engine, PROCEDURE).await?;
    let releases = start_all(&engine, &plan, &actor, gates.div_ceil(GATES)).await?;
    engine.work(Idle::Within(SignedDuration::ZERO)).await?;
    let service = "bench".parse()?;
    let (mut one, mut told, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..TIMES {
        let release = releases[turn * 7 % releases.len()];
        let began = now();
        let view = engine.view(&service, release).await?;
        black_box(explain(&view, engine.world.clock.now()));
        one.push(began.elapsed());
        black_box(engine.forecast(&view).await?);
        told.push(began.elapsed());
        let began = now();
        let mut held = 0;
        for row in engine.unfinished(&service).await? {
            let view = engine.view(&service, row.release).await?;
            held += explain(&view, engine.world.clock.now()).len();
        }
        all.push(began.elapsed());
        if held != releases.len() * GATES {
            return Err(format!("{held} gates are closed, and not {}", releases.len() * GATES).into());
        }
    }
    let median = |mut times: Vec<std::time::Duration>| {
        times.sort();
        times[TIMES / 2].as_secs_f64() * 1e3
    };
    let (count, held) = (releases.len(), releases.len() * GATES);
    println_(&format!(
        "{count} releases wait at {held} gates, read from the store each time (medians of {TIMES})"
    ));
    println_(&format!(
        "what holds one of them: {:.2} ms, with its forecast {:.2} ms",
        median(one),
        median(told)
    ));
    println_(&format!("what holds all of them: {:.1} ms", median(all)));
    Ok(())
}
