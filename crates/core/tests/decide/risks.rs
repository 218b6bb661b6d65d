//! How risky a release is: told by rules, said by people, asked for by gates.

use tollgate_core::ids::RiskLevel;
use tollgate_core::model::*;
use tollgate_core::plan::{Measured, Plan};
use tollgate_core::risk::{Risk, of_plan, of_run};
use tollgate_core::version::Bump;
use tollgate_core::view::{Refusal, Stimulus};

use crate::build::*;
use crate::world::*;

const V: &str = "1.9.0";

fn rules(signs: Vec<(&str, RiskSign)>) -> RiskRules {
    let rules = signs.into_iter().map(|(is, sign)| RiskRule { is: n(is), sign, why: None }).collect();
    RiskRules { rules, ..RiskRules::new(vec![n("low"), n("medium"), n("high")]) }
}

fn with_risk(risk: RiskRules) -> Policy {
    let lower = Some(LowerRisk { by: group("releng"), allow_self: false });
    Policy { risk: Some(RiskRules { lower, ..risk }), ..policy() }
}

/// A gate of the first environment that has to be approved once the release is this risky.
fn asked_for(policy: Policy, level: &str) -> Policy {
    let gate = Gate { condition: Some(reaches("risk", level)), ..approval_gate(rule("ops", 1)) };
    with_gate(policy, "stage", "second", gate)
}

fn started(policy: &Policy, change: impl FnOnce(&mut Plan)) -> World {
    let mut plan = plan(V, vec![promote("stage")], policy);
    change(&mut plan);
    let mut world = World::new(policy);
    world.start(&plan, "anna");
    world
}

fn risk(world: &World) -> Risk {
    let view = world.view(V);
    let (run, plan) = view.active().last().unwrap();
    of_run(&view, run, plan).unwrap()
}

fn say(world: &mut World, who: &str, level: &str) -> Result<(), Refusal> {
    let level: RiskLevel = n(level);
    world.by(V, who, Stimulus::Risk { level, why: "I know it".into() }).map(drop)
}

#[test]
fn what_the_rules_look_at() {
    let plan_with = |change: &dyn Fn(&mut Plan)| {
        let mut plan = plan(V, vec![manual("do")], &policy());
        plan.measured = Measured { lines: Some(100), newcomers: Some(Vec::new()) };
        plan.changed_paths = vec!["db/1.sql".into(), "db/2.sql".into(), "db/3.sql".into(), "db/4.sql".into()];
        change(&mut plan);
        plan
    };
    let told = |sign: RiskSign, change: &dyn Fn(&mut Plan)| {
        let policy = with_risk(rules(vec![("high", sign)]));
        of_plan(&plan_with(change), &policy).unwrap().words()
    };
    let as_it_is: &dyn Fn(&mut Plan) = &|_| {};
    let none = "low: no rule says more";
    let db = || RiskSign::Changed(vec!["db/*.sql".into(), "src/**".into()]);
    let all = "high: 4 files of `db/*.sql` or `src/**` changed: db/1.sql, db/2.sql, db/3.sql and 1 more";
    assert_eq!(told(db(), as_it_is), all);
    assert_eq!(told(db(), &|plan| plan.changed_paths = vec!["docs/db/1.sql".into()]), none);
    // Of what the plan does not name, any rule about paths may speak.
    let many: &dyn Fn(&mut Plan) = &|plan| {
        (plan.changed_paths, plan.more_paths) = (vec!["docs/a".into(), "docs/b".into()], 7);
    };
    let unknown = "high: 9 files changed, too many to know each of them";
    for sign in [db(), RiskSign::Files(10), RiskSign::Files(3)] {
        assert_eq!(told(sign, many), unknown);
    }
    assert!(told(RiskSign::Condition(changed("db/*.sql")), many).ends_with("is true"));
    assert_eq!(told(RiskSign::Condition(changed("db/*.sql")), &|plan| plan.changed_paths.clear()), none);
    assert_eq!(told(RiskSign::Files(2), many), "high: 2 changed files (2 or more)");
    assert_eq!(told(RiskSign::Commits(2), as_it_is), "high: 2 commits (2 or more)");
    assert_eq!(told(RiskSign::Commits(3), as_it_is), none);
    assert_eq!(told(RiskSign::Files(4), as_it_is), "high: 4 changed files (4 or more)");
    let elsewhere: &dyn Fn(&mut Plan) = &|plan| plan.definition.version.next.paths = vec!["!db/4.sql".into()];
    assert_eq!(told(RiskSign::Files(4), elsewhere), none);
    assert_eq!(told(RiskSign::Lines(100), as_it_is), "high: 100 changed lines (100 or more)");
    assert_eq!(told(RiskSign::Lines(101), as_it_is), none);
    assert_eq!(told(RiskSign::NewAuthor, as_it_is), none);
    let eve: &dyn Fn(&mut Plan) = &|plan| plan.measured.newcomers = Some(vec!["eve".into()]);
    assert_eq!(told(RiskSign::NewAuthor, eve), "high: first release with eve");
    assert_eq!(told(RiskSign::Bump(Bump::Minor), as_it_is), "high: 1.9.0 is a minor version after 1.8.0");
    let given: &dyn Fn(&mut Plan) = &|plan| plan.version.bump = "given".into();
    assert_eq!(told(RiskSign::Bump(Bump::Minor), given), "high: 1.9.0 is a minor version after 1.8.0");
    assert_eq!(told(RiskSign::Bump(Bump::Major), given), none);
    let minor = equals("version.bump", "minor");
    assert_eq!(told(RiskSign::Condition(minor), as_it_is), "high: `version.bump == 'minor'` is true");
    // What nobody looked at may be anything.
    let unknown: &dyn Fn(&mut Plan) = &|plan| plan.measured = Measured::default();
    assert!(told(RiskSign::Lines(1_000_000), unknown).starts_with("high: nobody counted"));
    assert!(told(RiskSign::NewAuthor, unknown).starts_with("high: nobody looked"));
}

#[test]
fn the_highest_that_applies_counts() {
    let policy = with_risk(rules(vec![
        ("medium", RiskSign::Commits(1)),
        ("high", RiskSign::Changed(vec!["nothing".into()])),
        ("low", RiskSign::Commits(1)),
    ]));
    let risk = of_plan(&plan(V, vec![manual("do")], &policy), &policy).unwrap();
    assert_eq!((risk.level.as_str(), risk.because()), ("medium", vec!["2 commits (1 or more)"]));
    assert_eq!(risk.reasons.len(), 2);
}

#[test]
fn a_gate_asks_for_more_by_it() {
    let commits = |level: &str| with_risk(rules(vec![(level, RiskSign::Commits(1))]));
    let world = started(&asked_for(commits("high"), "medium"), |_| {});
    assert_eq!(world.is(V, "promote-stage/enter"), "open");
    let why = &world.explain(V)[0].hold.why;
    assert!(why.ends_with("; the risk is high: 2 commits (1 or more)"), "{why}");
    let world = started(&asked_for(commits("medium"), "medium"), |_| {});
    assert_eq!(world.is(V, "promote-stage/enter"), "open");
    // By the alphabet, `low` comes after `high` and before `medium`.
    let world = started(&asked_for(commits("low"), "medium"), |_| {});
    assert_eq!(world.is(V, "promote-stage/enter"), "done");
    let world = started(&asked_for(commits("medium"), "high"), |_| {});
    assert_eq!(world.is(V, "promote-stage/enter"), "done");
}

#[test]
fn a_question_is_waited_for_unless_it_cannot_make_a_difference() {
    let declared = |signs| {
        let mut risk = rules(signs);
        risk.declared = Some(n("risk"));
        asked_for(with_risk(risk), "high")
    };
    let mut world = started(&declared(vec![("medium", RiskSign::Commits(1))]), |_| {});
    assert_eq!(risk(&world).words(), "at least medium: 2 commits (1 or more); not known yet: answers.risk");
    let holding = &world.explain(V)[0].hold;
    assert!(holding.why.contains("whether it applies is not known"), "{}", holding.why);
    assert!(!holding.how.is_empty() && holding.anybody);
    world.answer(V, "bob", "risk", "low").unwrap();
    // An answer never makes it less.
    assert_eq!(risk(&world).level, n("medium"));
    assert_eq!(world.is(V, "promote-stage/enter"), "done");
    let world = started(&declared(vec![("high", RiskSign::Commits(1))]), |_| {});
    assert!(risk(&world).is_known());
    let mut world = started(&declared(Vec::new()), |_| {});
    world.answer(V, "bob", "risk", "high").unwrap();
    assert_eq!(risk(&world).words(), "high: bob answered `risk` with high");
    assert_eq!(world.is(V, "promote-stage/enter"), "open");
}

#[test]
fn anybody_raises_it_and_some_lower_it() {
    let policy = asked_for(with_risk(rules(vec![("high", RiskSign::Commits(1))])), "high");
    let mut world = started(&policy, |_| {});
    let refused = |world: &mut World, who: &str, level: &str| say(world, who, level).unwrap_err().code;
    assert_eq!(refused(&mut world, "?nobody", "medium"), "unknown-person");
    assert_eq!(refused(&mut world, "carol", "huge"), "no-level");
    assert_eq!(refused(&mut world, "carol", "high"), "given");
    assert_eq!(refused(&mut world, "dave", "low"), "not-allowed");
    assert_eq!(refused(&mut world, "anna", "low"), "own-release");
    assert_eq!(refused(&mut world, "bob", "low"), "own-release");
    say(&mut world, "carol", "medium").unwrap();
    assert_eq!(risk(&world).words(), "medium: carol lowered it from high: I know it");
    assert_eq!(world.is(V, "promote-stage/enter"), "done");

    let mut world = started(&asked_for(with_risk(rules(Vec::new())), "high"), |_| {});
    assert_eq!(world.is(V, "promote-stage/enter"), "done");
    say(&mut world, "eve", "high").unwrap();
    assert_eq!(risk(&world).words(), "high: eve raised it: I know it");
    // The deployment had not begun: its gates are asked again.
    world.lease(V, "promote-stage/deploy").unwrap();
    assert_eq!(world.is(V, "promote-stage/deploy"), "open");

    let mut world = started(&crate::build::policy(), |_| {});
    assert_eq!(refused(&mut world, "eve", "high"), "no-risk");
}

/// Carol wrote no commit of the plan; what was picked later is hers.
#[test]
fn whoever_wrote_a_picked_commit_lowers_nothing_either() {
    let policy = with_risk(rules(vec![("high", RiskSign::Commits(1))]));
    let mut world = World::new(&policy);
    let picks = step("pick", pick(&"a".repeat(40)));
    world.start(&plan(V, vec![manual("wait"), picks, manual("later")], &policy), "anna");
    let lowered = say(&mut world.clone(), "carol", "low");
    assert!(lowered.is_ok(), "nothing of hers is in it: {lowered:?}");
    world.done(V, "anna", "wait").unwrap();
    world.act_on(V, "pick");
    let refused = say(&mut world, "carol", "low").unwrap_err();
    assert_eq!(refused.code, "own-release");
    assert_eq!(refused.why, "carol wrote a commit that was picked for it, and may not lower its risk");
    say(&mut world, "eve", "low").unwrap_err();
    let lower = Some(LowerRisk { by: group("releng"), allow_self: true });
    let risk = RiskRules { lower, ..policy.risk.clone().unwrap() };
    world.policy = Policy { risk: Some(risk), ..policy }.into();
    say(&mut world, "carol", "low").unwrap();
}

#[test]
fn a_raise_is_for_the_release_and_a_lowering_for_one_candidate() {
    let policy = with_risk(rules(vec![("medium", RiskSign::Changed(vec!["src/**".into()]))]));
    let mut world = started(&policy, |_| {});
    let first = world.releases[V].plans.values().next().unwrap().as_ref().clone();
    say(&mut world, "carol", "low").unwrap();
    assert_eq!(risk(&world).level, n("low"));
    let next = respun(&world, &first, "1.9.1", "another", &["src/cart.rs"]);
    world.respin(V, &next, "anna").unwrap();
    assert_eq!(risk(&world).level, n("medium"));
    say(&mut world, "eve", "high").unwrap();
    let last = respun(&world, &next, "1.9.2", "a third", &[]);
    world.respin(V, &last, "anna").unwrap();
    assert_eq!(risk(&world).words(), "high: eve raised it: I know it");
}

#[test]
fn a_lowering_from_or_to_a_level_that_is_not_there_any_more_does_not_count() {
    for gone in ["high", "medium"] {
        let policy = with_risk(rules(vec![("high", RiskSign::Commits(1))]));
        let mut world = started(&policy, |_| {});
        say(&mut world, "carol", "medium").unwrap();
        assert_eq!(risk(&world).level, n("medium"));
        let mut now = policy.clone();
        let rules = now.risk.as_mut().unwrap();
        let renamed = |level: &RiskLevel| if *level == n(gone) { n("severe") } else { level.clone() };
        rules.levels = rules.levels.iter().map(renamed).collect();
        rules.rules[0].is = renamed(&n("high"));
        let highest = rules.levels.last().cloned();
        world.policy = std::sync::Arc::new(now);
        assert_eq!(Some(risk(&world).level), highest, "{gone}");
    }
}

#[test]
fn rules_of_later_tighten_what_is_under_way() {
    let before = asked_for(with_risk(rules(vec![("high", RiskSign::Commits(50))])), "high");
    let mut world = started(&before, |_| {});
    assert_eq!(world.is(V, "promote-stage/enter"), "done");
    // The same gate, and other rules about the risk.
    let now = asked_for(with_risk(rules(vec![("high", RiskSign::Lines(1))])), "high");
    world.policy = std::sync::Arc::new(now);
    world.lease(V, "promote-stage/deploy").unwrap();
    assert_eq!(world.is(V, "promote-stage/deploy"), "open");
    // And fewer of them loosen nothing.
    let mut world =
        started(&asked_for(with_risk(rules(vec![("high", RiskSign::Commits(1))])), "high"), |_| {});
    world.policy = std::sync::Arc::new(asked_for(with_risk(rules(Vec::new())), "high"));
    world.wake(V);
    assert_eq!(world.is(V, "promote-stage/enter"), "open");
}
