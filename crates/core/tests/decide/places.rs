//! One person fills one place: what is told about approvals opens all of them, wherever people are enough.

use proptest::prelude::*;
use proptest::test_runner::Config;
use tollgate_core::explain::Holding;
use tollgate_core::forward::forecast::{forecast, forecast_start};
use tollgate_core::forward::script::starter;
use tollgate_core::gate::Action;
use tollgate_core::ids::PersonName;
use tollgate_core::model::*;
use tollgate_core::state::PolicyState;
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::world::*;

const V: &str = "1.9.0";
const PEOPLE: [&str; 5] = ["anna", "bob", "carol", "dave", "eve"];

/// Two gates of stage: `any`, for carol and dave, and `expert`, for carol alone.
fn two() -> Policy {
    let policy = with_gate(policy(), "stage", "any", approval_gate(rule("ops", 1)));
    let by = person("carol");
    with_gate(policy, "stage", "expert", approval_gate(ApprovalRule { by, ..rule("ops", 1) }))
}

fn hold<'a>(holdings: &'a [Holding], gate: &str) -> &'a tollgate_core::gate::Hold {
    &holdings.iter().find(|one| one.gate.as_deref() == Some(gate)).expect("it is closed").hold
}

fn who(holdings: &[Holding], gate: &str) -> Vec<String> {
    hold(holdings, gate).who.iter().map(ToString::to_string).collect()
}

#[test]
fn who_is_needed_elsewhere_is_not_asked() {
    let policy = two();
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![promote("stage")], &policy), "anna");
    let all = world.explain(V);
    assert_eq!((who(&all, "any"), who(&all, "expert")), (vec!["dave".to_owned()], vec!["carol".to_owned()]));
    let told = "it needs 1 approval by ops, given: none; carol is needed for `expert`";
    assert_eq!(hold(&all, "any").why, told);
    // What is waived needs nobody.
    world.waive_gate(V, "dave", "stage", "expert", None).unwrap();
    assert_eq!(who(&world.explain(V), "any"), ["carol", "dave"]);
}

#[test]
fn a_yes_that_is_missing_elsewhere_is_taken_back() {
    let policy = two();
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![promote("stage")], &policy), "anna");
    world.approve(V, "carol", gate("stage", "any")).unwrap();
    let all = world.explain(V);
    let expert = hold(&all, "expert");
    assert_eq!((who(&all, "expert"), expert.anybody), (vec!["carol".to_owned()], false));
    assert_eq!(expert.how[0], Action::Revoke(gate("stage", "any")));
    assert_eq!(
        expert.why,
        "it needs 1 approval by carol, given: none; carol cannot approve: their yes fills another gate of the environment; \
         carol can take back their yes to `any`, which is then for dave, and approve here"
    );
    // A forecast says the same: nobody takes anything back unasked.
    let told = forecast(&world.view(V), &PolicyState::default(), world.now);
    let never = told.arrivals[0].never.clone().unwrap();
    assert_eq!(never.what, "approval `expert` of stage");
    assert!(never.why.contains("can take back their yes to `any`"), "{never:?}");
    world.revoke(V, "carol", gate("stage", "any")).unwrap();
    let all = world.explain(V);
    assert_eq!((who(&all, "any"), who(&all, "expert")), (vec!["dave".to_owned()], vec!["carol".to_owned()]));
}

#[test]
fn a_forecast_leaves_people_where_they_are_needed() {
    let policy = two();
    let world = World::new(&policy);
    let plan = plan(V, vec![promote("stage")], &policy);
    let rules = PolicyState::default();
    let told = forecast_start(&plan, Some(&world.view(V)), &rules, &actor("anna"), world.now);
    assert!(told.arrivals[0].usually.is_some(), "{told:?}");
}

#[test]
fn where_people_are_too_few_nothing_is_taken_back() {
    let by = || person("carol");
    let policy =
        with_gate(policy(), "stage", "any", approval_gate(ApprovalRule { by: by(), ..rule("ops", 1) }));
    let policy =
        with_gate(policy, "stage", "expert", approval_gate(ApprovalRule { by: by(), ..rule("ops", 1) }));
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![promote("stage")], &policy), "anna");
    assert_eq!(who(&world.explain(V), "any"), ["carol"]);
    world.approve(V, "carol", gate("stage", "any")).unwrap();
    let all = world.explain(V);
    let expert = hold(&all, "expert");
    assert!(expert.why.ends_with("nobody is left who could change that"), "{}", expert.why);
    assert!(matches!(expert.how[..], [Action::Abort(_), Action::Waive(_)]), "{:?}", expert.how);
}

#[test]
fn a_gate_under_two_rules_takes_people_for_both() {
    // At the start it was one of ops, now it is one of releng: carol is of both, and needed for `expert`.
    let mut before = two();
    before.groups.insert(n("two"), vec![n("carol"), n("dave")]);
    let mut now = before.clone();
    let other = approval_gate(ApprovalRule { allow_self: true, ..rule("releng", 1) });
    now = with_gate(now, "stage", "any", other);
    let mut world = World::new(&before);
    world.start(&plan(V, vec![promote("stage")], &before), "anna");
    world.policy = std::sync::Arc::new(now);
    let all = world.explain(V);
    let any: Vec<Vec<String>> = all
        .iter()
        .filter(|one| one.gate.as_deref() == Some("any"))
        .map(|one| one.hold.who.iter().map(ToString::to_string).collect())
        .collect();
    assert_eq!(any, [vec!["anna".to_owned(), "bob".to_owned()], vec!["dave".to_owned()]]);
}

/// A gate: how many of whom, by their numbers, and whether the release's own people may.
type Wanted = (u32, Vec<usize>, bool);

fn any_wanted() -> impl Strategy<Value = Wanted> {
    (
        1..3_u32,
        proptest::sample::subsequence((0..PEOPLE.len()).collect::<Vec<_>>(), 1..=PEOPLE.len()),
        any::<bool>(),
    )
}

/// Whether people can fill every gate, each one place: tried out one after the other.
fn fits(gates: &[(u32, Vec<usize>)], taken: &mut Vec<usize>) -> bool {
    let Some(((count, of), rest)) = gates.split_first() else { return true };
    if *count == 0 {
        return fits(rest, taken);
    }
    let mut less = gates.to_vec();
    less[0].0 -= 1;
    of.iter().any(|person| {
        if taken.contains(person) {
            return false;
        }
        taken.push(*person);
        let found = fits(&less, taken);
        taken.pop();
        found
    })
}

fn says_no(world: &World, person: &PersonName, gate_name: &str) -> bool {
    let target = gate("stage", gate_name);
    world.releases[V].state.opinions.iter().any(|one| {
        let no = matches!(one.says, tollgate_core::state::Says::No { .. });
        no && one.revoked.is_none() && one.target == target && one.by.person() == Some(person)
    })
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    /// Whatever groups overlap and whatever was said before: where people are enough, what is told opens every gate, whoever of
    /// those who are named does it, and no step of the way is in vain.
    #[test]
    fn what_is_told_of_approvals_opens_them(
        wanted in proptest::collection::vec(any_wanted(), 1..4),
        starter in 0..PEOPLE.len(),
        said in proptest::collection::vec((0..4_usize, 0..PEOPLE.len(), 0..8_u8), 0..6),
        choices in proptest::collection::vec((0..50_usize, 0..50_usize), 40),
    ) {
        let mut policy = Policy { waivers: None, ..policy() };
        for (number, (count, of, allow_self)) in wanted.iter().enumerate() {
            policy.groups.insert(n(&format!("of{number}")), of.iter().map(|one| n(PEOPLE[*one])).collect());
            let rule = ApprovalRule { allow_self: *allow_self, ..rule(&format!("of{number}"), *count) };
            policy = with_gate(policy, "stage", &format!("g{number}"), approval_gate(rule));
        }
        let mut world = World::new(&policy);
        let plan = plan(V, vec![promote("stage")], &policy);
        world.start(&plan, PEOPLE[starter]);
        for (number, person, how) in said {
            let (target, who) = (gate("stage", &format!("g{}", number % wanted.len())), PEOPLE[person]);
            // What is refused was not said.
            drop(match how {
                0 => world.by(V, who, Stimulus::Reject { target, why: "no".into() }).map(drop),
                1 => world.revoke(V, who, target),
                _ => world.approve(V, who, target),
            });
        }
        let own = |person: &usize| *person == starter || plan.authors.contains(&n::<PersonName>(PEOPLE[*person]));
        let gates: Vec<(u32, Vec<usize>)> = wanted
            .iter()
            .map(|(count, of, alone)| (*count, of.iter().filter(|one| *alone || !own(one)).copied().collect()))
            .collect();
        let enough = fits(&gates, &mut Vec::new());
        let places: u32 = wanted.iter().map(|(count, ..)| count).sum();
        let nos = world.releases[V].state.opinions.len();
        let mut left = 2 * places as usize + nos;
        let mut is_open = false;
        for (one, other) in choices.into_iter().filter(|_| enough) {
            let all = world.explain(V);
            let closed: Vec<&Holding> =
                all.iter().filter(|one| one.gate.as_deref().is_some_and(|gate| gate.starts_with('g') && gate != "going")).collect();
            if closed.is_empty() {
                is_open = true;
                break;
            }
            prop_assert!(left > 0, "it leads nowhere: {}", world.why(V));
            left -= 1;
            let holding = closed[one % closed.len()];
            let hold = &holding.hold;
            prop_assert!(!hold.who.is_empty(), "nobody is named: {:#?}", hold);
            let person = hold.who[other % hold.who.len()].clone();
            let at = holding.gate.as_deref().unwrap();
            let own = Action::Revoke(gate("stage", at));
            let action = if says_no(&world, &person, at) { &own } else { &hold.how[0] };
            prop_assert!(hold.how.contains(action), "{:#?}", hold);
            let done = match action.clone() {
                Action::Approve(target) => world.approve(V, person.as_str(), target),
                Action::Revoke(target) => world.revoke(V, person.as_str(), target),
                other => panic!("{other:?}"),
            };
            prop_assert!(done.is_ok(), "{person} does {action:?}: {done:?}\n{:#?}", hold);
        }
        prop_assert!(is_open || !enough, "not open in the end: {}", world.why(V));
    }
}

/// The gates of what holds a release in the order in which it binds, and whether the first does so alone.
fn binding(world: &World) -> (Vec<String>, bool) {
    let rules = PolicyState { freezes: world.freezes.clone(), ..PolicyState::default() };
    let told = forecast(&world.view(V), &rules, world.now);
    let mut all = world.explain(V);
    let alone = told.binding_first(&mut all);
    (all.iter().filter_map(|one| one.gate.clone()).collect(), alone)
}

#[test]
fn what_binds_is_told_first() {
    let soak = |hours_: i64| Gate::new(GateKind::Soak { time: hours(hours_), environment: None });
    let gates = [
        ("good", approval_gate(rule("releng", 1))),
        ("short", soak(5)),
        ("long", soak(50)),
        ("quiet", ask_gate("Quiet?", None, None)),
    ];
    let policy =
        gates.into_iter().fold(policy(), |policy, (name, gate)| with_gate(policy, "production", name, gate));
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![promote("stage"), promote("production")], &policy), "anna");
    world.settle(V);
    // People answer within an hour: what is over at the same time stays in the order of the file.
    assert_eq!(
        binding(&world),
        (vec!["long", "short", "good", "quiet"].into_iter().map(str::to_owned).collect(), true)
    );
    // Nobody is left to approve: then that is what it does not get past.
    let mut less = policy.clone();
    less.groups.insert(n("releng"), vec![n("anna")]);
    world.policy = std::sync::Arc::new(less);
    let (gates, alone) = binding(&world);
    assert_eq!((gates[0].as_str(), gates[1].as_str(), alone), ("good", "long", true));
    // One alone binds without being said to.
    world.waive_gate(V, "dave", "production", "good", None).unwrap();
    world.waive_gate(V, "dave", "production", "long", None).unwrap();
    world.waive_gate(V, "dave", "production", "quiet", None).unwrap();
    assert_eq!(binding(&world), (vec!["short".to_owned()], false));
}

#[test]
fn what_the_next_arrival_does_not_wait_for_does_not_bind() {
    let told = |step_by: &str, gate_by: &str| {
        let mut policy = with_gate(policy(), "stage", "good", approval_gate(rule(gate_by, 1)));
        policy.groups.insert(n("nobody"), Vec::new());
        let slow = Step { by: Some(group(step_by)), ..manual("slow") };
        let both = StepKind::Parallel { steps: vec![slow, promote("stage")] };
        let mut world = World::new(&policy);
        world.start(&plan(V, vec![step("both", both)], &policy), "anna");
        world.settle(V);
        let rules = PolicyState::default();
        let told = forecast(&world.view(V), &rules, world.now);
        let mut all = world.explain(V);
        let alone = told.binding_first(&mut all);
        (all[0].gate.clone(), all.len(), alone)
    };
    assert_eq!(told("ops", "nobody"), (Some("good".to_owned()), 2, true));
    assert_eq!(told("nobody", "ops"), (None, 2, false));
}

#[test]
fn who_starts_on_a_good_day_leaves_people_to_approve() {
    let policy = with_gate(
        policy(),
        "stage",
        "good",
        approval_gate(ApprovalRule { by: person("anna"), ..rule("releng", 1) }),
    );
    let starter_of = |policy: &Policy| starter(&plan(V, vec![promote("stage")], policy), None);
    // bob wrote a part of it, and cannot approve anyway.
    assert_eq!(starter_of(&policy), actor("bob"));
    let mut plan = plan(V, vec![promote("stage")], &policy);
    plan.authors.clear();
    assert_eq!(starter(&plan, None), actor("bob"));
    assert_eq!(starter(&plan, Some(&n("anna"))), actor("anna"));
    // Where nobody leaves enough it is as it was.
    let both = with_gate(policy, "stage", "all", approval_gate(rule("releng", 3)));
    assert_eq!(starter_of(&both), actor("bob"));
}

#[test]
fn a_forecast_names_the_gate_that_it_does_not_get_past() {
    let shut = |policy| with_gate(policy, "stage", "calm", require(equals("version.bump", "major")));
    let mut policy = shut(Policy { waivers: None, ..policy() });
    let gates = policy.environments.get_mut::<tollgate_core::ids::EnvironmentName>(&n("stage")).unwrap();
    // Reminders go on for ever.
    let nag = |gate: &mut Gate| gate.patience = Patience { remind: Some(hours(24)), ..Patience::default() };
    gates.gates.values_mut().for_each(nag);
    let plan = plan(V, vec![promote("stage")], &policy);
    let world = World::new(&policy);
    let told =
        forecast_start(&plan, Some(&world.view(V)), &PolicyState::default(), &actor("anna"), world.now);
    let never = told.arrivals[0].never.clone().unwrap();
    assert_eq!(never.what, "gate `calm` of stage");
    assert!(never.why.ends_with("nobody is left who could change that"), "{never:?}");
    // So does a window that opens and closes.
    let policy = with_gate(
        shut(self::policy()),
        "stage",
        "hours",
        crate::forward::window("Mon-Fri 08:00-10:00 Europe/Berlin"),
    );
    let plan = crate::build::plan(V, vec![promote("stage")], &policy);
    let world = World::new(&policy);
    let told =
        forecast_start(&plan, Some(&world.view(V)), &PolicyState::default(), &actor("anna"), world.now);
    let never = told.arrivals[0].never.clone().unwrap();
    assert_eq!(
        (never.what.as_str(), never.why.as_str()),
        ("gate `calm` of stage", "version.bump == 'major' (version.bump is 'minor')")
    );
}
