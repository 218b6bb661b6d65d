//! What a yes does: said before somebody gives it, in the same words everywhere.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::decide::{Counting, Entering, approval_rules, decide, gates, nowhere};
use crate::event::{ApprovalTarget, Event, ReleaseEvent};
use crate::gate::GateReport;
use crate::ids::{EnvironmentName, PersonName};
use crate::model::ApprovalRule;
use crate::plan::{Body, Plan, PlannedStep, list};
use crate::state::Run;
use crate::view::{Stimulus, View};
use jiff::Timestamp;

/// What a yes does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Consequence {
    /// What it is about: the version, its commit and what changed.
    pub content: String,
    /// What follows: "it ships …", or what is still missing then.
    pub follows: String,
    /// The place that it fills: which of how many.
    pub counts_as: Option<(u32, u32)>,
    /// Whether the release goes on at once.
    pub goes_on: bool,
}

impl Consequence {
    /// The same in one line.
    pub fn in_a_line(&self) -> String {
        let of = match self.counts_as.filter(|(_, count)| *count > 1) {
            Some((place, count)) => format!("counts as {place} of {count}, and "),
            None => String::new(),
        };
        let candidate = self.content.lines().last().unwrap_or_default().trim_end_matches('.');
        let candidate = candidate.replacen("Candidate", "candidate", 1);
        format!("the yes {of}{} ({candidate})", self.follows)
    }
}

impl fmt::Display for Consequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.content)?;
        match self.counts_as.filter(|(_, count)| *count > 1) {
            Some((place, count)) => write!(f, "A yes counts as {place} of {count}, and {}.", self.follows),
            None => write!(f, "A yes {}.", self.follows),
        }
    }
}

/// What a plan releases: version, commit, and how much changed since the version before.
pub fn content(plan: &Plan) -> String {
    let version = &plan.version;
    let changes = match plan.changes_total {
        1 => "1 change".to_owned(),
        count => format!("{count} changes"),
    };
    let since = match &version.previous {
        Some(previous) => format!("{changes} since {}", previous.text),
        None => format!("{changes}, the first release"),
    };
    format!("{} {} (tag {}), {since}.", plan.definition.service, version.text, version.tag)
}

/// The content of a candidate, with its commit where that is fixed.
fn of_candidate(view: &View, run: &Run, plan: &Plan) -> String {
    let text = content(plan);
    let Some(candidate) = view.candidate(run) else { return text };
    // The last line is also shown alone.
    let sealed = candidate.sealed.map(|hash| format!("\nIts content is sealed as {}.", hash.short()));
    let sealed = sealed.unwrap_or_default();
    let digests: Vec<String> =
        candidate.digests.iter().map(|(name, digest)| format!("{name} is {digest}")).collect();
    let digests = if digests.is_empty() { String::new() } else { format!(" {}.", list(digests)) };
    let number = candidate.number;
    format!("{text}{sealed}\nCandidate {number}: commit {}.{digests}", candidate.commit.short())
}

/// What a yes to `target` does, given now by somebody who may: `by`, where it is known who.
pub fn consequence(
    view: &View,
    run: &Run,
    plan: &Plan,
    target: &ApprovalTarget,
    by: Option<&PersonName>,
    now: Timestamp,
) -> Consequence {
    let content = of_candidate(view, run, plan);
    let none = nowhere();
    let environment = match target {
        ApprovalTarget::Gate(environment, _) => Some(environment.clone()),
        ApprovalTarget::Step(_, step) => plan.step(step).and_then(|planned| planned.environment.clone()),
    };
    let Some(place) = environment.as_ref().or(none.as_ref()) else {
        return Consequence { content, follows: String::new(), counts_as: None, goes_on: false };
    };
    let entering = Entering { view, run, plan, environment: place, now };
    let rules = rules(view, plan, target);
    let counts = rules.iter().map(|rule| {
        let count = Counting { entering, rule, target }.count();
        // A yes takes the place of one's own no.
        let others = |(person, _): &&(PersonName, String)| Some(person) != by;
        (count.yes.len() as u32, rule.count, count.refused.iter().filter(others).count())
    });
    // The rule that asks for most says how far it brings it.
    let counts: Vec<(u32, u32, usize)> = counts.collect();
    let most = counts.iter().max_by_key(|(yes, count, _)| count.saturating_sub(*yes)).copied();
    let (missing, refused, counts_as) = match most {
        Some((yes, count, refused)) => {
            (count.saturating_sub(yes + 1), refused > 0, Some(((yes + 1).min(count), count)))
        }
        None => (0, false, None),
    };
    let others = match target {
        ApprovalTarget::Gate(environment, gate) => closed_beside(entering, environment, gate.as_str()),
        ApprovalTarget::Step(..) => Vec::new(),
    };
    let goes_on = missing == 0 && !refused && others.is_empty();
    let follows = match (missing, refused) {
        (_, true) => "does not outweigh the no that was said".to_owned(),
        (0, _) => follows(plan, target, &others),
        (1, _) => "leaves one more missing".to_owned(),
        (count, _) => format!("leaves {count} more missing"),
    };
    Consequence { content, follows, counts_as, goes_on }
}

fn rules<'a>(view: &'a View, plan: &'a Plan, target: &ApprovalTarget) -> Vec<&'a ApprovalRule> {
    match target {
        ApprovalTarget::Gate(environment, gate) => approval_rules(view, plan, environment, gate),
        ApprovalTarget::Step(_, step) => {
            plan.step(step).and_then(PlannedStep::approved_by).into_iter().collect()
        }
    }
}

/// The other gates of an environment that are closed.
fn closed_beside(entering: Entering<'_>, environment: &EnvironmentName, gate: &str) -> Vec<String> {
    let name = |report: GateReport| match report.gate.as_str() {
        other if other == gate => None,
        _ if report.is_open() => None,
        other => Some(format!("`{other}`")),
    };
    let mut found: Vec<String> = Vec::new();
    for name in gates(Entering { environment, ..entering }).into_iter().filter_map(name) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

fn follows(plan: &Plan, target: &ApprovalTarget, others: &[String]) -> String {
    let version = &plan.version.text;
    let does = |environment| goes_to(plan, environment);
    match (target, others) {
        (ApprovalTarget::Gate(environment, _), []) => format!("{} now", does(environment)),
        (ApprovalTarget::Gate(environment, _), others) => {
            let open = if others.len() == 1 { "is" } else { "are" };
            format!("{} once {} {open} open", does(environment), others.join(", "))
        }
        (ApprovalTarget::Step(..), _) => format!("lets {version} go on"),
    }
}

/// What it does that a plan goes to an environment.
fn goes_to(plan: &Plan, environment: &EnvironmentName) -> String {
    let version = &plan.version.text;
    match &plan.rollback {
        Some(rollback) => format!("takes {environment} from {} back to {version}", rollback.from_text()),
        None => format!("ships {version} to {environment}"),
    }
}

/// What anything that somebody does sets in motion at once, in words: the environments that are open for the release then and were
/// not before. Nothing where there is none, or where it would be refused.
pub fn sets_in_motion(view: &View, stimulus: &Stimulus, actor: &Actor, now: Timestamp) -> Option<String> {
    let decision = decide(view.clone(), stimulus, actor, now).ok()?;
    let mut found: Vec<String> = Vec::new();
    for entry in &decision.entries {
        let Event::Release(ReleaseEvent::StepDone { run, step, .. }) = &entry.event else { continue };
        let Some(plan) = decision.after.plans.get(run) else { continue };
        let entered = plan.step(step).filter(|planned| matches!(planned.body, Body::Enter));
        let told = entered.and_then(|planned| Some(goes_to(plan, planned.environment.as_ref()?)));
        found.extend(told.filter(|told| !found.contains(told)));
    }
    (!found.is_empty()).then(|| format!("{} now", found.join(" and ")))
}
