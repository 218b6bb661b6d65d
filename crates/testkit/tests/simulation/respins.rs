//! What must hold when a release gets another candidate, told from the journal alone.

use tollgate_core::act::Act;
use tollgate_core::candidate::Candidate;
use tollgate_core::event::{ReleaseEvent, RunOutcome};
use tollgate_core::ids::{ReleaseId, RunId, StepId};
use tollgate_core::model::{Per, StepKind};
use tollgate_core::plan::Body;
use tollgate_core::state::{ReleaseState, RunStatus, StepState, StepStatus};

use crate::oracle::Oracle;

/// What is wrong about an event of a release, as it was before it.
pub(crate) fn judge(
    oracle: &Oracle,
    id: ReleaseId,
    state: &ReleaseState,
    event: &ReleaseEvent,
) -> Vec<String> {
    match event {
        ReleaseEvent::RunFinished { run, outcome: RunOutcome::Superseded { by } } => {
            let mut wrong = Vec::new();
            if by.0 as usize != state.candidates.len() + 1 {
                wrong.push(format!("run {run} is superseded by candidate {by}, which is not the next one"));
            }
            let steps = state.run(run).into_iter().flat_map(|run| &run.steps);
            let under_way = steps.filter(|(_, step)| matches!(step.status, StepStatus::Leased { .. }));
            wrong
                .extend(under_way.map(|(step, _)| format!("`{step}` is superseded while it is carried out")));
            wrong
        }
        ReleaseEvent::CandidateOpened { tag, why, .. } => {
            let made = oracle.releases.values().flat_map(|release| &release.candidates);
            // One that no push took along is seen by nobody: it can be made anew once its run is over.
            let burnt = made.filter(|one| one.tag_name == *tag && was_seen(oracle, one));
            let mut wrong: Vec<String> =
                burnt.map(|one| format!("`{tag}` was the tag of candidate {} already", one.number)).collect();
            // What was given up before its tag was pushed can be started again, which takes no reason.
            let over = state.runs.iter().all(|run| matches!(run.status, RunStatus::Finished { .. }));
            let again = over && !state.candidates.iter().any(|one| was_seen(oracle, one));
            let fits = match why {
                Some(_) => !state.candidates.is_empty(),
                None => state.candidates.is_empty() || again,
            };
            if !fits {
                wrong.push("only what is not the first candidate has a reason".into());
            }
            wrong
        }
        ReleaseEvent::CandidateSealed { candidate, fingerprint } => {
            // Whatever counts by its content counts for one candidate only.
            let others = oracle.releases.iter().flat_map(|(other, release)| {
                release.candidates.iter().map(move |candidate| (*other, candidate))
            });
            let same = others
                .filter(|(other, one)| (*other, one.number) != (id, *candidate))
                .filter(|(_, one)| one.sealed == Some(*fingerprint));
            same.map(|(_, one)| format!("candidate {} is sealed like {candidate}", one.number)).collect()
        }
        ReleaseEvent::StepKept { run, step, from, .. } => {
            kept(oracle, state, *run, step, *from).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Whether the tag of a candidate was pushed, or a push of it is left of which nobody knows what came of it.
fn was_seen(oracle: &Oracle, candidate: &Candidate) -> bool {
    let Some(tag) = &candidate.tag else { return false };
    let full = format!("refs/tags/{}", tag.name);
    let left = |step: &StepState| match &step.status {
        StepStatus::Leased { act: Act::Push { refs, .. }, .. } => {
            refs.contains(&(full.clone(), tag.object.clone()))
        }
        _ => false,
    };
    let runs = oracle.releases.values().flat_map(|release| &release.runs);
    oracle.written.contains(&(full.clone(), tag.object.clone()))
        || runs.flat_map(|run| run.steps.values()).any(left)
}

/// A result is taken over only where the file says so, from an earlier candidate for which it was done, and only what is not
/// about one candidate alone.
fn kept(oracle: &Oracle, state: &ReleaseState, run: RunId, step: &StepId, from: RunId) -> Option<String> {
    let (run, earlier) = (state.run(&run)?, state.run(&from)?);
    let plan = oracle.plan(run)?;
    let planned = plan.step(step)?;
    let kind = match &planned.body {
        Body::Step(kind) => kind,
        other => return Some(format!("`{step}` is kept, and it is {other:?}")),
    };
    let fits = matches!(kind, StepKind::Shell(_) | StepKind::Manual { .. } | StepKind::Message(_));
    let says = planned.again.per == Per::Release || !planned.again.keeps.is_empty();
    let done = earlier.steps.get(step).is_some_and(|state| matches!(state.status, StepStatus::Done { .. }));
    let older = earlier.candidate < run.candidate;
    (!fits || !says || !done || !older).then(|| format!("`{step}` is kept: {fits}, {says}, {done}, {older}"))
}
