//! Planning a rollback: what it goes back to, and which commits go away; and letting others go there again.

use std::collections::BTreeSet;
use std::sync::Arc;

use tollgate_core::actor::Actor;
use tollgate_core::candidate::Candidate;
use tollgate_core::commits::{Lines, plain_text};
use tollgate_core::decide::{decide, release_environment};
use tollgate_core::explain::{Holding, explain};
use tollgate_core::ids::{CandidateNumber, EnvironmentName, ObjectId, ReleaseId, RunId, ServiceName};
use tollgate_core::model::Policy;
use tollgate_core::plan::{GoneCommits, Plan, PlannedChange, Rollback, list};
use tollgate_core::state::{EnvironmentState, ReleaseState};
use tollgate_core::view::{Refusal, Stimulus};

use crate::planning::TITLE_MAX_CHARS;
use crate::ports::Repository;
use crate::{Engine, EngineError};

/// How many of the commits that go away a plan names.
const GONE_MAX: usize = 50;
/// How many of them are counted.
const COUNTED_MAX: usize = 10_000;

/// What somebody wants back.
#[derive(Debug, Clone)]
pub struct Back {
    /// Where.
    pub environment: EnvironmentName,
    /// The release, and the version of its candidate that is meant; none for what was verified there before.
    pub to: Option<(ReleaseId, String)>,
    /// Why.
    pub why: String,
}

impl Engine {
    /// Makes the plan of a rollback; gives the release that it goes back to.
    pub async fn plan_rollback(
        &self,
        service: &ServiceName,
        policy: &Policy,
        back: &Back,
    ) -> Result<(ReleaseId, Plan), EngineError> {
        let environment = &back.environment;
        if !policy.environments.contains_key(environment) {
            let known = list(policy.environments.keys());
            let why = format!("there is no environment `{environment}`; there is {known}");
            return Err(Refusal::new("no-environment", why).into());
        }
        let state = self.environment(service, environment).await?;
        let (release, candidate) = self.meant(service, &state, back).await?;
        let of = self.view(service, release).await?.release;
        let (Some(run), Some(found)) = (of.cut_of(candidate), of.candidate(candidate)) else {
            return Err(EngineError::Damaged("a candidate without a run".into()));
        };
        let Some(fingerprint) = found.sealed else {
            let why =
                format!("candidate {candidate} of {} is not sealed: it was never deployed", found.version);
            return Err(Refusal::new("not-sealed", why).into());
        };
        let cut = self.plan_blob(&run.plan).await?;
        let rollback = Rollback {
            environment: environment.clone(),
            candidate,
            fingerprint,
            from: state.versions_in_part(),
            why: back.why.clone(),
            gone: self.gone(service, &cut, policy, &state, &found.commit).await,
        };
        Ok((release, cut.back(policy, rollback)?))
    }

    /// The candidate that is meant.
    async fn meant(
        &self,
        service: &ServiceName,
        state: &EnvironmentState,
        back: &Back,
    ) -> Result<(ReleaseId, CandidateNumber), EngineError> {
        let Some((release, version)) = &back.to else {
            let before = state.before().ok_or_else(|| nothing_before(state, &back.environment))?;
            return Ok((before.by.release, before.by.candidate));
        };
        // What ran there is meant before another candidate of the same name.
        let ran = state.verified.iter().rev();
        let ran =
            ran.clone().find(|verified| verified.by.release == *release && verified.version == *version);
        if let Some(verified) = ran {
            return Ok((*release, verified.by.candidate));
        }
        let of: ReleaseState = self.view(service, *release).await?.release;
        let named = |name: &str| name == version;
        let candidate = of
            .candidates
            .iter()
            .rev()
            .find(|candidate| named(&candidate.version) || named(&candidate.tag_name))
            .or(of.newest());
        let candidate =
            candidate.ok_or_else(|| EngineError::Damaged("a release without a candidate".into()))?;
        Ok((*release, candidate.number))
    }

    /// The commits that run now and not afterwards; none where the repository cannot tell: a rollback does not wait for it.
    async fn gone(
        &self,
        service: &ServiceName,
        cut: &Plan,
        policy: &Policy,
        state: &EnvironmentState,
        to: &ObjectId,
    ) -> Option<GoneCommits> {
        let clone = self.places.clone_of(service);
        let repository = Repository { url: cut.url.clone(), clone, checkout: None };
        let mut gone = GoneCommits::default();
        let mut from: Vec<ObjectId> = Vec::new();
        let there = state.deployed.values().map(|running| &running.what);
        // What is half-way out goes away as well.
        let coming = state.held.iter().flat_map(|held| held.deploying.values());
        for what in there.chain(coming) {
            from.push(what.commit.clone()?);
        }
        if let Some(begun) = state.given_up() {
            let of = self.view(service, begun.release).await.ok()?.release;
            let of_version = |one: &&Candidate| one.version == begun.version;
            from.push(of.candidates.iter().rev().find(of_version)?.commit.clone());
        }
        let (mut seen, mut counted) = (BTreeSet::new(), BTreeSet::new());
        for from in from {
            if !seen.insert(from.clone()) {
                continue;
            }
            let (commits, _) =
                self.world.source.history(&repository, Some(to), &from, COUNTED_MAX).await.ok()?;
            // What several of them have goes away once.
            let commits: Vec<_> = commits.into_iter().filter(|one| counted.insert(one.id.clone())).collect();
            gone.total += commits.len() as u64;
            let left = GONE_MAX.saturating_sub(gone.commits.len());
            gone.commits.extend(commits.into_iter().take(left).map(|commit| {
                let subject = commit.message.lines().next().unwrap_or_default();
                PlannedChange {
                    author: policy.author(&commit.author_email).cloned(),
                    commit: commit.id,
                    title: plain_text(subject, Lines::Join).chars().take(TITLE_MAX_CHARS).collect(),
                }
            }));
        }
        (!state.deployed.is_empty()).then_some(gone)
    }

    /// What would hold a run of a plan if it was started now. Nothing is written down.
    ///
    /// # Errors
    ///
    /// What its start would be refused for, too.
    pub async fn held_if_started(
        &self,
        plan: &Plan,
        release: ReleaseId,
        actor: &Actor,
    ) -> Result<Vec<Holding>, EngineError> {
        let view = self.view(&plan.definition.service, release).await?;
        let plan = Arc::new(plan.clone());
        let (run, (blob, _)) = (RunId(self.world.ids.uuid()), self.kept(&plan)?);
        let now = self.now();
        let after = decide(view, &Stimulus::Start { run, plan, blob }, actor, now)?.after;
        Ok(explain(&after, now).into_iter().filter(|holding| holding.run == run).collect())
    }

    /// Somebody lets others go to an environment again after a rollback.
    pub async fn release_environment(
        &self,
        service: &ServiceName,
        name: &EnvironmentName,
        why: Option<&str>,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        let entry = self
            .on_environment(service, name, |state, policy, now| {
                release_environment(service, name, state, policy, why, actor, now)
            })
            .await?;
        self.telling.at_once(&[entry]);
        Ok(())
    }
}

fn nothing_before(state: &EnvironmentState, environment: &EnvironmentName) -> Refusal {
    let why = match state.versions().as_slice() {
        [] => format!("nothing is known to have been verified in `{environment}`"),
        versions => {
            format!(
                "nothing is known to have been verified in `{environment}` before {}",
                versions.join(" and ")
            )
        }
    };
    Refusal::new("nothing-before", why).hint("name a release with `--to VERSION`")
}
