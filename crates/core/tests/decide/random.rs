//! Whatever happens, in whatever order: the checks of the world hold after every decision.

use proptest::prelude::*;
use proptest::test_runner::Config;
use tollgate_core::act::{FailureClass, Report};
use tollgate_core::event::{ApprovalTarget, Asked, Ballot, Seen, TickResult, WaiverTarget};
use tollgate_core::ids::CandidateNumber;
use tollgate_core::model::*;
use tollgate_core::state::StepStatus;
use tollgate_core::view::{Stimulus, watch_key};

use crate::build::*;
use crate::world::*;

pub(crate) const PEOPLE: [&str; 7] = ["anna", "bob", "carol", "dave", "eve", "?login", "tollgate"];
pub(crate) const VERSIONS: [&str; 2] = ["1.9.0", "1.10.0"];
const URLS: [&str; 2] = ["https://stage.example.org", "https://production.example.org"];

/// Policies that differ in everything that gates and deployments know.
pub(crate) fn any_policy() -> impl Strategy<Value = Policy> {
    let deploy = prop_oneof![
        Just(Deploy::Command { shell: command("deploy"), timeout: hours(1) }),
        Just(Deploy::Manual { instruction: text("Deploy {{ tag }}"), by: Some(group("ops")) }),
        Just(Deploy::Observed),
    ];
    let gate = prop_oneof![
        (1..3_u32, any::<bool>(), proptest::option::of(1..200_i64)).prop_map(|(count, allow_self, valid)| {
            approval_gate(ApprovalRule { allow_self, valid: valid.map(mins), ..rule("releng", count) })
        }),
        proptest::option::of(1..200_i64).prop_map(|valid| ask_gate("Quiet on {{ env.name }}?", None, valid)),
        Just(ask_gate("Now?", Some(group("ops")), Some(60))),
        any_vote().prop_map(vote_gate),
        proptest::option::of(any_who())
            .prop_map(|by| { gate_of(GateKind::Checklist { list: checklist(&["a", "b?", "c!"]), by }) }),
        any_who().prop_map(|by| approval_gate(ApprovalRule { by, ..rule("ops", 1) })),
        Just(require(equals("answers.risk", "low"))),
        Just(Gate { condition: Some(equals("answers.risk", "high")), ..approval_gate(rule("ops", 1)) }),
    ];
    let gates = proptest::collection::vec(gate, 0..3);
    let environment = (deploy, 0..3_u32, any::<bool>(), gates);
    (environment.clone(), environment, any::<bool>(), proptest::option::of(0..3_usize), 0..3_u8).prop_map(
        |(stage, production, waivers, smaller, role_of)| {
            let mut policy = policy();
            for (name, url, (deploy, times, verify, gates)) in
                [("stage", URLS[0], stage), ("production", URLS[1], production)]
            {
                policy = with_environment(policy, name, |environment| {
                    let observed = deploy == Deploy::Observed;
                    environment.deploy = deploy;
                    environment.probe = (times > 0 || observed).then(|| probe(url, times.max(1)));
                    environment.verify = if verify { vec![manual("verify-1")] } else { Vec::new() };
                    for (number, gate) in gates.into_iter().enumerate() {
                        environment.gates.insert(n(&format!("g{number}")), gate);
                    }
                });
            }
            policy.calendar = crate::shifts::on_call();
            for (role, filled) in [("owner", Filled::Starter), ("keeper", turn(role_of))] {
                policy = with_role(policy, role, if role_of == 0 { "ops" } else { "releng" }, filled);
            }
            for (name, stand_in) in [("carol", "eve"), ("dave", "carol")] {
                let from = jiff::civil::date(2026, 3, 1 + i8::try_from(role_of).unwrap());
                let person = policy.people.get_mut::<tollgate_core::ids::PersonName>(&n(name)).unwrap();
                person.away = vec![Away { from, to: from }];
                person.stand_in = Some(n(stand_in));
            }
            if !waivers {
                policy.waivers = None;
            }
            if let Some(gone) = smaller {
                policy.groups.get_mut::<tollgate_core::ids::GroupName>(&n("releng")).unwrap().remove(gone);
            }
            policy
        },
    )
}

fn turn(days: u8) -> Filled {
    match days {
        1 => Filled::Calendar(n("on-call")),
        2 => Filled::Ask,
        days => Filled::Turn {
            every: hours(24),
            from: jiff::civil::date(2026, 3, 1 + i8::try_from(days).unwrap()),
        },
    }
}

/// Whom a rule may speak of.
fn any_who() -> impl Strategy<Value = Who> {
    prop_oneof![
        Just(Who::Role(n("owner"))),
        Just(Who::Role(n("keeper"))),
        Just(group("ops")),
        Just(person("bob")),
    ]
}

fn any_vote() -> impl Strategy<Value = VoteRule> {
    let majority = prop_oneof![Just(Majority::Simple), Just(Majority::TwoThirds), Just(Majority::Unanimous)];
    let times = (0..3_i64, proptest::option::of(1..5_i64));
    (0..3_u32, times, majority, any::<bool>(), any::<bool>()).prop_map(
        |(quorum, (period, more), majority, veto, lazy)| VoteRule {
            majority,
            veto,
            lazy,
            ..vote_rule("releng", quorum, period, more.map(|more| period + more))
        },
    )
}

fn any_step(number: usize) -> impl Strategy<Value = Step> {
    let id = format!("s{number}");
    let kind = prop_oneof![
        Just(StepKind::VersionBump),
        Just(StepKind::Changelog),
        Just(StepKind::GitCommit { message: text("Version {{ version }}"), sign: None }),
        Just(StepKind::GitTag { message: None, sign: None }),
        Just(StepKind::GitPush { branch: true, tag: true }),
        Just(merge(MergeWay::Into(text("develop")))),
        Just(later("develop")),
        Just(merge(MergeWay::From("feature".into()))),
        Just(pick(&"a".repeat(40))),
        Just(StepKind::Shell(command("make"))),
        Just(StepKind::Manual { instruction: text("Do it"), evidence: true }),
        Just(StepKind::Ask { questions: vec![n("risk"), n("data")] }),
        (1..3_u32).prop_map(|count| StepKind::Approval(rule("releng", count))),
        any_vote().prop_map(StepKind::Vote),
        Just(StepKind::Checklist(checklist(&["a", "b?", "c!"]))),
        any_who().prop_map(|to| match to {
            Who::Role(_) => StepKind::HandOver { role: n("owner"), to: group("ops") },
            to => StepKind::HandOver { role: n("keeper"), to },
        }),
        Just(StepKind::Promote { environment: n("stage") }),
        Just(StepKind::Promote { environment: n("production") }),
    ];
    let condition = prop_oneof![
        6 => Just(None),
        1 => Just(Some(equals("answers.risk", "low"))),
        1 => Just(Some(holds("answers.quiet"))),
        1 => Just(Some(differs("version.bump", "minor"))),
    ];
    let timeout = proptest::option::weighted(0.2, 1..300_i64);
    let retry = proptest::option::weighted(0.3, (1..4_u32, 1..900_i64));
    let by = proptest::option::weighted(
        0.3,
        prop_oneof![any_who(), (0..5_usize).prop_map(|step| Who::SameAs(n(&format!("s{step}"))))],
    );
    (kind, condition, timeout, (retry, by), proptest::bool::weighted(0.1), proptest::bool::weighted(0.2))
        .prop_map(move |(kind, condition, timeout, (retry, by), abort, beside)| Step {
            by,
            condition,
            timeout: timeout.map(mins),
            retry: retry.map(|(tries, pause)| Retry { tries, pause: secs(pause) }),
            otherwise: if abort { Otherwise::Abort } else { Otherwise::Ask },
            after: beside.then(Vec::new),
            ..step(&id, kind)
        })
}

pub(crate) fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let steps = (any_step(0), any_step(1), any_step(2), any_step(3), any_step(4));
    let ends = proptest::collection::vec(0..3_u8, 0..3);
    (steps, 1..6_usize, any::<bool>(), ends).prop_map(|((a, b, c, d, e), count, parallel, ends)| {
        let mut steps: Vec<Step> = [a, b, c, d, e].into_iter().take(count).collect();
        if parallel && steps.len() > 2 {
            let last = steps.split_off(1);
            steps.push(step("together", StepKind::Parallel { steps: last }));
        }
        for (number, end) in ends.into_iter().enumerate() {
            let environment = if end == 0 { "production" } else { "stage" };
            steps.push(Step { id: n(&format!("p{number}")), ..promote(environment) });
        }
        steps
    })
}

/// What happens next; numbers pick among what there is.
#[derive(Debug, Clone)]
pub(crate) enum Next {
    Start(usize),
    Promote(usize, &'static str),
    Work(usize, usize),
    Lease(usize, usize),
    Report(usize, usize, u8),
    LateReport(usize),
    See(usize, usize, u8),
    Say(usize, usize, u8, u8),
    Vote(usize, usize, u8, u8),
    Tick(usize, usize, u8, u8, u8),
    Assign(usize, usize, usize, bool),
    Answer(usize, usize, u8, u8),
    OnStep(usize, usize, usize, u8),
    OnRun(usize, usize, u8),
    Waive(usize, usize, u8, &'static str, bool),
    Pass(i64),
    Rules,
    FollowWhy(usize, usize, usize, usize),
}

pub(crate) fn any_next() -> impl Strategy<Value = Next> {
    let release = 0..2_usize;
    let who = 0..PEOPLE.len();
    let place = prop_oneof![Just("stage"), Just("production")];
    prop_oneof![
        1 => release.clone().prop_map(Next::Start),
        1 => (release.clone(), place.clone()).prop_map(|(release, place)| Next::Promote(release, place)),
        8 => (release.clone(), 0..4_usize).prop_map(|(release, pick)| Next::Work(release, pick)),
        2 => (release.clone(), 0..4_usize).prop_map(|(release, pick)| Next::Lease(release, pick)),
        3 => (release.clone(), 0..4_usize, 0..5_u8).prop_map(|(release, pick, how)| Next::Report(release, pick, how)),
        1 => release.clone().prop_map(Next::LateReport),
        4 => (release.clone(), 0..2_usize, 0..4_u8).prop_map(|(release, url, what)| Next::See(release, url, what)),
        4 => (release.clone(), who.clone(), 0..8_u8, 0..4_u8)
            .prop_map(|(release, who, what, how)| Next::Say(release, who, what, how)),
        4 => (release.clone(), who.clone(), 0..8_u8, 0..4_u8)
            .prop_map(|(release, who, what, how)| Next::Vote(release, who, what, how)),
        6 => (release.clone(), who.clone(), 0..8_u8, 0..3_u8, 0..4_u8)
            .prop_map(|(release, who, what, item, how)| Next::Tick(release, who, what, item, how)),
        2 => (release.clone(), who.clone(), who.clone(), any::<bool>())
            .prop_map(|(release, who, whom, owner)| Next::Assign(release, who, whom, owner)),
        4 => (release.clone(), who.clone(), 0..6_u8, 0..3_u8)
            .prop_map(|(release, who, what, how)| Next::Answer(release, who, what, how)),
        4 => (release.clone(), who.clone(), 0..30_usize, 0..4_u8)
            .prop_map(|(release, who, step, how)| Next::OnStep(release, who, step, how)),
        1 => (release.clone(), who.clone(), 0..8_u8).prop_map(|(release, who, how)| Next::OnRun(release, who, how)),
        2 => (release.clone(), who.clone(), 0..3_u8, place, any::<bool>())
            .prop_map(|(release, who, gate, place, soon)| Next::Waive(release, who, gate, place, soon)),
        4 => (0..5_000_i64).prop_map(Next::Pass),
        1 => Just(Next::Rules),
        8 => (release, 0..6_usize, 0..3_usize, 0..5_usize)
            .prop_map(|(release, hold, action, who)| Next::FollowWhy(release, hold, action, who)),
    ]
}

/// A gate or a step that people may be asked about.
fn target(run: tollgate_core::ids::RunId, what: u8) -> ApprovalTarget {
    match what {
        0..=2 => ApprovalTarget::Gate(n("stage"), n(&format!("g{what}"))),
        3..=4 => ApprovalTarget::Gate(n("production"), n(&format!("g{}", what - 3))),
        step => ApprovalTarget::Step(run, n(&format!("s{}", step - 5))),
    }
}

pub(crate) struct Random {
    pub(crate) world: World,
    plans: [tollgate_core::plan::Plan; 2],
    other: Policy,
    late: Vec<(usize, Stimulus)>,
}

impl Random {
    pub(crate) fn new(policy: &Policy, other: Policy, steps: [Vec<Step>; 2]) -> Self {
        let [one, two] = steps;
        let plans = [plan(VERSIONS[0], one, policy), plan(VERSIONS[1], two, policy)];
        let mut random = Self { world: World::new(policy), plans, other, late: Vec::new() };
        random.step(&Next::Start(0));
        random.step(&Next::Start(1));
        random
    }

    fn give(&mut self, release: usize, who: usize, stimulus: Stimulus) {
        // Refusals are fine: nothing changed, and nothing panicked.
        if self.world.by(VERSIONS[release], PEOPLE[who % PEOPLE.len()], stimulus).is_ok() {
            self.nudge(1 - release);
        }
    }

    /// The engine wakes the other release when something it depends on has changed.
    fn nudge(&mut self, release: usize) {
        if self.world.releases.contains_key(VERSIONS[release]) {
            self.world.wake(VERSIONS[release]);
        }
    }

    fn run(&self, release: usize) -> Option<tollgate_core::ids::RunId> {
        self.world.releases.get(VERSIONS[release])?.runs.last().copied()
    }

    fn acts(&self, release: usize, leased: bool) -> Vec<(tollgate_core::ids::EffectId, u64)> {
        if self.run(release).is_none() {
            return Vec::new();
        }
        let tasks = self.world.agenda(VERSIONS[release]).tasks;
        tasks
            .iter()
            .filter(|(_, task)| task.leased.is_some() == leased)
            .map(|(effect, task)| (*effect, task.leased.unwrap_or(0)))
            .collect()
    }

    pub(crate) fn step(&mut self, next: &Next) {
        match next {
            Next::Start(release) => drop(self.world.try_start(&self.plans[*release].clone(), "anna")),
            Next::Promote(release, place) => {
                let plan = promotion(&self.plans[*release], place, &self.world.policy.clone());
                drop(self.world.try_start(&plan, "eve"));
            }
            Next::Work(release, pick) => {
                self.step(&Next::Lease(*release, *pick));
                self.step(&Next::Report(*release, *pick, 0));
            }
            Next::Lease(release, pick) => {
                let leased = *pick == 3;
                let acts = self.acts(*release, leased);
                let Some((effect, _)) = acts.get(pick % acts.len().max(1)).copied() else { return };
                self.world.epoch += 1;
                self.give(*release, 6, Stimulus::Lease { effect, epoch: self.world.epoch });
            }
            Next::Report(release, pick, how) => self.report(*release, *pick, *how),
            Next::LateReport(release) => {
                if let Some((release, stimulus)) = self.late.pop() {
                    let before = self.world.releases[VERSIONS[release]].state.clone();
                    self.give(release, 6, stimulus);
                    assert_eq!(
                        self.world.releases[VERSIONS[release]].state, before,
                        "a doubled report counted"
                    );
                }
                self.nudge(*release);
            }
            Next::See(release, url, what) => {
                let value = ["1.9.0", "1.10.0", "1.8.0"].get(usize::from(*what));
                let seen = Seen {
                    value: value.map(ToString::to_string),
                    problem: value.is_none().then(|| "down".into()),
                };
                let key = watch_key(&probe(URLS[*url], 1));
                self.give(*release, 6, Stimulus::Observed { key, seen });
            }
            Next::Say(release, who, what, how) => self.say(*release, *who, *what, *how),
            Next::Vote(release, who, what, how) => {
                let Some(run) = self.run(*release) else { return };
                let target = target(run, *what);
                let (ballot, note) = [
                    (Ballot::For, None),
                    (Ballot::Abstain, None),
                    (Ballot::Against, Some("no".to_owned())),
                    (Ballot::For, Some("yes".to_owned())),
                ][usize::from(*how)]
                .clone();
                self.give(*release, *who, Stimulus::Vote { target, ballot, note });
            }
            Next::Tick(release, who, what, item, how) => {
                let Some(run) = self.run(*release) else { return };
                let why = || "so".to_owned();
                let (result, evidence) = [
                    (TickResult::Passed, None),
                    (TickResult::Passed, Some("seen".to_owned())),
                    (TickResult::Failed { why: why() }, None),
                    (TickResult::NotRun { why: why() }, None),
                ][usize::from(*how)]
                .clone();
                let items = vec![n(["a", "b", "c"][usize::from(*item)])];
                let target = target(run, *what);
                self.give(*release, *who, Stimulus::Tick { target, items, result, evidence });
            }
            Next::Assign(release, who, whom, owner) => {
                let role = n(if *owner { "owner" } else { "keeper" });
                let person = n(PEOPLE[*whom % 5]);
                if self.run(*release).is_some() {
                    self.give(*release, *who, Stimulus::Assign { role, person });
                }
            }
            Next::Answer(release, who, what, how) => {
                let question = match what {
                    0 => Asked::Question(n("risk")),
                    1 => Asked::Question(n("data")),
                    2 => Asked::Question(n("quiet")),
                    gate => Asked::Gate(n("stage"), n(&format!("g{}", gate - 3)), CandidateNumber(1)),
                };
                let words = [["low", "high", "?"], ["0", "5", "x"], ["yes", "no", "?"]];
                let text = words.get(usize::from(*what)).unwrap_or(&words[2])[usize::from(*how)];
                self.give(*release, *who, Stimulus::Answer { question, text: text.into() });
            }
            Next::OnStep(release, who, step, how) => self.on_step(*release, *who, *step, *how),
            Next::OnRun(release, who, how) => {
                let Some(run) = self.run(*release) else { return };
                let why = "because".to_owned();
                let stimulus = match how {
                    0 => Stimulus::Abort { run, why },
                    1..=3 => Stimulus::Hold { run, why },
                    _ => Stimulus::Resume { run },
                };
                self.give(*release, *who, stimulus);
            }
            Next::Waive(release, who, gate, place, soon) => {
                let name = if *gate == 2 { "from".to_owned() } else { format!("g{gate}") };
                let target = WaiverTarget::Gate(n(place), n(&name));
                let until = soon.then(|| self.world.now + mins(10));
                self.give(
                    *release,
                    *who,
                    Stimulus::Waive { target, why: "because".into(), until, follow_up: None },
                );
            }
            Next::Pass(seconds) => {
                self.world.pass(secs(*seconds));
                self.nudge(0);
                self.nudge(1);
            }
            Next::Rules => {
                let other = std::sync::Arc::new(self.other.clone());
                self.other = (*std::mem::replace(&mut self.world.policy, other)).clone();
                self.nudge(0);
                self.nudge(1);
            }
            Next::FollowWhy(release, hold, action, who) => self.follow(*release, *hold, *action, *who),
        }
    }

    fn report(&mut self, release: usize, pick: usize, how: u8) {
        let acts = self.acts(release, true);
        let Some((effect, epoch)) = acts.get(pick % acts.len().max(1)).copied() else { return };
        let state = &self.world.releases[VERSIONS[release]].state;
        let Some((_, _, step)) = state.step_of(effect) else { return };
        let StepStatus::Leased { act, .. } = &step.status else { return };
        let classes = [
            FailureClass::Transient,
            FailureClass::RateLimited,
            FailureClass::Permanent,
            FailureClass::InDoubt,
        ];
        let report = match how {
            0 => Report::Done(outcome(act)),
            how => Report::Failed(failure(classes[usize::from(how - 1)], "it broke")),
        };
        let stimulus = Stimulus::Reported { effect, epoch, report };
        self.late.push((release, stimulus.clone()));
        self.give(release, 6, stimulus);
    }

    fn say(&mut self, release: usize, who: usize, what: u8, how: u8) {
        let Some(run) = self.run(release) else { return };
        let target = target(run, what);
        let stimulus = match how {
            0 => Stimulus::Reject { target, why: "no".into() },
            1 => Stimulus::Revoke { target },
            _ => Stimulus::Approve { target, note: None },
        };
        self.give(release, who, stimulus);
    }

    fn on_step(&mut self, release: usize, who: usize, step: usize, how: u8) {
        let Some(run) = self.run(release) else { return };
        let view = self.world.view(VERSIONS[release]);
        let Some(plan) = view.plans.get(&run) else { return };
        let step = plan.steps[step % plan.steps.len()].id.clone();
        let stimulus = match how {
            0 => Stimulus::Retry { run, step },
            1 => Stimulus::Waive {
                target: WaiverTarget::Step(run, step),
                why: "because".into(),
                until: None,
                follow_up: None,
            },
            _ => Stimulus::Done { run, step, evidence: Some("seen".into()), outputs: Default::default() },
        };
        self.give(release, who, stimulus);
    }

    /// Does what an explanation says.
    fn follow(&mut self, release: usize, hold: usize, action: usize, who: usize) {
        use tollgate_core::gate::Action;
        if self.run(release).is_none() {
            return;
        }
        let found = self.world.explain(VERSIONS[release]);
        let Some(holding) = found.get(hold % found.len().max(1)) else { return };
        let how = holding.hold.how[action % holding.hold.how.len()].clone();
        let by =
            holding.hold.who.get(who % holding.hold.who.len().max(1)).map_or("eve", |person| person.as_str());
        let by = PEOPLE.iter().position(|person| *person == by).unwrap();
        let stimulus = match how {
            Action::Approve(target) => Stimulus::Approve { target, note: None },
            Action::Assign(role) => Stimulus::Assign { role, person: n(PEOPLE[who % 5]) },
            Action::Tick(target) => Stimulus::Tick {
                target,
                items: vec![n(["a", "b", "c"][who % 3])],
                result: TickResult::Passed,
                evidence: Some("seen".into()),
            },
            Action::Vote(target) => Stimulus::Vote { target, ballot: Ballot::For, note: None },
            Action::Answer(question) => {
                Stimulus::Answer { question, text: ["yes", "low", "3"][who % 3].into() }
            }
            Action::Done(run, step) => {
                Stimulus::Done { run, step, evidence: Some("seen".into()), outputs: Default::default() }
            }
            Action::Retry(run, step) => Stimulus::Retry { run, step },
            Action::Waive(target) => {
                Stimulus::Waive { target, why: "because".into(), until: None, follow_up: None }
            }
            Action::Resume(run) => Stimulus::Resume { run },
            Action::Revoke(target) => Stimulus::Revoke { target },
            Action::Abort(_)
            | Action::AbortOther { .. }
            | Action::OfOther { .. }
            | Action::Promote(_)
            | Action::Release(_)
            | Action::AdoptPolicy
            | Action::Thaw(_)
            | Action::Wait => return,
        };
        self.give(release, by, stimulus);
    }
}

proptest! {
    #![proptest_config(Config { cases: 250, failure_persistence: None, max_shrink_iters: 4_000, ..Config::default() })]

    #[test]
    fn whatever_happens(
        (policy, other) in (any_policy(), any_policy()),
        (one, two) in (any_steps(), any_steps()),
        next in proptest::collection::vec(any_next(), 1..80),
    ) {
        let mut random = Random::new(&policy, other, [one, two]);
        for next in &next {
            random.step(next);
        }
        replays_from_the_start(&random.world);
    }
}

/// The whole journal, from nothing, gives the states that deciding gave.
fn replays_from_the_start(world: &World) {
    let mut fresh = World::new(&world.policy);
    for version in VERSIONS {
        let mut view = fresh.view(version);
        let own = view.stream();
        for entry in world.journal.iter().filter(|entry| entry.stream == own) {
            view.apply(entry);
        }
        let kept = world.releases.get(version).map(|release| release.state.clone()).unwrap_or_default();
        assert_eq!(view.release, kept);
    }
    for entry in &world.journal {
        if let (
            tollgate_core::event::Event::Environment(event),
            tollgate_core::journal::StreamId::Environment(_, name),
        ) = (&entry.event, &entry.stream)
        {
            fresh.environments.entry(name.clone()).or_default().apply(entry.at, &entry.actor, event);
        }
    }
    for (name, state) in &world.environments {
        assert_eq!(fresh.environment(name.as_str()), *state);
    }
}
