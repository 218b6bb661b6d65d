//! A release with its candidates and runs.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::act::{Act, Failure, Outcome};
use crate::actor::Actor;
use crate::candidate::{Candidate, Facet, Fingerprint};
use crate::event::{
    AnswerValue, ApprovalTarget, Asked, Ballot, RunOutcome, Seen, Skipped, StepResult, TickResult,
    WaiverTarget,
};
use crate::facts::FactState;
use crate::ids::{
    CandidateNumber, EffectId, ItemName, PersonName, ProcedureName, RoleName, RunId, ServiceName, StepId,
};
use crate::journal::{BlobId, Hash};
use crate::load::Measurement;
use crate::model::Who;
use crate::notices::Notices;
use crate::plan::is_ad_hoc;
use crate::risk::RiskSaid;

/// A release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReleaseState {
    /// What is released, once it is opened.
    pub opened: Option<OpenedRelease>,
    /// Its candidates, in order.
    pub candidates: Vec<Candidate>,
    /// Its runs, in order.
    pub runs: Vec<Run>,
    /// Yes and no of people, the newest last.
    pub opinions: Vec<Opinion>,
    /// The answers to questions.
    pub answers: Vec<(Asked, Answer)>,
    /// Votes that were opened, the newest last.
    #[serde(default)]
    pub votes: Vec<VoteRound>,
    /// Who fills the roles.
    #[serde(default)]
    pub roles: BTreeMap<RoleName, HeldRole>,
    /// The roles that a calendar says nobody fills, and what it says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vacant: BTreeMap<RoleName, String>,
    /// Who filled roles by the rules, and no longer does: the newest ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shifts: Vec<Shift>,
    /// The newest answers to items of checklists.
    #[serde(default)]
    pub ticks: Vec<Tick>,
    /// Its waivers, in order; never removed.
    pub waivers: Vec<Waiver>,
    /// What people said about its risk, in order; never removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risk: Vec<RiskSaid>,
    /// Who was asked again.
    #[serde(default)]
    pub nudges: Vec<Nudge>,
    /// What people were told, or are to be told.
    #[serde(default)]
    pub notices: Notices,
}

/// What a release is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OpenedRelease {
    /// What is released.
    pub service: ServiceName,
    /// The version.
    pub version: String,
    /// The tag it has, or will have.
    pub tag: String,
    /// Since when.
    pub at: Timestamp,
    /// Who started it.
    pub by: Actor,
}

/// One execution of a procedure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its procedure.
    pub procedure: ProcedureName,
    /// Its candidate.
    pub candidate: CandidateNumber,
    /// Its plan, as JSON.
    pub plan: BlobId,
    /// The plan's id.
    pub plan_id: Hash,
    /// The rules when it started.
    pub policy: Hash,
    /// Since when.
    pub started_at: Timestamp,
    /// Who started it.
    pub started_by: Actor,
    /// How it stands.
    pub status: RunStatus,
    /// The steps that were reached.
    pub steps: BTreeMap<StepId, StepState>,
    /// What is known of the facts it waits for, by the key of the look.
    #[serde(default)]
    pub facts: BTreeMap<String, FactState>,
    /// The looks that somebody wanted anew and that were not made since, and from when on they count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub looks_wanted: BTreeMap<String, Timestamp>,
    /// The steps that were not done when they should have been.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub overdue: BTreeSet<StepId>,
}

impl Run {
    /// Whether it came to its end, however that was.
    pub fn is_finished(&self) -> bool {
        matches!(self.status, RunStatus::Finished { .. })
    }
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    /// It goes on.
    Active,
    /// Somebody stopped it from going on.
    Held {
        /// Since when.
        since: Timestamp,
        /// Who.
        by: Actor,
        /// Why.
        why: String,
    },
    /// It came to its end.
    Finished {
        /// When.
        at: Timestamp,
        /// How.
        outcome: RunOutcome,
        /// Who brought it about.
        by: Actor,
    },
}

/// How a step that was reached stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepState {
    /// Counts from 1 the repetitions that somebody asked for, and those after the gates closed before the act began.
    pub attempt: u32,
    /// When it was reached.
    pub reached_at: Timestamp,
    /// When it was reached, or tried again by somebody.
    pub opened_at: Timestamp,
    /// Since when it stands like this.
    pub since: Timestamp,
    /// The epoch of the newest lease of an act of it; leases of later acts count on from there.
    pub epoch: u64,
    /// How many of its commands ended badly and were tried again. A try that failed before a command's end is told does not
    /// count: its command may run, and is to be found again.
    pub ended: u32,
    /// How it stands.
    pub status: StepStatus,
    /// The candidate that it was done for, where that was an earlier one.
    #[serde(default)]
    pub kept: Option<CandidateNumber>,
    /// The newest numbers of a load test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Box<Measurement>>,
    /// Whether somebody tried a load test again that had its numbers: those before them decide nothing meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remeasures: bool,
    /// When the newest command of it began; that somebody took it over does not change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Timestamp>,
    /// The last failures of its act, at most five.
    pub failures: Vec<(Timestamp, Failure)>,
    /// How many tries failed since somebody last asked for one.
    pub failed_tries: u32,
}

/// How a step stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// It waits: for people, gates, or a look at the world.
    Open {
        /// What was seen last, where it looks.
        seen: Option<Seen>,
        /// How many right answers in a row that was.
        right: u32,
    },
    /// Its act is wanted, and not begun.
    Wanted {
        /// The act's id.
        effect: EffectId,
        /// The act.
        act: Act,
        /// Not before.
        due: Timestamp,
    },
    /// Somebody carries it out.
    Leased {
        /// The act's id.
        effect: EffectId,
        /// The act.
        act: Act,
        /// Counts the leases.
        epoch: u64,
    },
    /// Somebody has to say how it goes on.
    Stuck {
        /// The act that failed, if it was one.
        effect: Option<EffectId>,
        /// Why.
        failure: Failure,
    },
    /// It is done.
    Done {
        /// Who did it.
        by: Actor,
        /// What came of it.
        result: StepResult,
        /// What it covers.
        covers: Fingerprint,
    },
    /// It is not done, and this is why.
    Skipped(Skipped),
    /// What it waited for did not come in time. Not a failure.
    Expired,
}

impl StepStatus {
    /// Whether what comes after it can go on.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Skipped(_))
    }

    /// The act that is wanted or under way.
    pub fn effect(&self) -> Option<EffectId> {
        match self {
            Self::Wanted { effect, .. } | Self::Leased { effect, .. } => Some(*effect),
            _ => None,
        }
    }
}

/// Somebody's yes or no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Opinion {
    /// Whose.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// What for.
    pub target: ApprovalTarget,
    /// Of which candidate.
    pub candidate: CandidateNumber,
    /// Yes to exactly this content, or no.
    pub says: Says,
    /// When it was taken back.
    pub revoked: Option<Timestamp>,
    /// How many runs the release had then: a yes counts for the run it was given to, and not for a later one.
    pub runs: u32,
}

/// Yes or no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// Yes, to this content.
    Yes {
        /// The content.
        covers: Fingerprint,
        /// A remark.
        note: Option<String>,
    },
    /// No.
    No {
        /// Why.
        why: String,
    },
}

/// A wait of which people were reminded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Nudge {
    /// Of which run.
    pub run: RunId,
    /// The step that waits.
    pub step: StepId,
    /// The gate that it waits for.
    pub gate: Option<String>,
    /// Since when it waits.
    pub since: Timestamp,
    /// How often people were reminded.
    pub reminded: u32,
    /// When they were last.
    pub last: Timestamp,
    /// When others were told.
    pub escalated: Option<Timestamp>,
}

/// Who fills a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HeldRole {
    /// Who.
    pub person: PersonName,
    /// As one of whom.
    pub of: Who,
    /// Since when.
    pub since: Timestamp,
    /// Who said so.
    pub by: Actor,
}

/// A time in which somebody filled a role by the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Shift {
    /// Which role.
    pub role: RoleName,
    /// Who.
    pub person: PersonName,
    /// Since when.
    pub from: Timestamp,
    /// The first instant at which they no longer did.
    pub until: Timestamp,
}

/// An answer to an item of a checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tick {
    /// Of which run.
    pub run: RunId,
    /// Where the checklist stands.
    pub target: ApprovalTarget,
    /// The item.
    pub item: ItemName,
    /// What came of it.
    pub result: TickResult,
    /// What was handed in.
    pub evidence: Option<String>,
    /// Who answered.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// Of exactly this content.
    pub covers: Fingerprint,
    /// Which try of the step it was; 0 for a gate.
    pub attempt: u32,
}

/// A vote that was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VoteRound {
    /// Of which run.
    pub run: RunId,
    /// What about.
    pub target: ApprovalTarget,
    /// On which candidate.
    pub candidate: CandidateNumber,
    /// Since when.
    pub opened_at: Timestamp,
    /// The last of its moments that has come: its opening, the end of a period, its close.
    pub reached: Timestamp,
    /// The votes, one of each person, in the order in which they last voted.
    pub votes: Vec<Vote>,
}

/// Somebody's vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Vote {
    /// Whose.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// How.
    pub ballot: Ballot,
    /// On exactly this content.
    pub covers: Fingerprint,
    /// A remark.
    pub note: Option<String>,
}

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Answer {
    /// The answer.
    pub value: AnswerValue,
    /// Who gave it.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// How many runs the release had then.
    pub runs: u32,
}

/// One thing that somebody let pass once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Waiver {
    /// What.
    pub target: WaiverTarget,
    /// For which candidate.
    pub candidate: CandidateNumber,
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: String,
    /// Until when it counts.
    pub until: Option<Timestamp>,
    /// What has to be done about it afterwards.
    #[serde(default)]
    pub follow_up: Option<String>,
    /// How many runs the release had then: it lets the run pass that it was given to, and not a later one.
    pub runs: u32,
}

impl ReleaseState {
    /// A run.
    pub fn run(&self, id: &RunId) -> Option<&Run> {
        self.runs.iter().find(|run| run.id == *id)
    }

    /// A candidate.
    pub fn candidate(&self, number: CandidateNumber) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.number == number)
    }

    /// The newest candidate.
    pub fn newest(&self) -> Option<&Candidate> {
        self.candidates.last()
    }

    /// The newest run that cut a candidate, or goes on from its cut.
    pub fn cut_of(&self, candidate: CandidateNumber) -> Option<&Run> {
        let mut runs = self.runs.iter().rev();
        runs.find(|run| run.candidate == candidate && !is_ad_hoc(&run.procedure))
    }

    /// What its candidates are called beside its own version and tag: versions and tags, without doubles.
    pub fn other_names(&self) -> Vec<String> {
        let own = self.opened.as_ref();
        let mut names: Vec<String> = Vec::new();
        for name in self.candidates.iter().flat_map(|candidate| [&candidate.version, &candidate.tag_name]) {
            let known = own.is_some_and(|own| *name == own.version || *name == own.tag);
            if !known && !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// Whether a tag is being made for it, or may have been.
    pub fn is_tagging(&self) -> bool {
        self.steps().any(|step| matches!(&step.status, StepStatus::Leased { act: Act::Tag { .. }, .. }))
    }

    /// The registry in which a step published it, or was doing so.
    pub fn published_in(&self) -> Option<String> {
        self.steps().find_map(|step| match &step.status {
            StepStatus::Done { result: StepResult::Act(Outcome::Published { registry, .. }), .. } => {
                Some(registry.clone())
            }
            StepStatus::Leased { act: Act::Publish(publish), .. } => Some(publish.target.registry()),
            _ => None,
        })
    }

    /// Whether its version is used up, whatever becomes of it: it may be out in the world.
    pub fn is_burnt(&self) -> bool {
        self.burnt_tag().is_some() || self.is_tagging() || self.published_in().is_some()
    }

    /// Whether the version of the newest candidate is used up.
    pub fn is_used_up(&self) -> bool {
        let Some(newest) = self.newest() else { return false };
        let runs = || {
            self.runs.iter().filter(|run| run.candidate == newest.number).flat_map(|run| run.steps.values())
        };
        let published = |step: &StepState| {
            matches!(
                &step.status,
                StepStatus::Done { result: StepResult::Act(Outcome::Published { .. }), .. }
            ) || matches!(&step.status, StepStatus::Leased { act: Act::Publish(_) | Act::Tag { .. }, .. })
        };
        self.keeps_tag(newest) || runs().any(published)
    }

    fn steps(&self) -> impl Iterator<Item = &StepState> {
        self.runs.iter().flat_map(|run| run.steps.values())
    }

    /// The newest answer to a question.
    pub fn answer(&self, asked: &Asked) -> Option<&Answer> {
        self.answered(asked).next()
    }

    /// The answers to a question, the newest first: one, or for the question of a gate one of each person.
    pub fn answered(&self, asked: &Asked) -> impl Iterator<Item = &Answer> {
        self.answers.iter().rev().filter(move |(key, _)| key == asked).map(|(_, answer)| answer)
    }

    /// The newest answer to an item of a checklist of a run.
    pub fn tick(&self, run: &RunId, target: &ApprovalTarget, item: &ItemName) -> Option<&Tick> {
        self.ticks.iter().find(|tick| tick.run == *run && tick.target == *target && tick.item == *item)
    }

    /// The newest vote of a run about something.
    pub fn vote(&self, run: &RunId, target: &ApprovalTarget) -> Option<&VoteRound> {
        self.votes.iter().rev().find(|round| round.run == *run && round.target == *target)
    }

    /// Whether what was said when the release had so many runs was said to this one.
    pub fn is_for(&self, run: &RunId, runs: u32) -> bool {
        self.runs.iter().take(runs as usize).any(|one| one.id == *run)
    }

    /// The waiver that lets something of a run pass at a moment, with its place.
    pub fn waiver(&self, target: &WaiverTarget, run: &Run, now: Timestamp) -> Option<(usize, &Waiver)> {
        self.waivers.iter().enumerate().rev().find(|(_, waiver)| {
            waiver.target == *target
                && waiver.candidate == run.candidate
                && waiver.until.is_none_or(|until| now < until)
                && self.is_for(&run.id, waiver.runs)
        })
    }

    /// The step whose act this is.
    pub fn step_of(&self, effect: EffectId) -> Option<(&Run, &StepId, &StepState)> {
        self.runs.iter().find_map(|run| {
            let found = run.steps.iter().find(|(_, step)| step.status.effect() == Some(effect))?;
            Some((run, found.0, found.1))
        })
    }

    /// The epoch of the newest lease of an act that is wanted or under way: of a step, or of a notice.
    pub fn epoch_of(&self, effect: EffectId) -> u64 {
        let of_step = self.step_of(effect).map(|(_, _, step)| step.epoch);
        of_step.or_else(|| Some(self.notices.get(effect)?.epoch)).unwrap_or_default()
    }

    /// The facets of a candidate that are declared and not set.
    pub fn unset(&self, candidate: CandidateNumber) -> Vec<Facet> {
        self.candidate(candidate).map(Candidate::unset).unwrap_or_default()
    }
}
