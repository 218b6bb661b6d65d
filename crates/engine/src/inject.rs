//! Faults on purpose: every commit and every outside act passes a point at which it can be made to fail, be repeated, be late,
//! or be the last thing this process does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::SignedDuration;

/// A place where a fault can be put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Before a commit.
    BeforeCommit,
    /// After a commit, before anybody knows of it.
    AfterCommit,
    /// Before an outside act, its lease being written down.
    BeforeAct(&'static str),
    /// After an outside act, before its result is written down.
    AfterAct(&'static str),
}

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The process ends here.
    Crash,
    /// Before an act: it fails in a way that may pass, without having been done. Before a commit: the store is busy, and nothing is
    /// written. After either: nothing.
    Fail,
    /// Before an act: it is carried out twice. Before a commit: it is handed in twice, and must count once. After either: nothing.
    Repeat,
    /// Everything goes on only after this time.
    Delay(SignedDuration),
}

/// Decides on faults.
pub trait Inject: Send + Sync + std::fmt::Debug {
    /// What happens at this point.
    fn at(&self, point: Point) -> Fault;
}

/// Asks for the fault of a point, and waits where that is the fault.
pub(crate) async fn fault(inject: &dyn Inject, point: Point) -> Fault {
    let fault = inject.at(point);
    if let Fault::Delay(span) = fault {
        tokio::time::sleep(Duration::try_from(span).unwrap_or_default()).await;
    }
    fault
}

/// No faults.
#[derive(Debug, Clone, Copy)]
pub struct Never;

impl Inject for Never {
    fn at(&self, _: Point) -> Fault {
        Fault::None
    }
}

/// Kills the process, as if by SIGKILL, at one of the points it passes, counted from 1.
#[derive(Debug)]
pub struct KillAt {
    at: u64,
    passed: AtomicU64,
    kill: fn(),
}

impl KillAt {
    /// Calls `kill`, which does not come back, at the `at`th point.
    pub fn new(at: u64, kill: fn()) -> Self {
        Self { at, passed: AtomicU64::new(0), kill }
    }
}

impl Inject for KillAt {
    fn at(&self, _: Point) -> Fault {
        if self.passed.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            (self.kill)();
        }
        Fault::None
    }
}
