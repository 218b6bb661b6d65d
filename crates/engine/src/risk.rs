//! What a plan pins for rules about risk: how much changed, and who has written nothing before.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use tollgate_core::commits::{Lines, plain_text};
use tollgate_core::ids::{ObjectId, RiskLevel};
use tollgate_core::model::{Definition, Policy};
use tollgate_core::plan::{Measured, Plan, PlannedVersion, list};
use tollgate_core::risk::of_plan;

use crate::looking::VersionSurvey;
use crate::planning::{PlanningError, Surveyed};
use crate::ports::{CommitFields, CommitRef, HistoryOrder, HistoryQuery};
use crate::versioning::Wanted;
use crate::{Engine, EngineError};

/// The most commits that are read to see who wrote something before. Who wrote nothing in them counts as new.
const COMMITS_MAX: usize = 50_000;
/// The longest name of an author, in characters.
const AUTHOR_MAX_CHARS: usize = 100;

impl Engine {
    /// What the rules about risk ask for, and nothing else: both can take a while in a large repository.
    pub(crate) async fn measure(
        &self,
        surveyed: &Surveyed,
        definition: &Definition,
        policy: &Policy,
        version: &PlannedVersion,
        survey: &VersionSurvey,
    ) -> Result<Measured, EngineError> {
        let Some(rules) = &policy.risk else { return Ok(Measured::default()) };
        let Some(previous) = &version.previous else {
            // The first release has nothing before it that it could be compared with.
            let lines = rules.asks_for_lines().then_some(0);
            return Ok(Measured { lines, newcomers: rules.asks_for_authors().then(Vec::new) });
        };
        let lines = match rules.asks_for_lines() {
            true => {
                let source = &self.world.source;
                let diff = source.diff(&surveyed.repository, &previous.commit, &surveyed.base).await?;
                let counted = diff.files.iter().filter(|file| definition.version.next.counts(&file.path));
                Some(counted.map(|file| file.added.saturating_add(file.removed)).sum())
            }
            false => None,
        };
        let newcomers = match rules.asks_for_authors() {
            true => Some(self.without_commits(surveyed, policy, &previous.commit, survey).await?),
            false => None,
        };
        Ok(Measured { lines, newcomers })
    }

    /// Those of the authors of whom there is no commit up to the version before.
    async fn without_commits(
        &self,
        surveyed: &Surveyed,
        policy: &Policy,
        before: &ObjectId,
        survey: &VersionSurvey,
    ) -> Result<Vec<String>, EngineError> {
        // A person of the policy is one, whatever address they use; everybody else is their address.
        let who = |email: &str| match policy.author(email) {
            Some(person) => person.to_string(),
            None => email.to_ascii_lowercase(),
        };
        let mut new: BTreeMap<String, String> = BTreeMap::new();
        for change in survey.changes.iter().chain(&survey.taken_back) {
            let known = policy.author(&change.author_email).map(ToString::to_string);
            let name = known.unwrap_or_else(|| format!("{} <{}>", change.author_name, change.author_email));
            let name = plain_text(&name, Lines::Join).chars().take(AUTHOR_MAX_CHARS).collect();
            new.insert(who(&change.author_email), name);
        }
        let query = HistoryQuery {
            fields: CommitFields::WithoutMessage,
            order: HistoryOrder::AsWalked,
            ..HistoryQuery::upto(before)
        };
        let mut read = 0;
        let mut look = |commit: CommitRef<'_>| {
            read += 1;
            new.remove(&who(commit.author_email));
            match new.is_empty() || read >= COMMITS_MAX {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        if !survey.changes.is_empty() || !survey.taken_back.is_empty() {
            self.world.source.commits(&surveyed.repository, &query, &mut look).await?;
        }
        Ok(new.into_values().collect())
    }
}

/// The level that somebody names at the start. It can only be more than what the rules say of the plan.
pub(crate) fn declared_risk(
    policy: &Policy,
    plan: &Plan,
    wanted: &Wanted,
) -> Result<Option<RiskLevel>, PlanningError> {
    let Some(level) = &wanted.risk else { return Ok(None) };
    let refused = |code, why: String, hint: &str| {
        Err(PlanningError::Repository { code, why, hint: Some(hint.to_owned()) })
    };
    let (Some(risk), Some(rules)) = (of_plan(plan, policy), &policy.risk) else {
        let hint = "describe the levels under `risk` in the procedure file and adopt it";
        return refused("no-risk", "the policy in force does not speak of risk".into(), hint);
    };
    if !rules.levels.contains(level) {
        let why = format!("there is no level `{level}`: the levels are {}", list(&rules.levels));
        return refused("no-level", why, "name one of them");
    }
    if rules.rank(level) < rules.rank(&risk.level) {
        let why = format!("the risk cannot be {level} at the start: it is {}", risk.words());
        return refused(
            "risk-lower",
            why,
            "lower it after the start with `tollgate risk`, where the policy lets you",
        );
    }
    Ok(Some(level.clone()))
}

/// A procedure whose conditions speak of other levels than the rules in force have is not started: its conditions would hold, or
/// not, by accident.
pub(crate) fn same_levels(plan: &Plan, policy: &Policy) -> Result<(), PlanningError> {
    let asks = |step: &tollgate_core::plan::PlannedStep| {
        let mut names = step.conditions.iter().flat_map(|condition| condition.names());
        names.any(|(name, _)| name == tollgate_core::risk::RISK)
    };
    let wanted = &plan.definition.risk_levels;
    let in_force = policy.risk.as_ref().map(|rules| rules.levels.as_slice()).unwrap_or_default();
    if in_force == wanted.as_slice() || !plan.steps.iter().any(asks) {
        return Ok(());
    }
    Err(PlanningError::Repository {
        code: "other-levels",
        why: format!(
            "steps ask for the risk as {}, and the rules in force know {}",
            list(wanted),
            if in_force.is_empty() { "none".to_owned() } else { list(in_force) }
        ),
        hint: Some("adopt the rules of the procedure file with `tollgate policy adopt`".into()),
    })
}
