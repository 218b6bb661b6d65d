//! One simulation: a team, its releases, faults and crashes, from one seed.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use jiff::{SignedDuration, Timestamp};
use tollgate_core::actor::Actor;
use tollgate_core::ids::{EnvironmentName, ReleaseId};
use tollgate_core::model::Policy;
use tollgate_core::plan::Plan;
use tollgate_core::view::Stimulus;
use tollgate_engine::planning::Origin;
use tollgate_engine::ports::Checkout;
use tollgate_engine::store::{Store, StoreError};
use tollgate_engine::versioning::Wanted;
use tollgate_engine::{Engine, EngineError, Places};
use tollgate_testkit::world::{Chance, Faults, SimInject, SimWorld, WatchedStore};

use crate::oracle::Oracle;
use crate::people::{self, Deed};
use crate::team::{PROCEDURE, SERVICE, Team, named};

/// A turn of the engine that is under way.
type Turn = Pin<Box<dyn Future<Output = Result<usize, EngineError>> + Send>>;
/// What others do in the middle of somebody's decision.
type Queue = Arc<Mutex<VecDeque<Meanwhile>>>;

/// Something that happens in the middle of somebody's decision.
#[derive(Debug, Clone)]
pub(crate) enum Meanwhile {
    Submit(ReleaseId, Stimulus, Actor),
    Adopt(Box<Policy>, Actor),
    Start(Arc<Plan>, Actor),
}

/// What came of a seed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ended {
    pub(crate) done: u32,
    pub(crate) superseded: u32,
    /// Rollbacks that came to their end.
    pub(crate) rolled_back: u32,
    pub(crate) aborted: u32,
    /// Departures of trains that started something, those that were left out, and notices that were owed.
    pub(crate) departed: u32,
    pub(crate) left_out: u32,
    pub(crate) notices: u32,
    pub(crate) events: u64,
    pub(crate) impatient: u32,
    pub(crate) steps: u64,
}

/// A simulation under way.
pub(crate) struct Sim {
    pub(crate) world: SimWorld,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) chance: Chance,
    pub(crate) team: Team,
    pub(crate) oracle: Oracle,
    pub(crate) desk: Arc<Engine>,
    worker: Arc<Engine>,
    turn: Option<Turn>,
    pub(crate) queue: Queue,
    /// By what people change their minds just before a deployment.
    pub(crate) spoils: Arc<Mutex<Chance>>,
    pub(crate) versions: u32,
    /// Whether the store answers at once, so that others can come in between.
    pub(crate) immediate: bool,
    pub(crate) steps: u64,
    pub(crate) ended: Ended,
    /// What was looked at last: how many events, and when.
    pub(crate) checked: (u64, Timestamp),
    /// The latest that the clock has shown.
    pub(crate) latest: Timestamp,
}

impl Sim {
    pub(crate) fn new(seed: u64, inner: Arc<dyn Store>, immediate: bool) -> Self {
        let start: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        let world = SimWorld::new(seed, start);
        let store: Arc<dyn Store> = Arc::new(WatchedStore::new(inner, &world));
        let mut chance = Chance::new(seed, "people");
        let mut team = Team::by(&mut Chance::new(seed, "team"));
        crate::trains::equip(&mut team.policy, &mut Chance::new(seed, "trains"));
        if chance.percent(85) {
            world.state().faults = Faults::some();
        }
        let desk = Arc::new(Engine::new(store.clone(), world.ports(), places()));
        let worker = desk.clone();
        let (oracle, queue) = (Oracle::default(), Queue::default());
        let ended = Ended::default();
        let mut sim = Self {
            world,
            store,
            chance,
            team,
            oracle,
            desk,
            worker,
            latest: start,
            turn: None,
            queue,
            spoils: Arc::new(Mutex::new(Chance::new(seed, "spoils"))),
            versions: 0,
            immediate,
            steps: 0,
            ended,
            checked: (0, start),
        };
        sim.facts_change(100);
        sim.another_key();
        sim.desk = sim.engine();
        sim.worker = sim.engine();
        sim
    }

    /// An engine as a new process has it.
    pub(crate) fn engine(&self) -> Arc<Engine> {
        let inject = SimInject::new(&self.world);
        let reader = Arc::new(crate::trains::Reader(self.team.definition.clone()));
        let engine = Engine::new(self.store.clone(), self.world.ports(), places()).with_procedures(reader);
        if !self.immediate {
            return Arc::new(engine.with_faults(Arc::new(inject)));
        }
        let other = Arc::new(Engine::new(self.store.clone(), self.world.ports(), places()));
        let (queue, world) = (self.queue.clone(), self.world.clone());
        let interloper = Arc::new(move || {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if let Some(next) = next {
                meanwhile(&other, &world, next);
            }
        });
        let inject = inject.with_interloper(interloper);
        Arc::new(engine.with_faults(Arc::new(inject.with_somebody_after_commits(self.spoiler()))))
    }

    pub(crate) fn fail(&self, what: impl Into<String>) {
        self.world.state().violation(what.into());
    }

    /// Everything from the first rules to the end.
    pub(crate) async fn run(&mut self) {
        self.begin().await;
        let steps = self.chance.between(40, 160);
        for _ in 0..steps {
            self.step().await;
            self.check().await;
            if !self.world.state().violations.is_empty() {
                return;
            }
        }
        self.end().await;
    }

    pub(crate) async fn begin(&mut self) {
        for email in ["ann@example.org", "stranger@example.org", "cat@example.org"] {
            if self.chance.percent(40) {
                let now = self.world.now();
                self.world.state().git.others_commit("main", email, "fix: something", now);
            }
        }
        if self.chance.percent(50) {
            let mut state = self.world.state();
            let head = state.git.remote.get("refs/heads/main").cloned();
            state.git.checkout = Some(Checkout {
                root: "/sim/checkout".into(),
                branch: Some("main".into()),
                head,
                dirty: Vec::new(),
                remote_url: Some("sim://repository".into()),
                shallow: false,
            });
        }
        if self.has_trains() {
            self.procedure_file(true);
        }
        let first = self.team.policy.clone();
        let by = people::actor(&named("ann"));
        for _ in 0..50 {
            self.adopt(&first, &by).await;
            if self.oracle.policy.adopted.is_some() {
                break;
            }
        }
        for _ in 0..10 {
            self.start_release().await;
            if !self.oracle.unfinished().is_empty() {
                break;
            }
        }
    }

    /// One thing happens.
    pub(crate) async fn step(&mut self) {
        self.steps += 1;
        if self.chance.percent(25) {
            self.prepare_meanwhile();
        }
        if self.has_trains() && self.chance.percent(7) {
            return self.about_the_train().await;
        }
        match self.chance.below(100) {
            0..43 => self.work(true).await,
            43..45 => self.respin().await,
            45..62 => self.pass_time().await,
            62..84 => self.somebody().await,
            84..87 => self.late().await,
            87..89 => self.start_release().await,
            89 => self.change_rules().await,
            90 if self.chance.percent(50) => self.change_rules().await,
            90 => self.promote_by_hand().await,
            91 => drop(self.roll_back().await),
            92 if self.chance.percent(50) => self.facts_change(40),
            92 => self.others_commit(),
            93 => self.trouble().await,
            94 if self.chance.percent(40) => self.another_key(),
            94 => self.world.state().reboot(),
            95 if self.chance.percent(50) => self.facts_change(60),
            95 => self.crash(),
            96..99 => self.others_deploy(),
            _ => {
                let now = self.world.now();
                if let Err(error) = self.store.checkpoint(now).await {
                    self.fail(format!("the checkpoint: {error}"));
                }
            }
        }
    }

    /// The engine does what is due, as far as it gets without time passing.
    pub(crate) async fn work(&mut self, crashes: bool) {
        let worker = self.worker.clone();
        let turn = self.turn.get_or_insert_with(|| Box::pin(async move { worker.turn().await }));
        match self.world.step(turn).await {
            Some(Ok(_)) => self.turn = None,
            Some(Err(EngineError::Crashed | EngineError::Store(StoreError::Busy { .. }))) => self.crash(),
            Some(Err(error)) => {
                self.turn = None;
                self.fail(format!("the engine stopped: {error}"));
            }
            None if crashes && self.chance.percent(10) => self.crash(),
            None => {}
        }
    }

    /// Whether the engine waits for the clock in the middle of a turn.
    pub(crate) fn in_turn(&self) -> bool {
        self.turn.is_some()
    }

    /// The process dies, and another one takes over.
    pub(crate) fn crash(&mut self) {
        self.world.note(|| "the engine is started anew".into());
        self.turn = None;
        self.worker = self.engine();
    }

    pub(crate) async fn pass_time(&mut self) {
        let now = self.world.now();
        let to = match self.chance.below(20) {
            0 => now - SignedDuration::from_secs(self.chance.between(1, 300)),
            1 => now + SignedDuration::from_hours(self.chance.between(1, 80)),
            2..6 => now + SignedDuration::from_secs(self.chance.between(1, 1_800)),
            _ => self.next_moment().await.unwrap_or(now).max(now),
        };
        self.latest = self.latest.max(now);
        self.world.note(|| format!("the clock moves to {to}"));
        self.world.advance(to);
    }

    /// The next moment at which something happens by itself.
    pub(crate) async fn next_moment(&mut self) -> Option<Timestamp> {
        let due = match self.store.next_due().await {
            Ok(due) => due,
            Err(error) => {
                self.fail(format!("what is due next: {error}"));
                None
            }
        };
        // While a turn waits for something, what is due waits for its end.
        match (self.in_turn(), self.world.next_sleeper()) {
            (true, Some(until)) => Some(until),
            _ => due,
        }
    }

    pub(crate) async fn somebody(&mut self) {
        let unfinished = self.oracle.unfinished();
        let Some(release) = self.chance.pick(&unfinished).copied() else { return };
        let view = self.oracle.view(release);
        if let Some(deed) = people::whatever(&view, &mut self.chance, self.world.now()) {
            self.perform(deed).await;
        }
    }

    /// Does it, as a command on the command line would; gives whether it was accepted.
    pub(crate) async fn perform(&mut self, deed: Deed) -> bool {
        match deed {
            Deed::Submit(release, stimulus, by) => self.submit(release, stimulus, &by).await,
            Deed::Deploy(release, environment, stimulus, by) => {
                let version = self.version_held(release, &environment);
                let accepted = self.submit(release, stimulus, &by).await;
                if let (true, Some(version)) = (accepted, version) {
                    self.put(&environment, &version);
                }
                accepted
            }
            Deed::Promote(release, environment, by) => self.promote(release, &environment, &by).await,
            Deed::Release(environment, by) => self.release(&environment, &by).await,
            Deed::Thaw(number, by) => self.thaw(number, &by).await,
            Deed::AdoptFirst(by) => {
                let first = self.team.policy.clone();
                self.adopt(&first, &by).await
            }
            Deed::Wait => false,
        }
    }

    pub(crate) fn version_held(&self, release: ReleaseId, environment: &EnvironmentName) -> Option<String> {
        let held = self.oracle.environments.get(environment)?.held.as_ref()?;
        let version = held.deploying.values().next()?.version.clone();
        (held.by.release == release).then_some(version)
    }

    /// Somebody puts a version where an environment runs.
    pub(crate) fn put(&mut self, environment: &EnvironmentName, version: &str) {
        let delay = SignedDuration::from_secs(self.chance.between(0, 100));
        self.world.state().deploy(environment.as_str(), version, delay);
    }

    pub(crate) async fn submit(&mut self, release: ReleaseId, stimulus: Stimulus, by: &Actor) -> bool {
        let (desk, service) = (self.desk.clone(), named(SERVICE));
        let aborts = matches!(stimulus, Stimulus::Abort { .. });
        let under_way = match &stimulus {
            Stimulus::Abort { run, .. } => {
                desk.commands_under_way(&service, release, *run).await.unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let what = format!("{by}: {stimulus:?}");
        let result = desk.submit(&service, release, stimulus, by).await.map(|_| ());
        let accepted = self.told(&what, result);
        if accepted && aborts {
            for _ in 0..20 {
                if self.world.finish(desk.stop_commands(&under_way)).await.is_ok() {
                    break;
                }
            }
        }
        self.catch_up();
        accepted
    }

    /// What somebody is told; gives whether it was a yes.
    pub(crate) fn told(&mut self, what: &str, result: Result<(), EngineError>) -> bool {
        self.world.note(|| match &result {
            Ok(()) => format!("accepted: {what}"),
            Err(error) => format!("refused: {what}: {error}"),
        });
        match result {
            Ok(()) => true,
            Err(EngineError::Crashed) => {
                self.desk = self.engine();
                false
            }
            Err(EngineError::Refused(_) | EngineError::Planning(_) | EngineError::Port(_)) => false,
            Err(EngineError::Store(StoreError::Busy { .. })) => false,
            Err(error) => {
                self.fail(format!("{what}: {error}"));
                false
            }
        }
    }

    /// The oracle hears what happened.
    pub(crate) fn catch_up(&mut self) {
        let facts = self.world.state().facts.clone();
        self.oracle.signatures = self.world.state().git.signatures().clone();
        self.oracle.written = self.world.state().git.written.iter().cloned().collect();
        self.oracle.facts = facts.into_iter().map(|(name, fact)| (name, fact.stretches)).collect();
        self.oracle.take_in(self.world.take_log());
        for violation in std::mem::take(&mut self.oracle.violations) {
            self.fail(violation);
        }
    }

    pub(crate) async fn adopt(&mut self, policy: &Policy, by: &Actor) -> bool {
        self.oracle.policies.insert(policy.hash(), Arc::new(policy.clone()));
        let result = self.desk.clone().adopt(policy, by).await.map(|_| ());
        let adopted = self.told(&format!("{by}: adopt {}", policy.hash().short()), result);
        self.catch_up();
        adopted
    }

    pub(crate) async fn start_release(&mut self) {
        if self.versions >= 3 {
            return;
        }
        let by = people::anybody(&mut self.chance);
        let result = match self.plan().await {
            // Sometimes it starts while others decide something.
            Ok(plan) if self.immediate && self.chance.percent(20) => {
                self.oracle.plans.insert(plan.id(), Arc::new(plan.clone()));
                self.meanwhile().push_front(Meanwhile::Start(Arc::new(plan), by.clone()));
                Ok(())
            }
            Ok(plan) => self.start(plan, None, &by).await,
            Err(error) => Err(error),
        };
        if self.told(&format!("{by}: start 1.{}.0", self.versions), result) {
            self.versions += 1;
        }
        self.catch_up();
    }

    /// The plan of the next release.
    pub(crate) async fn plan(&mut self) -> Result<Plan, EngineError> {
        let policy = self.oracle.in_force().ok_or(EngineError::Crashed)?;
        let version = format!("1.{}.0", self.versions);
        let (desk, definition) = (self.desk.clone(), self.team.definition.clone());
        let world = self.world.clone();
        let checkout = world.state().git.checkout.clone();
        let planning = async {
            let folder = Some("/sim".into());
            let origin = Origin { url: "sim://repository".into(), checkout, folder };
            let surveyed = desk.survey(&definition.service, origin, "main").await?;
            let wanted = Wanted::exactly(&version);
            desk.plan(&surveyed, &definition, &policy, &named(PROCEDURE), &wanted).await
        };
        world.finish(planning).await
    }

    /// Somebody wants another candidate of a release, most often after others have mended something.
    pub(crate) async fn respin(&mut self) {
        let releases: Vec<ReleaseId> = self.oracle.releases.keys().copied().collect();
        let Some(release) = self.chance.pick(&releases).copied() else { return };
        if self.oracle.releases[&release].runs.len() > 30 {
            return;
        }
        if self.chance.percent(80) {
            self.others_commit();
        }
        let by = people::anybody(&mut self.chance);
        let result = match self.plan_respin(release).await {
            Ok(plan) => {
                let plan = Arc::new(plan);
                self.oracle.plans.insert(plan.id(), plan.clone());
                self.desk.clone().respin(plan, release, "it was wrong", &by).await.map(drop)
            }
            Err(error) => Err(error),
        };
        self.told(&format!("{by}: respin {release}"), result);
        self.catch_up();
    }

    async fn plan_respin(&mut self, release: ReleaseId) -> Result<Plan, EngineError> {
        let policy = self.oracle.in_force().ok_or(EngineError::Crashed)?;
        let (desk, definition) = (self.desk.clone(), self.team.definition.clone());
        let world = self.world.clone();
        let checkout = world.state().git.checkout.clone();
        let planning = async {
            let folder = Some("/sim".into());
            let origin = Origin { url: "sim://repository".into(), checkout, folder };
            let view = desk.view(&definition.service, release).await?;
            let before = desk.before_respin(&view).await?;
            let surveyed = desk.survey(&definition.service, origin, "main").await?;
            desk.plan_respin(&surveyed, &definition, &policy, &before, None).await
        };
        world.finish(planning).await
    }

    pub(crate) async fn start(
        &mut self,
        plan: Plan,
        release: Option<ReleaseId>,
        by: &Actor,
    ) -> Result<(), EngineError> {
        let plan = Arc::new(plan);
        self.oracle.plans.insert(plan.id(), plan.clone());
        self.desk.clone().start(plan, release, by).await.map(|_| ())
    }
}

/// Something that happens between another one's decision and its commit, and is over at once.
fn meanwhile(engine: &Arc<Engine>, world: &SimWorld, what: Meanwhile) {
    world.note(|| format!("meanwhile: {what:?}").chars().take(400).collect());
    let service = named(SERVICE);
    let mut doing: Pin<Box<dyn Future<Output = Result<(), EngineError>> + Send>> = match what {
        Meanwhile::Submit(release, stimulus, by) => {
            let engine = engine.clone();
            Box::pin(async move { engine.submit(&service, release, stimulus, &by).await.map(|_| ()) })
        }
        Meanwhile::Adopt(policy, by) => {
            let engine = engine.clone();
            Box::pin(async move { engine.adopt(&policy, &by).await.map(|_| ()) })
        }
        Meanwhile::Start(plan, by) => {
            let engine = engine.clone();
            Box::pin(async move { engine.start(plan, None, &by).await.map(|_| ()) })
        }
    };
    match doing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(()) | Err(EngineError::Refused(_))) => {}
        Poll::Ready(Err(error)) => world.state().violation(format!("meanwhile: {error}")),
        Poll::Pending => world.state().violation("meanwhile: it was not done at once".into()),
    }
}

pub(crate) fn places() -> Places {
    Places { work: PathBuf::from("/nowhere/tollgate-simulation"), holder: "simulation".into() }
}
