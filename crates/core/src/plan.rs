//! Plans: what a run will do, step by step, before it does it.
//!
//! A run is pinned to its plan: what `plan` shows, what `start` stores and what the run carries out are one value.

mod again;
mod along;
mod order;
mod respin;
mod rollback;
mod unfold;

use std::collections::{BTreeMap, BTreeSet};

pub use order::{may_measure, measured_in, steps_before};
pub use respin::{Keep, Respin, kept_steps};
pub use rollback::{GoneCommits, Rollback, is_ad_hoc};
pub use unfold::{Items, unfold, unfold_promotion, unfold_rollback};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::act::Act;
use crate::calendar::{Calendar, FixedTime, Moment, Zone};
use crate::candidate::Facet;
use crate::expr::Expr;
use crate::forward::past::Past;
use crate::ids::{EnvironmentName, LineName, ObjectId, PersonName, ProcedureName, RiskLevel, StepId};
use crate::journal::Hash;
use crate::model::{
    Again, ApprovalRule, Definition, Deploy, Extract, FacetName, FactWait, LoadTest, Order, Otherwise,
    Patience, Place, Policy, Probe, Procedure, Retry, StepAt, StepKind, TargetDay, Template, Who,
};
use crate::version::Bump;

/// The most items one `each` may go over.
pub const EACH_MAX: usize = 200;
/// The most steps of one plan.
pub const STEPS_MAX: usize = 2_000;
/// The most components of a service: one event tells them all when a deployment starts.
pub const COMPONENTS_MAX: usize = 64;
/// The procedure of an ad-hoc promotion.
pub const PROMOTION: &str = "promotion";
/// The procedure of a rollback.
pub const ROLLBACK: &str = "rollback";

/// What a run will do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// The procedure, [`PROMOTION`], or [`ROLLBACK`].
    pub procedure: ProcedureName,
    /// The definition it was read from, with this procedure only.
    pub definition: Definition,
    /// The rules in force when it was made.
    pub policy: Policy,
    /// Where the source is fetched from and pushed to.
    pub url: String,
    /// The user's checkout it was made in, for its git configuration.
    pub checkout: Option<String>,
    /// The folder of the procedure file, for relative paths.
    pub folder: Option<String>,
    /// The commit it starts from.
    pub base: ObjectId,
    /// The day of the cut: what headings say, however long the run waits before it gets to them.
    pub date: Date,
    /// The day of the release, where its steps are told from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetDay>,
    /// The line of older versions that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineName>,
    /// The version.
    pub version: PlannedVersion,
    /// The commits since the version before, the newest first, at most [`EACH_MAX`].
    pub changes: Vec<PlannedChange>,
    /// How many commits there are in all.
    pub changes_total: u64,
    /// The files that differ from the version before.
    pub changed_paths: Vec<String>,
    /// How many more files differ than stand there: too many to name.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_paths: u64,
    /// The branches that it merges into the candidate, each at the commit where it was when the plan was made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pinned: BTreeMap<String, ObjectId>,
    /// What else is known of its size and authors.
    #[serde(default, skip_serializing_if = "Measured::is_nothing")]
    pub measured: Measured,
    /// How risky it is, in the words of whoever makes the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_risk: Option<RiskLevel>,
    /// The people who wrote a commit of it.
    pub authors: BTreeSet<PersonName>,
    /// How many authors belong to nobody in the policy.
    pub strangers: u32,
    /// The steps, in an order in which they can be done.
    pub steps: Vec<PlannedStep>,
    /// What the cut changes in the repository.
    #[serde(default)]
    pub cut: Cut,
    /// What it takes the place of, where it is another candidate of a release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub respin: Option<Respin>,
    /// What it goes back to, where it is a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// How long steps of this procedure usually took before.
    #[serde(default)]
    pub usual: BTreeMap<StepId, SignedDuration>,
    /// How long steps and people took before: what forecasts are made of.
    #[serde(default, skip_serializing_if = "Past::is_empty")]
    pub past: Past,
}

/// What the day of a release is told from.
#[derive(Debug, Clone, Copy)]
pub struct TargetGround<'a> {
    /// The day that somebody asked for.
    pub asked: Option<Date>,
    /// The day where nobody asked for one and the procedure has no rule: that of a train.
    pub other: Option<Date>,
    /// The moment.
    pub now: Timestamp,
    /// The zone of the service, where the procedure has no rule.
    pub zone: &'a Zone,
    /// Weekends and holidays.
    pub calendar: &'a Calendar,
}

/// What a cut changes in a repository, known before it is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cut {
    /// The tree with every edited file; `None` where no file is edited.
    pub tree: Option<ObjectId>,
    /// The files that are edited.
    pub files: Vec<FileDiff>,
    /// The release notes; `None` where no step writes them.
    pub notes: Option<String>,
    /// The refs that are pushed, by their full names, in order.
    pub refs: Vec<String>,
    /// The steps that can make it another cut: what they do is only known when they are reached.
    pub unless: Vec<StepId>,
}

/// What a release changes, as far as rules about its risk ask for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measured {
    /// How many lines are new or gone since the version before; none where that was not looked at. Binary files have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// Those of whom there was no commit before, plain; none where that was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newcomers: Option<Vec<String>>,
}

impl Measured {
    /// Whether nothing was looked at.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// How much a file differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileDiff {
    /// Its path in the repository; invalid UTF-8 was replaced.
    pub path: String,
    /// How many lines are new. Of a binary file, none.
    pub added: u64,
    /// How many lines are gone. Of a binary file, none.
    pub removed: u64,
}

/// The version of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedVersion {
    /// As it stands in files, such as `1.9.0`.
    pub text: String,
    /// As it stands in the tag, such as `v1.9.0`.
    pub tag: String,
    /// The version before.
    pub previous: Option<PreviousVersion>,
    /// How it was raised: `major`, `minor`, `patch`, or `given`.
    pub bump: String,
    /// The commits that made it so, or who gave it.
    pub because: Vec<String>,
    /// How much it grows, where a person said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Bump>,
    /// The label of a pre-release, such as `rc`; none for a final version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre: Option<String>,
}

/// The version before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PreviousVersion {
    /// As it stands in files.
    pub text: String,
    /// Its tag.
    pub tag: String,
    /// The commit of the tag.
    pub commit: ObjectId,
}

/// A commit of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedChange {
    /// The commit.
    pub commit: ObjectId,
    /// Its subject, plain, at most 200 characters.
    pub title: String,
    /// Who wrote it, where the policy knows them.
    pub author: Option<PersonName>,
}

/// A step of a plan: one leaf, after `each`, groups and promotions were unfolded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedStep {
    /// Its id.
    pub id: StepId,
    /// What it is called; filled in when shown.
    pub name: Option<Template>,
    /// The steps that have to end before it.
    pub after: Vec<StepId>,
    /// What it does.
    pub body: Body,
    /// What it is repeated for.
    pub item: Option<Item>,
    /// What a checklist is gone over for; empty where it is gone over once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// The environment of the promotion that it is a part of.
    pub environment: Option<EnvironmentName>,
    /// The step is skipped unless all of these are true: its own condition and those of what it stands in.
    #[serde(rename = "if")]
    pub conditions: Vec<Expr>,
    /// See [`crate::model::Step::by`].
    pub by: Option<Who>,
    /// See [`crate::model::Step::at`]; of a promotion, when it enters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<StepAt>,
    /// See [`crate::model::Step::order`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// See [`crate::model::Step::due`]; of a promotion, when it is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Moment>,
    /// See [`crate::model::Step::timeout`].
    pub timeout: Option<SignedDuration>,
    /// See [`crate::model::Step::retry`].
    pub retry: Option<Retry>,
    /// See [`crate::model::Step::otherwise`].
    #[serde(rename = "else")]
    pub otherwise: Otherwise,
    /// See [`crate::model::Step::outputs`].
    pub outputs: std::collections::BTreeMap<crate::ids::OutputName, Extract>,
    /// See [`crate::model::Step::packed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed: Option<StepId>,
    /// See [`crate::model::Step::covers`].
    pub covers: Option<Vec<FacetName>>,
    /// See [`crate::model::Step::patience`].
    #[serde(default, skip_serializing_if = "Patience::is_endless")]
    pub patience: Patience,
    /// See [`crate::model::Step::again`].
    #[serde(default, skip_serializing_if = "Again::is_usual")]
    pub again: Again,
    /// See [`crate::model::Step::place`].
    pub place: Place,
}

impl PlannedStep {
    /// The id of the promotion that it is a part of.
    pub fn promotion(&self) -> Option<&str> {
        self.environment.as_ref()?;
        self.id.as_str().split_once('/').map(|(promotion, _)| promotion)
    }

    /// Its id within its promotion, such as `deploy`; none outside of one.
    pub fn short_id(&self) -> Option<&str> {
        self.environment.as_ref()?;
        self.id.as_str().split_once('/').map(|(_, id)| id)
    }

    /// The load test, where it is one.
    pub fn load_test(&self) -> Option<&LoadTest> {
        match &self.body {
            Body::Step(StepKind::LoadTest(test)) => Some(test),
            _ => None,
        }
    }

    /// The rule for the approvals that it can wait for.
    pub fn approved_by(&self) -> Option<&ApprovalRule> {
        match &self.body {
            Body::Step(StepKind::Approval(rule)) => Some(rule),
            _ => self.load_test()?.accept.as_ref(),
        }
    }
}

/// What a planned step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// A step of the procedure or of an environment; never a group or a promotion.
    Step(StepKind),
    /// Waits until every gate of the environment is open.
    Enter,
    /// Deploys the candidate.
    Deploy(Deploy),
    /// Waits until the environment answers with the candidate's version.
    Live(Option<Probe>),
    /// Notes that the candidate was verified in the environment.
    Settle,
}

/// What a step is repeated for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Item {
    /// Its place among the items, from 1.
    pub number: u32,
    /// What people are shown: a subject, a name.
    pub title: String,
    /// The commit, where it is a change.
    pub commit: Option<ObjectId>,
}

/// Why no plan can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The definition has no such procedure.
    #[error("there is no procedure `{name}`; there is {known}")]
    NoProcedure {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The policy has no such environment.
    #[error("there is no environment `{name}` in the policy in force; there is {known}")]
    NoEnvironment {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// An environment that is promoted to while a release comes into one.
    #[error("step `{step}` promotes to `{name}`, and stands in an environment itself")]
    Nested {
        /// The step.
        step: StepId,
        /// Where it promotes to.
        name: String,
    },
    /// One `each` goes over too much.
    #[error("step `{step}` is to be done for each of {found} changes; {EACH_MAX} is the most")]
    TooMany {
        /// The step.
        step: StepId,
        /// How many.
        found: u64,
    },
    /// A step waits for one that does not come before it.
    #[error("step `{step}` waits for `{after}`, and no step of that id comes before it")]
    UnknownAfter {
        /// The step.
        step: StepId,
        /// What it waits for.
        after: StepId,
    },
    /// The day of the release is not known.
    #[error("step `{step}` is told from the day of the release, which nobody has said")]
    NoTarget {
        /// The first such step.
        step: StepId,
    },
    /// The rule for the day of the release gives none.
    #[error("`target: {rule}` gives no day within ten years")]
    NoDay {
        /// The rule.
        rule: String,
    },
    /// There are too many steps.
    #[error("the procedure unfolds to more than {STEPS_MAX} steps")]
    TooLong,
    /// Two unfolded steps have one id.
    #[error("two steps have the id `{0}`: give one of them another `id`")]
    Doubled(StepId),
    /// An id grew too long.
    #[error("a step id cannot be made: {0}")]
    Id(#[from] crate::ids::NameError),
}

impl Plan {
    /// The id of the plan: any difference in what would be done gives another one.
    pub fn id(&self) -> Hash {
        Hash::of(serde_json::to_vec(self).unwrap_or_default())
    }

    /// A step by its id.
    pub fn step(&self, id: &StepId) -> Option<&PlannedStep> {
        self.steps.iter().find(|step| &step.id == id)
    }

    /// The facets that the candidate of this plan has to have.
    pub fn declared(&self) -> BTreeSet<Facet> {
        let mut facets = BTreeSet::from([Facet::Source, Facet::Procedure]);
        for step in &self.steps {
            match &step.body {
                Body::Step(StepKind::GitTag { .. }) => facets.insert(Facet::Tag),
                Body::Step(StepKind::Changelog) => facets.insert(Facet::Notes),
                Body::Step(StepKind::Wait(FactWait::Artifact { component, .. })) => {
                    facets.insert(Facet::Digest(component.clone()))
                }
                Body::Step(StepKind::Publish(spec)) => {
                    spec.target.component().is_some_and(|of| facets.insert(Facet::Digest(of.clone())))
                }
                Body::Step(StepKind::Pack(spec)) => {
                    spec.component.as_ref().is_some_and(|of| facets.insert(Facet::Digest(of.clone())))
                }
                _ => false,
            };
        }
        facets
    }

    /// The act by which a step edits files of a commit or tree; none where it edits nothing. A changelog tells of the commits
    /// up to `newest`.
    pub fn edit(&self, kind: &StepKind, base: ObjectId, newest: ObjectId) -> Option<Act> {
        let version = self.version.text.clone();
        match kind {
            StepKind::VersionBump if self.definition.version.files.is_empty() => None,
            StepKind::VersionBump => {
                let files = self.definition.version.files.clone();
                Some(Act::EditVersion { base, files, version, date: self.date })
            }
            StepKind::Changelog => {
                // Where the file tells of the candidate before already, the section goes on from there.
                let told = self.respin.as_ref().and_then(|respin| respin.told.as_ref());
                let previous = told.or(self.version.previous.as_ref());
                Some(Act::EditChangelog {
                    base,
                    spec: Box::new(self.definition.changelog.clone()?),
                    version,
                    tag: self.version.tag.clone(),
                    previous_tag: previous.map(|previous| previous.tag.clone()),
                    date: self.date,
                    after: previous.map(|previous| previous.commit.clone()),
                    upto: newest,
                })
            }
            _ => None,
        }
    }

    /// The day of a release by a procedure, from a moment on: the one that was `asked` for, else the next one by the rule, else
    /// the `other` one. Without any, none of the steps may need it.
    pub fn target_of(
        procedure: &Procedure,
        steps: &[PlannedStep],
        ground: &TargetGround<'_>,
    ) -> Result<Option<TargetDay>, PlanError> {
        let zone = || procedure.target.as_ref().map_or(ground.zone, FixedTime::zone).clone();
        if let Some(day) = ground.asked {
            return Ok(Some(TargetDay { day, zone: zone() }));
        }
        if let Some(rule) = &procedure.target {
            let day = TargetDay::next(rule, ground.now, ground.calendar);
            return day.map(Some).ok_or_else(|| PlanError::NoDay { rule: rule.to_string() });
        }
        if let Some(day) = ground.other {
            return Ok(Some(TargetDay { day, zone: zone() }));
        }
        let needs = |step: &&PlannedStep| {
            step.at.as_ref().is_some_and(StepAt::needs_target)
                || step.due.as_ref().is_some_and(Moment::needs_release)
        };
        match steps.iter().find(needs) {
            Some(step) => Err(PlanError::NoTarget { step: step.id.clone() }),
            None => Ok(None),
        }
    }

    /// When a moment is, of this release; none where it is told from a day that is not known.
    pub fn instant(&self, moment: &Moment, calendar: &Calendar) -> Option<Timestamp> {
        let (day, zone) = self.told_from(moment)?;
        moment.instant(day, zone, calendar)
    }

    /// By when a step should be done: a day without a time lasts until its end.
    pub fn due(&self, step: &PlannedStep, calendar: &Calendar) -> Option<Timestamp> {
        let moment = step.due.as_ref()?;
        let (day, zone) = self.told_from(moment)?;
        moment.end(day, zone, calendar)
    }

    /// The day that a moment is told from, and where.
    fn told_from<'a>(&'a self, moment: &'a Moment) -> Option<(Date, &'a Zone)> {
        match &self.target {
            Some(target) => Some((target.day, &target.zone)),
            None if moment.needs_release() => None,
            None => Some((self.date, moment.zone()?)),
        }
    }

    /// How long it usually takes to promote into an environment, once it is entered; `None` where that is not known.
    pub fn usually_takes(&self, environment: &EnvironmentName) -> Option<SignedDuration> {
        let steps = self.steps.iter().filter(|step| step.environment.as_ref() == Some(environment));
        let known = steps
            .filter(|step| !matches!(step.body, Body::Enter))
            .filter_map(|step| self.usual.get(&step.id));
        let sum = known.copied().try_fold(SignedDuration::ZERO, SignedDuration::checked_add)?;
        (!sum.is_zero()).then_some(sum)
    }

    /// Whether what it does depends on the day.
    pub fn is_dated(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.body, Body::Step(StepKind::Changelog)))
    }

    /// The environments that it promotes to, in order.
    pub fn environments(&self) -> Vec<EnvironmentName> {
        let mut found: Vec<EnvironmentName> = Vec::new();
        for environment in self.steps.iter().filter_map(|step| step.environment.as_ref()) {
            if !found.contains(environment) {
                found.push(environment.clone());
            }
        }
        found
    }
}

/// Names for a sentence: `a`, `b` and `c`.
pub fn list<T: std::fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => "none".into(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// For what is told only where there is some of it.
fn is_zero(count: &u64) -> bool {
    *count == 0
}
