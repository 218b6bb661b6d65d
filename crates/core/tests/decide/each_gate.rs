//! Every kind of gate once: what is told while it is closed, who can act, when it opens at the earliest, and that it opens then.
//!
//! Whoever adds a kind is asked for a row of its own: by [`kind`] and [`fact_kind`], which know them all, and by `ALWAYS`.

use std::collections::BTreeSet;
use std::sync::Arc;

use tollgate_core::act::Report;
use tollgate_core::calendar::{Freeze, Only, Scope, Windows};
use tollgate_core::decide::{ALWAYS, SEALED, Sight, release_environment};
use tollgate_core::event::{ApprovalTarget, Ballot, Event, TickResult};
use tollgate_core::explain::Holding;
use tollgate_core::facts::{Decimal, FactItem, FactValue, Look, Reading};
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::ids::EnvironmentName;
use tollgate_core::model::*;
use tollgate_core::signatures::{Judged, SignedObject, Verdict};
use tollgate_core::state::FreezeState;
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::factual;
use crate::forward::window;
use crate::loads;
use crate::world::*;

const V: &str = "1.9.0";
const OTHER: &str = "1.8.9";

/// The kind of a gate, as its row is called.
fn kind(gate: &GateKind) -> &'static str {
    match gate {
        GateKind::Approval(_) => "approval",
        GateKind::Ask { .. } => "question",
        GateKind::Window { .. } => "window",
        GateKind::Soak { .. } => "soak",
        GateKind::Pace(_) => "pace",
        GateKind::Checklist { .. } => "checklist",
        GateKind::Vote(_) => "vote",
        GateKind::Require { .. } => "require",
        GateKind::Order(_) => "order",
        GateKind::LoadTest(_) => "load-test",
        GateKind::TimeBudget(_) => "time-budget",
        GateKind::Fact(gate) => fact_kind(gate),
    }
}

fn fact_kind(gate: &FactGate) -> &'static str {
    match gate {
        FactGate::Blockers { .. } => "blockers",
        FactGate::Metrics(_) => "metrics",
        FactGate::Ci(_) => "result",
        FactGate::Signed(_) => "signatures",
        FactGate::Artifacts(_) => "artifacts",
        FactGate::Require(_) => "require of facts",
    }
}

/// Every kind that a policy can have.
const KINDS: [&str; 17] = [
    "order",
    "time-budget",
    "approval",
    "question",
    "window",
    "soak",
    "pace",
    "checklist",
    "vote",
    "require",
    "blockers",
    "metrics",
    "result",
    "signatures",
    "load-test",
    "artifacts",
    "require of facts",
];

/// One gate, closed and opened. It is Monday, 2 March 2026, 09:00 UTC; the release was verified on stage, waits to enter
/// production, and was started by anna with a commit of bob.
struct Row {
    /// Its kind, or the name of a gate that always holds.
    is: &'static str,
    /// The gate; none where it always holds.
    gate: Option<Gate>,
    /// What is done beside the promotion to stage, and before the one to production.
    beside: Option<Step>,
    /// What happened before the release came there.
    before: fn(&mut World),
    /// What closes it, once the release waits.
    closes: fn(&mut World),
    what: &'static str,
    why: &'static str,
    on: WaitsOn,
    /// Who can act: names, `anybody`, or nobody.
    who: &'static str,
    /// What they would do first.
    first: fn(&Action) -> bool,
    /// In how many minutes it opens at the earliest.
    earliest: Option<i64>,
    /// What opens it, beside the time that passes until then.
    opens: fn(&mut World),
}

impl Row {
    /// A gate of a policy that waits for people.
    fn of(gate: Gate, what: &'static str, why: &'static str) -> Self {
        Self { is: kind(&gate.kind), gate: Some(gate), ..Self::always("", what, why) }
    }

    /// A gate that always holds.
    fn always(is: &'static str, what: &'static str, why: &'static str) -> Self {
        let nothing: fn(&mut World) = |_| {};
        let (before, closes, opens) = (nothing, nothing, nothing);
        let first: fn(&Action) -> bool = |action| *action == Action::Wait;
        Self {
            is,
            gate: None,
            beside: None,
            before,
            closes,
            what,
            why,
            on: WaitsOn::Person,
            who: "",
            first,
            earliest: None,
            opens,
        }
    }

    fn people(self, who: &'static str, first: fn(&Action) -> bool, opens: fn(&mut World)) -> Self {
        Self { who, first, opens, ..self }
    }

    fn time(self, minutes: i64) -> Self {
        Self { on: WaitsOn::Time, earliest: Some(minutes), ..self }
    }

    fn world(self, closes: fn(&mut World), opens: fn(&mut World)) -> Self {
        Self { on: WaitsOn::World, closes, opens, ..self }
    }
}

/// A look at every fact that is waited for sees this.
fn saw(world: &mut World, value: FactValue) {
    world.pass(secs(1));
    for (key, look) in world.agenda(V).watches {
        if let Look::Fact(_) = look {
            let (at, reading) = (world.now, Reading::Is(value.clone()));
            let sight = Sight { at, unbroken: at, reading };
            world.by(V, "tollgate", Stimulus::FactSeen { key, sight }).unwrap();
        }
    }
}

fn items(ids: &[&str]) -> FactValue {
    let item = |id: &&str| FactItem { id: (*id).into(), title: "it burns".into(), url: None };
    FactValue::List { items: ids.iter().map(item).collect(), more: 0 }
}

fn judged(verdict: Verdict) -> FactValue {
    let mut judged = Judged::default();
    judged.take_in(SignedObject::Commit(commit("base")), verdict);
    FactValue::Signatures(judged)
}

fn number(text: &str) -> FactValue {
    FactValue::Number(text.parse::<Decimal>().unwrap())
}

fn through(world: &World, version: &str) -> tollgate_core::plan::Plan {
    plan(version, vec![promote("stage"), promote("production")], &world.policy)
}

/// Another release that goes all the way.
fn another_went(world: &mut World) {
    world.start(&through(world, OTHER), "bob");
    world.settle(OTHER);
    world.wake(V);
    assert_eq!(world.runs("production").as_deref(), Some(OTHER), "{}", world.why(OTHER));
}

/// The rows of the kinds that a policy can have, of which each time that one changes a person says it.
fn told_by_people() -> Vec<Row> {
    let list = GateKind::Checklist { list: checklist(&["a"]), by: Some(group("ops")) };
    let low = || require(equals("answers.risk", "low"));
    vec![
        Row::of(
            approval_gate(rule("releng", 1)),
            "approval `it` of production",
            "it needs 1 approval by releng, given: none",
        )
        .people("carol", |first| matches!(first, Action::Approve(_)), |world| {
            world.approve(V, "carol", gate("production", "it")).unwrap();
        }),
        Row::of(
            ask_gate("Is it quiet?", Some(group("ops")), None),
            "question `it` of production",
            "“Is it quiet?” is not answered",
        )
        .people("carol dave", |first| matches!(first, Action::Answer(_)), |world| {
            world.answer_gate(V, "dave", "production", "it", "yes").unwrap();
        }),
        Row::of(gate_of(list), "checklist `it` of production", "1 of 1 items are not answered: `a` Look at a").people(
            "carol dave",
            |first| matches!(first, Action::Tick(_)),
            |world| {
                world.tick(V, "carol", gate("production", "it"), &["a"], TickResult::Passed, None).unwrap();
            },
        ),
        Row {
            earliest: Some(120),
            ..Row::of(
                vote_gate(vote_rule("releng", 1, 2, None)),
                "vote `it` of production",
                "it takes 1 × +1 of releng, and there are 0; +1: none; -1: none; not voted: anna, bob, carol; \
                 its period ends at 2026-03-02 11:00:00 UTC",
            )
            .people("anna bob carol", |first| matches!(first, Action::Vote(_)), |world| {
                world.vote(V, "bob", gate("production", "it"), Ballot::For, None).unwrap();
            })
        },
        Row {
            closes: |world| world.answer(V, "anna", "risk", "high").unwrap(),
            ..Row::of(low(), "gate `it` of production", "answers.risk == 'low' (answers.risk is 'high')").people(
                "anybody",
                |first| matches!(first, Action::Answer(_)),
                |world| world.answer(V, "anna", "risk", "low").unwrap(),
            )
        },
    ]
}

/// The rows of the kinds that open by themselves.
fn told_by_time_and_world() -> Vec<Row> {
    let signers = tollgate_core::signatures::Signers::parse("keys/signers", &"a".repeat(40)).unwrap();
    let signed = GitVerify { tag: false, commits: true, signers };
    let fact = |gate| gate_of(GateKind::Fact(gate));
    let ready = crate::facts::at("https://ready/{{ env.name }}", FactRead::Text);
    let ready = TypedFact { fact: ready, of: FactType::Boolean };
    let ready = FactCondition { that: holds("facts.ready"), facts: [(n("ready"), ready)].into() };
    vec![
        Row::of(
            fact(FactGate::Require(Box::new(ready))),
            "gate `it` of production",
            "facts.ready is false, seen at 2026-03-02",
        )
        .world(
            |world| saw(world, FactValue::Word("false".into())),
            |world| saw(world, FactValue::Word("true".into())),
        ),
        Row::of(
            window("Mon-Fri 12:00-13:00 UTC"),
            "window `it` of production",
            "next opened by `Mon-Fri 12:00-13:00 UTC`",
        )
        .time(180),
        Row::of(
            gate_of(GateKind::TimeBudget(Box::new(TimeBudget {
                needs: Needs::Stated(mins(60)),
                within: Windows::new(vec![n("Mon-Fri 12:00-13:00 UTC")], Vec::new()).ok(),
            }))),
            "time budget `it` of production",
            "its own window is closed: next opened by `Mon-Fri 12:00-13:00 UTC`",
        )
        .time(180),
        Row::of(
            gate_of(GateKind::Soak { time: hours(6), environment: None }),
            "soak `it` of production",
            "it has run in stage since 2026-03-02 09:00:00 UTC and has to for 6h",
        )
        .time(360),
        Row {
            before: another_went,
            ..Row::of(
                gate_of(GateKind::Pace(Pace { at_most: 1, within: hours(24), only: Vec::new() })),
                "pace `it` of production",
                "1.8.9 at 2026-03-02 09:00:00 UTC went there; at most 1 may within 1d",
            )
            .time(1440)
        },
        Row::of(
            fact(factual::blockers()),
            "blockers `it` of production",
            "1 blocks: `SHOP-1` it burns (https://bugs/production)",
        )
        .world(|world| saw(world, items(&["SHOP-1"])), |world| saw(world, items(&[]))),
        Row::of(
            fact(factual::metric(None, None)),
            "metrics `it` of production",
            "https://m/production is 101; it has to be at most 100",
        )
        .world(|world| saw(world, number("101")), |world| saw(world, number("100"))),
        Row::of(
            fact(FactGate::Ci(factual::ci())),
            "result `it` of production",
            " says `failure`; it opens when that is mended",
        )
        .world(
            |world| saw(world, FactValue::Word("failure".into())),
            |world| saw(world, FactValue::Word("success".into())),
        ),
        Row::of(
            fact(FactGate::Signed(Box::new(signed))),
            "signatures `it` of production",
            "was not looked at yet",
        )
        .world(|_| {}, |world| saw(world, judged(Verdict::Good("key A".into())))),
    ]
}

/// The rows of the gates that rest on a step of the run.
fn told_by_steps() -> Vec<Row> {
    let load =
        LoadGate { step: n("load"), rule: loads::rule(), accept: Some(rule("ops", 1)), places: Vec::new() };
    let image = || FactSpec { ..*factual::image() };
    let wait = FactWait::Artifact { digest: Box::new(image()), component: n("shop") };
    let images = FactGate::Artifacts([(n("shop"), image())].into());
    fn digest(of: &str) -> FactValue {
        FactValue::Word(format!("sha256:{}", of.repeat(64)))
    }
    vec![
        Row {
            beside: Some(loads::load()),
            closes: |world| loads::measure(world, V, "load", &[("rps", "800"), ("p95", "200")]),
            ..Row::of(
                gate_of(GateKind::LoadTest(Box::new(load))),
                "load test `it` of production",
                "somebody has to accept that: it needs 1 approval by ops, given: none",
            )
            .people(
                "carol dave",
                |first| matches!(first, Action::Approve(_)),
                |world| {
                    let load = ApprovalTarget::Step(world.run(V), n("load"));
                    world.approve(V, "dave", load).unwrap();
                },
            )
        },
        Row {
            before: an_older_one_is_on_its_way,
            on: WaitsOn::Release,
            ..Row::of(
                gate_of(GateKind::Order(Order::OldestFirst)),
                "order `it` of production",
                "`1.8.9` is older and has still to get to production; 1.8.9 waits for the run: eve holds it: wait a moment",
            )
            .people(
                "anybody",
                |first| matches!(first, Action::OfOther { action, .. } if matches!(**action, Action::Resume(_))),
                |world| {
                    world.resume(OTHER, "bob");
                    world.settle(OTHER);
                },
            )
        },
        Row {
            beside: Some(step("image", StepKind::Wait(wait))),
            before: |world| {
                saw(world, digest("a"));
                world.pass(mins(10));
            },
            closes: |world| saw(world, digest("b")),
            ..Row::of(
                gate_of(GateKind::Fact(images)),
                "artifacts `it` of production",
                "`shop` was sha256:aaaa",
            )
            .people("dave", |first| *first == Action::Wait, |world| saw(world, digest("a")))
        },
    ]
}

/// The rows of the gates that always hold, but for `sealed`.
fn always() -> Vec<Row> {
    let held = Row::always("going", "the run", "eve holds it: wait a moment");
    let gone = "the policy in force no longer has an environment `production`";
    let frozen = Row::always("freeze", "freeze 1 by eve: it burns", "frozen until 2026-03-02 10:00:00 UTC");
    let back = "held after the rollback of 1.8.9 to 1.8.8 by eve: orders are lost";
    let elsewhere = Row::always("from", "verification in qa", "candidate 1 was not verified in qa");
    let taken = "1.8.9 is being deployed there since 2026-03-02 09:00:00 UTC";
    vec![
        Row { gate: Some(approval_gate(rule("releng", 1))), closes: |world| world.hold(V, "eve"), ..held }
            .people(
                "anybody",
                |first| matches!(first, Action::Resume(_)),
                |world| {
                    world.approve(V, "carol", gate("production", "it")).unwrap();
                    world.resume(V, "bob");
                },
            ),
        Row { before: without_production, ..Row::always("policy", "the policy", gone) }.people(
            "anybody",
            |first| *first == Action::AdoptPolicy,
            |world| world.policy = Arc::new(policy()),
        ),
        Row { before: freeze, ..frozen }.people("anybody", |first| *first == Action::Wait, |_| {}).time(60),
        Row { before: roll_back, ..Row::always("rollback", "the rollback of production", back) }.people(
            "anybody",
            |first| matches!(first, Action::Release(_)),
            let_go,
        ),
        Row { before: by_way_of_qa, ..elsewhere }.people(
            "anybody",
            |first| *first == Action::Promote(n("qa")),
            |world| {
                world.start(&promotion(&through(world, V), "qa", &world.policy), "eve");
                world.act_on(V, "promote-qa/deploy");
                world.releases.get_mut(V).unwrap().runs.pop();
            },
        ),
        Row {
            before: another_goes,
            on: WaitsOn::Release,
            opens: |world| {
                let outcome = outcome(&world.act(OTHER, "promote-production/deploy"));
                world.report(OTHER, "promote-production/deploy", Report::Done(outcome)).unwrap();
            },
            ..Row::always("free", "the environment production", taken)
        },
    ]
}

fn without_production(world: &mut World) {
    let mut rules = policy();
    rules.environments.shift_remove::<EnvironmentName>(&n("production"));
    world.policy = Arc::new(rules);
}

/// Rules by which it has to go elsewhere first.
fn by_way_of_qa(world: &mut World) {
    let mut rules = with_environment(policy(), "production", |production| production.from = Some(n("qa")));
    rules.environments.insert(n("qa"), environment(None));
    world.policy = Arc::new(rules);
}

/// Another release that is being deployed.
fn another_goes(world: &mut World) {
    world.start(&through(world, OTHER), "bob");
    world.act_on(OTHER, "promote-stage/deploy");
    world.lease(OTHER, "promote-production/deploy").unwrap();
}

/// Another release that has still to be deployed, and does not go on.
fn an_older_one_is_on_its_way(world: &mut World) {
    world.start(&through(world, OTHER), "bob");
    world.hold(OTHER, "eve");
}

fn freeze(world: &mut World) {
    let scope = Scope { environments: Only::These([n("production")].into()), ..Scope::ALL };
    let freeze = Freeze::new(scope, "it burns", n("eve"), world.now, world.now + hours(1)).unwrap();
    let state = serde_json::json!({ "number": 1, "freeze": freeze, "at": world.now, "signed": [], "began": false, "ended": false });
    world.freezes.push(serde_json::from_value::<FreezeState>(state).unwrap());
}

/// Two releases went there, and the first one comes back.
fn roll_back(world: &mut World) {
    let before = through(world, "1.8.8");
    world.start(&before, "bob");
    world.settle("1.8.8");
    another_went(world);
    let plan = rollback(world, &before, "production", &world.policy.clone());
    world.start(&plan, "eve");
    world.settle("1.8.8");
    assert_eq!(world.runs("production").as_deref(), Some("1.8.8"), "{}", world.why("1.8.8"));
}

fn let_go(world: &mut World) {
    let (name, policy): (EnvironmentName, _) = (n("production"), world.policy.clone());
    let state = world.environment("production");
    let entry =
        release_environment(&policy.service, &name, &state, &policy, None, &actor("bob"), world.now).unwrap();
    let Event::Environment(event) = &entry.event else { panic!() };
    world.environments.get_mut(&name).unwrap().apply(entry.at, &entry.actor, event);
}

/// Whether nothing keeps the release from being deployed any more.
fn is_open(world: &World) -> bool {
    !matches!(world.is(V, "promote-production/deploy"), "not reached" | "open")
}

#[track_caller]
fn check(row: &Row) {
    let what = row.is;
    let rules = match &row.gate {
        Some(gate) => with_gate(policy(), "production", "it", gate.clone()),
        None => policy(),
    };
    let mut world = World::new(&rules);
    let mut steps = vec![promote("stage"), promote("production")];
    steps.extend(row.beside.clone().map(|step| Step { after: Some(Vec::new()), ..step }));
    steps[1].after = Some(vec![n("promote-stage")]);
    world.start(&plan(V, steps, &rules), "anna");
    (row.before)(&mut world);
    world.act_on(V, "promote-stage/deploy");
    let arrived = world.now;
    (row.closes)(&mut world);
    assert!(!is_open(&world), "{what}: it is open");
    let told = world.explain(V);
    let found: Vec<&Holding> = told.iter().filter(|one| one.hold.what == row.what).collect();
    let [Holding { hold, .. }] = found[..] else { panic!("{what}: told is {told:#?}") };
    assert!(hold.why.contains(row.why), "{what}: {}", hold.why);
    let names: Vec<String> = hold.who.iter().map(ToString::to_string).collect();
    let who = if hold.anybody { "anybody".to_owned() } else { names.join(" ") };
    assert_eq!((hold.on, who.as_str()), (row.on, row.who), "{what}");
    assert!((row.first)(&hold.how[0]), "{what}: {:?}", hold.how);
    let earliest = row.earliest.map(|minutes| arrived + mins(minutes));
    assert_eq!(hold.earliest, earliest, "{what}");
    (row.opens)(&mut world);
    if let Some(at) = earliest {
        world.now = at - secs(1);
        world.wake(V);
        assert!(!is_open(&world), "{what}: it opens before {at}");
        world.now = at;
    }
    world.wake(V);
    assert!(is_open(&world), "{what}: {}", world.why(V));
}

#[test]
fn each_gate_tells_what_closes_it_and_opens_by_that() {
    let rows: Vec<Row> = [told_by_people(), told_by_time_and_world(), told_by_steps(), always()]
        .into_iter()
        .flatten()
        .collect();
    rows.iter().for_each(check);
    let all: BTreeSet<&str> = KINDS.into_iter().chain(ALWAYS).filter(|name| *name != SEALED).collect();
    assert_eq!(rows.iter().map(|row| row.is).collect::<BTreeSet<_>>(), all, "each has a row");
    assert_eq!(rows.len(), all.len(), "each has one row");
}

/// The one that has no row: what holds it is the cut, which is of the same run.
#[test]
fn what_is_not_sealed_waits_for_its_cut() {
    let policy = policy();
    let mut world = World::new(&policy);
    let mut steps = cut();
    steps.push(Step { after: Some(Vec::new()), ..promote("stage") });
    world.start(&plan(V, steps, &policy), "anna");
    let told = world.explain(V);
    let hold = &told.iter().find(|one| one.gate.as_deref() == Some(SEALED)).unwrap().hold;
    assert_eq!(hold.why, "candidate 1 is not sealed: `source`, `tag` and `notes` can still change");
    assert_eq!((hold.on, &hold.how[..], hold.earliest), (WaitsOn::Release, &[Action::Wait][..], None));
    world.settle(V);
    assert_eq!(world.runs("stage").as_deref(), Some(V));
}
