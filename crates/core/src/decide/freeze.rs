//! Freezes: one person stops, and it takes the people that the rules name to go on before the end.

use jiff::Timestamp;

use super::gates::{allowed, second};
use super::policy::PolicyView;
use crate::actor::Actor;
use crate::calendar::{Doubt, Freeze, Only};
use crate::event::{Entry, Event, PolicyEvent};
use crate::ids::PersonName;
use crate::journal::StreamId;
use crate::model::{ApprovalRule, Policy};
use crate::plan::list;
use crate::state::{FreezeState, PolicyState};
use crate::view::Refusal;

/// The most freezes that can be there at once.
const FREEZES_MAX: usize = 50;

/// What came of a freeze, or of lifting one.
#[derive(Debug, Clone)]
pub struct FreezeDecision {
    /// The events to append.
    pub entries: Vec<Entry>,
    /// The freeze it is about.
    pub freeze: FreezeState,
    /// Whether it is lifted now.
    pub lifted: bool,
    /// Who agrees to lifting it so far, and counts.
    pub signed: Vec<PersonName>,
    /// How many have to.
    pub needed: u32,
}

/// Somebody stops what a freeze covers. `sure` is the second yes for a freeze that looks like a typing mistake.
pub fn freeze(
    view: &PolicyView,
    freeze: Freeze,
    sure: bool,
    actor: &Actor,
    now: Timestamp,
) -> Result<FreezeDecision, Refusal> {
    let policy = in_force(view)?;
    if !allowed(policy, None, actor.person()) {
        let why = format!("{actor} is not in the policy in force, and may freeze nothing");
        return Err(Refusal::new("not-allowed", why).hint("say who you are with `--as PERSON`"));
    }
    let extra = extra_approvals(&freeze, policy)?;
    if let Only::These(names) = &freeze.scope().environments
        && let Some(unknown) = names.iter().find(|name| !policy.environments.contains_key(*name))
    {
        let known = list(policy.environments.keys());
        let why = format!("there is no environment `{unknown}`; there is {known}");
        return Err(Refusal::new("no-environment", why));
    }
    if !freeze.scope().services.contains(&view.service) {
        let why = format!("the freeze is not of {}", view.service);
        return Err(Refusal::new("other-service", why));
    }
    doubts(&freeze, sure, now)?;
    let under_way = view.state.freezes.iter().filter(|state| state.freeze.end() > now).count();
    if under_way >= FREEZES_MAX {
        let why = format!("there are {under_way} freezes already, and {FREEZES_MAX} is the most");
        return Err(Refusal::new("too-many", why).hint("lift some with `tollgate thaw`"));
    }
    let number = view.state.frozen + 1;
    let mut writing = Writing { view, actor, now, state: view.state.clone(), entries: Vec::new() };
    writing.write(PolicyEvent::Frozen { number, freeze, extra });
    let freeze = writing.freeze(number)?;
    Ok(FreezeDecision { entries: writing.entries, freeze, lifted: false, signed: Vec::new(), needed: 0 })
}

/// Who approves what is exempt: those who can lift a freeze, so many of them as the exemption says.
fn extra_approvals(freeze: &Freeze, policy: &Policy) -> Result<Vec<ApprovalRule>, Refusal> {
    if freeze.exemptions().iter().all(|exemption| exemption.approvals() == 0) {
        return Ok(Vec::new());
    }
    let Some(thaw) = &policy.thaw else {
        let why = "nobody is named who could approve what is exempt from a freeze";
        let hint = "say who lifts freezes with `policy: { thaw: { by: GROUP } }` and adopt it";
        return Err(Refusal::new("no-exemption", why).hint(hint));
    };
    let there = policy.members(&thaw.by).len();
    let rule = |count: u8| ApprovalRule {
        by: thaw.by.clone(),
        exclude: Vec::new(),
        count: u32::from(count),
        allow_self: false,
        covers: None,
        valid: None,
    };
    let mut rules = Vec::new();
    for exemption in freeze.exemptions() {
        if usize::from(exemption.approvals()) > there {
            let why = format!("`{exemption}` takes more people than {} has: {there}", thaw.by);
            return Err(Refusal::new("no-exemption", why).hint("ask for fewer approvals"));
        }
        rules.push(rule(exemption.approvals()));
    }
    Ok(rules)
}

/// A freeze that ends in the past freezes nothing, whoever says yes to it; the rest is asked about.
fn doubts(freeze: &Freeze, sure: bool, now: Timestamp) -> Result<(), Refusal> {
    let mut asked = Vec::new();
    for doubt in freeze.doubts(now) {
        match doubt {
            Doubt::EndsBeforeStart => {
                return Err(
                    Refusal::new("past", "the freeze ends before it starts").hint("correct `--until`")
                );
            }
            Doubt::Over => {
                let why = format!("the freeze would have ended at {} already", second(freeze.end()));
                return Err(Refusal::new("past", why).hint("correct `--until`"));
            }
            Doubt::Long(days) => asked.push(format!("it lasts {days} days")),
            Doubt::FarAway(days) => asked.push(format!("it starts in {days} days")),
        }
    }
    if asked.is_empty() || sure {
        return Ok(());
    }
    let why = format!("is that meant? {}, until {}", asked.join(", and "), second(freeze.end()));
    Err(Refusal::new("doubtful", why).hint("if it is, say so with `--yes`"))
}

/// Somebody agrees to lift a freeze before its end. It is lifted when those whom the rules ask for agree.
pub fn thaw(
    view: &PolicyView,
    number: u32,
    actor: &Actor,
    now: Timestamp,
) -> Result<FreezeDecision, Refusal> {
    let policy = in_force(view)?;
    let known: Vec<u32> = view
        .state
        .freezes
        .iter()
        .filter(|state| state.freeze.end() > now)
        .map(|state| state.number)
        .collect();
    if !known.contains(&number) {
        let why = match known.is_empty() {
            true => "nothing is frozen".to_owned(),
            false => format!("there is no freeze {number}; there is {}", list(known)),
        };
        return Err(Refusal::new("no-freeze", why));
    }
    let rule = policy.thaw.as_ref();
    if !allowed(policy, rule.map(|rule| &rule.by), actor.person()) {
        let who = rule.map_or_else(|| "people of the policy in force".to_owned(), |rule| rule.by.to_string());
        return Err(Refusal::new("not-allowed", format!("{actor} may not lift a freeze: that is for {who}"))
            .hint("say who you are with `--as PERSON`"));
    }
    let mut writing = Writing { view, actor, now, state: view.state.clone(), entries: Vec::new() };
    let freeze = writing.freeze(number)?;
    let needed = rule.map_or(1, |rule| rule.count);
    let again = actor.person().is_some_and(|person| freeze.signed.contains(person));
    if again && agreed(policy, &freeze).len() < needed as usize {
        return Err(Refusal::new("signed", format!("{actor} has agreed to lift freeze {number} already")));
    }
    if !again {
        writing.write(PolicyEvent::ThawSigned { number });
    }
    let freeze = writing.freeze(number)?;
    let signed = agreed(policy, &freeze);
    let lifted = policy.people.is_empty() || signed.len() >= needed as usize;
    if lifted {
        writing.write(PolicyEvent::Thawed { number, signed: signed.clone() });
    }
    Ok(FreezeDecision { entries: writing.entries, freeze, lifted, signed, needed })
}

/// Who agrees to lifting a freeze, counted by the rules in force now.
fn agreed(policy: &Policy, state: &FreezeState) -> Vec<PersonName> {
    let rule = policy.thaw.as_ref();
    let counts = |person: &&PersonName| rule.is_none_or(|rule| policy.includes(&rule.by, person));
    state.signed.iter().filter(counts).cloned().collect()
}

/// Who can do something about lifting a freeze before its end; nothing where that is anybody who is known. Whoever has agreed
/// cannot do so twice, unless by rules that were adopted since they are enough.
pub fn lifters(policy: &Policy, state: &FreezeState) -> Option<Vec<PersonName>> {
    let rule = policy.thaw.as_ref()?;
    let mut people = policy.members(&rule.by);
    if agreed(policy, state).len() < rule.count as usize {
        people.retain(|person| !state.signed.contains(person));
    }
    Some(people)
}

/// Events, and the state with them taken in.
struct Writing<'a> {
    view: &'a PolicyView,
    actor: &'a Actor,
    now: Timestamp,
    state: PolicyState,
    entries: Vec<Entry>,
}

impl Writing<'_> {
    fn write(&mut self, event: PolicyEvent) {
        self.state.apply(self.now, self.actor, &event);
        let stream = StreamId::Policy(self.view.service.clone());
        let (at, actor, event) = (self.now, self.actor.clone(), Event::Policy(event));
        self.entries.push(Entry { stream, at, actor, event });
    }

    fn freeze(&self, number: u32) -> Result<FreezeState, Refusal> {
        let found = self.state.freezes.iter().find(|state| state.number == number);
        found.cloned().ok_or_else(|| Refusal::new("no-freeze", format!("there is no freeze {number}")))
    }
}

fn in_force(view: &PolicyView) -> Result<&Policy, Refusal> {
    view.in_force.as_deref().ok_or_else(|| {
        Refusal::new("no-policy", format!("no policy of {} is in force yet", view.service))
            .hint("put it in force with `tollgate policy adopt`")
    })
}
