//! How risky a release is, and why: told from its plan, the answers of people, and what they said about it.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::event::Asked;
use crate::expr::{CallError, EvalError, Facts, Value, eval_condition};
use crate::ids::{CandidateNumber, QuestionName, RiskLevel};
use crate::model::{NextSpec, Policy, RiskRule, RiskRules, RiskSign};
use crate::plan::Plan;
use crate::state::{ReleaseState, Run};
use crate::version::{Bump, VersionFormat};
use crate::view::View;

/// The name of the level in conditions and texts.
pub const RISK: &str = "risk";
/// How many paths or people one reason names.
const NAMED_MAX: usize = 3;

/// How risky a release is, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Risk {
    /// The level, by what is known so far.
    pub level: RiskLevel,
    /// Every rule that applies, in the order of the file, and what people said since, in theirs.
    pub reasons: Vec<RiskReason>,
    /// What is not known yet and could make it higher: names such as `answers.risk`.
    pub open: Vec<String>,
}

/// Something that a level rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RiskReason {
    /// The level that it speaks for.
    pub level: RiskLevel,
    /// Why, in a clause.
    pub why: String,
    /// Whether it made the release less risky than the rules say.
    pub lowers: bool,
}

impl Risk {
    /// Whether nothing can make it higher but people who say so.
    pub fn is_known(&self) -> bool {
        self.open.is_empty()
    }

    /// What the level rests on: what lowered it, or else whatever speaks for exactly this level.
    pub fn because(&self) -> Vec<&str> {
        let of_level = |reason: &&RiskReason| reason.level == self.level;
        let lowered = self.reasons.iter().rev().find(|reason| reason.lowers).filter(of_level);
        match lowered {
            Some(lowered) => vec![&lowered.why],
            None => self.reasons.iter().filter(of_level).map(|reason| reason.why.as_str()).collect(),
        }
    }

    /// The level and why, on one line: `high: 2 files that match \`db/**\` changed: db/1.sql, db/2.sql`.
    pub fn words(&self) -> String {
        let because = self.because();
        let because = match because.is_empty() {
            true => "no rule says more".to_owned(),
            false => because.join("; "),
        };
        let least = if self.is_known() { "" } else { "at least " };
        let open = match self.open.as_slice() {
            [] => String::new(),
            open => format!("; not known yet: {}", open.join(", ")),
        };
        format!("{least}{}: {because}{open}", self.level)
    }
}

/// What somebody said about the risk of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RiskSaid {
    /// Who.
    pub by: crate::actor::Actor,
    /// When.
    pub at: jiff::Timestamp,
    /// Of which candidate: that it is lower counts for no other.
    pub candidate: CandidateNumber,
    /// The level.
    pub level: RiskLevel,
    /// The level that it had before.
    pub from: RiskLevel,
    /// Why.
    pub why: String,
}

/// How risky a plan is, by some rules, before anybody answered anything.
pub fn of_plan(plan: &Plan, policy: &Policy) -> Option<Risk> {
    Assessing { rules: policy.risk.as_ref()?, plan, release: None }.assess()
}

/// How risky the candidate of a run is, by some rules.
pub fn of_candidate(
    release: &ReleaseState,
    candidate: CandidateNumber,
    plan: &Plan,
    policy: &Policy,
) -> Option<Risk> {
    let rules = policy.risk.as_ref()?;
    let mut risk = Assessing { rules, plan, release: Some(release) }.assess()?;
    for said in &release.risk {
        let (rank, from, now) = (rules.rank(&said.level), rules.rank(&said.from), rules.rank(&risk.level));
        let lowers = rank < from;
        // Nobody can tell what a level that is not there any more was less than, or how little the other one is.
        let known = [&said.level, &said.from].iter().all(|level| rules.levels.contains(level));
        // Less than what was known then, of the same content: what came on top since is not what somebody looked at.
        let counts = match lowers {
            true => known && rank < now && now <= from && said.candidate == candidate,
            false => rank > now,
        };
        if !counts {
            continue;
        }
        let level = rules.levels.get(rank).unwrap_or(&said.level).clone();
        let why = match lowers {
            true => format!("{} lowered it from {}: {}", said.by, said.from, said.why),
            false => format!("{} raised it: {}", said.by, said.why),
        };
        risk.reasons.push(RiskReason { level: level.clone(), why, lowers });
        risk.level = level;
        if rank + 1 == rules.levels.len() {
            risk.open.clear();
        }
    }
    Some(risk)
}

/// How risky the candidate of a run is: by the rules in force, or where they do not speak of it, by those of the start.
pub fn of_run(view: &View, run: &Run, plan: &Plan) -> Option<Risk> {
    let in_force = view.policy.as_deref().filter(|policy| policy.risk.is_some());
    of_candidate(&view.release, run.candidate, plan, in_force.unwrap_or(&plan.policy))
}

/// What a plan and the answers say, for conditions.
#[derive(Debug, Clone, Copy)]
pub struct PlanFacts<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The release with its answers; before the start, there are none.
    pub release: Option<&'a ReleaseState>,
}

impl Facts for PlanFacts<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        let version = &self.plan.version;
        let text = |text: &str| Some(Value::String(text.to_owned()));
        match name {
            "version.text" => text(&version.text),
            "version.bump" => text(&version.bump),
            "version.pre" => text(version.pre.as_deref().unwrap_or_default()),
            "version.previous" => text(version.previous.as_ref().map_or("", |previous| &previous.text)),
            _ => {
                let question = name.strip_prefix("answers.")?.parse().ok()?;
                let answer = self.release?.answer(&Asked::Question(question))?;
                Some(crate::context::value_of(&answer.value))
            }
        }
    }

    fn call(&self, function: &str, arguments: &[Value]) -> Result<Option<Value>, CallError> {
        match (function, arguments) {
            ("changed", [Value::String(pattern)]) => {
                let matches = |path: &String| fast_glob::glob_match(pattern, path);
                // Of those that the plan does not name, one may be meant: a condition on paths rather holds once too often.
                let may_be = self.plan.more_paths > 0;
                Ok(Some(Value::Bool(may_be || self.plan.changed_paths.iter().any(matches))))
            }
            _ => Err(CallError::NoSuchFunction),
        }
    }
}

/// What came of one rule.
enum Sign {
    Applies(String),
    Not,
    Unknown(String),
}

struct Assessing<'a> {
    rules: &'a RiskRules,
    plan: &'a Plan,
    release: Option<&'a ReleaseState>,
}

impl Assessing<'_> {
    /// None where there is no level at all, which no file can say.
    fn assess(&self) -> Option<Risk> {
        let level = self.rules.levels.first()?.clone();
        let mut risk = Risk { level, reasons: Vec::new(), open: Vec::new() };
        let mut open: Vec<(usize, String)> = Vec::new();
        for rule in &self.rules.rules {
            match self.sign(rule) {
                Sign::Applies(seen) => {
                    let why = rule.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                    self.speaks(&mut risk, &rule.is, format!("{seen}{why}"));
                }
                Sign::Not => {}
                Sign::Unknown(name) => open.push((self.rules.rank(&rule.is), name)),
            }
        }
        if let Some(question) = &self.rules.declared {
            match self.answered(question) {
                Some((level, why)) => self.speaks(&mut risk, &level, why),
                None => open.push((self.rules.levels.len() - 1, format!("answers.{question}"))),
            }
        }
        if let Some(level) = &self.plan.declared_risk {
            self.speaks(&mut risk, level, "said at the start".into());
        }
        // What cannot make it higher is not waited for.
        let now = self.rules.rank(&risk.level);
        let names: BTreeSet<String> =
            open.into_iter().filter(|(rank, _)| *rank > now).map(|(_, name)| name).collect();
        risk.open = names.into_iter().collect();
        Some(risk)
    }

    fn speaks(&self, risk: &mut Risk, level: &RiskLevel, why: String) {
        let rank = self.rules.rank(level);
        let level = self.rules.levels.get(rank).unwrap_or(level).clone();
        if rank > self.rules.rank(&risk.level) {
            risk.level = level.clone();
        }
        risk.reasons.push(RiskReason { level, why, lowers: false });
    }

    fn answered(&self, question: &QuestionName) -> Option<(RiskLevel, String)> {
        let answer = self.release?.answer(&Asked::Question(question.clone()))?;
        let level = answer.value.to_string().parse().ok()?;
        Some((level, format!("{} answered `{question}` with {}", answer.by, answer.value)))
    }

    fn sign(&self, rule: &RiskRule) -> Sign {
        match &rule.sign {
            RiskSign::Changed(patterns) => self.changed(patterns),
            RiskSign::Commits(most) => at_least(self.plan.changes_total, *most, "commit"),
            RiskSign::Files(most) => {
                let next = &self.plan.definition.version.next;
                let files = self.plan.changed_paths.iter().filter(|path| next.counts(path)).count();
                match at_least(files as u64, *most, "changed file") {
                    Sign::Not => self.too_many().unwrap_or(Sign::Not),
                    found => found,
                }
            }
            // What was not looked at may be anything: a rule of later cannot be got round by an older plan.
            RiskSign::Lines(most) => match self.plan.measured.lines {
                Some(lines) => at_least(lines, *most, "changed line"),
                None => Sign::Applies("nobody counted the changed lines when the plan was made".into()),
            },
            RiskSign::NewAuthor => match &self.plan.measured.newcomers {
                Some(newcomers) if newcomers.is_empty() => Sign::Not,
                Some(newcomers) => Sign::Applies(format!("first release with {}", named(newcomers))),
                None => Sign::Applies("nobody looked for new authors when the plan was made".into()),
            },
            RiskSign::Bump(bump) => match grown(self.plan) {
                Some(grown) if grown == *bump => {
                    let version = &self.plan.version;
                    let before = version.previous.as_ref().map_or("", |previous| &previous.text);
                    Sign::Applies(format!("{} is a {bump} version after {before}", version.text))
                }
                _ => Sign::Not,
            },
            RiskSign::Condition(condition) => {
                let facts = PlanFacts { plan: self.plan, release: self.release };
                match eval_condition(condition, &facts) {
                    Ok(true) => Sign::Applies(format!("`{}` is true", condition.source())),
                    Ok(false) => Sign::Not,
                    Err(EvalError::Unknown { name, .. }) => Sign::Unknown(name),
                    Err(error) => Sign::Applies(format!("`{}` cannot be told: {error}", condition.source())),
                }
            }
        }
    }

    /// What is said of paths where the plan does not name them all: what was not looked at may be anything.
    fn too_many(&self) -> Option<Sign> {
        let (named, more) = (self.plan.changed_paths.len(), self.plan.more_paths);
        let why = || format!("{} files changed, too many to know each of them", named as u64 + more);
        (more > 0).then(|| Sign::Applies(why()))
    }

    fn changed(&self, patterns: &[String]) -> Sign {
        let fits = |path: &&String| patterns.iter().any(|pattern| fast_glob::glob_match(pattern, path));
        let found: Vec<String> = self.plan.changed_paths.iter().filter(fits).cloned().collect();
        if found.is_empty() {
            return self.too_many().unwrap_or(Sign::Not);
        }
        let of: Vec<String> = patterns.iter().map(|pattern| format!("`{pattern}`")).collect();
        let files = counted(found.len() as u64, "file");
        Sign::Applies(format!("{files} of {} changed: {}", of.join(" or "), named(&found)))
    }
}

/// How the version grew, also where somebody named it.
fn grown(plan: &Plan) -> Option<Bump> {
    let version = &plan.version;
    if let Some(bump) = Bump::named(&version.bump) {
        return Some(bump);
    }
    let format = VersionFormat::new(&plan.definition.version.format).ok()?;
    let before = format.parse_text(&version.previous.as_ref()?.text)?;
    format.parse_text(&version.text)?.raised_since(&before)
}

fn at_least(found: u64, most: u64, what: &str) -> Sign {
    match found >= most {
        true => Sign::Applies(format!("{} ({most} or more)", counted(found, what))),
        false => Sign::Not,
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A few names, and how many more there are.
fn named(names: &[String]) -> String {
    let shown = names.iter().take(NAMED_MAX).map(|name| crate::decide::clipped(name, 100));
    let shown: Vec<String> = shown.collect();
    match names.len().saturating_sub(NAMED_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Whether a path is among some: paths, folders or patterns; those after `!` are left out. Where only those stand, everything else
/// is among them.
pub(crate) fn path_counts(path: &str, wanted: &[String]) -> bool {
    let is = |wanted: &str| {
        let wanted = wanted.trim_start_matches('!');
        let below = path.strip_prefix(wanted.trim_end_matches('/'));
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            || fast_glob::glob_match(wanted, path)
    };
    let (without, with): (Vec<&String>, Vec<&String>) =
        wanted.iter().partition(|wanted| wanted.starts_with('!'));
    (with.is_empty() || with.iter().any(|wanted| is(wanted))) && !without.iter().any(|wanted| is(wanted))
}

impl NextSpec {
    /// Whether a path is one whose changes count.
    pub fn counts(&self, path: &str) -> bool {
        path_counts(path, &self.paths)
    }
}
