//! The tags of a release: which of them the remote may have, and which only Tollgate's clone.

use serde::{Deserialize, Serialize};

use super::{ReleaseState, Run, RunStatus, StepStatus};
use crate::act::{Act, FailureClass, Outcome};
use crate::candidate::{Candidate, MadeTag, Pushed};
use crate::event::{ReleaseEvent, RunOutcome, StepResult};
use crate::ids::{CandidateNumber, ObjectId, RunId, StepId};
use crate::plan::is_ad_hoc;

/// A tag that a run made in Tollgate's clone, and of which it is not known that the remote has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OwnTag {
    /// Its name.
    pub name: String,
    /// The version of its candidate.
    pub version: String,
    /// The tag object; nothing where it was being made when the run ended.
    pub object: Option<ObjectId>,
    /// What is known of its push; never that it is done.
    pub pushed: Pushed,
    /// Whether a run of its candidate is not over: it may be pushed yet.
    pub active: bool,
}

impl OwnTag {
    /// Whether no run needs it any more: it goes from the clone. Where its push is in doubt, the remote says whether there is
    /// such a tag: what it has comes back with the next look, be it this one or somebody else's.
    pub fn is_void(&self) -> bool {
        !self.active && self.object.is_some()
    }
}

impl ReleaseState {
    /// The first tag that was made for it and that the remote has, or may have. Such a tag is never used again, whatever
    /// becomes of the release.
    pub fn burnt_tag(&self) -> Option<&MadeTag> {
        self.candidates.iter().filter_map(|one| one.tag.as_ref()).find(|tag| tag.may_be_out())
    }

    /// Whether no other candidate can have the tag of this one: the remote may have it, or a run may push it yet.
    pub fn keeps_tag(&self, candidate: &Candidate) -> bool {
        candidate.tag.as_ref().is_some_and(|tag| tag.may_be_out() || self.is_under_way(candidate.number))
    }

    /// The tags of its candidates that count for no release: those that were never pushed, and those whose push is in doubt.
    /// Once a run is done, its tag counts, whether Tollgate pushed it or somebody let that pass.
    pub fn own_tags(&self) -> Vec<OwnTag> {
        let mut own = Vec::new();
        for candidate in self.candidates.iter().filter(|one| !self.is_done(one.number)) {
            let active = self.is_under_way(candidate.number);
            let (name, version) = (&candidate.tag_name, &candidate.version);
            let of = |object, pushed| OwnTag {
                name: name.clone(),
                version: version.clone(),
                object,
                pushed,
                active,
            };
            match &candidate.tag {
                Some(tag) if tag.pushed != Pushed::Done => own.push(of(Some(tag.object.clone()), tag.pushed)),
                None if self.runs_of(candidate.number).any(is_tagging) => own.push(of(None, Pushed::Never)),
                _ => {}
            }
        }
        own
    }

    /// The versions of its candidates that are used up although none of its runs came to a good end, or still can.
    pub fn lost_versions(&self) -> Vec<String> {
        if self.runs.iter().any(|run| !run.is_finished() || is_done(run)) || !self.is_burnt() {
            return Vec::new();
        }
        let mut lost: Vec<String> = Vec::new();
        for candidate in &self.candidates {
            let used = candidate.tag.as_ref().is_some_and(MadeTag::may_be_out)
                || self.runs_of(candidate.number).any(|run| is_tagging(run) || has_published(run));
            if used && !lost.contains(&candidate.version) {
                lost.push(candidate.version.clone());
            }
        }
        lost
    }

    fn runs_of(&self, candidate: CandidateNumber) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.candidate == candidate)
    }

    fn is_under_way(&self, candidate: CandidateNumber) -> bool {
        self.runs_of(candidate).any(|run| !run.is_finished())
    }

    fn is_done(&self, candidate: CandidateNumber) -> bool {
        self.runs_of(candidate).any(is_done)
    }

    /// Follows what becomes of the push of a tag. What this event changes of the step is not taken in yet.
    pub(super) fn follow_push(&mut self, event: &ReleaseEvent) {
        match event {
            ReleaseEvent::EffectLeased { run, step, .. } => self.turn_tag(run, step, |pushed| match pushed {
                Pushed::Never => Pushed::Begun,
                // Whoever began it told nothing: it may still be on its way.
                Pushed::Begun => Pushed::InDoubt,
                known => known,
            }),
            ReleaseEvent::EffectFailed { run, step, failure, .. }
            | ReleaseEvent::StepStuck { run, step, failure } => {
                let refused = failure.class == FailureClass::Permanent;
                self.turn_tag(run, step, |pushed| match pushed {
                    Pushed::Begun if refused => Pushed::Never,
                    Pushed::Begun => Pushed::InDoubt,
                    known => known,
                });
            }
            ReleaseEvent::StepDone { run, step, result: StepResult::Act(Outcome::Pushed { .. }), .. } => {
                self.turn_tag(run, step, |_| Pushed::Done);
            }
            _ => {}
        }
    }

    /// Changes what is known of the tag that the act of a step pushes.
    fn turn_tag(&mut self, run: &RunId, step: &StepId, turn: impl Fn(Pushed) -> Pushed) {
        let Some(run) = self.run(run) else { return };
        let Some(state) = run.steps.get(step) else { return };
        let (StepStatus::Wanted { act: Act::Push { refs, .. }, .. }
        | StepStatus::Leased { act: Act::Push { refs, .. }, .. }) = &state.status
        else {
            return;
        };
        let names: Vec<String> = refs.iter().map(|(name, _)| name.clone()).collect();
        let number = run.candidate;
        let Some(tag) = self.candidate_mut(number).and_then(|candidate| candidate.tag.as_mut()) else {
            return;
        };
        if names.iter().any(|name| name.strip_prefix("refs/tags/") == Some(tag.name.as_str())) {
            tag.pushed = turn(tag.pushed);
        }
    }

    /// Another candidate takes a name: a tag of that name that nobody but the clone ever had is none any more.
    pub(super) fn forget_void_tags(&mut self, name: &str) {
        for candidate in &mut self.candidates {
            if candidate.tag.as_ref().is_some_and(|tag| tag.name == name && !tag.may_be_out()) {
                candidate.tag = None;
            }
        }
    }
}

fn is_done(run: &Run) -> bool {
    matches!(&run.status, RunStatus::Finished { outcome: RunOutcome::Done, .. }) && !is_ad_hoc(&run.procedure)
}

fn is_tagging(run: &Run) -> bool {
    run.steps.values().any(|step| matches!(&step.status, StepStatus::Leased { act: Act::Tag { .. }, .. }))
}

fn has_published(run: &Run) -> bool {
    run.steps.values().any(|step| {
        matches!(
            &step.status,
            StepStatus::Done { result: StepResult::Act(Outcome::Published { .. }), .. }
                | StepStatus::Leased { act: Act::Publish(_), .. }
        )
    })
}
