//! Many waiting runs: how much memory they cost, and how soon everything is back after a crash.

use std::sync::Arc;

use jiff::SignedDuration;
use tollgate_engine::Idle;
use tollgate_store::{OpenOptions, SqliteStore};

use crate::durable::{prepare, println_, start_all};
use crate::{Outcome, now, world};

pub(crate) async fn run(runs: usize) -> Outcome {
    let folder = tempfile::tempdir_in(".")?;
    let state = folder.path().join("state.db");
    {
        let store = Arc::new(SqliteStore::open(&state, OpenOptions::new())?);
        let (engine, _) = world::engine(store, folder.path());
        let (plan, actor) = prepare(&engine).await?;
        let began = now();
        start_all(&engine, &plan, &actor, runs).await?;
        engine.work(Idle::Within(SignedDuration::ZERO)).await?;
        println_(&format!("{runs} runs brought to their wait in {:.1} s", began.elapsed().as_secs_f64()));
    }
    let size = std::fs::metadata(&state)?.len() as f64 / 1e6;
    println_(&format!("the state is {size:.0} MB, {:.1} kB a run", size * 1e3 / runs as f64));
    // A fresh engine on the state that was left, as after a crash: until it knows that nothing is due.
    let began = now();
    let store = Arc::new(SqliteStore::open(&state, OpenOptions::new())?);
    let (engine, _) = world::engine(store, folder.path());
    engine.work(Idle::Within(SignedDuration::ZERO)).await?;
    println_(&format!("ready again after {:.3} s", began.elapsed().as_secs_f64()));
    println_(&format!("memory now {:.1} MiB, at most {:.1} MiB", memory("VmRSS")?, memory("VmHWM")?));
    Ok(())
}

/// A figure of this process, in MiB.
fn memory(what: &str) -> Result<f64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    let kib: f64 = line.and_then(|line| line.split_whitespace().next()).unwrap_or("0").parse()?;
    Ok(kib / 1024.0)
}
