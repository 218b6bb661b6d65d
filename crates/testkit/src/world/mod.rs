//! A world in memory with a state of its own, for deterministic simulations: repositories, commands, running services, mail,
//! the time, and everything that can go wrong with them, from one seed.
//!
//! The clock stands still until [`SimWorld::advance`] moves it. Whatever takes time waits for the clock: a future that is
//! polled by hand stays pending until then, and one that is dropped meanwhile is a process that died.

mod chance;
mod facts;
mod faults;
mod mailer;
mod prober;
mod registry;
mod runner;
mod source;
mod time;
mod watch;

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use jiff::{SignedDuration, Timestamp};
use tollgate_core::act::FailureClass;
use tollgate_engine::World;
use tollgate_engine::ports::PortError;

pub use chance::Chance;
pub use facts::{FactInWorld, SimFacts, Stretch};
pub use faults::{Faults, Interloper, SimInject};
pub use mailer::SimMailer;
pub use prober::{ServiceInWorld, SimProber};
pub use registry::{Registry, SimDepot, SimRegistries, Upload};
pub use runner::{ChildInWorld, ChildKey, DEPLOY, LOAD, REPEATABLE, SimRunner, Started};
pub use source::{Files, Git, SimSource};
pub use time::{SeededIds, VirtualClock};
pub use watch::{Appended, Happened, WatchedStore};

/// How many lines of what happened are kept.
const TRACE_MAX: usize = 400;

/// The world. Cheap to share.
#[derive(Debug, Clone)]
pub struct SimWorld(Arc<Mutex<State>>);

/// Everything there is in the world.
#[derive(Debug)]
pub struct State {
    /// Now.
    pub now: Timestamp,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// The repository, its remote and Tollgate's clone of it.
    pub git: Git,
    /// Commands that were started, by effect and try.
    pub children: BTreeMap<ChildKey, ChildInWorld>,
    /// Every start of a command, in order.
    pub started: Vec<Started>,
    /// What runs where, by environment.
    pub services: BTreeMap<String, ServiceInWorld>,
    /// What services answer who are asked for facts, by address.
    pub facts: BTreeMap<String, FactInWorld>,
    /// How often each message was delivered, by Message-ID.
    pub mail: BTreeMap<String, u32>,
    /// The registry of packages, and what is on the way to it.
    pub registry: Registry,
    /// How many requests a second a load test counts; any number where it is not set.
    pub load: Option<u32>,
    /// How many looks at services were made.
    pub looks: u32,
    /// What must not happen, and did.
    pub violations: Vec<String>,
    log: Vec<Happened>,
    chance: Chance,
    ids: u64,
    trace: VecDeque<String>,
    sleepers: BTreeMap<u64, (Timestamp, Option<Waker>)>,
    sleeper_next: u64,
    /// Whether the future that is being polled waits for the clock.
    slept: bool,
}

impl SimWorld {
    /// A world without faults.
    pub fn new(seed: u64, now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(State {
            now,
            faults: Faults::none(),
            git: Git::new(),
            children: BTreeMap::new(),
            started: Vec::new(),
            services: BTreeMap::new(),
            facts: BTreeMap::new(),
            mail: BTreeMap::new(),
            registry: Registry::default(),
            load: None,
            looks: 0,
            violations: Vec::new(),
            log: Vec::new(),
            chance: Chance::new(seed, "world"),
            ids: seed,
            trace: VecDeque::new(),
            sleepers: BTreeMap::new(),
            sleeper_next: 0,
            slept: false,
        })))
    }

    /// Its state. Not to be held across an await.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ports to it.
    pub fn ports(&self) -> World {
        World {
            source: Arc::new(SimSource(self.clone())),
            runner: Arc::new(SimRunner(self.clone())),
            prober: Arc::new(SimProber(self.clone())),
            facts: Arc::new(SimFacts(self.clone())),
            registries: Arc::new(SimRegistries(self.clone())),
            depot: Arc::new(SimDepot(self.clone())),
            mailer: Arc::new(SimMailer(self.clone())),
            clock: Arc::new(VirtualClock(self.clone())),
            ids: Arc::new(SeededIds(self.clone())),
        }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.state().now
    }

    /// Moves the clock, also back.
    pub fn advance(&self, to: Timestamp) {
        let mut state = self.state();
        if to < state.now {
            state.facts_go_back(to);
        }
        state.now = to;
        state.settle_children();
        for (until, waker) in state.sleepers.values_mut() {
            if *until <= to
                && let Some(waker) = waker.take()
            {
                waker.wake();
            }
        }
    }

    /// The earliest moment that somebody waits for inside an outside act.
    pub fn next_sleeper(&self) -> Option<Timestamp> {
        self.state().sleepers.values().map(|(until, _)| *until).min()
    }

    /// Polls a future until it is done, or waits for the clock. What it waits for outside of this world is waited for.
    pub async fn step<F: Future + Unpin>(&self, future: &mut F) -> Option<F::Output> {
        poll_fn(|context| {
            self.state().slept = false;
            match Pin::new(&mut *future).poll(context) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if self.state().slept => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Lets a future come to its end, moving the clock whenever it waits for it.
    pub async fn finish<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        loop {
            if let Some(output) = self.step(&mut future).await {
                return output;
            }
            let now = self.now();
            // Others may wait for the clock as well: they are not polled here, and wait on.
            let next =
                self.state().sleepers.values().map(|(until, _)| *until).filter(|until| *until > now).min();
            self.advance(next.unwrap_or(now + SignedDuration::from_secs(1)));
        }
    }

    /// Writes down what happened, for people who look for a failure.
    pub fn note(&self, what: impl FnOnce() -> String) {
        self.state().note(what);
    }

    /// The last lines of what happened.
    pub fn trace(&self) -> Vec<String> {
        self.state().trace.iter().cloned().collect()
    }

    /// Waits until the clock shows this.
    pub(crate) async fn until(&self, at: Timestamp) {
        let id = {
            let mut state = self.state();
            state.sleeper_next += 1;
            state.sleeper_next
        };
        let _awake = Awake { world: self, id };
        poll_fn(|context| {
            let mut state = self.state();
            if state.now >= at {
                return Poll::Ready(());
            }
            state.sleepers.insert(id, (at, Some(context.waker().clone())));
            state.slept = true;
            Poll::Pending
        })
        .await;
    }

    /// What every outside call can meet: it is slow, it fails before anything was done, or the other side asks for patience.
    /// Gives whether its answer will be lost after the act was done.
    pub(crate) async fn outside(&self, what: &str) -> Result<bool, PortError> {
        let (slow, met) = {
            let mut state = self.state();
            let faults = state.faults.clone();
            let now = state.now;
            let slow = state.chance.permille(faults.slow);
            let slow = slow.then(|| now + SignedDuration::from_secs(state.chance.between(1, 90)));
            let met = if state.chance.permille(faults.before) {
                Err(error(FailureClass::Transient, what, "the connection was cut before anything was done"))
            } else if state.chance.permille(faults.rate_limit) {
                let retry_at = now + SignedDuration::from_secs(state.chance.between(5, 900));
                let limited = error(FailureClass::RateLimited, what, "too many requests");
                Err(PortError { retry_at: state.chance.percent(70).then_some(retry_at), ..limited })
            } else {
                Ok(state.chance.permille(faults.lost_answer))
            };
            if slow.is_some() || !matches!(met, Ok(false)) {
                state.note(|| format!("fault: {what}: slow until {slow:?}, {met:?}"));
            }
            (slow, met)
        };
        if let Some(until) = slow {
            self.until(until).await;
        }
        met
    }
}

impl State {
    /// Writes down what happened.
    pub fn note(&mut self, what: impl FnOnce() -> String) {
        if self.trace.len() >= TRACE_MAX {
            self.trace.pop_front();
        }
        let line = format!("{} {}", self.now, what());
        self.trace.push_back(line);
    }

    /// Writes down what must not happen.
    pub fn violation(&mut self, what: String) {
        self.note(|| format!("VIOLATION: {what}"));
        self.violations.push(what);
    }
}

/// The answer that got lost.
pub(crate) fn lost_answer(what: &str) -> PortError {
    error(FailureClass::Transient, what, "the connection was cut before the answer came")
}

pub(crate) fn error(class: FailureClass, what: &str, why: &str) -> PortError {
    PortError { class, what: what.into(), why: why.into(), hint: None, retry_at: None }
}

/// Ends with the wait, also when nobody waits any more.
struct Awake<'a> {
    world: &'a SimWorld,
    id: u64,
}

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        self.world.state().sleepers.remove(&self.id);
    }
}
