//! The phases of a run: each with its time, and whether it passed.

use std::time::{Duration, Instant};

/// What came of one phase.
enum End {
    Passed,
    Failed,
    Skipped(String),
}

/// The phases so far.
#[derive(Default)]
pub(crate) struct Phases {
    ended: Vec<(&'static str, End, Duration)>,
}

impl Phases {
    /// Runs a phase, and tells whether it passed.
    pub(crate) fn run(&mut self, name: &'static str, body: impl FnOnce() -> bool) -> bool {
        println!("\n== {name}");
        let start = Instant::now();
        let passed = body();
        let end = if passed { End::Passed } else { End::Failed };
        self.ended.push((name, end, start.elapsed()));
        passed
    }

    /// Notes that a phase cannot run. That is a failure where nothing may be skipped.
    pub(crate) fn skip(&mut self, name: &'static str, why: &str, allowed: bool) {
        println!("\n== {name}\nSKIPPED: {why}");
        let end = if allowed { End::Skipped(why.to_owned()) } else { End::Failed };
        self.ended.push((name, end, Duration::ZERO));
    }

    /// Whether no phase failed.
    pub(crate) fn all_passed(&self) -> bool {
        self.ended.iter().all(|(_, end, _)| !matches!(end, End::Failed))
    }

    /// A line for every phase.
    pub(crate) fn print(&self) {
        println!("\n== Phases");
        for (name, end, took) in &self.ended {
            let end = match end {
                End::Passed => "passed".to_owned(),
                End::Failed => "FAILED".to_owned(),
                End::Skipped(why) => format!("skipped: {why}"),
            };
            println!("{:>7.1} s  {name}: {end}", took.as_secs_f64());
        }
    }
}
