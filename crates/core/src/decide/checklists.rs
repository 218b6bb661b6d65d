//! Checklists: which items are answered and how, and who can answer the others.

use std::borrow::Cow;
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Deciding;
use super::approvals::covered;
use super::gates::{Entering, clipped, of_run};
use super::people::check_remark;
use super::remind::acting;
use super::roles::of_role;
use crate::context::Context;
use crate::event::{ApprovalTarget, ReleaseEvent, TickResult, WaiverTarget};
use crate::gate::{Action, Hold};
use crate::ids::{EnvironmentName, ItemName, PersonName, RunId};
use crate::model::{Checklist, ChecklistItem, GateKind, Handed, StepKind, Who};
use crate::plan::{Body, Item, Plan, list};
use crate::state::{Run, StepStatus, Tick};
use crate::view::{Refusal, View};

/// Stands for an environment where there is none.
static NOWHERE: LazyLock<Option<EnvironmentName>> = LazyLock::new(super::nowhere);
/// How many items are named where not all are.
const SHOWN_MAX: usize = 8;
/// The longest text of an item where it is only named, in characters.
const ITEM_SHOWN_MAX_CHARS: usize = 120;

/// A checklist at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listing<'a> {
    pub(crate) entering: Entering<'a>,
    pub(crate) list: &'a Checklist,
    /// What it is gone over for; empty where it is gone over once.
    pub(crate) each: &'a [Item],
    /// Who answers it; without it, anybody who is known.
    pub(crate) by: Option<&'a Who>,
    pub(crate) target: &'a ApprovalTarget,
}

/// An item of a checklist, and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Line {
    /// Its name.
    pub item: ItemName,
    /// The heading it stands under.
    pub group: Option<String>,
    /// What to look at, filled in.
    pub text: String,
    /// How long it usually takes.
    pub takes: Option<SignedDuration>,
    /// What has to be handed in with it.
    pub evidence: Handed,
    /// Whether "not run" counts.
    pub optional: bool,
    /// The answer to it, if there is one.
    pub tick: Option<Tick>,
    /// How it stands.
    pub standing: LineStanding,
}

/// How an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineStanding {
    /// It is not answered, or the answer was about something that has changed, or was asked for again.
    Open,
    /// It is answered, and that counts.
    Counts,
    /// It was not run, and that does not count.
    NotRun,
    /// It was not run, and somebody with the right to do so let that pass.
    Waived,
    /// It failed.
    Failed,
}

impl<'a> Listing<'a> {
    /// Who answers it: whom the rule names, and those who may as well since nobody acted.
    fn by(&self) -> Option<Cow<'_, Who>> {
        let Entering { view, run, plan, .. } = self.entering;
        self.by.map(|by| acting(view, run, plan, self.target, by))
    }

    /// Its items, with what each is gone over for.
    fn entries(
        &self,
    ) -> impl Iterator<Item = (ItemName, Option<&'a str>, &'a ChecklistItem, Option<&'a Item>)> {
        let alone = self.list.items().count() == 1;
        let once: &'a [Option<&'a Item>] = &[None];
        let list = self.list;
        let each: Vec<Option<&'a Item>> = match self.each {
            [] => once.to_vec(),
            each => each.iter().map(Some).collect(),
        };
        each.into_iter().flat_map(move |of| {
            list.items().filter_map(move |(group, item)| {
                let name = match of {
                    None => Some(item.id.clone()),
                    Some(of) if alone => ItemName::new(of.number.to_string()).ok(),
                    Some(of) => ItemName::new(format!("{}-{}", item.id, of.number)).ok(),
                };
                Some((name?, group, item, of))
            })
        })
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        let Entering { view, run, plan, .. } = self.entering;
        let context = match self.target {
            ApprovalTarget::Gate(environment, _) => Context::within(view, run, plan, environment),
            ApprovalTarget::Step(_, step) => Context::of(view, run, plan, plan.step(step)),
        };
        self.entries()
            .map(|(name, group, item, of)| {
                let tick = view.release.tick(&run.id, self.target, &name);
                let standing = self.standing(&name, item, tick);
                let context = Context { item: of.cloned().or(context.item.clone()), ..context.clone() };
                Line {
                    group: group.map(ToOwned::to_owned),
                    text: context.fill(&item.text).unwrap_or_else(|_| item.text.0.clone()),
                    takes: item.takes,
                    evidence: item.evidence,
                    optional: item.optional,
                    tick: tick.cloned(),
                    standing,
                    item: name,
                }
            })
            .collect()
    }

    fn standing(&self, name: &ItemName, item: &ChecklistItem, tick: Option<&Tick>) -> LineStanding {
        let Entering { view, run, plan, now, .. } = self.entering;
        let Some(tick) = tick else { return LineStanding::Open };
        let content = view.candidate(run).map(|candidate| covered(candidate, plan, self.target));
        if content.is_none_or(|content| !tick.covers.differing(&content).is_empty()) {
            return LineStanding::Open;
        }
        match &tick.result {
            TickResult::Passed => LineStanding::Counts,
            TickResult::NotRun { .. } if item.optional => LineStanding::Counts,
            TickResult::NotRun { .. } => {
                let target = WaiverTarget::Item(self.target.clone(), name.clone());
                match view.release.waiver(&target, run, now) {
                    Some(_) => LineStanding::Waived,
                    None => LineStanding::NotRun,
                }
            }
            TickResult::Failed { .. } if tick.attempt == attempt(run, self.target) => LineStanding::Failed,
            TickResult::Failed { .. } => LineStanding::Open,
        }
    }

    /// What holds; `None` when everything is answered.
    pub(crate) fn hold(&self, hold: Hold) -> Option<Hold> {
        let lines = self.lines();
        let of = |standing: LineStanding| -> Vec<&Line> {
            lines.iter().filter(|line| line.standing == standing).collect()
        };
        let (open, failed, not_run) =
            (of(LineStanding::Open), of(LineStanding::Failed), of(LineStanding::NotRun));
        if open.is_empty() && failed.is_empty() && not_run.is_empty() {
            return None;
        }
        let mut why: Vec<String> = failed.iter().map(|line| told(line)).collect();
        if !open.is_empty() {
            let many = format!("{} of {} items are not answered", open.len(), lines.len());
            why.push(format!("{many}: {}", named(&open)));
        }
        why.extend(
            not_run
                .iter()
                .take(SHOWN_MAX)
                .map(|line| format!("{}, which does not count unless somebody waives it", told(line))),
        );
        let Entering { view, plan, .. } = self.entering;
        let mut how = vec![Action::Tick(self.target.clone())];
        if !super::gates::waivers(view, plan).is_empty() {
            let item = |line: &&Line| WaiverTarget::Item(self.target.clone(), line.item.clone());
            how.extend(not_run.iter().map(item).map(Action::Waive));
        }
        let by = self.by();
        let by = by.as_deref();
        let who = by.map(|who| view.on_duty(plan, who, self.entering.now)).unwrap_or_default();
        let hold = Hold { why: why.join("; "), how, who, anybody: by.is_none(), ..hold };
        Some(of_role(view, plan, by, hold))
    }

    /// How it was answered, in a sentence.
    pub(crate) fn done(&self) -> String {
        let lines = self.lines();
        let passed =
            lines.iter().filter(|line| matches!(&line.tick, Some(tick) if tick.result == TickResult::Passed));
        let passed = format!("{} of {} items passed", passed.count(), lines.len());
        let not_run = lines
            .iter()
            .filter(|line| matches!(&line.tick, Some(Tick { result: TickResult::NotRun { .. }, .. })));
        std::iter::once(passed).chain(not_run.map(told)).collect::<Vec<_>>().join("; ")
    }

    /// Why it failed, if it did.
    pub(crate) fn failed(&self) -> Option<String> {
        let lines = self.lines();
        let failed: Vec<String> =
            lines.iter().filter(|line| line.standing == LineStanding::Failed).map(told).collect();
        (!failed.is_empty()).then(|| failed.join("; "))
    }
}

/// An answer in words.
fn told(line: &Line) -> String {
    let Some(tick) = &line.tick else { return format!("`{}`", line.item) };
    match &tick.result {
        TickResult::Passed => format!("`{}` passed ({})", line.item, tick.by),
        TickResult::Failed { why } => format!("`{}` failed: {} ({})", line.item, clipped(why, 500), tick.by),
        TickResult::NotRun { why } => {
            format!("`{}` was not run: {} ({})", line.item, clipped(why, 500), tick.by)
        }
    }
}

fn named(lines: &[&Line]) -> String {
    let one = |line: &&Line| {
        let text: Vec<&str> = line.text.split_whitespace().collect();
        format!("`{}` {}", line.item, clipped(&text.join(" "), ITEM_SHOWN_MAX_CHARS))
    };
    let mut shown: Vec<String> = lines.iter().take(SHOWN_MAX).map(one).collect();
    if lines.len() > SHOWN_MAX {
        shown.push(format!("{} more", lines.len() - SHOWN_MAX));
    }
    shown.join("; ")
}

/// How often the step was tried; a gate is asked once.
pub(crate) fn attempt(run: &Run, target: &ApprovalTarget) -> u32 {
    match target {
        ApprovalTarget::Step(_, step) => run.steps.get(step).map_or(1, |state| state.attempt),
        ApprovalTarget::Gate(..) => 0,
    }
}

/// The checklists of a target, each with its run: those of the rules in force and those of the start for a gate.
fn lists<'a>(view: &'a View, target: &'a ApprovalTarget, now: Timestamp) -> Vec<Listing<'a>> {
    let mut found: Vec<Listing<'a>> = Vec::new();
    let runs = match target {
        ApprovalTarget::Step(..) => view.active().collect(),
        ApprovalTarget::Gate(environment, _) => view.heading_to(environment),
    };
    for (run, plan) in runs {
        match target {
            ApprovalTarget::Step(of, step) => {
                let Some(planned) = plan.step(step).filter(|_| run.id == *of) else { continue };
                let Body::Step(StepKind::Checklist(list)) = &planned.body else { continue };
                let Some(environment) = planned.environment.as_ref().or(NOWHERE.as_ref()) else { continue };
                let entering = Entering { view, run, plan, environment, now };
                found.push(Listing { entering, list, each: &planned.items, by: planned.by.as_ref(), target });
            }
            ApprovalTarget::Gate(environment, gate) => {
                if !found.is_empty() {
                    continue;
                }
                let entering = Entering { view, run, plan, environment, now };
                for (name, rule) in of_run(view, plan, environment) {
                    let GateKind::Checklist { list, by } = &rule.kind else { continue };
                    let by = by.as_ref();
                    let known = found.iter().any(|other| other.list == list && other.by == by);
                    if name == gate && !known {
                        found.push(Listing { entering, list, each: &[], by, target });
                    }
                }
            }
        }
    }
    found
}

/// The items of a checklist that waits, or is over, with how each stands. Empty where there is no such checklist.
pub fn checklist(view: &View, target: &ApprovalTarget, now: Timestamp) -> Vec<Line> {
    lists(view, target, now).first().map(Listing::lines).unwrap_or_default()
}

impl Deciding {
    pub(super) fn tick(
        &mut self,
        target: &ApprovalTarget,
        items: &[ItemName],
        result: &TickResult,
        evidence: Option<&str>,
    ) -> Result<(), Refusal> {
        check_remark("the evidence", evidence.unwrap_or("-"))?;
        if let TickResult::Failed { why } | TickResult::NotRun { why } = result {
            check_remark("the reason", why)?;
        }
        self.policy()?;
        let (run, covers, again) = self.tickable(target, items, result, evidence)?;
        if let (Some(step), ApprovalTarget::Step(..)) = (again, target) {
            self.by_actor(ReleaseEvent::StepRetried { run, step });
        }
        let attempt = self.view.release.run(&run).map_or(0, |run| attempt(run, target));
        let (target, items, result) = (target.clone(), items.to_vec(), result.clone());
        let evidence = evidence.map(ToOwned::to_owned);
        self.by_actor(ReleaseEvent::Ticked { run, target, items, result, evidence, covers, attempt });
        Ok(())
    }

    /// The run whose checklist it is, what it is about, and the step where that is tried again by this.
    fn tickable(
        &self,
        target: &ApprovalTarget,
        items: &[ItemName],
        result: &TickResult,
        evidence: Option<&str>,
    ) -> Result<(RunId, crate::candidate::Fingerprint, Option<crate::ids::StepId>), Refusal> {
        let found = lists(&self.view, target, self.now);
        let Some(first) = found.first() else {
            return Err(Refusal::new("no-checklist", "there is no such checklist")
                .hint("see what it waits for with `tollgate why`"));
        };
        let Entering { run, plan, .. } = first.entering;
        let mut again = None;
        if let ApprovalTarget::Step(_, step) = target {
            match self.reached(run.id, step)?.1.status {
                StepStatus::Open { .. } => {}
                StepStatus::Stuck { .. } => again = Some(step.clone()),
                _ => return Err(Refusal::new("not-open", format!("`{step}` is not waiting for anybody"))),
            }
        }
        let mut refusal = None;
        let fits = found.iter().find(|listing| match self.may_tick(plan, listing, items, result, evidence) {
            Ok(()) => true,
            Err(refused) => {
                refusal = Some(refused);
                false
            }
        });
        match (fits, refusal) {
            (None, Some(refusal)) => return Err(refusal),
            (None, None) => return Err(Refusal::new("no-checklist", "there is no such checklist")),
            (Some(_), _) => {}
        }
        let candidate =
            self.view.candidate(run).ok_or_else(|| Refusal::new("no-candidate", "there is no candidate"))?;
        if matches!(target, ApprovalTarget::Gate(..)) && candidate.sealed.is_none() {
            let why = format!(
                "candidate {} is not sealed yet: {} can still change",
                candidate.number,
                list(candidate.unset())
            );
            return Err(Refusal::new("not-sealed", why).hint("look at it once the cut is complete"));
        }
        Ok((run.id, covered(candidate, plan, target), again))
    }

    fn may_tick(
        &self,
        plan: &Plan,
        listing: &Listing<'_>,
        items: &[ItemName],
        result: &TickResult,
        evidence: Option<&str>,
    ) -> Result<(), Refusal> {
        self.allowed(plan, listing.by().as_deref(), "answer this checklist")?;
        if items.is_empty() {
            return Err(Refusal::new("no-item", "no item was named"));
        }
        let entries: Vec<_> = listing.entries().collect();
        for item in items {
            let Some((_, _, entry, _)) = entries.iter().find(|(name, ..)| name == item) else {
                let known = list(entries.iter().map(|(name, ..)| name).take(20));
                return Err(Refusal::new("no-item", format!("the checklist has no item `{item}`"))
                    .hint(format!("its items: {known}; `tollgate tick` shows them")));
            };
            let link = |text: &str| text.starts_with("https://") || text.starts_with("http://");
            match (result, entry.evidence, evidence) {
                (TickResult::Passed, Handed::Something | Handed::Link, None) => {
                    return Err(Refusal::new("no-evidence", format!("`{item}` asks for evidence"))
                        .hint("hand it in with `--evidence TEXT`: a link, a result, what was seen"));
                }
                (TickResult::Passed, Handed::Link, Some(text)) if !link(text) => {
                    return Err(Refusal::new("no-evidence", format!("`{item}` asks for a link as evidence"))
                        .hint("hand it in with `--evidence https://…`"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether an item can be waived: it was not run, and that does not count by itself.
    pub(super) fn waivable_item(
        &self,
        target: &ApprovalTarget,
        item: &ItemName,
    ) -> Result<crate::ids::CandidateNumber, Refusal> {
        let found = lists(&self.view, target, self.now);
        let mut known = false;
        for listing in &found {
            for line in listing.lines().iter().filter(|line| line.item == *item) {
                known = true;
                if line.standing == LineStanding::NotRun {
                    return Ok(listing.entering.run.candidate);
                }
            }
        }
        match known {
            true => Err(Refusal::new("not-run", format!("`{item}` was not reported as not run"))
                .hint("say first why it was not: `tollgate tick ITEM --not-run REASON`; or waive the whole checklist")),
            false => Err(Refusal::new("no-item", format!("there is no item `{item}`"))),
        }
    }
}

/// Who answered items of a checklist, each once.
pub(crate) fn reporters(view: &View, run: &Run, target: &ApprovalTarget) -> Vec<PersonName> {
    let mut found: Vec<PersonName> = Vec::new();
    let ticks = view.release.ticks.iter().filter(|tick| tick.run == run.id && tick.target == *target);
    for person in ticks.filter_map(|tick| tick.by.person()) {
        if !found.contains(person) {
            found.push(person.clone());
        }
    }
    found
}
