//! Gates and steps that rest on facts: what is looked at, what is written down of it, and what it says.
//!
//! Not every look is written down: one is when what it sees is another thing, or when a decision rests on it. So what a run
//! knows of a fact may be older than the newest look; where it is too old to count and nothing else is closed, it is looked at
//! at once, and that look is written down.

mod suiting;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub(crate) use suiting::{Asked, asked, suiting};

use super::Deciding;
use super::gates::{Entering, clipped, gates_of_step, of_run, second};
use super::look::conditions_left;
use super::soak::span_text;
use super::timing::not_yet;
use crate::context::Context;
use crate::event::ReleaseEvent;
use crate::facts::{About, Decimal, FactItem, FactLook, FactState, FactValue, LookAsk, Reading, Want};
use crate::gate::{Action, GateAnswer, GateOrigin, GateReport, Hold, WaitsOn};
use crate::ids::{EnvironmentName, GateName};
use crate::journal::Hash;
use crate::model::{
    Baseline, Bound, CiRule, FactAsk, FactGate, FactRead, FactSpec, FactWait, Gate, GateKind, MetricRule,
    StepKind,
};
use crate::plan::{Body, Plan, PlannedStep};
use crate::state::{Run, RunStatus, StepStatus};
use crate::view::{View, later};

/// How many of the items that block are named.
const NAMED_MAX: usize = 3;
/// The longest problem that is written down, in characters.
const PROBLEM_MAX_CHARS: usize = 300;

/// What a look at a fact brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// When the look began.
    pub at: Timestamp,
    /// The first of the looks without a gap that was longer than what it sees counts. Not after `at`.
    pub unbroken: Timestamp,
    /// What it saw.
    pub reading: Reading,
}

/// What rests on facts, at a moment.
pub(super) enum Standing {
    /// It is as it has to be.
    Good(String),
    /// It was as it has to be when it was last written down, which is too long ago to count.
    Old(String),
    /// It is not, or not known.
    Bad(Bad),
}

pub(super) struct Bad {
    pub(super) why: String,
    pub(super) since: Option<Timestamp>,
    pub(super) earliest: Option<Timestamp>,
    /// Nothing was seen yet.
    pub(super) unseen: bool,
}

impl Bad {
    pub(super) fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), since: None, earliest: None, unseen: false }
    }
}

/// A value that a run knows.
pub(super) struct Known<'a> {
    pub(super) state: &'a FactState,
    pub(super) value: &'a FactValue,
    pub(super) old: bool,
}

impl<'a> Known<'a> {
    /// What a run knows of a fact, at a moment.
    pub(super) fn of(run: &'a Run, look: &FactLook, now: Timestamp) -> Result<Self, Bad> {
        let label = &look.label;
        let Some(state) = run.facts.get(&look.key()) else {
            let unseen = Bad::because(format!("{label} was not looked at yet"));
            return Err(Bad { unseen: true, ..unseen });
        };
        match &state.reading {
            Reading::Problem(why) => {
                let bad = Bad::because(format!("{label} cannot be read: {why}"));
                Err(Bad { since: Some(state.since), ..bad })
            }
            // A look in the future was by a clock that was wrong: it says as little as one of long ago.
            Reading::Is(value) => {
                let old = now.duration_since(state.at).abs() > look.valid;
                Ok(Self { state, value, old })
            }
        }
    }

    fn number(&self, look: &FactLook) -> Result<Decimal, Bad> {
        match self.value {
            FactValue::Number(number) => Ok(*number),
            _ => Err(Bad::because(format!("{} is no number", look.label))),
        }
    }

    /// A digest: 64 or more hexadecimal digits behind the name of their hash.
    pub(super) fn digest(&self, look: &FactLook) -> Result<&'a str, Bad> {
        let FactValue::Word(word) = self.value else {
            return Err(Bad::because(format!("{} is no word", look.label)));
        };
        let hex = |text: &str| text.len() >= 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match word.split_once(':') {
            Some(("sha256" | "sha512", digits)) if hex(digits) => Ok(word),
            _ => {
                let why = format!("{} says `{word}`, which is no digest such as `sha256:…`", look.label);
                Err(Bad::because(why))
            }
        }
    }

    fn items(&self, look: &FactLook) -> Result<(&'a [FactItem], u32), Bad> {
        match self.value {
            FactValue::List { items, more } => Ok((items, *more)),
            _ => Err(Bad::because(format!("{} is no list", look.label))),
        }
    }
}

/// Good, or too old to say so.
pub(super) fn good_or_old(old: bool, seen: Timestamp, why: String) -> Standing {
    match old {
        false => Standing::Good(why),
        true => Standing::Old(format!("{why}, seen at {}", second(seen))),
    }
}

impl Entering<'_> {
    /// What a gate that rests on facts says.
    pub(super) fn fact_gate(&self, name: &GateName, gate: &FactGate) -> GateAnswer {
        let kind = match gate {
            FactGate::Blockers { .. } => "blockers",
            FactGate::Metrics(_) => "metrics",
            FactGate::Ci(_) => "result",
            FactGate::Signed(rule) => return self.signed_gate(name, rule),
            FactGate::Artifacts(of) => return self.artifacts_gate(name, of),
            FactGate::Require(rule) => return self.required_gate(name, rule),
        };
        let what = format!("{kind} `{name}` of {}", self.environment);
        let shut = |why: String, since, earliest: Option<Timestamp>| {
            let on = if earliest.is_some() { WaitsOn::Time } else { WaitsOn::World };
            let mut hold = self.hold(what.clone(), why, on);
            (hold.since, hold.earliest) = (since, earliest);
            hold.how.push(Action::Wait);
            hold.how.extend(self.waiving(name));
            GateAnswer::Closed(hold)
        };
        match self.standing(gate) {
            Standing::Good(why) => GateAnswer::Open(why),
            Standing::Old(why) => shut(format!("{why}: it is being looked at again"), None, None),
            Standing::Bad(bad) => shut(bad.why, bad.since, bad.earliest),
        }
    }

    /// A gate that is closed for nothing but the age of what it rests on is no news while another one is closed anyway: it is
    /// looked at again before anything rests on it.
    pub(super) fn put_off(&self, reports: &mut [GateReport], rest: &[(usize, &Gate)]) {
        let old = |place: usize, gate: &Gate| match &gate.kind {
            GateKind::Fact(gate) if !reports[place].is_open() => match self.standing(gate) {
                Standing::Old(why) => Some((place, why)),
                _ => None,
            },
            _ => None,
        };
        let old: Vec<(usize, String)> = rest.iter().filter_map(|(place, gate)| old(*place, gate)).collect();
        let closed = reports.iter().filter(|report| !report.is_open()).count();
        if closed > old.len() {
            for (place, why) in old {
                let why = format!("{why}; it is looked at again before anything rests on it");
                reports[place].answer = GateAnswer::Open(why);
            }
        }
    }

    pub(super) fn standing(&self, gate: &FactGate) -> Standing {
        let standing = match gate {
            FactGate::Blockers { list, from, not_in } => self.blockers(list, from.as_ref(), not_in.as_ref()),
            FactGate::Metrics(rule) => self.metrics(rule),
            FactGate::Ci(rule) => self
                .look(&rule.result, Want::Word, self.environment)
                .and_then(|look| result(self.run, rule, &look, self.now)),
            FactGate::Signed(rule) => self.signed(rule),
            FactGate::Artifacts(of) => self.artifacts(of),
            FactGate::Require(rule) => self.required(rule),
        };
        standing.unwrap_or_else(Standing::Bad)
    }

    pub(super) fn look(
        &self,
        spec: &FactSpec,
        want: Want,
        environment: &EnvironmentName,
    ) -> Result<FactLook, Bad> {
        let context = Context::within(self.view, self.run, self.plan, environment);
        look_at(spec, want, &context, self.view, self.run, self.plan)
    }

    /// The looks that a gate rests on.
    pub(super) fn looks(&self, gate: &FactGate) -> Vec<FactLook> {
        let own = |spec, want, from: Option<&EnvironmentName>| {
            self.look(spec, want, from.unwrap_or(self.environment))
        };
        let looks = match gate {
            FactGate::Blockers { list, from, not_in } => {
                let other = not_in.as_ref().map(|other| own(list, Want::List, Some(other)));
                vec![Some(own(list, Want::List, from.as_ref())), other]
            }
            FactGate::Metrics(rule) => {
                let other = match &rule.baseline {
                    Some(Baseline::Environment(other)) => Some(own(&rule.number, Want::Number, Some(other))),
                    Some(Baseline::Start) | None => None,
                };
                vec![Some(own(&rule.number, Want::Number, rule.from.as_ref())), other]
            }
            FactGate::Ci(rule) => vec![Some(own(&rule.result, Want::Word, None))],
            FactGate::Signed(rule) => vec![Some(self.signed_look(rule))],
            FactGate::Artifacts(of) => self.artifact_looks(of).map(|(_, look)| Some(Ok(look))).collect(),
            FactGate::Require(rule) => {
                rule.facts.values().map(|fact| Some(own(&fact.fact, fact.of.want(), None))).collect()
            }
        };
        looks.into_iter().flatten().filter_map(Result::ok).collect()
    }

    fn blockers(
        &self,
        spec: &FactSpec,
        from: Option<&EnvironmentName>,
        not_in: Option<&EnvironmentName>,
    ) -> Result<Standing, Bad> {
        let look = self.look(spec, Want::List, from.unwrap_or(self.environment))?;
        let list = Known::of(self.run, &look, self.now)?;
        let (items, mut more) = list.items(&look)?;
        let mut blocking: Vec<&FactItem> = items.iter().collect();
        let (mut old, mut seen) = (list.old, list.state.at);
        if let Some(other) = not_in {
            let other_look = self.look(spec, Want::List, other)?;
            let there = Known::of(self.run, &other_look, self.now)?;
            let (known, unknown) = there.items(&other_look)?;
            if more > 0 || unknown > 0 {
                let most = crate::facts::ITEMS_MAX;
                let why = format!("{} is too long to be compared: at most {most} items are", look.label);
                return Err(Bad::because(why));
            }
            blocking.retain(|item| known.iter().all(|other| other.id != item.id));
            (old, seen, more) = (old || there.old, seen.min(there.state.at), 0);
        }
        let but = not_in.map(|other| format!(" that is not in {other}")).unwrap_or_default();
        if blocking.is_empty() && more == 0 {
            return Ok(good_or_old(old, seen, format!("nothing{but} is in {}", look.label)));
        }
        let count = blocking.len() + more as usize;
        let named: Vec<String> = blocking.iter().take(NAMED_MAX).map(ToString::to_string).collect();
        let rest = count - named.len();
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let block = if count == 1 { "1 blocks" } else { &format!("{count} block") };
        let why = format!("{block}{but}: {}{rest} ({})", named.join("; "), look.label);
        Err(Bad { since: Some(list.state.since), ..Bad::because(why) })
    }

    fn metrics(&self, rule: &MetricRule) -> Result<Standing, Bad> {
        let look = self.look(&rule.number, Want::Number, rule.from.as_ref().unwrap_or(self.environment))?;
        let known = Known::of(self.run, &look, self.now)?;
        let number = known.number(&look)?;
        let base = self.base(rule, &known)?;
        let kept = keeps(rule.bound, number, base.as_ref().map(|base| base.number));
        let has = bound_text(rule.bound, base.as_ref());
        let label = &look.label;
        if !kept {
            let why = format!("{label} is {number}; it has to be {has}");
            return Err(Bad { since: Some(known.state.since), ..Bad::because(why) });
        }
        let (old, seen) = match &base {
            Some(base) => (known.old || base.old, known.state.at.min(base.at)),
            None => (known.old, known.state.at),
        };
        let Some(quiet) = rule.quiet else {
            return Ok(good_or_old(old, seen, format!("{label} is {number}, {has}")));
        };
        let Some(since) = known.state.keeps.get(&judge(rule)).copied() else {
            let why =
                format!("{label} is {number}; that it is {has} has to be seen for {}", span_text(quiet));
            return Err(Bad::because(why));
        };
        let opens = later(since, quiet);
        if opens > self.now {
            let why = format!(
                "{label} is {number}, {has}, since {}; it has to be so for {}",
                second(since),
                span_text(quiet)
            );
            return Err(Bad { since: Some(since), earliest: Some(opens), ..Bad::because(why) });
        }
        Ok(good_or_old(old, seen, format!("{label} is {number}, {has} since {}", second(since))))
    }

    fn base(&self, rule: &MetricRule, own: &Known<'_>) -> Result<Option<Base>, Bad> {
        match &rule.baseline {
            None => Ok(None),
            Some(Baseline::Start) => {
                let first = own.state.first_number();
                let (at, number) = first.ok_or_else(|| Bad::because("there is no first value"))?;
                let of = format!("what it was at {}", second(at));
                Ok(Some(Base { number, of, at: own.state.at, old: false }))
            }
            Some(Baseline::Environment(name)) => {
                let look = self.look(&rule.number, Want::Number, name)?;
                let known = Known::of(self.run, &look, self.now)?;
                let number = known.number(&look)?;
                Ok(Some(Base { number, of: format!("that of {name}"), at: known.state.at, old: known.old }))
            }
        }
    }
}

/// What a number is compared with.
struct Base {
    number: Decimal,
    /// What it is, in words.
    of: String,
    at: Timestamp,
    old: bool,
}

/// Whether a number keeps a bound.
fn keeps(bound: Bound, number: Decimal, base: Option<Decimal>) -> bool {
    match bound {
        Bound::AtMost(_) => number.get() <= limit(bound, base),
        Bound::AtLeast(_) => number.get() >= limit(bound, base),
    }
}

fn limit(bound: Bound, base: Option<Decimal>) -> f64 {
    let (Bound::AtMost(number) | Bound::AtLeast(number)) = bound;
    base.map_or(number.get(), |base| base.get() * number.get() / 100.0)
}

fn bound_text(bound: Bound, base: Option<&Base>) -> String {
    let (word, number) = match bound {
        Bound::AtMost(number) => ("at most", number),
        Bound::AtLeast(number) => ("at least", number),
    };
    match base {
        None => format!("{word} {number}"),
        Some(base) => format!("{word} {number}% of {}, {}", base.of, base.number),
    }
}

/// What tells a bound from the others of the same number.
fn judge(rule: &MetricRule) -> String {
    Hash::of(serde_json::to_vec(rule).unwrap_or_default()).short().to_string()
}

/// Whether a result is good.
fn result(run: &Run, rule: &CiRule, look: &FactLook, now: Timestamp) -> Result<Standing, Bad> {
    let known = Known::of(run, look, now)?;
    let FactValue::Word(word) = known.value else {
        return Err(Bad::because(format!("{} is no word", look.label)));
    };
    let among = |words: &[String]| words.iter().any(|one| one.eq_ignore_ascii_case(word));
    let label = &look.label;
    if among(&rule.passed) {
        return Ok(good_or_old(known.old, known.state.at, format!("{label} says `{word}`")));
    }
    let why = match among(&rule.failed) {
        true => format!("{label} says `{word}`; it opens when that is mended"),
        false => {
            format!("{label} says `{word}`, and not yet {}", crate::plan::list(rule.passed.iter().take(3)))
        }
    };
    Err(Bad { since: Some(known.state.since), ..Bad::because(why) })
}

/// Makes a look of a fact: everything is filled in.
pub(super) fn look_at(
    spec: &FactSpec,
    want: Want,
    context: &Context,
    view: &View,
    run: &Run,
    plan: &Plan,
) -> Result<FactLook, Bad> {
    let candidate = view.candidate(run).ok_or_else(|| Bad::because("the run has no candidate"))?;
    let filled = |error: crate::act::Failure| Bad::because(error.why);
    let ask = match &spec.ask {
        FactAsk::Command(shell) => {
            let mut variables = context.lasting_variables();
            variables.insert("TOLLGATE_CANDIDATE".into(), candidate.number.to_string());
            for (name, text) in &shell.variables {
                variables.insert(name.clone(), context.fill(text).map_err(filled)?);
            }
            LookAsk::Command {
                command: shell.command.clone(),
                service: plan.definition.service.clone(),
                url: plan.url.clone(),
                checkout: plan.checkout.clone(),
                content: candidate.content().clone(),
                variables,
                secrets: shell.secrets.clone(),
            }
        }
        FactAsk::Http { url, query, headers, secrets, bearer } => {
            let mut address = context.fill_address(url).map_err(filled)?;
            if let Some(query) = query {
                address = format!("{address}{}", context.fill_query(query).map_err(filled)?);
            }
            let mut filled_in = BTreeMap::new();
            for (header, text) in headers {
                let text = context.fill(text).map_err(filled)?;
                filled_in.insert(header.clone(), text);
            }
            let (secrets, bearer) = (secrets.clone(), bearer.clone());
            LookAsk::Http { url: address, headers: filled_in, secrets, bearer }
        }
    };
    let about = spec.about.clone().map(|pointer| About { pointer, commit: candidate.commit.to_string() });
    let label = match (&spec.name, &ask, &spec.read) {
        (Some(name), ..) => format!("`{name}`"),
        (None, _, FactRead::Prometheus) => "the answer of Prometheus".to_owned(),
        (None, LookAsk::Command { command, .. }, _) => {
            format!("`{}`", clipped(command.lines().next().unwrap_or_default(), 60))
        }
        (None, LookAsk::Http { url, .. }, _) => clipped(url.split('?').next().unwrap_or_default(), 80),
        (None, LookAsk::Signatures(_), _) => "signatures".to_owned(),
    };
    let (read, every) = (spec.read.clone(), spec.every);
    Ok(FactLook { label, ask, read, want, about, every, valid: spec.valid, timeout: spec.timeout })
}

/// What is looked at for a run at a moment, by key; and whether it is wanted at once, since nothing else is left to wait for.
pub(crate) fn looks_of_run(
    view: &View,
    run: &Run,
    plan: &Plan,
    now: Timestamp,
) -> BTreeMap<String, (FactLook, bool)> {
    let mut looks = BTreeMap::new();
    let mut want = |look: FactLook, urgent: bool| {
        let (_, at_once) = looks.entry(look.key()).or_insert((look, false));
        *at_once |= urgent;
    };
    let goes_on = !matches!(run.status, RunStatus::Held { .. });
    for planned in &plan.steps {
        let state = run.steps.get(&planned.id);
        let Some(StepStatus::Open { .. }) = state.map(|state| &state.status) else { continue };
        // Before its time nothing is urgent that was seen once.
        let timely = not_yet(view, plan, planned, state, now).is_none();
        match (&planned.body, &planned.environment) {
            (Body::Enter | Body::Deploy(_), Some(environment)) if !view.holds(run, planned) => {
                let entering = Entering { view, run, plan, environment, now };
                for (look, urgent) in entering.looks_of_step(planned) {
                    let unseen = !run.facts.contains_key(&look.key());
                    want(look, urgent && goes_on && (timely || unseen));
                }
            }
            (Body::Step(StepKind::Wait(wait)), _) if conditions_left(run, plan, planned).is_ok() => {
                let waiting = Waiting { view, run, plan, planned, now };
                if let Ok(look) = waiting.look(wait) {
                    let urgent = Known::of(run, &look, now).map_or_else(|bad| bad.unseen, |known| known.old);
                    let unseen = !run.facts.contains_key(&look.key());
                    want(look, urgent && goes_on && (timely || unseen));
                }
            }
            _ => {}
        }
    }
    for (_, rule, entering) in metrics_of(view, run, plan, now) {
        let Some(Baseline::Start) = rule.baseline else { continue };
        let environment = rule.from.as_ref().unwrap_or(entering.environment);
        if let Ok(look) = entering.look(&rule.number, Want::Number, environment)
            && run.facts.get(&look.key()).is_none_or(|state| state.first.is_none())
        {
            want(look, false);
        }
    }
    looks
}

/// Every gate with a number in the environments that a run still goes to.
fn metrics_of<'a>(
    view: &'a View,
    run: &'a Run,
    plan: &'a Plan,
    now: Timestamp,
) -> Vec<(&'a GateName, &'a MetricRule, Entering<'a>)> {
    let mut found = Vec::new();
    let mut environments: Vec<&'a EnvironmentName> = Vec::new();
    for environment in plan.steps.iter().filter_map(|step| step.environment.as_ref()) {
        if !environments.contains(&environment) && view.heads_for(run, plan, environment) {
            environments.push(environment);
        }
    }
    for environment in environments {
        for (name, gate) in of_run(view, plan, environment) {
            if let GateKind::Fact(FactGate::Metrics(rule)) = &gate.kind {
                found.push((name, &**rule, Entering { view, run, plan, environment, now }));
            }
        }
    }
    found
}

impl Entering<'_> {
    /// What a step that waits for the gates looks at.
    fn looks_of_step(&self, planned: &PlannedStep) -> Vec<(FactLook, bool)> {
        // A waiver ends with time, which nobody has to be told of: what it lets pass is looked at all the same.
        let rests = |(_, gate): &(&GateName, &Gate)| {
            matches!(gate.kind, GateKind::Fact(_)) && self.applies(gate) != Some(false)
        };
        let gates: Vec<(&GateName, &Gate)> =
            of_run(self.view, self.plan, self.environment).filter(rests).collect();
        if gates.is_empty() {
            return Vec::new();
        }
        let reports = gates_of_step(*self, planned);
        let closed = |name: &GateName| {
            let of_rules = |report: &&GateReport| report.origin != GateOrigin::Always && !report.is_open();
            reports.iter().filter(of_rules).any(|report| report.gate == name.as_str())
        };
        let mut looks = Vec::new();
        for (name, gate) in gates {
            let GateKind::Fact(gate) = &gate.kind else { continue };
            let age_matters = match self.standing(gate) {
                Standing::Good(_) => false,
                Standing::Old(_) => closed(name),
                // What has to stay as it is for some time is written down now and then meanwhile.
                Standing::Bad(bad) => bad.earliest.is_some(),
            };
            let is_old = |known: &Known<'_>| match gate {
                FactGate::Artifacts(_) => self.is_stale(known),
                _ => known.old,
            };
            for look in self.looks(gate) {
                let known = Known::of(self.run, &look, self.now);
                let at_once = known.map_or_else(|bad| bad.unseen, |known| is_old(&known) && age_matters);
                looks.push((look, at_once));
            }
        }
        looks
    }
}

/// A step that waits for a fact.
pub(super) struct Waiting<'a> {
    pub(super) view: &'a View,
    pub(super) run: &'a Run,
    pub(super) plan: &'a Plan,
    pub(super) planned: &'a PlannedStep,
    pub(super) now: Timestamp,
}

impl Waiting<'_> {
    fn look(&self, wait: &FactWait) -> Result<FactLook, Bad> {
        let context = Context::of(self.view, self.run, self.plan, Some(self.planned));
        look_at(wait.spec(), Want::Word, &context, self.view, self.run, self.plan)
    }

    /// What was seen, if that is what it waits for; otherwise why not, and since when.
    pub(super) fn seen(&self, wait: &FactWait) -> Result<String, (String, Option<Timestamp>)> {
        let seen = || {
            let look = self.look(wait)?;
            let standing = match wait {
                FactWait::Ci(rule) => result(self.run, rule, &look, self.now)?,
                FactWait::Artifact { .. } => digest(self.run, &look, self.now)?,
            };
            match standing {
                Standing::Good(why) => Ok(why),
                Standing::Old(why) => Err(Bad::because(format!("{why}: it is being looked at again"))),
                Standing::Bad(bad) => Err(bad),
            }
        };
        seen().map_err(|bad: Bad| (bad.why, bad.since))
    }

    /// What holds it, in the same words.
    pub(super) fn hold(&self, wait: &FactWait, hold: Hold) -> Option<Hold> {
        let (why, since) = self.seen(wait).err()?;
        let how = vec![Action::Wait];
        Some(Hold { why, since: hold.since.max(since), on: WaitsOn::World, how, ..hold })
    }
}

/// Whether a digest is there.
fn digest(run: &Run, look: &FactLook, now: Timestamp) -> Result<Standing, Bad> {
    let known = Known::of(run, look, now)?;
    let word = known.digest(look)?;
    Ok(good_or_old(known.old, known.state.at, word.to_owned()))
}
impl Deciding {
    /// Takes in what a look at a fact saw, for every run that waits for it. Only what changes something, or what a decision
    /// can rest on, is written down.
    pub(super) fn fact_seen(&mut self, key: &str, sight: &Sight) {
        let mut events = Vec::new();
        for (run, plan) in self.view.active() {
            // What nobody looks at any more, such as the result of an older commit, says nothing.
            let Some((_, at_once)) = looks_of_run(&self.view, run, plan, self.now).remove(key) else {
                continue;
            };
            // Nor does what was under way when somebody asked for another look.
            if run.looks_wanted.get(key).is_some_and(|wanted| sight.at < *wanted) {
                continue;
            }
            let before = run.facts.get(key);
            if before.is_some_and(|before| before.at >= sight.at && before.at <= self.now) {
                continue;
            }
            let reading = match &sight.reading {
                Reading::Problem(why) => Reading::Problem(clipped(why, PROBLEM_MAX_CHARS)),
                is => is.clone(),
            };
            let sight = Sight { reading, ..sight.clone() };
            let (keeps, flips) = self.kept(run, plan, key, &sight);
            let flips = flips || self.turns(run, plan, key, &sight.reading);
            if at_once || flips || tells(before, &sight, &keeps) {
                let (run, key, at, reading) = (run.id, key.to_owned(), sight.at, sight.reading);
                events.push(ReleaseEvent::FactSeen { run, key, at, reading, keeps });
            }
        }
        for event in events {
            self.by_rule(event);
        }
    }

    /// The bounds that a number keeps, each since when; and whether it is a baseline for others that it makes keep or break
    /// theirs.
    fn kept(&self, run: &Run, plan: &Plan, key: &str, sight: &Sight) -> (BTreeMap<String, Timestamp>, bool) {
        let (mut kept, mut flips) = (BTreeMap::new(), false);
        let Reading::Is(FactValue::Number(number)) = sight.reading else { return (kept, flips) };
        let before = run.facts.get(key);
        for (_, rule, entering) in metrics_of(&self.view, run, plan, self.now) {
            let look = |environment: &EnvironmentName| entering.look(&rule.number, Want::Number, environment);
            let value = |environment: &EnvironmentName| {
                let look = look(environment).ok()?;
                Known::of(run, &look, self.now).ok()?.number(&look).ok()
            };
            let of = rule.from.as_ref().unwrap_or(entering.environment);
            let is_own = look(of).is_ok_and(|look| look.key() == key);
            if is_own {
                let base = match &rule.baseline {
                    None => Some(None),
                    Some(Baseline::Start) => {
                        let first = before.and_then(FactState::first_number);
                        Some(Some(first.map_or(number, |(_, first)| first)))
                    }
                    Some(Baseline::Environment(other)) => value(other).map(Some),
                };
                if base.is_some_and(|base| keeps(rule.bound, number, base)) {
                    let judge = judge(rule);
                    let unbroken = before.filter(|before| sight.unbroken <= before.at);
                    let since = unbroken.and_then(|before| before.keeps.get(&judge)).copied();
                    kept.insert(judge, since.unwrap_or(sight.at));
                }
            }
            let Some(Baseline::Environment(other)) = &rule.baseline else { continue };
            if !is_own && look(other).is_ok_and(|look| look.key() == key) {
                let (Some(own), old) = (value(of), value(other)) else { continue };
                let judged = |base| keeps(rule.bound, own, Some(base));
                flips |= old.is_none_or(|old| judged(old) != judged(number));
            }
        }
        (kept, flips)
    }
}

/// Whether a look tells something new that is worth to be written down.
fn tells(before: Option<&FactState>, sight: &Sight, keeps: &BTreeMap<String, Timestamp>) -> bool {
    let Some(before) = before else { return true };
    let long_ago = sight.at.duration_since(before.at) >= before.pause() || before.at > sight.at;
    let differs = before.reading != sight.reading;
    match (&before.reading, &sight.reading) {
        (Reading::Problem(_), Reading::Problem(_)) => differs && long_ago,
        (Reading::Is(FactValue::Number(_)), Reading::Is(FactValue::Number(_))) => {
            before.keeps != *keeps || differs && long_ago
        }
        (Reading::Is(one), Reading::Is(other)) => match (ids(one), ids(other)) {
            (Some(one), Some(other)) if one == other => differs && long_ago,
            _ => differs,
        },
        _ => true,
    }
}

fn ids(value: &FactValue) -> Option<(Vec<&str>, u32)> {
    match value {
        FactValue::List { items, more } => Some((items.iter().map(|item| item.id.as_str()).collect(), *more)),
        _ => None,
    }
}

/// Used by explanations: the hold of a step that waits for a fact.
pub(crate) fn waiting_for(
    view: &View,
    run: &Run,
    plan: &Plan,
    planned: &PlannedStep,
    now: Timestamp,
    wait: &FactWait,
    hold: Hold,
) -> Option<Hold> {
    Waiting { view, run, plan, planned, now }.hold(wait, hold)
}
