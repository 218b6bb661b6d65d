//! Counting approvals: whose yes counts for a rule, and who can still give one.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::calendar::exemption_rule;
use super::gates::{Entering, of_run, second};
use super::remind::acting;
use crate::candidate::{Candidate, Facet, Fingerprint};
use crate::event::ApprovalTarget;
use crate::ids::{EnvironmentName, GateName, PersonName};
use crate::model::{ApprovalRule, FacetName, GateKind, Who};
use crate::plan::{Plan, list};
use crate::state::{Opinion, Run, Says};
use crate::view::{View, later};

/// The rules of an approval gate: the one in force, and the one the run started with where that is another.
pub fn approval_rules<'a>(
    view: &'a View,
    plan: &'a Plan,
    environment: &EnvironmentName,
    gate: &GateName,
) -> Vec<&'a ApprovalRule> {
    let mut rules: Vec<&ApprovalRule> = Vec::new();
    for (name, found) in of_run(view, plan, environment) {
        if let GateKind::Approval(rule) = &found.kind
            && name == gate
            && !rules.contains(&rule)
        {
            rules.push(rule);
        }
    }
    // What is exempt from a freeze can need an approval of its own.
    rules.extend(exemption_rule(view, plan, environment, gate));
    rules
}

/// The approvals of one rule, counted.
#[derive(Debug, Clone)]
pub struct Counting<'a> {
    /// Where.
    pub entering: Entering<'a>,
    /// The rule.
    pub rule: &'a ApprovalRule,
    /// What is approved.
    pub target: &'a ApprovalTarget,
}

/// What a count came to.
#[derive(Debug, Clone, Default)]
pub struct Count {
    /// Whose yes counts.
    pub yes: Vec<PersonName>,
    /// Who said no, and why.
    pub refused: Vec<(PersonName, String)>,
    /// Whose yes does not count, and why.
    pub void: Vec<(PersonName, String)>,
    /// Who can still approve.
    pub can: Vec<PersonName>,
    /// Who of the group may not, and why.
    pub excluded: Vec<(PersonName, &'static str)>,
    /// Who could approve and is needed for another gate of the environment, and for which.
    pub kept: Vec<(PersonName, GateName)>,
}

impl Count {
    /// Why it is enough, if it is.
    pub fn open(&self, rule: &ApprovalRule) -> Option<String> {
        let enough = self.refused.is_empty() && self.yes.len() >= rule.count as usize;
        let alone = if rule.allow_self { " (approving one's own release is allowed here)" } else { "" };
        enough.then(|| format!("approved by {}{alone}", names(&self.yes)))
    }

    /// How many approvals are missing.
    pub fn missing(&self, rule: &ApprovalRule) -> usize {
        (rule.count as usize).saturating_sub(self.yes.len())
    }

    /// Who can bring it further: whoever said no, and whoever can still approve while approvals are missing.
    pub fn who(&self, rule: &ApprovalRule) -> Vec<PersonName> {
        let can = self.can.iter().filter(|_| self.missing(rule) > 0).cloned();
        self.refusers().into_iter().chain(can).collect()
    }

    /// Who said no.
    pub fn refusers(&self) -> Vec<PersonName> {
        self.refused.iter().map(|(person, _)| person.clone()).collect()
    }

    /// Why it is not enough.
    pub fn why(&self, rule: &ApprovalRule) -> String {
        let mut parts: Vec<String> =
            self.refused.iter().map(|(person, why)| format!("{person} said no: {why}")).collect();
        let missing = self.missing(rule);
        if missing > 0 {
            let approvals = if rule.count == 1 { "approval" } else { "approvals" };
            let given = if self.yes.is_empty() { "none".to_owned() } else { names(&self.yes) };
            parts.push(format!("it needs {} {approvals} by {}, given: {given}", rule.count, rule.by));
        }
        parts.extend(
            self.void.iter().map(|(person, why)| format!("the yes of {person} does not count: {why}")),
        );
        if self.can.len() < missing {
            let others =
                self.excluded.iter().filter(|(person, _)| self.void.iter().all(|(one, _)| one != person));
            parts.extend(others.map(|(person, why)| format!("{person} cannot approve: {why}")));
        }
        parts.extend(self.kept.iter().map(|(person, gate)| format!("{person} is needed for `{gate}`")));
        parts.join("; ")
    }
}

impl Counting<'_> {
    /// Who approves: whom the rule names, and those who may as well since nobody acted.
    pub fn by(&self) -> Cow<'_, Who> {
        let Entering { view, run, plan, .. } = self.entering;
        acting(view, run, plan, self.target, &self.rule.by)
    }

    /// Counts.
    pub fn count(&self) -> Count {
        let mut count = Count::default();
        let mut members = self.entering.view.members(self.entering.plan, &self.by());
        let kept = self.kept(&members);
        members.extend(kept);
        for person in &members {
            let opinion = self.opinion(person);
            if let Some((_, Says::No { why })) = opinion.map(|(place, opinion)| (place, &opinion.says)) {
                // A no counts whoever says it: also of somebody whose yes would not.
                count.refused.push((person.clone(), why.clone()));
                continue;
            }
            let excluded = self.excluded(person);
            match (opinion, excluded) {
                (Some(_), Some(why)) => count.void.push((person.clone(), why.to_owned())),
                (Some((place, opinion)), None) => match self.void(opinion) {
                    Some(why) => {
                        count.void.push((person.clone(), why));
                        self.can(person, None, &mut count);
                    }
                    None => match self.fills_another(person, Some(place)) {
                        Some(gate) => {
                            let why = format!("one person fills one place, and theirs is `{gate}`");
                            count.void.push((person.clone(), why));
                        }
                        None => count.yes.push(person.clone()),
                    },
                },
                (None, None) => self.can(person, None, &mut count),
                (None, Some(_)) => {}
            }
            if let Some(why) = excluded {
                count.excluded.push((person.clone(), why));
            }
        }
        self.earlier(&members, &mut count);
        self.others(&members, &mut count);
        self.absent(&members, &mut count);
        count
    }

    /// Who said yes while they were on by a calendar, and no longer are: it stays theirs while it counts. A no of theirs does not:
    /// whoever is on now says what they think.
    fn kept(&self, members: &[PersonName]) -> Vec<PersonName> {
        let Entering { view, plan, .. } = self.entering;
        let by = self.by();
        let mut kept: Vec<PersonName> = Vec::new();
        for (_, opinion) in self.opinions().filter(|(_, one)| matches!(one.says, Says::Yes { .. })) {
            if let Some(person) = opinion.by.person()
                && !members.contains(person)
                && !kept.contains(person)
                && view.was_on(plan, &by, person, opinion.at)
                && self.void(opinion).is_none()
            {
                kept.push(person.clone());
            }
        }
        kept
    }

    /// Whose yes was for an earlier candidate, and what is another one in this one.
    fn earlier(&self, members: &[PersonName], count: &mut Count) {
        let Entering { view, run, .. } = self.entering;
        let Some(candidate) = view.candidate(run) else { return };
        for opinion in view.release.opinions.iter().filter(|opinion| {
            opinion.revoked.is_none() && opinion.candidate < run.candidate && opinion.target == *self.target
        }) {
            let person = opinion.by.person().filter(|person| members.contains(person));
            let earlier = view.release.candidate(opinion.candidate);
            if let (Some(person), Some(earlier), Says::Yes { .. }) = (person, earlier, &opinion.says)
                && self.opinion(person).is_none()
            {
                let what = changed(earlier, candidate);
                count.void.push((person.clone(), format!("it was for candidate {}{what}", earlier.number)));
            }
        }
    }

    /// What people say who are not of the group: for somebody of it who was away, or for nothing.
    fn others(&self, members: &[PersonName], count: &mut Count) {
        let Entering { view, plan, .. } = self.entering;
        let mut taken: Vec<PersonName> = Vec::new();
        let all: Vec<(usize, &Opinion)> = self.opinions().collect();
        for (place, opinion) in all {
            let Some(person) = opinion.by.person().filter(|person| !members.contains(person)) else {
                continue;
            };
            let seats = view.stands_in(plan, &self.by(), person, opinion.at);
            let free = |seat: &&PersonName| {
                !count.yes.contains(seat) && !taken.contains(seat) && self.excluded(seat).is_none()
            };
            match (&opinion.says, seats.iter().find(free)) {
                (Says::No { why }, _) if !seats.is_empty() => {
                    count.refused.push((person.clone(), why.clone()))
                }
                (Says::No { .. }, _) => {}
                (Says::Yes { .. }, None) => {
                    count.void.push((person.clone(), format!("they are not in {}", self.by())));
                }
                (Says::Yes { .. }, Some(seat)) => {
                    let another = self.fills_another(person, Some(place));
                    let why = self.excluded(person).map(ToOwned::to_owned).or_else(|| self.void(opinion));
                    let why =
                        why.or(
                            another.map(|gate| format!("one person fills one place, and theirs is `{gate}`"))
                        );
                    match why {
                        Some(why) => count.void.push((person.clone(), why)),
                        None => {
                            taken.push(seat.clone());
                            count.can.retain(|other| other != seat);
                            count.yes.push(person.clone());
                        }
                    }
                }
            }
        }
    }

    /// Whoever is away is not asked where somebody stands in for them.
    fn absent(&self, members: &[PersonName], count: &mut Count) {
        let mut can = std::mem::take(&mut count.can);
        self.stand_ins(members, &mut can, |person| {
            !count.yes.contains(person)
                && !count.refused.iter().any(|(other, _)| other == person)
                && self.fills_another(person, None).is_none()
        });
        count.can = can;
    }

    /// Takes those who stand in for whoever is away, where they fit.
    fn stand_ins(&self, members: &[PersonName], can: &mut [PersonName], fits: impl Fn(&PersonName) -> bool) {
        let Entering { view, plan, now, .. } = self.entering;
        let policy = view.policy.as_deref().unwrap_or(&plan.policy);
        for member in members {
            let Some(at) = can.iter().position(|person| person == member) else { continue };
            let Some(absent) = policy.people.get(member).filter(|person| person.is_away(now)) else {
                continue;
            };
            let fits = |person: &&PersonName| {
                policy.people.contains_key(*person)
                    && !members.contains(person)
                    && !can.contains(person)
                    && self.excluded(person).is_none()
                    && fits(person)
            };
            if let Some(person) = absent.stand_in.as_ref().filter(fits) {
                can[at] = person.clone();
            }
        }
    }

    /// Who could approve if nobody had said anything yet: for a role that nobody fills, whoever may fill it.
    pub(super) fn could(&self) -> Vec<PersonName> {
        let Entering { view, plan, .. } = self.entering;
        let by = self.by();
        let mut members = view.members(plan, &by);
        if members.is_empty()
            && let Who::Role(name) = &*by
        {
            members = view.role(plan, name).map(|role| view.members(plan, &role.of)).unwrap_or_default();
        }
        let mut could = members.clone();
        could.retain(|person| self.excluded(person).is_none());
        let asked = could.clone();
        self.stand_ins(&members, &mut could, |_| true);
        // Where whoever stands in for them fills another place already, they are asked themselves.
        let themselves = asked
            .iter()
            .zip(&could)
            .filter(|(member, acts)| member != acts && self.fills_another(acts, None).is_some());
        let themselves: Vec<PersonName> = themselves.map(|(member, _)| member.clone()).collect();
        could.extend(themselves);
        could
    }

    /// Whether a yes counts by itself, whatever else whoever gave it has said.
    pub(super) fn stands(&self, opinion: &Opinion) -> bool {
        let Entering { view, plan, .. } = self.entering;
        matches!(opinion.says, Says::Yes { .. })
            && view.may_at(plan, Some(&self.by()), opinion.by.person(), opinion.at)
            && opinion.by.person().is_some_and(|person| self.excluded(person).is_none())
            && self.void(opinion).is_none()
    }

    /// Whether a yes of somebody would count here if the rule named them.
    pub fn has_place(&self, person: &PersonName) -> bool {
        self.excluded(person).is_none() && self.fills_another(person, None).is_none()
    }

    /// Whether somebody is of the group, or stands in for somebody of it who may approve.
    pub fn has_seat(&self, person: &PersonName) -> bool {
        let Entering { view, plan, now, .. } = self.entering;
        let seats = view.stands_in(plan, &self.by(), person, now);
        seats.is_empty() || seats.iter().any(|seat| self.excluded(seat).is_none())
    }

    fn can(&self, person: &PersonName, place: Option<usize>, count: &mut Count) {
        match self.fills_another(person, place) {
            Some(_) => {
                count.excluded.push((person.clone(), "their yes fills another gate of the environment"));
            }
            None => count.can.push(person.clone()),
        }
    }

    /// The opinions that are not taken back, on this target and candidate, with their places.
    fn opinions(&self) -> impl Iterator<Item = (usize, &Opinion)> {
        let run = self.entering.run;
        // What is told fastest comes first: a yes that runs out again and again leaves hundreds behind it.
        self.entering.view.release.opinions.iter().enumerate().filter(move |(_, opinion)| {
            opinion.revoked.is_none() && opinion.candidate == run.candidate && opinion.target == *self.target
        })
    }

    fn opinion(&self, person: &PersonName) -> Option<(usize, &Opinion)> {
        self.opinions().find(|(_, opinion)| opinion.by.person() == Some(person))
    }

    /// Whether somebody has said yes, and it counts.
    pub fn has_approved(&self, person: &PersonName) -> bool {
        self.opinion(person).is_some_and(|(place, opinion)| {
            matches!(opinion.says, Says::Yes { .. })
                && self.excluded(person).is_none()
                && self.void(opinion).is_none()
                && self.fills_another(person, Some(place)).is_none()
        })
    }

    /// Why somebody of the group may not approve.
    pub fn excluded(&self, person: &PersonName) -> Option<&'static str> {
        let Entering { view, run, plan, .. } = self.entering;
        if self.rule.exclude.iter().any(|who| view.members(plan, who).contains(person)) {
            return Some("the rule leaves them out");
        }
        if self.rule.allow_self {
            return None;
        }
        if self.entering.run.started_by.person() == Some(person) {
            return Some("they asked for it");
        }
        let wrote = plan.authors.contains(person) || picked_from(view, run, plan, person);
        wrote.then_some("they wrote a part of it")
    }

    /// The other gate of the environment that this person's yes already fills: one given before `place`, or at any time
    /// where they have not approved here.
    pub fn fills_another(&self, person: &PersonName, place: Option<usize>) -> Option<GateName> {
        let ApprovalTarget::Gate(environment, gate) = self.target else { return None };
        let Entering { view, run, plan, .. } = self.entering;
        let before = place.unwrap_or(view.release.opinions.len());
        view.release.opinions.iter().take(before).find_map(|opinion| {
            let ApprovalTarget::Gate(other_environment, other) = &opinion.target else { return None };
            let live = opinion.revoked.is_none()
                && opinion.candidate == run.candidate
                && opinion.by.person() == Some(person)
                && other_environment == environment
                && other != gate;
            let counts = |rule: &&ApprovalRule| {
                Counting { entering: self.entering, rule, target: &opinion.target }.stands(opinion)
            };
            let fills = live && approval_rules(view, plan, environment, other).iter().any(counts);
            fills.then(|| other.clone())
        })
    }

    /// Why a yes by itself does not count, if it does not.
    fn void(&self, opinion: &Opinion) -> Option<String> {
        let Says::Yes { covers, .. } = &opinion.says else { return None };
        let Entering { view, run, now, .. } = self.entering;
        if !view.release.is_for(&run.id, opinion.runs) {
            return Some("it was given before this run was started".into());
        }
        if let Some(until) = self.rule.valid.map(|valid| later(opinion.at, valid))
            && until <= now
        {
            return Some(format!("it ran out at {}", second(until)));
        }
        let candidate = view.candidate(run)?;
        let differing = covers.differing(&candidate.covered(&covered_facets(self.rule, self.target)));
        (!differing.is_empty()).then(|| format!("{} changed since", list(differing)))
    }
}

/// What an approval under a rule covers. The approval of an environment covers everything.
pub fn covered_facets(rule: &ApprovalRule, target: &ApprovalTarget) -> Vec<FacetName> {
    let all = [
        FacetName::Source,
        FacetName::Tag,
        FacetName::Digest,
        FacetName::Notes,
        FacetName::Schema,
        FacetName::Procedure,
    ];
    match (target, &rule.covers) {
        (ApprovalTarget::Step(..), Some(covers)) => covers.clone(),
        _ => all.to_vec(),
    }
}

/// What of a candidate is another one in the next: what it was, and what it is.
fn changed(earlier: &Candidate, now: &Candidate) -> String {
    let tells = |facet: &&Facet| !matches!(facet, Facet::Procedure | Facet::Schema);
    let mut text = String::new();
    for facet in earlier.facets.keys().filter(tells) {
        let shown = |candidate: &Candidate| {
            candidate.facets.get(facet).map(|value| match facet {
                Facet::Source => value.shown.chars().take(8).collect(),
                _ => value.shown.clone(),
            })
        };
        let (was, is) = (shown(earlier), shown(now));
        if was != is {
            let is = is.unwrap_or_else(|| "not known yet".into());
            text.push_str(&format!(", {facet} was {} and is {is}", was.unwrap_or_default()));
        }
    }
    text
}

/// What somebody has before them who is asked about a gate or a step: everything, or what the step says it covers.
pub(super) fn covered(candidate: &Candidate, plan: &Plan, target: &ApprovalTarget) -> Fingerprint {
    let facets = match target {
        ApprovalTarget::Step(_, step) => plan.step(step).and_then(|planned| planned.covers.as_ref()),
        ApprovalTarget::Gate(..) => None,
    };
    match facets {
        Some(facets) => candidate.covered(facets),
        None => candidate.fingerprint(),
    }
}

fn names(people: &[PersonName]) -> String {
    let unique: BTreeSet<&PersonName> = people.iter().collect();
    unique.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether a commit was picked for the candidate of a run that this person wrote, by the rules in force or those at the start.
pub(super) fn picked_from(view: &View, run: &Run, plan: &Plan, person: &PersonName) -> bool {
    let policies = [view.policy.as_deref(), Some(&plan.policy)];
    let same = |email: &String| {
        policies.into_iter().flatten().any(|policy| policy.authors(email).any(|author| author == person))
    };
    view.candidate(run).is_some_and(|candidate| candidate.picked_from.iter().any(same))
}
