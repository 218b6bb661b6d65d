//! Adopting rules, and telling what runs where.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::gates::{ALWAYS, GATES_MAX, allowed, of_environment};
use crate::actor::Actor;
use crate::event::{Deployed, Entry, EnvironmentEvent, Event, PolicyEvent};
use crate::ids::{ComponentName, EnvironmentName, PersonName, ServiceName};
use crate::journal::{BlobId, StreamId};
use crate::model::{GateKind, Policy, Who};
use crate::plan::COMPONENTS_MAX;
use crate::state::{EnvironmentState, PolicyState};
use crate::view::Refusal;

/// What adopting rules looks at.
#[derive(Debug, Clone)]
pub struct PolicyView {
    /// The service.
    pub service: ServiceName,
    /// How its rules stand.
    pub state: PolicyState,
    /// The rules in force.
    pub in_force: Option<Arc<Policy>>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct PolicyDecision {
    /// The events to append.
    pub entries: Vec<Entry>,
    /// The state with them taken in.
    pub after: PolicyState,
    /// Whether the rules are in force now.
    pub adopted: bool,
    /// Who agrees so far, and counts.
    pub signed: Vec<PersonName>,
    /// How many have to.
    pub needed: u32,
}

/// Somebody wants these rules in force: proposes them, or agrees to their proposal. They are adopted when the sign-offs that
/// the rules in force ask for are there.
pub fn adopt_policy(
    view: &PolicyView,
    wanted: &Policy,
    blob: BlobId,
    actor: &Actor,
    now: Timestamp,
) -> Result<PolicyDecision, Refusal> {
    let hash = wanted.hash();
    if wanted.service != view.service {
        let why = format!("these are the rules of `{}`, not of `{}`", wanted.service, view.service);
        return Err(Refusal::new("other-service", why));
    }
    sound(wanted)?;
    if view.state.adopted.as_ref().is_some_and(|adopted| adopted.hash == hash) {
        return Err(Refusal::new("in-force", "these rules are in force already"));
    }
    let mut state = view.state.clone();
    let mut entries = Vec::new();
    let mut write = |state: &mut PolicyState, event: PolicyEvent| {
        state.apply(now, actor, &event);
        let stream = StreamId::Policy(view.service.clone());
        entries.push(Entry { stream, at: now, actor: actor.clone(), event: Event::Policy(event) });
    };
    let Some(in_force) = &view.in_force else {
        // The first rules: nobody could have a say yet, and it is written down who put them in force.
        let signed: Vec<PersonName> = actor.person().into_iter().cloned().collect();
        write(&mut state, PolicyEvent::Adopted { hash, policy: blob, signed: signed.clone() });
        return Ok(PolicyDecision { entries, after: state, adopted: true, signed, needed: 0 });
    };
    let rule = in_force.changes.as_ref();
    if !allowed(in_force, rule.map(|rule| &rule.by), actor.person()) {
        let who = rule.map_or_else(|| "people of the policy in force".to_owned(), |rule| rule.by.to_string());
        return Err(Refusal::new(
            "not-allowed",
            format!("{actor} may not change the policy: that is for {who}"),
        )
        .hint("say who you are with `--as PERSON`"));
    }
    let proposed = state.proposed.as_ref().filter(|proposal| proposal.hash == hash);
    if let (Some(proposal), Some(person)) = (proposed, actor.person())
        && proposal.signed.contains(person)
    {
        return Err(Refusal::new("signed", format!("{person} has agreed to these rules already")));
    }
    if proposed.is_none() {
        write(&mut state, PolicyEvent::Proposed { hash, policy: blob });
    }
    write(&mut state, PolicyEvent::SignedOff { hash });
    let given = state.proposed.as_ref().map(|proposal| proposal.signed.clone()).unwrap_or_default();
    // Counted now, under the rules in force now: who has left the group since does not count.
    let counts = |person: &PersonName| rule.is_none_or(|rule| in_force.includes(&rule.by, person));
    let signed: Vec<PersonName> = given.into_iter().filter(counts).collect();
    let needed = rule.map_or(1, |rule| rule.count);
    let adopted = in_force.people.is_empty() || signed.len() >= needed as usize;
    if adopted {
        let policy = state.proposed.as_ref().map_or(blob, |proposal| proposal.policy);
        write(&mut state, PolicyEvent::Adopted { hash, policy, signed: signed.clone() });
    }
    Ok(PolicyDecision { entries, after: state, adopted, signed, needed })
}

/// Rules that could never be met, or that could not be told from those that always hold, are not taken.
fn sound(policy: &Policy) -> Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal::new("unsound", why).hint("correct it in the policy"));
    if let Some(rule) = &policy.changes {
        enough(policy, &rule.by, rule.count, "changing the policy")?;
    }
    for (name, role) in &policy.roles {
        enough(policy, &role.of, 1, &format!("the role `{name}`"))?;
    }
    if let Some(rule) = &policy.thaw {
        enough(policy, &rule.by, rule.count, "lifting a freeze")?;
    }
    for name in policy.environments.keys() {
        let gates: Vec<_> = of_environment(policy, name).collect();
        if gates.len() > GATES_MAX {
            return refuse(format!("`{name}` has {} gates, and {GATES_MAX} is the most", gates.len()));
        }
        for (gate, rule) in gates {
            if ALWAYS.contains(&gate.as_str()) {
                return refuse(format!("a gate cannot be called `{gate}`: one of that name always holds"));
            }
            let what = format!("the gate `{gate}` of `{name}`");
            match &rule.kind {
                GateKind::Approval(rule) => enough_of(policy, &rule.by, &rule.exclude, rule.count, &what)?,
                GateKind::Vote(rule) => enough(policy, &rule.by, rule.quorum, &what)?,
                GateKind::Window { windows, .. } => {
                    if let Err(error) = windows.check(&policy.calendar) {
                        return refuse(format!("{what}: {error}"));
                    }
                }
                GateKind::TimeBudget(budget) => {
                    if let Some(Err(error)) = budget.within.as_ref().map(|own| own.check(&policy.calendar)) {
                        return refuse(format!("{what}: {error}"));
                    }
                }
                GateKind::Ask { .. }
                | GateKind::Checklist { .. }
                | GateKind::Soak { .. }
                | GateKind::Fact(_)
                | GateKind::Pace(_)
                | GateKind::Order(_)
                | GateKind::LoadTest(_)
                | GateKind::Require { .. } => {}
            }
        }
    }
    Ok(())
}

fn enough(policy: &Policy, by: &Who, count: u32, what: &str) -> Result<(), Refusal> {
    enough_of(policy, by, &[], count, what)
}

fn enough_of(policy: &Policy, by: &Who, exclude: &[Who], count: u32, what: &str) -> Result<(), Refusal> {
    let is_role = |who: &&Who| matches!(who, Who::Role(_));
    let fixed = exclude.iter().filter(|who| !is_role(who));
    let left_out = |person: &PersonName| fixed.clone().any(|who| policy.includes(who, person));
    let members = policy.members(by);
    let there =
        members.iter().filter(|person| policy.people.contains_key(*person) && !left_out(person)).count();
    // One person at a time fills a role.
    let there = there.saturating_sub(exclude.iter().filter(is_role).count());
    let there = if matches!(by, Who::Role(_)) { there.min(1) } else { there };
    if there >= count as usize {
        return Ok(());
    }
    let why = format!("{what} takes {count} of {by}, and there are {there}");
    Err(Refusal::new("unsound", why).hint("ask for fewer, or name more people"))
}

/// Somebody tells what already runs in an environment.
pub fn record_environment(
    service: &ServiceName,
    name: &EnvironmentName,
    state: &EnvironmentState,
    policy: &Policy,
    deployed: BTreeMap<ComponentName, Deployed>,
    actor: &Actor,
    now: Timestamp,
) -> Result<Entry, Refusal> {
    if !policy.environments.contains_key(name) {
        let known = crate::plan::list(policy.environments.keys());
        return Err(Refusal::new(
            "no-environment",
            format!("there is no environment `{name}`; there is {known}"),
        ));
    }
    if !allowed(policy, None, actor.person()) {
        return Err(Refusal::new("unknown-person", format!("{actor} may not tell what runs in `{name}`"))
            .hint("say who you are with `--as PERSON`"));
    }
    if deployed.len() > COMPONENTS_MAX {
        return Err(Refusal::new("too-large", format!("a service has at most {COMPONENTS_MAX} components")));
    }
    if let Some(held) = &state.held {
        let version = held.deploying.values().next().map(|what| what.version.clone()).unwrap_or_default();
        return Err(Refusal::new("held", format!("{version} is being deployed to `{name}` right now")));
    }
    let stream = StreamId::Environment(service.clone(), name.clone());
    let event = Event::Environment(EnvironmentEvent::Recorded { deployed });
    Ok(Entry { stream, at: now, actor: actor.clone(), event })
}
