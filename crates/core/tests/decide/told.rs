//! What an explanation says is true: whoever it names can type what it says, and that moves the run; what it says opens by itself
//! does at that moment. Whoever goes on like that brings the run to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::Config;
use tollgate_core::act::Report;
use tollgate_core::decide::{LineStanding, PolicyView, checklist as lines_of, release_environment, thaw};
use tollgate_core::event::{ApprovalTarget, Asked, Ballot, Event, TickResult, WaiverTarget};
use tollgate_core::explain::Holding;
use tollgate_core::facts::Look;
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::ids::{EnvironmentName, PersonName, RunId};
use tollgate_core::model::*;
use tollgate_core::plan::Plan;
use tollgate_core::state::{PolicyState, RunStatus, StepStatus};
use tollgate_core::typed::{Typed, runs_named};
use tollgate_core::view::{Refusal, Stimulus, View};

use crate::build::*;
use crate::factual::{any_fact_gate, any_fact_step, good_sight};
use crate::forward::{frozen, window};
use crate::random::{Random, any_next, any_policy, any_steps};
use crate::world::*;

/// How often something may be said or wait until a run comes to its end.
const ROUNDS_MAX: usize = 400;

/// Gates that open by themselves or by what the world shows, beside those that people open.
fn any_other_gate() -> impl Strategy<Value = Gate> + Clone {
    prop_oneof![
        Just(window("Mon-Fri 08:00-10:00 Europe/Berlin")),
        Just(window("Mon-Sun 22:00-02:00 America/Los_Angeles")),
        (1..30_i64).prop_map(|many| gate_of(GateKind::Soak { time: hours(many), environment: None })),
        (1..30_i64).prop_map(|many| {
            gate_of(GateKind::Pace(Pace { at_most: 1, within: hours(many), only: Vec::new() }))
        }),
        any_fact_gate(),
    ]
}

fn with_gates(mut policy: Policy, gates: Vec<(bool, Gate)>) -> Policy {
    for (number, (first, gate)) in gates.into_iter().enumerate() {
        let environment = if first { "stage" } else { "production" };
        policy = with_gate(policy, environment, &format!("other-{number}"), gate);
    }
    policy
}

/// A step that waits for more than the others do.
fn any_waiting_step() -> impl Strategy<Value = Step> {
    let at = prop_oneof![
        Just("Mon-Fri 09:30-16:00 UTC"),
        Just("daily 12:00 UTC"),
        Just("2026-03-04 10:00 UTC"),
        Just("2026-03-01 10:00 UTC"),
    ];
    prop_oneof![any_fact_step("waits"), at.prop_map(|at| Step { at: Some(n(at)), ..manual("waits") }),]
}

/// The same steps, with what is cut promoted to where it comes first, and then on.
fn sound(steps: Vec<Step>, waiting: Option<Step>, again: bool) -> Vec<Step> {
    let stays = |step: &Step| !matches!(step.kind, StepKind::Promote { .. });
    let mut sound: Vec<Step> = steps.into_iter().filter(stays).collect();
    for step in &mut sound {
        if let StepKind::Parallel { steps } = &mut step.kind {
            steps.retain(stays);
            if steps.is_empty() {
                steps.push(shell("make"));
            }
        }
    }
    sound.extend(waiting);
    if again {
        sound.push(Step { id: n("first"), ..promote("stage") });
    }
    sound.extend([promote("stage"), promote("production")]);
    sound
}

/// What a line that somebody types asks for.
enum Typing {
    Say(Stimulus),
    /// The same about another release.
    Of(String, Box<Typing>),
    Promote(EnvironmentName),
    Release(EnvironmentName),
    Adopt,
    Thaw(u32),
}

/// A gate of an environment, or a step of a run under way: of that which is named where several have it, or the one that waits.
fn target(view: &View, run: Option<RunId>, name: &str) -> ApprovalTarget {
    let mut found = Vec::new();
    for (state, plan) in view.active().filter(|(state, _)| run.is_none_or(|run| run == state.id)) {
        if let Some(step) = plan.steps.iter().find(|step| step.id.as_str() == name) {
            let waits = state.steps.get(&step.id).is_some_and(|state| !state.status.is_over());
            found.push((waits, ApprovalTarget::Step(state.id, step.id.clone())));
        }
    }
    let waits = found.iter().any(|(waits, _)| *waits);
    found.retain(|(one, _)| *one == waits);
    match found.as_slice() {
        [(_, step)] => return step.clone(),
        [] => {}
        several => panic!("`{name}` can be any of {several:?}"),
    }
    let (environment, gate) = name.split_once('/').unwrap_or_else(|| panic!("nothing is called `{name}`"));
    ApprovalTarget::Gate(n(environment), n(gate))
}

/// The one run under way that is meant by a name, or without one.
fn run_of(view: &View, name: Option<&str>) -> RunId {
    let all: Vec<RunId> = match name {
        Some(name) => runs_named(view, name).iter().map(|run| run.id).collect(),
        None => view.active().map(|(run, _)| run.id).collect(),
    };
    let [run] = all[..] else { panic!("{name:?} means {all:?}") };
    run
}

/// One of what can be typed in a place such as `yes|no`.
fn filled(word: &str) -> String {
    match word {
        "NUMBER" => "3".into(),
        "TEXT" | "REASON" => "because".into(),
        several => several.split('|').next().unwrap_or_default().into(),
    }
}

/// Reads a line as the command line would, with `who` typing it, and what stands for something filled in.
fn read(world: &World, version: &str, run: &Holding, line: &str) -> Typing {
    let view = world.view(version);
    let mut words = line.split(' ');
    assert_eq!(words.next(), Some("tollgate"), "{line}");
    let verb = words.next().unwrap_or_default();
    let (mut places, mut options): (Vec<&str>, BTreeMap<&str, Vec<&str>>) = Default::default();
    while let Some(word) = words.next() {
        match word.strip_prefix("--") {
            Some(option) => options.entry(option).or_default().push(words.next().unwrap_or_default()),
            None => places.push(word),
        }
    }
    let about = options.get("release").map_or(version, |values| values[0]);
    if about != version {
        return Typing::Of(about.to_owned(), Box::new(read(world, about, run, line)));
    }
    let run_named = options.get("run").map(|values| run_of(&view, Some(values[0])));
    let first = || places.first().copied().unwrap_or_default();
    let named = || target(&view, run_named, first());
    let option = |name: &str| options.get(name).map(|values| filled(values[0]));
    let step = || match named() {
        ApprovalTarget::Step(run, step) => (run, step),
        ApprovalTarget::Gate(..) => panic!("{line} names a gate, not a step"),
    };
    let of_run = || run_named.unwrap_or_else(|| run_of(&view, None));
    Typing::Say(match verb {
        "approve" => Stimulus::Approve { target: named(), note: None },
        "revoke" => Stimulus::Revoke { target: named() },
        "vote" => Stimulus::Vote { target: named(), ballot: Ballot::For, note: None },
        "assign" => {
            Stimulus::Assign { role: n(first()), person: another(&view, run, first(), world.journal.len()) }
        }
        "tick" => {
            let target = target(&view, run_named, options["of"][0]);
            let counts = |standing| matches!(standing, LineStanding::Counts | LineStanding::Waived);
            let open = lines_of(&view, &target, world.now).into_iter();
            let items = open.filter(|line| !counts(line.standing)).map(|line| line.item).collect();
            let evidence = Some("https://example.org/seen".into());
            Stimulus::Tick { target, items, result: TickResult::Passed, evidence }
        }
        "answer" => {
            let question = match first().split_once('/') {
                None => Asked::Question(n(first())),
                Some((environment, gate)) => {
                    let candidate =
                        view.heading_to(&n(environment)).first().expect("a run goes there").0.candidate;
                    Asked::Gate(n(environment), n(gate), candidate)
                }
            };
            Stimulus::Answer { question, text: filled(places[1]) }
        }
        "done" => {
            let given = options.get("output").into_iter().flatten().filter_map(|one| one.split_once('='));
            let outputs = given.map(|(name, value)| (n(name), value.to_owned())).collect();
            let (run, step) = step();
            Stimulus::Done { run, step, evidence: option("evidence"), outputs }
        }
        "retry" => {
            let (run, step) = step();
            Stimulus::Retry { run, step }
        }
        "waive" => {
            let target = match (options.get("item"), named()) {
                (Some(item), of) => WaiverTarget::Item(of, n(item[0])),
                (None, ApprovalTarget::Gate(environment, gate)) => WaiverTarget::Gate(environment, gate),
                (None, ApprovalTarget::Step(run, step)) => WaiverTarget::Step(run, step),
            };
            Stimulus::Waive { target, why: option("why").expect("a reason"), until: None, follow_up: None }
        }
        "abort" => Stimulus::Abort { run: of_run(), why: option("why").expect("a reason") },
        "resume" if options.contains_key("environment") => {
            return Typing::Release(n(options["environment"][0]));
        }
        "resume" => Stimulus::Resume { run: of_run() },
        "promote" => return Typing::Promote(n(first())),
        "policy" if first() == "adopt" => return Typing::Adopt,
        "thaw" => return Typing::Thaw(n(first())),
        _ => panic!("nobody can type `{line}`"),
    })
}

/// Somebody who could fill a role and does not.
fn another(view: &View, holding: &Holding, role: &str, times: usize) -> PersonName {
    // What is told of another release names nobody of this one's.
    let plan = view.plans.get(&holding.run).or(view.plans.values().next()).expect("a run");
    let found = view.role(plan, &n(role)).expect("a role");
    let now = view.fills(plan, &n(role));
    let mut people = view.members(plan, &found.of);
    people.retain(|person| Some(person) != now);
    assert!(!people.is_empty(), "nobody else can be `{role}`");
    people.swap_remove(times % people.len())
}

/// Does what a line says. Nothing comes of what is refused.
fn typed(world: &mut World, version: &str, holding: &Holding, line: &str, who: &str) -> Result<(), Refusal> {
    let typing = read(world, version, holding, line);
    carried_out(world, version, holding, typing, who)
}

fn carried_out(
    world: &mut World,
    version: &str,
    holding: &Holding,
    typing: Typing,
    who: &str,
) -> Result<(), Refusal> {
    match typing {
        Typing::Say(stimulus) => {
            let entries = world.by(version, who, stimulus)?;
            let theirs = entries.iter().any(|entry| entry.actor == actor(who));
            assert!(theirs, "{who} types something about {holding:?}, and nothing is written down");
        }
        Typing::Of(release, typing) => carried_out(world, &release, holding, *typing, who)?,
        Typing::Promote(environment) => {
            let plans = world.view(version).plans;
            let plan: &Arc<Plan> = plans.get(&holding.run).or(plans.values().next()).expect("a run");
            let rules = world.policy.clone();
            world.try_start(&promotion(plan, environment.as_str(), &rules), who)?;
        }
        Typing::Release(environment) => {
            let state = world.environment(environment.as_str());
            let policy = world.policy.clone();
            let entry = release_environment(
                &policy.service,
                &environment,
                &state,
                &policy,
                None,
                &actor(who),
                world.now,
            )?;
            if let Event::Environment(event) = &entry.event {
                world.environments.entry(environment).or_default().apply(entry.at, &entry.actor, event);
            }
        }
        // Whose rules these are is not for one release: those that it started with are put in force again.
        Typing::Adopt => {
            let plan = world.view(version).plans[&holding.run].clone();
            world.policy = Arc::new(plan.policy.clone());
        }
        Typing::Thaw(number) => {
            let state = PolicyState { freezes: world.freezes.clone(), ..PolicyState::default() };
            let service = world.policy.service.clone();
            let view = PolicyView { service, state, in_force: Some(world.policy.clone()) };
            let decision = thaw(&view, number, &actor(who), world.now)?;
            world.freezes.retain(|freeze| freeze.number != number);
            world.freezes.extend((!decision.lifted).then_some(decision.freeze));
        }
    }
    Ok(())
}

/// Whom an explanation names for something: whoever may waive is told beside it.
fn named(world: &World, holding: &Holding, action: &Action) -> Vec<String> {
    let (hold, policy) = (&holding.hold, &world.policy);
    let everybody = || policy.people.keys().cloned().collect::<Vec<_>>();
    let people = match action {
        Action::Waive(_) => policy.waivers.as_ref().map(|who| policy.members(who)).unwrap_or_default(),
        // A run is given up by anybody who is known.
        Action::Abort(_) | Action::AbortOther { .. } => everybody(),
        _ if hold.anybody => everybody(),
        _ => hold.who.clone(),
    };
    people.iter().map(ToString::to_string).collect()
}

/// What is under way comes to an end, and what can go on does; nobody says anything, and no time passes.
fn calm(world: &mut World) {
    for _ in 0..300 {
        let before = world.journal.len();
        for version in under_way(world) {
            world.wake(&version);
            acts(world, &version);
        }
        if world.journal.len() == before {
            return;
        }
    }
    panic!("it never comes to rest");
}

/// Every act that is due is carried out.
fn acts(world: &mut World, version: &str) {
    for (effect, task) in world.agenda(version).tasks {
        if task.leased.is_none() && task.due <= world.now {
            world.epoch += 1;
            let epoch = world.epoch;
            // What came in between can have closed a gate.
            drop(world.by(version, "tollgate", Stimulus::Lease { effect, epoch }));
        }
        let state = &world.releases[version].state;
        let Some((_, _, step)) = state.step_of(effect) else { continue };
        let StepStatus::Leased { act, epoch, .. } = &step.status else { continue };
        let (report, epoch) = (Report::Done(outcome(act)), *epoch);
        world.by(version, "tollgate", Stimulus::Reported { effect, epoch, report }).unwrap();
    }
}

/// Everything that is looked at is as it has to be.
fn all_is_well(world: &mut World, version: &str) {
    world.pass(mins(1));
    for (key, look) in world.agenda(version).watches {
        match look {
            Look::Probe(probe) => {
                for _ in 0..probe.times {
                    world.observe(version, &key, &seen(version));
                    world.pass(secs(10));
                }
            }
            Look::Fact(look) => {
                let sight = good_sight(&look, world.now);
                world.by(version, "tollgate", Stimulus::FactSeen { key, sight }).unwrap();
            }
        }
    }
}

fn under_way(world: &World) -> Vec<String> {
    let runs = |version: &&String| world.view(version).active().next().is_some();
    world.releases.keys().filter(runs).cloned().collect()
}

/// What holds the releases under way; each entry says who can do what, or when.
fn told(world: &World) -> Vec<(String, Holding)> {
    let mut all = Vec::new();
    for version in under_way(world) {
        let holdings = world.explain(&version);
        for (run, _) in world.view(&version).active() {
            assert!(holdings.iter().any(|one| one.run == run.id), "nothing is said of a run that goes on");
        }
        all.extend(holdings.into_iter().map(|holding| (version.clone(), holding)));
    }
    for (_, holding) in &all {
        let hold = &holding.hold;
        let acts = hold.how.iter().any(|action| *action != Action::Wait);
        assert!(!hold.how.is_empty(), "nothing can be done about {hold:?}");
        assert!(hold.earliest.is_none_or(|at| at > world.now), "it opens in the past: {hold:?}");
        match hold.on {
            WaitsOn::Person => {
                assert!(acts && (hold.anybody || !hold.who.is_empty()), "nobody acts on {hold:?}")
            }
            WaitsOn::Time => assert!(hold.earliest.is_some(), "it is not said when: {hold:?}"),
            WaitsOn::World | WaitsOn::Release => {}
        }
    }
    let lone = all.iter().all(|(_, holding)| holding.hold.on == WaitsOn::Release);
    assert!(all.is_empty() || !lone, "each waits for another: {all:#?}");
    all
}

/// Whether an entry is gone, or says something else.
fn is_replaced(world: &World, version: &str, holding: &Holding) -> bool {
    !world.explain(version).contains(holding)
}

fn is_held(world: &World, version: &str, holding: &Holding) -> bool {
    let view = world.view(version);
    let run = view.release.run(&holding.run);
    run.is_some_and(|run| matches!(run.status, RunStatus::Held { .. }))
}

/// A person does what is told; that is not refused, and not without effect.
fn obey(world: &mut World, version: &str, holding: &Holding, action: &Action, who: &str) {
    let line = Typed { view: &world.view(version), service: None, release: true }.command(action);
    let line = line.expect("something to type");
    let told = || format!("{who} is told `{line}` for {:#?}", holding.hold);
    let before = world.clone();
    if let Err(refusal) = typed(world, version, holding, &line, who) {
        // Of an approval: whoever said no takes it back, the others approve.
        let other = holding.hold.how.iter().find(|other| match action {
            Action::Approve(target) => **other == Action::Revoke(target.clone()),
            Action::Revoke(target) => **other == Action::Approve(target.clone()),
            _ => false,
        });
        let other = other.unwrap_or_else(|| panic!("{}, and is refused: {refusal:?}", told()));
        let line = Typed { view: &world.view(version), service: None, release: true }.command(other).unwrap();
        let done = typed(world, version, holding, &line, who);
        done.unwrap_or_else(|refused| panic!("{}: refused: {refusal:?} and {refused:?}", told()));
    }
    assert!(is_replaced(world, version, holding), "{}, and it is as before", told());
    if let Action::Retry(..) = action {
        let again = |one: &Holding| {
            let same = (&one.run, &one.step, &one.hold.what, &one.hold.why, &one.hold.how);
            same == (&holding.run, &holding.step, &holding.hold.what, &holding.hold.why, &holding.hold.how)
        };
        assert!(!world.explain(version).iter().any(again), "{}, and it fails at once again", told());
    }
    // Giving up is the end, and other rules are for all.
    if matches!(action, Action::Abort(_) | Action::AbortOther { .. }) {
        *world = before;
    }
}

/// Lets one entry be what it says.
fn follow(world: &mut World, version: &str, holding: &Holding, (how, who): (usize, usize)) {
    let hold = &holding.hold;
    let ways: Vec<&Action> = hold.how.iter().filter(|action| **action != Action::Wait).collect();
    let times = usize::from(hold.earliest.is_some());
    let place = how % (ways.len() + times).max(1);
    if let Some(action) = ways.get(place) {
        let people = named(world, holding, action);
        assert!(!people.is_empty(), "nobody can do {action:?} of {hold:?}");
        return obey(world, version, holding, action, &people[who % people.len()]);
    }
    match (hold.earliest, hold.on) {
        (Some(at), _) => {
            world.now = at;
            world.wake(version);
            assert!(is_replaced(world, version, holding), "at {at} it is as before: {hold:#?}");
        }
        (None, WaitsOn::World) if !is_held(world, version, holding) => {
            // What changed often is not written down at once when it changes again.
            for _ in 0..30 {
                all_is_well(world, version);
                if is_replaced(world, version, holding) {
                    break;
                }
            }
            assert!(is_replaced(world, version, holding), "all is well, and it is as before: {hold:#?}");
        }
        (None, _) => {}
    }
}

/// Somebody does the first thing about whatever waits for people, then the next; else all is well; else time passes.
fn bring_on(world: &mut World, tried: &mut BTreeMap<String, usize>) {
    let all = told(world);
    let mut acted = false;
    for (version, holding) in &all {
        if holding.hold.on != WaitsOn::Person || !world.explain(version).contains(holding) {
            continue;
        }
        let times = tried.entry(format!("{version} {:?} {}", holding.step, holding.hold.what)).or_default();
        // What did not help thrice is not done a fourth time; at last it is given up.
        let ways = holding.hold.how.len();
        let action = &holding.hold.how[*times / 3 % ways];
        *times += 1;
        if *action == Action::Wait || matches!(action, Action::Abort(_)) && ways > 1 && *times < 6 * ways {
            continue;
        }
        let people = named(world, holding, action);
        if let Action::Abort(run) = action {
            let (run, why) = (*run, "enough".to_owned());
            world.by(version, &people[0], Stimulus::Abort { run, why }).unwrap();
        } else {
            obey(world, version, holding, action, &people[*times % people.len()]);
        }
        acted = true;
    }
    if acted {
        return;
    }
    let looks = all.iter().filter(|(_, one)| one.hold.on == WaitsOn::World);
    let looks: BTreeSet<&String> = looks.map(|(version, _)| version).collect();
    if !looks.is_empty() {
        return looks.into_iter().for_each(|version| all_is_well(world, version));
    }
    if let Some(at) = all.iter().filter_map(|(_, one)| one.hold.earliest).min() {
        world.now = at;
    }
}

fn comes_to_its_end(world: &mut World) {
    let mut tried = BTreeMap::new();
    for _ in 0..ROUNDS_MAX {
        calm(world);
        if under_way(world).is_empty() {
            return;
        }
        bring_on(world, &mut tried);
    }
    let why: Vec<String> = under_way(world).iter().map(|version| world.why(version)).collect();
    panic!("doing what is said leads nowhere:\n{}", why.join("\n"));
}

proptest! {
    #![proptest_config(Config { cases: Config::default().cases / 3, failure_persistence: None, ..Config::default() })]

    /// However runs came to wait: each entry of what holds them is true, for whoever is named and for whatever is said.
    #[test]
    fn what_is_told_moves_the_run(
        (policy, other) in (any_policy(), any_policy()),
        gates in proptest::collection::vec((any::<bool>(), any_other_gate()), 0..3),
        steps in (any_steps(), any_steps()),
        (waiting, again) in (proptest::option::of(any_waiting_step()), any::<bool>()),
        freeze in proptest::option::of((0..40_i32, 1..40_i32)),
        next in proptest::collection::vec(any_next(), 1..40),
        follows in proptest::collection::vec((0..20_usize, (0..20_usize, 0..20_usize)), 1..30),
    ) {
        let policy = with_gates(policy, gates.clone());
        let other = with_gates(other, gates.into_iter().skip(1).collect());
        let mut random = Random::new(&policy, other, [sound(steps.0, waiting, again), sound(steps.1, None, false)]);
        random.world.freezes.extend(freeze.map(|freeze| frozen(&random.world, freeze)));
        for next in &next {
            random.step(next);
        }
        let mut world = random.world;
        for (entry, way) in follows {
            calm(&mut world);
            let all = told(&world);
            let Some((version, holding)) = all.get(entry % all.len().max(1)) else { break };
            follow(&mut world, version, holding, way);
        }
        // Of two that go to the same place each would undo what the other waits for.
        if let [_, second] = &under_way(&world)[..] {
            let runs: Vec<_> = world.view(second).active().map(|(run, _)| run.id).collect();
            for run in runs {
                world.by(second, "eve", Stimulus::Abort { run, why: "one after the other".into() }).unwrap();
            }
        }
        comes_to_its_end(&mut world);
    }
}
