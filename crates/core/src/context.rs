//! What texts and conditions can speak of: the same names in `{{ … }}`, in `if:` and in the variables of commands.

use std::collections::BTreeMap;

use minijinja::{Environment as Jinja, UndefinedBehavior};
use serde::Serialize;

use crate::act::Failure;
use crate::act::FailureClass;
use crate::event::{AnswerValue, Asked, StepResult};
use crate::expr::{CallError, Facts, Value};
use crate::ids::{EnvironmentName, OutputName};
use crate::model::{Policy, Template};
use crate::plan::{Item, Plan, PlannedStep};
use crate::risk::{PlanFacts, RISK, Risk, of_candidate, of_plan, of_run};
use crate::state::{Run, StepStatus};
use crate::version::VersionFormat;
use crate::view::View;

/// The longest filled-in text, in bytes.
pub const RENDERED_MAX_BYTES: usize = 32 * 1024;

/// The names of one step, with their values at this moment.
#[derive(Debug, Clone, Serialize)]
pub struct Context {
    /// The service.
    pub service: String,
    /// The version, as it stands in files.
    pub version: String,
    /// The first number of the version; empty where it has none.
    pub major: String,
    /// The second number of the version; empty where it has none.
    pub minor: String,
    /// The third number of the version; empty where it has two.
    pub patch: String,
    /// The tag.
    pub tag: String,
    /// What people call the release: the version of its first candidate.
    pub release: String,
    /// Which of the release's candidates it is, from 1.
    pub candidate: u32,
    /// The version before; empty at the first release.
    pub previous: String,
    /// The day of the release, such as `2026-12-16`; empty where it has none.
    pub target: String,
    /// The candidate's commit.
    pub commit: String,
    /// The branch its commits go to.
    pub branch: String,
    /// The release notes; empty before they are written.
    pub notes: String,
    /// Who started the run.
    pub starter: String,
    /// Where they are found.
    pub accounts: Accounts,
    /// The level of its risk, as far as it is known; empty where there are no rules about it.
    pub risk: String,
    /// Why it is of that level, one reason a line.
    pub reasons: String,
    /// The environment, in steps of one.
    pub env: Option<EnvironmentContext>,
    /// What the step is repeated for.
    pub item: Option<Item>,
    /// The answers, by question: numbers as numbers, to be counted with, everything else as text.
    pub answers: BTreeMap<String, serde_json::Value>,
    /// The outputs, by step. A step of an environment knows those beside it by their short ids.
    pub steps: BTreeMap<String, BTreeMap<OutputName, String>>,
}

/// An environment, in texts.
#[derive(Debug, Clone, Serialize)]
pub struct EnvironmentContext {
    /// Its name.
    pub name: String,
    /// Its address; empty when the policy has none.
    pub url: String,
}

/// Where somebody is found: the first of each; empty where the rules in force do not tell it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Accounts {
    /// Their mail address.
    pub mail: String,
    /// Their account where the code is kept.
    pub forge: String,
    /// Their account where tickets are kept.
    pub tracker: String,
    /// Their account where people talk.
    pub chat: String,
}

impl Accounts {
    fn of(view: &View, run: &Run) -> Self {
        let people = view.policy.as_ref().map(|policy| &policy.people);
        let Some(person) = people.zip(run.started_by.person()).and_then(|(people, name)| people.get(name))
        else {
            return Self::default();
        };
        let first = |all: &[String]| all.first().cloned().unwrap_or_default();
        Self {
            mail: person.mail.clone().unwrap_or_default(),
            forge: first(&person.forge),
            tracker: first(&person.tracker),
            chat: first(&person.chat),
        }
    }
}

impl Context {
    /// The names of a step, or of the whole run.
    pub fn of(view: &View, run: &Run, plan: &Plan, step: Option<&PlannedStep>) -> Self {
        let candidate = view.candidate(run);
        let mut context = Self::planned(plan, step);
        context.starter = run.started_by.to_string();
        context.accounts = Accounts::of(view, run);
        context.candidate = run.candidate.0;
        if let Some(opened) = &view.release.opened {
            context.release.clone_from(&opened.version);
        }
        context.tell(of_run(view, run, plan));
        context.answers = answers(view);
        context.steps = outputs(run, plan, step);
        if let Some(candidate) = candidate {
            context.commit = candidate.commit.to_string();
            context.notes = candidate.notes.clone().unwrap_or_default();
            context.branch = candidate.branch.clone().unwrap_or(context.branch);
        }
        context
    }

    /// The names of the gates of an environment.
    pub fn within(view: &View, run: &Run, plan: &Plan, environment: &EnvironmentName) -> Self {
        let in_force = view.policy.as_deref();
        let mut policies = [Some(&plan.policy), in_force].into_iter().flatten();
        let found = policies.find_map(|policy| policy.environments.get(environment));
        let url = found.and_then(|environment| environment.url.clone()).unwrap_or_default();
        let env = Some(EnvironmentContext { name: environment.to_string(), url });
        Self { env, ..Self::of(view, run, plan, None) }
    }

    /// The same before the run: what only the run knows is empty, and answers and outputs are not known.
    pub fn planned(plan: &Plan, step: Option<&PlannedStep>) -> Self {
        let env = step.and_then(|step| step.environment.as_ref()).map(|name| {
            let environment = plan.policy.environments.get(name);
            let url = environment.and_then(|environment| environment.url.clone()).unwrap_or_default();
            EnvironmentContext { name: name.to_string(), url }
        });
        let previous = plan.version.previous.as_ref();
        let risk = of_plan(plan, &plan.policy);
        let mut numbers = numbers(plan).into_iter();
        let mut context = Self {
            service: plan.definition.service.to_string(),
            version: plan.version.text.clone(),
            major: numbers.next().unwrap_or_default(),
            minor: numbers.next().unwrap_or_default(),
            patch: numbers.next().unwrap_or_default(),
            tag: plan.version.tag.clone(),
            release: match &plan.respin {
                Some(respin) => respin.release.clone(),
                None => plan.version.text.clone(),
            },
            candidate: plan.respin.as_ref().map_or(1, |respin| respin.before.0 + 1),
            previous: previous.map(|previous| previous.text.clone()).unwrap_or_default(),
            target: plan.target.as_ref().map(|target| target.day.to_string()).unwrap_or_default(),
            commit: plan.base.to_string(),
            branch: plan.definition.repository.branch.clone(),
            notes: String::new(),
            starter: String::new(),
            accounts: Accounts::default(),
            risk: String::new(),
            reasons: String::new(),
            env,
            item: step.and_then(|step| step.item.clone()),
            answers: BTreeMap::new(),
            steps: BTreeMap::new(),
        };
        context.tell(risk);
        context
    }

    /// Tells how risky the release is.
    fn tell(&mut self, risk: Option<Risk>) {
        let Some(risk) = risk else { return };
        self.reasons = risk.because().join("\n");
        self.risk = risk.level.to_string();
    }

    /// Fills in a text.
    pub fn fill(&self, template: &Template) -> Result<String, Failure> {
        if !template.0.contains('{') {
            return Ok(template.0.clone());
        }
        let mut jinja = Jinja::new();
        jinja.set_undefined_behavior(UndefinedBehavior::Strict);
        jinja.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        jinja.set_recursion_limit(50);
        let filled = jinja
            .render_str(&template.0, minijinja::value::Serde(self))
            .map_err(|error| unfilled(template, &error.to_string()))?;
        if filled.len() > RENDERED_MAX_BYTES {
            return Err(unfilled(template, "the result is longer than 32 KiB"));
        }
        Ok(filled)
    }

    /// The variables that commands get.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let mut set =
            |name: &str, value: &str| variables.insert(format!("TOLLGATE_{name}"), value.to_owned());
        set("SERVICE", &self.service);
        set("VERSION", &self.version);
        set("TAG", &self.tag);
        set("RELEASE", &self.release);
        set("CANDIDATE", &self.candidate.to_string());
        set("PREVIOUS_VERSION", &self.previous);
        set("TARGET", &self.target);
        set("COMMIT", &self.commit);
        set("BRANCH", &self.branch);
        set("STARTER", &self.starter);
        set("ACCOUNT_MAIL", &self.accounts.mail);
        set("ACCOUNT_FORGE", &self.accounts.forge);
        set("ACCOUNT_TRACKER", &self.accounts.tracker);
        set("ACCOUNT_CHAT", &self.accounts.chat);
        if !self.risk.is_empty() {
            set("RISK", &self.risk);
        }
        if let Some(env) = &self.env {
            set("ENVIRONMENT", &env.name);
            set("ENVIRONMENT_URL", &env.url);
        }
        if let Some(item) = &self.item {
            set("ITEM", &item.title);
            set("ITEM_COMMIT", item.commit.as_ref().map(|commit| commit.0.as_str()).unwrap_or_default());
        }
        for (question, answer) in &self.answers {
            let text = match answer {
                serde_json::Value::Bool(true) => "yes".to_owned(),
                serde_json::Value::Bool(false) => "no".to_owned(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            set(&format!("ANSWER_{}", shouted(question)), &text);
        }
        for (step, outputs) in &self.steps {
            for (output, value) in outputs {
                set(&format!("OUTPUT_{}_{}", shouted(step), shouted(output.as_str())), value);
            }
        }
        variables
    }
}

/// Why a text cannot be filled in.
pub(crate) fn unfilled(template: &Template, why: &str) -> Failure {
    let start: String = template.0.chars().take(60).collect();
    Failure {
        class: FailureClass::Permanent,
        why: format!("the text `{start}` cannot be filled in: {why}"),
        hint: Some("correct the text in the procedure file; this run keeps the text it started with".into()),
        retry_at: None,
        output: None,
    }
}

/// The numbers of the version; none where it is of the calendar or a counter.
fn numbers(plan: &Plan) -> Vec<String> {
    let format = VersionFormat::new(&plan.definition.version.format).ok();
    let version = format.and_then(|format| format.parse_text(&plan.version.text));
    let numbers = version.and_then(|version| version.numbers()).unwrap_or_default();
    numbers.iter().map(ToString::to_string).collect()
}

/// A name as part of a variable's name.
fn shouted(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

fn answers(view: &View) -> BTreeMap<String, serde_json::Value> {
    let named = view.release.answers.iter().filter_map(|(asked, answer)| match asked {
        Asked::Question(name) => Some((name.to_string(), filled(&answer.value))),
        Asked::Gate(..) => None,
    });
    named.collect()
}

/// An answer as texts take it.
fn filled(answer: &AnswerValue) -> serde_json::Value {
    match answer {
        AnswerValue::Integer(number) => (*number).into(),
        AnswerValue::YesNo(yes) => (*yes).into(),
        other => other.to_string().into(),
    }
}

/// The outputs of the steps that are over; those of a step that was skipped are empty.
fn outputs(
    run: &Run,
    plan: &Plan,
    step: Option<&PlannedStep>,
) -> BTreeMap<String, BTreeMap<OutputName, String>> {
    let beside = step.and_then(PlannedStep::promotion);
    let mut all = BTreeMap::new();
    for planned in plan.steps.iter().filter(|planned| !planned.outputs.is_empty()) {
        let of = match run.steps.get(&planned.id).map(|state| &state.status) {
            Some(StepStatus::Done { result, .. }) => StepResult::outputs(result),
            Some(StepStatus::Skipped(_)) => {
                planned.outputs.keys().map(|name| (name.clone(), String::new())).collect()
            }
            _ => continue,
        };
        if let Some(short) = planned.short_id().filter(|_| planned.promotion() == beside) {
            all.insert(short.to_owned(), of.clone());
        }
        // A step of the procedure does not take the place of one beside the step that is called the same.
        all.entry(planned.id.to_string()).or_insert(of);
    }
    all
}

/// What conditions can ask for: the names of [`crate::expr`] at this moment.
#[derive(Debug)]
pub struct RunFacts<'a> {
    /// The view.
    pub view: &'a View,
    /// The run.
    pub run: &'a Run,
    /// Its plan.
    pub plan: &'a Plan,
    /// The rules by which the risk is told: those that the condition stands in.
    pub policy: &'a Policy,
}

impl<'a> RunFacts<'a> {
    /// The step that an output is asked of: one beside the step that asks first, where that is a part of a promotion.
    fn source(&self, name: &str, asking: Option<&PlannedStep>) -> Option<&'a PlannedStep> {
        let (id, _) = name.strip_prefix("steps.")?.rsplit_once('.')?;
        let promotion = asking.and_then(PlannedStep::promotion);
        let is_beside = |planned: &&PlannedStep| {
            promotion.is_some() && planned.promotion() == promotion && planned.short_id() == Some(id)
        };
        let beside = self.plan.steps.iter().find(is_beside);
        beside.or_else(|| self.plan.step(&id.parse().ok()?))
    }

    fn output(&self, of: &PlannedStep, name: &str) -> Option<Value> {
        let (_, output) = name.rsplit_once('.')?;
        match &self.run.steps.get(&of.id)?.status {
            StepStatus::Done { result, .. } => {
                result.outputs().get(&output.parse().ok()?).map(|text| Value::String(text.clone()))
            }
            // A step that was skipped has no outputs, and will never have any.
            StepStatus::Skipped(_) => Some(Value::String(String::new())),
            _ => None,
        }
    }
}

/// What the conditions of a step can ask for.
#[derive(Debug)]
pub struct StepFacts<'a> {
    /// What those of the run can ask for.
    pub run: RunFacts<'a>,
    /// The step.
    pub step: &'a PlannedStep,
}

impl<'a> StepFacts<'a> {
    /// The facts of a step.
    pub fn of(view: &'a View, run: &'a Run, plan: &'a Plan, step: &'a PlannedStep) -> Self {
        Self { run: RunFacts { view, run, plan, policy: &plan.policy }, step }
    }

    /// The step that an output is asked of, if there is one.
    pub fn source(&self, name: &str) -> Option<&'a PlannedStep> {
        self.run.source(name, Some(self.step))
    }
}

impl Facts for StepFacts<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        match self.source(name) {
            Some(source) => self.run.output(source, name),
            None => self.run.value(name),
        }
    }

    fn call(&self, function: &str, arguments: &[Value]) -> Result<Option<Value>, CallError> {
        self.run.call(function, arguments)
    }

    fn order(&self, name: &str) -> Option<Vec<String>> {
        self.run.order(name)
    }
}

impl Facts for RunFacts<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        if name == RISK {
            let risk = of_candidate(&self.view.release, self.run.candidate, self.plan, self.policy)?;
            return risk.is_known().then(|| Value::String(risk.level.to_string()));
        }
        let planned = PlanFacts { plan: self.plan, release: Some(&self.view.release) };
        planned.value(name).or_else(|| self.output(self.source(name, None)?, name))
    }

    fn call(&self, function: &str, arguments: &[Value]) -> Result<Option<Value>, CallError> {
        PlanFacts { plan: self.plan, release: Some(&self.view.release) }.call(function, arguments)
    }

    fn order(&self, name: &str) -> Option<Vec<String>> {
        let rules = self.policy.risk.as_ref().filter(|_| name == RISK)?;
        Some(rules.levels.iter().map(ToString::to_string).collect())
    }
}

pub(crate) fn value_of(answer: &AnswerValue) -> Value {
    match answer {
        AnswerValue::YesNo(value) => Value::Bool(*value),
        AnswerValue::Integer(value) => Value::Int(*value),
        AnswerValue::Text(text) => Value::String(text.clone()),
    }
}
