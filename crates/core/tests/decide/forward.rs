//! A forecast is what happens, if people and commands take as long as it assumes.
//!
//! The forecast jumps from one moment at which something can follow to the next. The world here knows nothing of such moments: it
//! is looked at every half hour, and everything takes a multiple of that.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher, RandomState};

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use tollgate_core::act::Report;
use tollgate_core::calendar::{Freeze, Only, Scope, Windows};
use tollgate_core::decide::{LineStanding, checklist as lines_of};
use tollgate_core::event::{Asked, Ballot, DeploymentOutcome, EnvironmentEvent, Event, TickResult};
use tollgate_core::explain::Holding;
use tollgate_core::forward::forecast::{Arrival, Assumed, forecast, forecast_start};
use tollgate_core::forward::past::Past;
use tollgate_core::forward::point::Point;
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::ids::EnvironmentName;
use tollgate_core::journal::StreamId;
use tollgate_core::model::*;
use tollgate_core::plan::{Body, Plan};
use tollgate_core::state::{FreezeState, PolicyState, StepStatus};
use tollgate_core::view::{Stimulus, watch_key};

use crate::build::*;
use crate::world::*;

const VERSION: &str = "1.9.0";
/// The world is looked at so often.
const TICK: SignedDuration = SignedDuration::from_mins(30);
/// How long it is looked at, in ticks.
const TICKS: i32 = 48 * 3;

/// How long everything takes: the median, and the 90th percentile, in ticks.
#[derive(Debug, Clone)]
struct Takes(BTreeMap<String, (i32, i32)>);

impl Takes {
    fn past(&self) -> Past {
        let took = |(median, slow): &(i32, i32)| serde_json::json!({ "median": TICK * *median, "ninetieth": TICK * *slow, "times": 9 });
        let all: serde_json::Map<String, serde_json::Value> =
            self.0.iter().map(|(point, both)| (point.clone(), took(both))).collect();
        serde_json::from_value(all.into()).unwrap()
    }

    fn of(&self, point: &Point, slow: bool) -> SignedDuration {
        let (median, ninetieth) = self.0[&String::from(point.clone())];
        TICK * if slow { ninetieth } else { median }
    }
}

fn half_hours(ticks: i32) -> SignedDuration {
    TICK * ticks
}

pub(crate) fn window(text: &str) -> Gate {
    let windows = Windows::new(vec![text.parse().unwrap()], Vec::new()).unwrap();
    gate_of(GateKind::Window { windows, fits: None, closing: Default::default() })
}

/// Groups that have people in common.
const OVERLAPPING: [(&str, &[&str]); 4] = [
    ("all", &["anna", "bob", "carol", "dave"]),
    ("some", &["carol", "anna", "eve"]),
    ("two", &["anna", "dave"]),
    ("one", &["anna"]),
];

fn any_gate() -> impl Strategy<Value = Gate> + Clone {
    let valid = || proptest::option::of(1..12_i32);
    let vote = (0..3_u32, 0..5_i64, proptest::option::of(1..9_i64), any::<bool>());
    prop_oneof![
        (1..3_u32, valid()).prop_map(|(count, valid)| {
            let valid = valid.map(half_hours);
            approval_gate(ApprovalRule { allow_self: true, valid, ..rule("releng", count) })
        }),
        // Of anna, bob, carol and dave, of whom bob wrote a part of it: groups that have people in common.
        (1..3_u32, 0..OVERLAPPING.len(), any::<bool>()).prop_map(|(count, of, allow_self)| {
            approval_gate(ApprovalRule { allow_self, ..rule(OVERLAPPING[of].0, count) })
        }),
        valid().prop_map(|valid| ask_gate("Quiet?", None, valid.map(|ticks| i64::from(ticks) * 30))),
        valid().prop_map(|valid| {
            ask_gate("Now?", Some(group("ops")), valid.map(|ticks| i64::from(ticks) * 30))
        }),
        (1..20_i32).prop_map(|ticks| gate_of(GateKind::Soak { time: half_hours(ticks), environment: None })),
        Just(gate_of(GateKind::Checklist { list: checklist(&["a", "b!"]), by: Some(group("ops")) })),
        Just(window("Mon-Fri 08:00-10:00 Europe/Berlin")),
        Just(window("Mon-Sun 22:00-02:00 America/Los_Angeles")),
        vote.prop_map(|(quorum, period, more, lazy)| {
            let closes = more.map(|more| period + more);
            vote_gate(VoteRule { lazy, ..vote_rule("releng", quorum, period, closes) })
        }),
        Just(require(equals("answers.risk", "low"))),
        Just(Gate { condition: Some(equals("answers.risk", "high")), ..approval_gate(rule("ops", 1)) }),
    ]
}

/// A policy with its steps, and a freeze of production: from when, and how long, in ticks.
type Release = (Policy, Vec<Step>, Option<(i32, i32)>);

fn any_release() -> impl Strategy<Value = Release> {
    let deploy = prop_oneof![
        Just(Deploy::Command { shell: command("deploy"), timeout: hours(99) }),
        Just(Deploy::Manual { instruction: text("Deploy"), by: Some(group("ops")) }),
        Just(Deploy::Observed),
    ];
    let environment = (deploy, any::<bool>(), any::<bool>(), proptest::collection::vec(any_gate(), 0..4));
    let one = |number: usize| {
        prop_oneof![
            Just(shell(&format!("s{number}"))),
            Just(manual(&format!("s{number}"))),
            Just(ask(&format!("s{number}"), &["quiet"])),
            Just(step(&format!("s{number}"), StepKind::Checklist(checklist(&["a", "b"])))),
            Just(approve_step(&format!("s{number}"), ApprovalRule { allow_self: true, ..rule("releng", 1) })),
            Just(step(&format!("s{number}"), StepKind::Vote(vote_rule("releng", 1, 1, None)))),
            Just(step(&format!("s{number}"), StepKind::HandOver { role: n("owner"), to: group("ops") })),
        ]
    };
    let freeze = proptest::option::of((0..40_i32, 1..40_i32));
    let both = (environment.clone(), environment);
    (both, one(0), one(1), any::<bool>(), freeze).prop_map(
        |((stage, production), first, second, beside, freeze)| {
            let mut policy = with_role(policy(), "owner", "ops", Filled::Starter);
            for (group, people) in OVERLAPPING {
                policy.groups.insert(n(group), people.iter().map(|person| n(person)).collect());
            }
            for (name, (deploy, probed, verify, gates)) in [("stage", stage), ("production", production)] {
                policy = with_environment(policy, name, |environment| {
                    let observed = deploy == Deploy::Observed;
                    environment.deploy = deploy;
                    let url = format!("https://{name}.example.org");
                    environment.probe =
                        (probed || observed).then(|| Probe { within: hours(999), ..probe(&url, 1) });
                    environment.verify = if verify { vec![manual("look")] } else { Vec::new() };
                    let named = gates.into_iter().enumerate();
                    let named = named.map(|(number, gate)| (n(&format!("g{number}")), gate));
                    environment.gates = named.collect::<IndexMap<_, _>>();
                });
            }
            let both = vec![first, second];
            let mut steps = vec![ask("risk", &["risk"])];
            match beside {
                true => steps.push(step("both", StepKind::Parallel { steps: both })),
                false => steps.extend(both),
            }
            steps.extend([promote("stage"), promote("production")]);
            (policy, steps, freeze)
        },
    )
}

/// Everything in a plan that can take time.
fn points(plan: &Plan) -> BTreeSet<String> {
    let steps = plan.steps.iter().map(|step| Point::Step(step.id.clone()));
    let gates = plan.policy.environments.iter().flat_map(|(environment, of)| {
        of.gates.keys().map(|gate| Point::Gate(environment.clone(), gate.clone()))
    });
    let questions = plan.definition.questions.keys().map(|name| Point::Question(name.clone()));
    steps.chain(gates).chain(questions).map(String::from).collect()
}

/// A world that is looked at again and again, with people who do what they are asked after their usual time.
struct Lives<'a> {
    world: World,
    plan: &'a Plan,
    takes: &'a Takes,
    slow: bool,
    /// What people were asked, since when, and who of them has done it.
    asked: BTreeMap<Point, Asking>,
    /// Which of those who can approve does.
    pick: usize,
}

/// Since when something is asked for, by its own account and as people saw it, and who of them has done it.
struct Asking {
    told: Option<Timestamp>,
    since: Timestamp,
    said: BTreeSet<String>,
}

impl Lives<'_> {
    /// One look: everything that can happen by now does.
    fn look(&mut self) {
        for _ in 0..500 {
            let before = self.world.journal.len();
            self.world.wake(VERSION);
            self.act();
            self.probe();
            self.answer();
            if self.world.journal.len() == before {
                return;
            }
        }
        panic!("it never comes to rest: {}", self.world.why(VERSION));
    }

    fn act(&mut self) {
        for (effect, task) in self.world.agenda(VERSION).tasks {
            if task.leased.is_none() && task.due <= self.world.now {
                self.world.epoch += 1;
                let epoch = self.world.epoch;
                // A gate may have closed since it was wanted.
                drop(self.world.by(VERSION, "tollgate", Stimulus::Lease { effect, epoch }));
            }
            let state = &self.world.releases[VERSION].state;
            let Some((_, id, step)) = state.step_of(effect) else { continue };
            let StepStatus::Leased { act, epoch, .. } = &step.status else { continue };
            if self.world.now >= step.since + self.takes.of(&Point::Step(id.clone()), self.slow) {
                let report = Report::Done(outcome(act));
                let stimulus = Stimulus::Reported { effect, epoch: *epoch, report };
                self.world.by(VERSION, "tollgate", stimulus).unwrap();
            }
        }
    }

    fn probe(&mut self) {
        for step in &self.plan.steps {
            let Body::Live(Some(probe)) = &step.body else { continue };
            let id = step.id.as_str();
            if !self.world.reached(VERSION, id) || self.world.is(VERSION, id) != "open" {
                continue;
            }
            let opened = self.world.step(VERSION, id).opened_at;
            if self.world.now >= opened + self.takes.of(&Point::Step(step.id.clone()), self.slow) {
                self.world.observe(VERSION, &watch_key(probe), &seen(VERSION));
            }
        }
    }

    /// Whether somebody is asked to do it: what was answered is not thought over again.
    fn asks(&self, action: &Action) -> bool {
        let given = |asked: &Asked| self.world.releases[VERSION].state.answer(asked).is_some();
        is_answer(action) && !matches!(action, Action::Answer(asked @ Asked::Question(_)) if given(asked))
    }

    /// One person says one thing: what is asked of the others may be another thing after that.
    fn answer(&mut self) {
        let holdings = self.world.explain(VERSION);
        let open: BTreeMap<Point, &Holding> = holdings
            .iter()
            .filter(|one| one.hold.on == WaitsOn::Person && one.hold.how.iter().any(|how| self.asks(how)))
            .filter_map(|one| Some((Point::of(one)?, one)))
            .collect();
        self.asked.retain(|point, asking| open.get(point).is_some_and(|one| one.hold.since == asking.told));
        for (point, holding) in &open {
            let (told, since, said) = (holding.hold.since, self.world.now, BTreeSet::new());
            self.asked.entry(point.clone()).or_insert(Asking { told, since, said });
        }
        for (point, holding) in open {
            let now = self.world.now;
            let Some(Asking { since, said, .. }) = self.asked.get_mut(&point) else { continue };
            if now < *since + self.takes.of(&point, self.slow) {
                continue;
            }
            let anybody = ["anna".parse().unwrap()];
            let people = if holding.hold.who.is_empty() { &anybody[..] } else { &holding.hold.who[..] };
            // Where several can approve it does not matter who does.
            let left: Vec<_> = people.iter().filter(|who| !said.contains(who.as_str())).collect();
            let approves = matches!(holding.hold.how[..], [Action::Approve(_), ..]);
            let place = if approves { self.pick % left.len().max(1) } else { 0 };
            let Some(who) = left.get(place).copied() else { continue };
            said.insert(who.to_string());
            let mut ways = holding.hold.how.iter().filter(|action| is_answer(action));
            let stimulus = ways.find_map(|action| doing(&self.world, VERSION, action, who.as_str()));
            self.world.by(VERSION, who.as_str(), stimulus.unwrap()).unwrap();
            return;
        }
    }

    fn live(&self) -> BTreeMap<EnvironmentName, Timestamp> {
        let live = self.world.journal.iter().filter_map(|entry| match (&entry.event, &entry.stream) {
            (
                Event::Environment(EnvironmentEvent::DeploymentEnded {
                    outcome: DeploymentOutcome::Live,
                    ..
                }),
                StreamId::Environment(_, name),
            ) => Some((name.clone(), entry.at)),
            _ => None,
        });
        live.collect()
    }
}

fn is_answer(action: &Action) -> bool {
    use Action::{Answer, Approve, Assign, Done, Tick, Vote};
    matches!(action, Approve(_) | Assign(_) | Tick(_) | Vote(_) | Answer(_) | Done(..))
}

/// What somebody does who does what an explanation says; nothing where it is not for one release alone.
pub(crate) fn doing(world: &World, version: &str, action: &Action, who: &str) -> Option<Stimulus> {
    let why = || "because".to_owned();
    Some(match action.clone() {
        Action::Approve(target) => Stimulus::Approve { target, note: None },
        Action::Revoke(target) => Stimulus::Revoke { target },
        Action::Assign(role) => Stimulus::Assign { role, person: n(who) },
        Action::Vote(target) => Stimulus::Vote { target, ballot: Ballot::For, note: None },
        Action::Tick(target) => {
            let lines = lines_of(&world.view(version), &target, world.now);
            let counts = |standing| matches!(standing, LineStanding::Counts | LineStanding::Waived);
            let open = lines.into_iter().filter(|line| !counts(line.standing));
            let items = open.map(|line| line.item).collect();
            Stimulus::Tick { target, items, result: TickResult::Passed, evidence: Some("seen".into()) }
        }
        Action::Answer(question) => {
            let text = match &question {
                Asked::Question(name) if name.as_str() == "risk" => "low",
                Asked::Question(name) if name.as_str() == "data" => "3",
                Asked::Question(name) if name.as_str() == "text" => "fine",
                _ => "yes",
            };
            Stimulus::Answer { question, text: text.into() }
        }
        Action::Done(run, step) => {
            Stimulus::Done { run, step, evidence: Some("seen".into()), outputs: BTreeMap::new() }
        }
        Action::Retry(run, step) => Stimulus::Retry { run, step },
        Action::Waive(target) => Stimulus::Waive { target, why: why(), until: None, follow_up: None },
        Action::Resume(run) => Stimulus::Resume { run },
        Action::Abort(run) => Stimulus::Abort { run, why: why() },
        Action::AbortOther { .. }
        | Action::OfOther { .. }
        | Action::Promote(_)
        | Action::AdoptPolicy
        | Action::Thaw(_)
        | Action::Release(_)
        | Action::Wait => {
            return None;
        }
    })
}

/// A freeze of production, as the rules have it.
pub(crate) fn frozen(world: &World, (from, ticks): (i32, i32)) -> FreezeState {
    let scope = Scope { environments: Only::These([n("production")].into()), ..Scope::ALL };
    let from = world.now + half_hours(from);
    let freeze = Freeze::new(scope, "the database moves", n("eve"), from, from + half_hours(ticks)).unwrap();
    let state = serde_json::json!({ "number": 1, "freeze": freeze, "at": world.now, "signed": [], "began": false, "ended": false });
    serde_json::from_value(state).unwrap()
}

/// The chain of waits has no gap, and ends where it is live.
fn check_chain(arrival: &Arrival, begin: Timestamp) {
    for pair in arrival.bound_by.windows(2) {
        assert_eq!(pair[0].until, pair[1].from, "{arrival:?}");
    }
    if let (Some(first), Some(last)) = (arrival.bound_by.first(), arrival.bound_by.last()) {
        assert_eq!((first.from, Some(last.until)), (begin, arrival.usually), "{arrival:?}");
    }
}

fn check_arrivals(arrivals: &[Arrival], lives: &Lives<'_>, end: Timestamp, what: &str) {
    let live = lives.live();
    for arrival in arrivals {
        let told = if lives.slow { arrival.slowly } else { arrival.usually };
        let told = told.filter(|told| *told <= end);
        let found = live.get(&arrival.environment).copied();
        // What would be faster at the slow pace is told as the usual time.
        let faster = lives.slow && found < arrival.usually.filter(|at| *at <= end);
        assert!(
            told == found || faster,
            "{what}: {}: told {told:?}, found {found:?}\n{arrival:#?}",
            arrival.environment
        );
    }
}

#[test]
fn people_are_not_asked_for_ever() {
    // Four different people of a group of three: the yes of somebody runs out again and again, and does not help.
    let both = ApprovalRule { allow_self: true, ..rule("releng", 2) };
    let brief = ApprovalRule { valid: Some(half_hours(3)), ..both.clone() };
    let policy = with_gate(policy(), "stage", "good", approval_gate(both));
    let policy = with_gate(policy, "stage", "brief", approval_gate(brief));
    let plan = plan(VERSION, vec![promote("stage")], &policy);
    let world = World::new(&policy);
    let told =
        forecast_start(&plan, Some(&world.view(VERSION)), &PolicyState::default(), &actor("eve"), world.now);
    let never = told.arrivals[0].never.as_ref().unwrap();
    assert_eq!(never.what, "approval `good` of stage", "{never:?}");
    assert!(never.why.starts_with("it needs 2 approvals by releng"), "{never:?}");
}

/// Other cases every time, unless `PROPTEST_RNG_SEED` asks for some; `PROPTEST_CASES` says how many, eight times as many.
fn config() -> Config {
    let usual = Config::default();
    let seed = match usual.rng_seed {
        RngSeed::Random => RandomState::new().build_hasher().finish(),
        RngSeed::Fixed(asked) => asked,
    };
    #[expect(clippy::print_stderr, reason = "shown where it fails")]
    {
        eprintln!("run it again with PROPTEST_RNG_SEED={seed}");
    }
    let rng_seed = RngSeed::Fixed(seed);
    Config { cases: usual.cases / 8, rng_seed, failure_persistence: None, max_shrink_iters: 60, ..usual }
}

proptest! {
    #![proptest_config(config())]

    /// They agree on when each environment is live, at the usual pace and at the slow one, and on where it never is: before the
    /// start, and at any moment of the way, as long as everything so far went at that pace.
    #[test]
    fn a_forecast_is_what_happens(
        (policy, steps, freeze) in any_release(),
        lengths in proptest::collection::vec((1..6_i32, 0..6_i32), 30),
        again_at in 0..TICKS,
        pick in 0..4_usize,
    ) {
        let mut plan = plan(VERSION, steps, &policy);
        let takes = points(&plan).into_iter().zip(lengths.into_iter().cycle());
        let takes = Takes(takes.map(|(point, (usual, more))| (point, (usual, usual + more))).collect());
        plan.past = takes.past();
        let mut world = World::new(&policy);
        world.freezes.extend(freeze.map(|freeze| frozen(&world, freeze)));
        let rules = PolicyState { freezes: world.freezes.clone(), ..PolicyState::default() };
        let begin = world.now;
        let first = forecast_start(&plan, Some(&world.view(VERSION)), &rules, &actor("eve"), begin);
        let answers = |what: &Assumed| matches!(what, Assumed::Answer(_));
        prop_assert!(first.assumed.iter().all(|one| answers(&one.what)), "{:?}", first.assumed);
        first.arrivals.iter().for_each(|arrival| check_chain(arrival, begin));
        let end = begin + half_hours(TICKS);
        for slow in [false, true] {
            let mut lives = Lives { world: world.clone(), plan: &plan, takes: &takes, slow, asked: BTreeMap::new(), pick };
            lives.world.start(&plan, "eve");
            let mut on_the_way = Vec::new();
            for tick in 0..=TICKS {
                lives.look();
                if lives.world.outcome(VERSION).is_some() {
                    break;
                }
                if tick == again_at {
                    on_the_way = forecast(&lives.world.view(VERSION), &rules, lives.world.now).arrivals;
                }
                lives.world.pass(TICK);
            }
            check_arrivals(&first.arrivals, &lives, end, "before the start");
            check_arrivals(&on_the_way, &lives, end, "on the way");
        }
    }
}
