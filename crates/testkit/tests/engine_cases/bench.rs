//! A small team, an engine and a world to put cases to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use tollgate_core::actor::{Actor, Known};
use tollgate_core::changelog::ChangelogRules;
use tollgate_core::ids::{ReleaseId, RunId};
use tollgate_core::model::{
    ApprovalRule, ChangelogSpec, Component, Connection, Definition, Departs, Deploy, Environment, GRACE,
    Gate, GateKind, Late, Overlap, Person, Policy, Probe, ProbeRead, Procedure, RepositorySpec, Shell, Step,
    StepKind, Template, Train, VersionFileSpec, VersionSpec, Who,
};
use tollgate_core::plan::Plan;
use tollgate_core::state::RunStatus;
use tollgate_core::view::{Stimulus, View};
use tollgate_engine::inject::{Fault, Inject, Point};
use tollgate_engine::planning::Origin;
use tollgate_engine::store::{Store, Task, Timer, latest_storable};
use tollgate_engine::versioning::Wanted;
use tollgate_engine::{Engine, EngineError, Places, Submitted};
use tollgate_testkit::MemoryStore;
use tollgate_testkit::world::SimWorld;

/// A name of some kind.
pub(crate) fn named<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

pub(crate) fn person(name: &str) -> Actor {
    Actor::Person { name: named(name), known: Known::Login(name.into()) }
}

pub(crate) fn step(id: &str, kind: StepKind) -> Step {
    Step::new(named(id), kind)
}

pub(crate) fn manual(id: &str) -> Step {
    step(id, StepKind::Manual { instruction: Template("Do it.".into()), evidence: false })
}

pub(crate) fn shell(command: &str) -> Shell {
    let (variables, secrets) = (BTreeMap::new(), BTreeMap::new());
    Shell { command: command.into(), variables, secrets, repeatable: command.contains("repeatable") }
}

pub(crate) fn promote(environment: &str) -> Step {
    let id = format!("promote-{environment}");
    step(&id, StepKind::Promote { environment: named(environment) })
}

pub(crate) fn environment(deploy: Deploy) -> Environment {
    Environment::new(deploy)
}

pub(crate) fn probe(host: &str) -> Probe {
    Probe {
        url: format!("http://{host}.sim/version"),
        read: ProbeRead::Body,
        expect: None,
        within: SignedDuration::from_mins(30),
        every: SignedDuration::from_secs(20),
        times: 1,
    }
}

pub(crate) fn approval(count: u32) -> Gate {
    let by = Who::Group(named("all"));
    let rule = ApprovalRule { by, exclude: Vec::new(), count, allow_self: true, covers: None, valid: None };
    Gate::new(GateKind::Approval(rule))
}

pub(crate) fn policy(environments: Vec<(&str, Environment)>) -> Policy {
    let people = ["ann", "bob", "cat"];
    Policy {
        people: people.iter().map(|name| (named(name), Person::default())).collect(),
        groups: IndexMap::from([(named("all"), people.iter().map(|name| named(name)).collect())]),
        environments: environments.into_iter().map(|(name, it)| (named(name), it)).collect(),
        waivers: Some(Who::Group(named("all"))),
        ..Policy::new(named("svc"))
    }
}

pub(crate) fn definition(steps: Vec<Step>) -> Definition {
    let repository = RepositorySpec { url: None, branch: "main".into() };
    let version = VersionSpec::new("vX.Y.Z", vec![VersionFileSpec::named("VERSION")]);
    Definition {
        changelog: Some(ChangelogSpec {
            file: "CHANGELOG.md".into(),
            whole: false,
            rules: ChangelogRules::default(),
        }),
        components: IndexMap::from([(named("app"), Component::default())]),
        connections: IndexMap::from([(
            named("mail"),
            Connection::Maildir { path: "mail".into(), from: "tollgate@example.org".into() },
        )]),
        procedures: IndexMap::from([(named("release"), Procedure::new(steps))]),
        ..Definition::new(named("svc"), repository, version)
    }
}

/// A store, a world, and an engine without faults.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) world: SimWorld,
    pub(crate) engine: Arc<Engine>,
    definition: Definition,
    pub(crate) policy: Policy,
}

impl Bench {
    pub(crate) async fn new(definition: Definition, policy: Policy) -> Self {
        let start: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        let (store, world) = (Arc::new(MemoryStore::new()), SimWorld::new(1, start));
        let engine = Arc::new(Self::bare(&store, &world));
        let bench = Self { store, world, engine, definition, policy };
        bench.engine.adopt(&bench.policy, &person("ann")).await.unwrap();
        bench.turn().await;
        bench
    }

    pub(crate) fn bare(store: &Arc<MemoryStore>, world: &SimWorld) -> Engine {
        let places = Places { work: PathBuf::from("/nowhere/tollgate-cases"), holder: "a case".into() };
        Engine::new(store.clone(), world.ports(), places)
    }

    /// Another process on the same state.
    pub(crate) fn other(&self, inject: Arc<dyn Inject>) -> Arc<Engine> {
        Arc::new(Self::bare(&self.store, &self.world).with_faults(inject))
    }

    pub(crate) async fn plan(&self, version: &str) -> Arc<Plan> {
        self.plan_for(&Wanted::exactly(version)).await.unwrap()
    }

    /// What would be released now.
    pub(crate) async fn plan_for(&self, wanted: &Wanted) -> Result<Arc<Plan>, EngineError> {
        let checkout = self.world.state().git.checkout.clone();
        let origin = Origin { url: "sim://repository".into(), checkout, folder: Some("/sim".into()) };
        let planning = async {
            let surveyed = self.engine.survey(&named("svc"), origin, "main").await?;
            let name = named("release");
            self.engine.plan(&surveyed, &self.definition, &self.policy, &name, wanted).await
        };
        self.world.finish(planning).await.map(Arc::new)
    }

    pub(crate) async fn start(&self, version: &str) -> ReleaseId {
        let plan = self.plan(version).await;
        self.engine.start(plan, None, &person("ann")).await.unwrap().0
    }

    /// What is due is done, while time passes only where something takes time.
    pub(crate) async fn turn(&self) -> usize {
        self.world.finish(self.engine.turn()).await.unwrap()
    }

    /// Goes on, with time, until nothing happens any more by itself.
    pub(crate) async fn settle(&self) {
        self.settle_with(|| self.engine.clone()).await;
    }

    /// The same with engines that may die.
    pub(crate) async fn settle_with(&self, mut engine: impl FnMut() -> Arc<Engine>) {
        let mut now = engine();
        for _ in 0..1_000 {
            match self.world.finish(now.turn()).await {
                Ok(_) => {}
                Err(EngineError::Crashed) => {
                    now = engine();
                    continue;
                }
                Err(error) => panic!("{error}"),
            }
            match self.store.next_due().await.unwrap() {
                Some(due) => self.world.advance(due.max(self.world.now())),
                None => return,
            }
        }
        panic!("it never settles");
    }

    pub(crate) async fn view(&self, release: ReleaseId) -> View {
        self.engine.view(&named("svc"), release).await.unwrap()
    }

    pub(crate) async fn run(&self, release: ReleaseId) -> RunId {
        self.view(release).await.release.runs.last().unwrap().id
    }

    pub(crate) async fn is_done(&self, release: ReleaseId) -> bool {
        let view = self.view(release).await;
        let status = view.release.runs.last().map(|run| run.status.clone());
        let done = tollgate_core::event::RunOutcome::Done;
        matches!(status, Some(RunStatus::Finished { outcome, .. }) if outcome == done)
    }

    pub(crate) async fn submit(
        &self,
        release: ReleaseId,
        who: &str,
        stimulus: Stimulus,
    ) -> Result<Submitted, EngineError> {
        self.engine.submit(&named("svc"), release, stimulus, &person(who)).await
    }

    pub(crate) async fn tasks(&self) -> Vec<Task> {
        self.store.due_tasks(latest_storable(), true, 1_000).await.unwrap()
    }

    pub(crate) async fn timers(&self) -> Vec<Timer> {
        self.store.due_timers(latest_storable(), 1_000).await.unwrap()
    }
}

/// What is done at a point, once.
type Deed = Box<dyn FnOnce() + Send>;

/// Does things at points, once each, in order.
pub(crate) struct Between(std::sync::Mutex<Vec<(Point, Deed)>>);

impl std::fmt::Debug for Between {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Between").finish_non_exhaustive()
    }
}

impl Between {
    pub(crate) fn new(mut deeds: Vec<(Point, Deed)>) -> Arc<Self> {
        deeds.reverse();
        Arc::new(Self(std::sync::Mutex::new(deeds)))
    }
}

impl Inject for Between {
    fn at(&self, point: Point) -> Fault {
        let next = {
            let mut deeds = self.0.lock().unwrap();
            match deeds.last() {
                Some((at, _)) if *at == point => deeds.pop(),
                _ => None,
            }
        };
        if let Some((_, deed)) = next {
            deed();
        }
        Fault::None
    }
}

/// Runs something to its end that does not wait for anything: what a process does in the middle of another one's decision.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits for something"),
    }
}

impl Bench {
    /// Goes on until a command was started, and leaves it there: the process that did is gone.
    pub(crate) async fn settle_until_started(&self) {
        let mut turn = Box::pin(self.engine.turn());
        let ended = self.world.step(&mut turn).await;
        assert!(ended.is_none(), "the command takes a while");
    }
}

/// A fault at one of the points that are passed, counted from 1.
#[derive(Debug)]
pub(crate) struct Nth {
    at: u64,
    fault: Fault,
    passed: AtomicU64,
}

impl Nth {
    pub(crate) fn new(at: u64, fault: Fault) -> Arc<Self> {
        Arc::new(Self { at, fault, passed: AtomicU64::new(0) })
    }

    /// How many points were passed until now.
    pub(crate) fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }
}

impl Inject for Nth {
    fn at(&self, _: Point) -> Fault {
        match self.passed.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            true => self.fault,
            false => Fault::None,
        }
    }
}

/// A train that releases the newest commit of `main`, and tells nobody before it departs.
pub(crate) fn departing(departs: Departs) -> Train {
    Train {
        runs: named("release"),
        departs,
        branch: "main".into(),
        line: None,
        url: Some("sim://repository".into()),
        late: Late::Ask,
        grace: GRACE,
        overlap: Overlap::Queue,
        heads_up: None,
    }
}
