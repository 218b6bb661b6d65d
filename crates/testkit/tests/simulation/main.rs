//! The whole, simulated: teams, releases, faults and crashes by chance, from one seed each.
//!
//! `TOLLGATE_SEEDS` says how many seeds are tried, `TOLLGATE_SEED` which single one.

mod checks;
mod drive;
mod facts;
mod finish;
mod happenings;
mod judge;
mod notices;
mod oracle;
mod people;
mod respins;
mod risks;
mod rollbacks;
mod signed;
mod spoils;
mod team;
mod timing;
mod trains;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use drive::{Ended, Sim};
use tollgate_engine::store::Store;
use tollgate_store::{OpenOptions, SqliteStore, verify_file};
use tollgate_testkit::MemoryStore;

/// How many seeds are tried when nothing is said.
const SEEDS: u64 = 200;
/// On SQLite, one seed in so many is tried.
const ON_SQLITE: u64 = 10;
/// How much of what happened is shown.
const TRACE_SHOWN: usize = 45;
/// The longest line of it, in characters.
const LINE_SHOWN: usize = 260;

#[expect(clippy::disallowed_methods, reason = "how a failing seed is run again")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What came of a seed, or what went wrong and what happened before.
fn simulate(seed: u64, store: Arc<dyn Store>, immediate: bool) -> Result<Ended, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut sim = Sim::new(seed, store, immediate);
        sim.run().await;
        let violations = sim.world.state().violations.clone();
        if violations.is_empty() {
            return Ok(sim.ended.clone());
        }
        let trace = sim.world.trace();
        let cut = |line: &String| line.chars().take(LINE_SHOWN).collect::<String>();
        let shown: Vec<String> = trace.iter().rev().take(TRACE_SHOWN).rev().map(cut).collect();
        Err(format!("{}\n\nafter step {}:\n{}", shown.join("\n"), sim.steps, violations.join("\n")))
    })
}

/// Tries one in so many seeds on all processors; the first that fails is shown.
fn simulate_all(share: u64, one: impl Fn(u64) -> Result<Ended, String> + Sync) {
    let (first, count) = match asked("TOLLGATE_SEED") {
        Some(seed) => (seed, 1),
        None => (1, (asked("TOLLGATE_SEEDS").unwrap_or(SEEDS) / share).max(1)),
    };
    let next = AtomicU64::new(first);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let results: Vec<Result<Ended, (u64, String)>> = std::thread::scope(|scope| {
        let work = || {
            let mut results = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::SeqCst);
                if seed >= first + count {
                    return results;
                }
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| one(seed)))
                    .unwrap_or_else(|_| Err("it panicked".into()));
                let failed = result.is_err();
                results.push(result.map_err(|why| (seed, why)));
                if failed {
                    next.store(first + count, Ordering::SeqCst);
                }
            }
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        handles.into_iter().flat_map(|handle| handle.join().unwrap()).collect()
    });
    let mut total = Ended::default();
    for result in results {
        match result {
            Ok(ended) => {
                total.done += ended.done;
                total.aborted += ended.aborted;
                total.superseded += ended.superseded;
                total.rolled_back += ended.rolled_back;
                total.impatient += ended.impatient;
                total.departed += ended.departed;
                total.left_out += ended.left_out;
                total.notices += ended.notices;
                total.events += ended.events;
                total.steps += ended.steps;
            }
            Err((seed, why)) => panic!(
                "seed {seed} fails; run it again with\n  TOLLGATE_SEED={seed} cargo nextest run -p tollgate-testkit simulation\n\n{why}"
            ),
        }
    }
    let trains = total.departed > 0 && total.left_out > 0 && total.notices > 0;
    let all_kinds = total.done > 0 && total.superseded > 0 && total.rolled_back > 0 && trains;
    assert!(count < 20 || all_kinds, "too little happened: {total:?}");
    #[expect(clippy::print_stderr, reason = "shown with --no-capture")]
    {
        eprintln!("{count} seeds: {total:?}");
    }
}

#[test]

fn simulation_in_memory() {
    simulate_all(1, |seed| simulate(seed, Arc::new(MemoryStore::new()), true));
}

#[test]
fn simulation_on_sqlite() {
    simulate_all(ON_SQLITE, |seed| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.db");
        let store = SqliteStore::open(&file, OpenOptions::new()).unwrap();
        let ended = simulate(seed, Arc::new(store), false)?;
        let report = verify_file(&file, None).map_err(|error| error.to_string())?;
        if report.findings.is_empty() { Ok(ended) } else { Err(format!("{:?}", report.findings)) }
    });
}
