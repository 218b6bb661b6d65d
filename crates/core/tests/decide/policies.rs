//! Adopting rules, and telling what runs where.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_core::decide::{PolicyDecision, PolicyView, adopt_policy, record_environment};
use tollgate_core::event::{Deployed, Entry, Event};
use tollgate_core::journal::BlobId;
use tollgate_core::model::*;
use tollgate_core::state::{EnvironmentState, PolicyState};
use tollgate_core::view::Refusal;

use crate::build::*;
use crate::world::*;

struct Rules {
    state: PolicyState,
    in_force: Option<Policy>,
}

impl Rules {
    fn new() -> Self {
        Self { state: PolicyState::default(), in_force: None }
    }

    fn adopt(&mut self, wanted: &Policy, who: &str) -> Result<PolicyDecision, Refusal> {
        let view = PolicyView {
            service: n("shop"),
            state: self.state.clone(),
            in_force: self.in_force.clone().map(Arc::new),
        };
        let blob = BlobId(wanted.hash());
        let now = "2026-03-02T09:00:00Z".parse().unwrap();
        let decision = adopt_policy(&view, wanted, blob, &actor(who), now)?;
        for entry in &decision.entries {
            let Ok(Entry { at, actor, event: Event::Policy(event), .. }) =
                Entry::decode(&entry.stream, &entry.encode())
            else {
                panic!()
            };
            self.state.apply(at, &actor, &event);
        }
        assert_eq!(self.state, decision.after);
        if decision.adopted {
            self.in_force = Some(wanted.clone());
        }
        Ok(decision)
    }
}

fn guarded(count: u32) -> Policy {
    Policy { changes: Some(SignOff { by: group("releng"), count }), ..policy() }
}

#[test]
fn the_first_rules_need_nobody_and_it_is_written_down() {
    let mut rules = Rules::new();
    let first = rules.adopt(&guarded(2), "?root").unwrap();
    assert!(first.adopted && first.signed.is_empty());
    assert_eq!(rules.adopt(&guarded(2), "anna").unwrap_err().code, "in-force");
}

#[test]
fn other_rules_need_the_sign_offs_of_those_in_force() {
    let mut rules = Rules::new();
    rules.adopt(&guarded(2), "anna").unwrap();
    let loose = policy();
    assert_eq!(rules.adopt(&loose, "dave").unwrap_err().code, "not-allowed");
    assert_eq!(rules.adopt(&loose, "?root").unwrap_err().code, "not-allowed");
    let proposed = rules.adopt(&loose, "anna").unwrap();
    assert_eq!(
        (proposed.adopted, proposed.needed, kinds(&proposed.entries)),
        (false, 2, vec!["proposed".to_owned(), "signed-off".to_owned()])
    );
    assert_eq!(rules.adopt(&loose, "anna").unwrap_err().code, "signed", "one person counts once");
    let adopted = rules.adopt(&loose, "bob").unwrap();
    assert!(adopted.adopted);
    assert_eq!(adopted.signed, [n("anna"), n("bob")]);
    // Without a rule for changes, one known person.
    assert_eq!(rules.adopt(&guarded(1), "mallory").unwrap_err().code, "not-allowed");
    assert!(rules.adopt(&guarded(1), "eve").unwrap().adopted);
}

#[test]
fn another_proposal_takes_the_place_of_one_and_its_sign_offs() {
    let mut rules = Rules::new();
    rules.adopt(&guarded(2), "anna").unwrap();
    rules.adopt(&policy(), "anna").unwrap();
    rules.adopt(&guarded(1), "bob").unwrap();
    assert!(!rules.adopt(&policy(), "carol").unwrap().adopted);
}

#[test]
fn rules_are_of_one_service() {
    let mut rules = Rules::new();
    let other = Policy { service: n("other"), ..policy() };
    assert_eq!(rules.adopt(&other, "anna").unwrap_err().code, "other-service");
}

#[test]
fn what_already_runs_is_told_by_who_is_known() {
    let told = |name: &str, state: &EnvironmentState, who: &str| {
        let deployed = Deployed {
            version: "1.8.0".into(),
            commit: None,
            fingerprint: None,
            release: None,
            candidate: None,
        };
        let deployed = BTreeMap::from([(n("shop"), deployed)]);
        let now = "2026-03-02T09:00:00Z".parse().unwrap();
        record_environment(&n("shop"), &n(name), state, &policy(), deployed, &actor(who), now)
    };
    let mut state = EnvironmentState::default();
    assert_eq!(told("nowhere", &state, "anna").unwrap_err().code, "no-environment");
    assert_eq!(told("stage", &state, "?root").unwrap_err().code, "unknown-person");
    let entry = told("stage", &state, "anna").unwrap();
    let Event::Environment(event) = &entry.event else { panic!() };
    state.uncertain = Some(entry.at);
    state.apply(entry.at, &entry.actor, event);
    let running = &state.deployed[&n("shop")];
    assert!(running.recorded && running.what.version == "1.8.0" && state.uncertain.is_none());

    let mut world = World::new(&policy());
    world.start(&plan("1.9.0", vec![promote("stage")], &policy()), "anna");
    world.lease("1.9.0", "promote-stage/deploy").unwrap();
    assert_eq!(told("stage", &world.environment("stage"), "anna").unwrap_err().code, "held");
}

#[test]
fn stored_values_are_read_as_they_were_written() {
    let mut policy = with_gate(policy(), "stage", "quiet", ask_gate("Quiet?", Some(person("bob")), Some(30)));
    policy
        .gates
        .insert(n("good"), Gate { condition: Some(changed("src/**")), ..approval_gate(rule("releng", 2)) });
    policy = with_environment(policy, "production", |production| {
        production.probe = Some(probe("https://example.org", 3));
        production.deploy = Deploy::Manual { instruction: text("now"), by: None };
    });
    let each = Step { each: Some(Each::Changes), retry: Some(Retry::default()), ..manual("try") };
    let mut steps = vec![each, ask("ask", &["risk"]), shell_with("build", "x")];
    steps.extend(cut());
    steps.extend([promote("stage"), promote("production")]);
    let plan = plan("1.9.0", steps, &policy);
    let text = serde_json::to_string(&plan).unwrap();
    let read: tollgate_core::plan::Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(read, plan);
    assert_eq!((read.id(), read.policy.hash()), (plan.id(), policy.hash()));
    assert_ne!(plan.policy.hash(), tollgate_core::journal::Hash::of(""), "a policy can be written as JSON");
}

#[test]
fn rules_that_could_never_be_met_are_not_taken() {
    let too_many = with_gate(policy(), "stage", "good", approval_gate(rule("releng", 4)));
    let reserved = with_gate(policy(), "stage", "free", approval_gate(rule("releng", 1)));
    let mut crowded = policy();
    for number in 0..61 {
        crowded.gates.insert(n(&format!("g{number}")), ask_gate("?", None, None));
    }
    for (wanted, why) in [
        (guarded(4), "changing the policy takes 4 of releng, and there are 3"),
        (too_many, "the gate `good` of `stage` takes 4 of releng, and there are 3"),
        (reserved, "a gate cannot be called `free`: one of that name always holds"),
        (crowded, "`stage` has 61 gates, and 60 is the most"),
    ] {
        let refusal = Rules::new().adopt(&wanted, "anna").unwrap_err();
        assert_eq!((refusal.code, refusal.why.as_str()), ("unsound", why));
    }
}

/// Whether rules can be the first ones.
pub(crate) fn adopt_first(policy: &Policy) -> Result<PolicyDecision, Refusal> {
    Rules::new().adopt(policy, "anna")
}
