//! What goes wrong, and how often.

use std::sync::Arc;

use tollgate_engine::inject::{Fault, Inject, Point};

use super::SimWorld;

/// How often what goes wrong, in thousandths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// A call fails before anything was done.
    pub before: u32,
    /// A call fails after it was done: its answer is lost.
    pub lost_answer: u32,
    /// The other side asks to come back later.
    pub rate_limit: u32,
    /// A call takes long.
    pub slow: u32,
    /// A command ends badly.
    pub command_fails: u32,
    /// A command hangs until its time is over.
    pub command_hangs: u32,
    /// The engine dies at a point it passes.
    pub crash: u32,
    /// An act is carried out twice, a commit is handed in twice.
    pub repeat: u32,
    /// An act fails without having been tried.
    pub fail: u32,
    /// The store is busy.
    pub busy: u32,
    /// Somebody else does something between a decision and its commit.
    pub interlope: u32,
}

impl Faults {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self {
            before: 0,
            lost_answer: 0,
            rate_limit: 0,
            slow: 0,
            command_fails: 0,
            command_hangs: 0,
            crash: 0,
            repeat: 0,
            fail: 0,
            busy: 0,
            interlope: 0,
        }
    }

    /// A little of everything.
    pub fn some() -> Self {
        Self {
            before: 40,
            lost_answer: 40,
            rate_limit: 10,
            slow: 50,
            command_fails: 60,
            command_hangs: 15,
            crash: 12,
            repeat: 40,
            fail: 20,
            busy: 5,
            interlope: 30,
        }
    }
}

/// Somebody who does something in the middle of another process's decision.
pub type Interloper = Arc<dyn Fn() + Send + Sync>;

/// Faults of one process, drawn from the world's chance.
#[derive(Clone)]
pub struct SimInject {
    world: SimWorld,
    interloper: Option<Interloper>,
    after_commits: Option<Interloper>,
}

impl std::fmt::Debug for SimInject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimInject").finish_non_exhaustive()
    }
}

impl SimInject {
    /// Faults as often as the world says.
    pub fn new(world: &SimWorld) -> Self {
        Self { world: world.clone(), interloper: None, after_commits: None }
    }

    /// The same with somebody who comes in between.
    #[must_use]
    pub fn with_interloper(self, interloper: Interloper) -> Self {
        Self { interloper: Some(interloper), ..self }
    }

    /// The same with somebody who is there after each commit.
    #[must_use]
    pub fn with_somebody_after_commits(self, somebody: Interloper) -> Self {
        Self { after_commits: Some(somebody), ..self }
    }
}

impl Inject for SimInject {
    fn at(&self, point: Point) -> Fault {
        let (fault, interlope) = {
            let mut state = self.world.state();
            let faults = state.faults.clone();
            let (fail, repeat) = match point {
                Point::BeforeAct(_) => (faults.fail, faults.repeat),
                Point::BeforeCommit => (faults.busy, faults.repeat),
                Point::AfterAct(_) | Point::AfterCommit => (0, 0),
            };
            let fault = if state.chance.permille(faults.crash) {
                Fault::Crash
            } else if state.chance.permille(repeat) {
                Fault::Repeat
            } else if state.chance.permille(fail) {
                Fault::Fail
            } else {
                Fault::None
            };
            if fault != Fault::None {
                state.note(|| format!("fault: {fault:?} at {point:?}"));
            }
            (fault, fault == Fault::None && state.chance.permille(faults.interlope))
        };
        if let (true, Some(interloper)) = (interlope, &self.interloper) {
            interloper();
        }
        if let (Point::AfterCommit, Fault::None, Some(somebody)) = (point, fault, &self.after_commits) {
            somebody();
        }
        fault
    }
}
