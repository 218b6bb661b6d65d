//! What texts and conditions know at a place, and holding them against it.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::value::Value;
use tollgate_core::expr::{self, CheckError, CheckErrorKind, Expr, Type};
use tollgate_core::ids::QuestionName;
use tollgate_core::model::{AnswerType, Template};
use tollgate_core::risk::RISK;

use super::{Declared, Lower};
use crate::diagnostic::Code;
use crate::expression::{ExpressionError, compile};
use crate::facts::{self, Fact, FactKind};
use crate::template::{self, Use};
use crate::tree::Node;
use crate::words::{did_you_mean, listed, shown};

/// What is known at a place beside what is known everywhere.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// In an environment; whether it has an address.
    pub(super) environment: Option<bool>,
    /// In a gate of every environment.
    pub(super) every: bool,
    /// In a step that is repeated; whether for changes.
    pub(super) item: Option<bool>,
    /// The outputs of steps that have ended.
    pub(super) outputs: BTreeSet<(String, String)>,
    /// The outputs of steps that may not have ended.
    pub(super) later_outputs: BTreeSet<(String, String)>,
    /// In a gate that is a condition: facts of the world can be read.
    pub(super) live: bool,
    /// Where labels of a pull request are asked for: before there is a version, and so nothing else is known.
    pub(super) pull: bool,
    /// The questions that were asked; all of them count as asked where this is not known.
    pub(super) asked: Option<BTreeSet<QuestionName>>,
}

/// The value of a name: its type for conditions, an example for texts.
struct Known {
    of: Type,
    choices: Option<Vec<String>>,
    sample: Value,
}

impl Known {
    fn text(sample: &str) -> Self {
        Self { of: Type::String, choices: None, sample: Value::from(sample) }
    }

    fn of(fact: &Fact) -> Self {
        let (choices, sample) = match fact.kind {
            FactKind::Text => (None, Value::from("1.2.3")),
            FactKind::Number => (None, Value::from(1)),
            FactKind::Word(words) => (Some(words), Value::from("minor")),
        };
        let choices = choices.map(|words| words.iter().map(|&word| word.to_owned()).collect());
        Self { of: fact.kind.as_type(), choices, sample }
    }

    fn answer(answer: &AnswerType) -> Self {
        match answer {
            // In a text it is a word.
            AnswerType::YesNo => Self { of: Type::Bool, choices: None, sample: Value::from("yes") },
            AnswerType::Integer { min } => {
                Self { of: Type::Int, choices: None, sample: Value::from((*min).max(1)) }
            }
            AnswerType::Text => Self::text("text"),
            AnswerType::Choice(words) => {
                let sample = Value::from(words.first().cloned().unwrap_or_default());
                Self { of: Type::String, choices: Some(words.clone()), sample }
            }
        }
    }
}

impl Scope {
    fn facts<'a>(&'a self, declared: &'a Declared) -> impl Iterator<Item = &'static Fact> + 'a {
        let pulls = facts::IN_PULLS.iter().filter(|_| self.pull);
        let everywhere = facts::IN_TEXTS.iter().filter(|fact| match fact.name {
            _ if self.pull => false,
            "notes" => declared.changelog,
            "risk" | "reasons" => !declared.risk_levels.is_empty(),
            "major" => declared.version_parts > 0,
            "minor" => declared.version_parts > 1,
            "patch" => declared.version_parts > 2,
            _ => true,
        });
        let environment = facts::IN_ENVIRONMENTS.iter().filter(|fact| match fact.name {
            "env.url" => self.environment == Some(true),
            _ => self.environment.is_some(),
        });
        let item = facts::IN_ITEMS.iter().filter(|fact| match fact.name {
            "item.commit" => self.item == Some(true),
            _ => self.item.is_some(),
        });
        pulls.chain(everywhere).chain(environment).chain(item)
    }

    fn lookup(&self, path: &str, declared: &Declared) -> Option<Known> {
        if let Some(fact) = self.facts(declared).find(|fact| fact.name == path) {
            return Some(Known::of(fact));
        }
        match path.split_once('.')? {
            ("answers", name) => {
                let (_, question) = declared.questions.iter().find(|(known, _)| known.as_str() == name)?;
                Some(Known::answer(&question.answer))
            }
            ("steps", output) => {
                let (step, output) = output.rsplit_once('.')?;
                let known = self.outputs.contains(&(step.to_owned(), output.to_owned()));
                known.then(|| Known::text("output"))
            }
            _ => None,
        }
    }

    /// Every name that is known here.
    fn names(&self, declared: &Declared) -> Vec<String> {
        let facts = self.facts(declared).map(|fact| fact.name.to_owned());
        let answers = declared.questions.keys().map(|name| format!("answers.{name}"));
        let outputs = self.outputs.iter().map(|(step, output)| format!("steps.{step}.{output}"));
        facts.chain(answers).chain(outputs).collect()
    }

    fn expressions(&self, declared: &Declared, text: &str) -> expr::Environment {
        let mut environment = expr::Environment::new();
        let mut declare = |name: &str, known: Known| {
            match known.choices {
                Some(choices) => environment.declare_choice(name, choices),
                None => environment.declare(name, known.of),
            };
        };
        for fact in facts::IN_CONDITIONS {
            declare(fact.name, Known::of(fact));
        }
        for (name, question) in &declared.questions {
            declare(&format!("answers.{name}"), Known::answer(&question.answer));
        }
        for (step, output) in &self.outputs {
            declare(&format!("steps.{step}.{output}"), Known::text(""));
        }
        // In the rules about it, its own level is not known.
        if !declared.risk_levels.is_empty() {
            environment.declare_order(RISK, declared.risk_levels.iter().map(ToString::to_string));
        }
        // Where they cannot be read, they are no guess at what else was meant.
        let named = self.live || text.contains("facts");
        for name in declared.facts.keys().filter(|_| named) {
            let of = declared.fact_types.get(name).copied();
            environment.declare(format!("facts.{name}"), super::required::type_of(of));
        }
        environment.declare_function("changed", [Type::String], Type::Bool);
        environment
    }
}

impl Lower<'_> {
    /// A text that is filled in.
    pub(super) fn template(&mut self, node: &Node, scope: &Scope) -> Option<Template> {
        let text = node.text()?.trim_end_matches('\n');
        if !template::has_holes(text) {
            return Some(Template(text.to_owned()));
        }
        let uses = match template::names(text) {
            Ok(uses) => uses,
            Err(fault) => {
                let span = self.inside(node, fault.range);
                self.report.error(Code::BadTemplate, span, fault.message).hint_if(fault.hint);
                return None;
            }
        };
        let mut samples = BTreeMap::new();
        let mut all_known = true;
        let mut dashed = None;
        for used in &uses {
            // What follows a dash belongs to the name before it, which was reported.
            if dashed.take() == Some(used.range.start) && text[..used.range.start].ends_with('-') {
                continue;
            }
            match scope.lookup(&used.dotted(), &self.declared) {
                Some(known) => {
                    sample(&mut samples, &used.path, known.sample);
                    all_known &= self.asked(node, used, scope);
                }
                None => {
                    self.unknown(node, text, used, scope);
                    all_known = false;
                    dashed = Some(used.range.end + 1);
                }
            }
        }
        if all_known && let Err(fault) = template::try_out(text, &nested(samples)) {
            let span = self.inside(node, fault.range);
            self.report.error(Code::BadTemplate, span, fault.message).hint_if(fault.hint);
        }
        Some(Template(text.to_owned()))
    }

    /// The text of a key that is filled in, when it is there.
    pub(super) fn template_of(&mut self, node: &Node, key: &str, scope: &Scope) -> Option<Template> {
        node.get(key).and_then(|value| self.template(value, scope))
    }

    /// A name in a text that is not known at its place: says why, as far as it can be told.
    fn unknown(&mut self, node: &Node, text: &str, used: &Use, scope: &Scope) {
        let path = used.dotted();
        let span = self.inside(node, used.range.clone());
        let front = used.path.first().map(String::as_str).unwrap_or_default();
        if matches!(front, "secrets" | "secret") {
            self.report
                .error(Code::BadTemplate, span, "a secret is never filled into a text")
                .hint("a command gets it as a variable: `secrets: { NAME: secret-name }`");
            return;
        }
        if self.declared.broken.contains(used.path.last().map(String::as_str).unwrap_or_default()) {
            return;
        }
        let (message, hint) = match front {
            _ if let Some(brackets) = dashed(text, used) => {
                (format!("nothing is named `{}` here", shown(&path)), Some(brackets))
            }
            "env" if scope.every && path == "env.url" => {
                ("not every environment has an address".to_owned(), Some("give each a `url`".to_owned()))
            }
            "env" if scope.environment == Some(false) && path == "env.url" => {
                ("the environment has no address".to_owned(), Some("give it a `url`".to_owned()))
            }
            "env" if scope.environment.is_none() => {
                ("`env` is only known in environments and their gates".to_owned(), None)
            }
            "item" if scope.item.is_none() => ("`item` is only known in a step with `each`".to_owned(), None),
            "notes" if !self.declared.changelog => (
                "there are no `notes` without a changelog".to_owned(),
                Some("add `changelog` to the top of the file".to_owned()),
            ),
            "patch" if path == "patch" => ("the version has two numbers, and no `patch`".to_owned(), None),
            "answers" if used.path.len() == 2 => {
                let name = &used.path[1];
                let names: Vec<&str> = self.declared.questions.keys().map(QuestionName::as_str).collect();
                let hint = crate::words::name_hint(name, names, "declare it under `questions`");
                (format!("there is no question `{}`", shown(name)), Some(hint))
            }
            "steps" if scope.environment.is_some() => {
                ("outputs of steps are only known in the procedure that has the step".to_owned(), None)
            }
            "steps" => self.unknown_output(&used.path, scope),
            _ => self.unknown_name(&path, scope),
        };
        self.report.error(Code::Unknown, span, message).hint_if(hint);
    }

    fn unknown_name(&self, path: &str, scope: &Scope) -> (String, Option<String>) {
        let names = scope.names(&self.declared);
        let hint = did_you_mean(path, names.iter().map(String::as_str)).unwrap_or_else(|| {
            let facts: Vec<&str> = scope.facts(&self.declared).map(|fact| fact.name).collect();
            format!("known here are {}", listed(facts, "and"))
        });
        (format!("nothing is named `{}` here", shown(path)), Some(hint))
    }

    fn unknown_output(&self, path: &[String], scope: &Scope) -> (String, Option<String>) {
        let [_, step, output] = path else {
            let hint = "write `steps.ID.OUTPUT`";
            return ("this is no output of a step".to_owned(), Some(hint.to_owned()));
        };
        let pair = (step.clone(), output.clone());
        if scope.later_outputs.contains(&pair) {
            let message = format!("the step `{}` has not ended when this is needed", shown(step));
            return (message, Some("move that step up, or name it in `after`".to_owned()));
        }
        let all = || scope.outputs.iter().chain(&scope.later_outputs);
        let outputs: Vec<&str> =
            all().filter(|(id, _)| id == step).map(|(_, output)| output.as_str()).collect();
        if outputs.is_empty() {
            let steps: BTreeSet<&str> = all().map(|(id, _)| id.as_str()).collect();
            let none = "give a `shell` step an `id` and `outputs`";
            let hint = crate::words::name_hint(step, steps, none);
            return (format!("there is no step `{}` with outputs", shown(step)), Some(hint));
        }
        let hint = crate::words::name_hint(output, outputs, "");
        (format!("the step `{}` has no output `{}`", shown(step), shown(output)), Some(hint))
    }

    /// Notes an answer that is used, and refuses one that was not asked for yet.
    fn asked(&mut self, node: &Node, used: &Use, scope: &Scope) -> bool {
        let [front, name] = used.path.as_slice() else { return true };
        if front != "answers" {
            return true;
        }
        let Ok(name) = QuestionName::new(name.as_str()) else { return true };
        self.answers_used.insert(name.clone());
        if scope.asked.as_ref().is_none_or(|asked| asked.contains(&name)) {
            return true;
        }
        let span = self.inside(node, used.range.clone());
        let message = format!("the question `{name}` was not asked before this");
        let hint = format!("put a step `ask: [{name}]` before it");
        self.report.error(Code::NotAsked, span, message).hint(hint);
        false
    }

    /// Whoever asks for the risk asks for the answers that it rests on.
    fn risk_asked(&mut self, node: &Node, range: std::ops::Range<usize>, scope: &Scope) {
        for question in self.declared.risk_answers.clone() {
            self.answers_used.insert(question.clone());
            if scope.asked.as_ref().is_none_or(|asked| asked.contains(&question)) {
                continue;
            }
            let span = self.inside(node, range.clone());
            let message =
                format!("the risk rests on the question `{question}`, which was not asked before this");
            let hint = format!("put a step `ask: [{question}]` before it");
            self.report.error(Code::NotAsked, span, message).hint(hint);
        }
    }

    /// A condition.
    pub(super) fn condition(&mut self, node: &Node, scope: &Scope) -> Option<Expr> {
        self.expression(node, scope, &Type::Bool)
    }

    /// An expression of a type.
    pub(super) fn expression(&mut self, node: &Node, scope: &Scope, expected: &Type) -> Option<Expr> {
        let text = node.text()?;
        if text.contains("{{") {
            let hint = "a condition names values as they are: `answers.risk == 'high'`";
            let span = self.inside(node, 0..text.len());
            self.report.error(Code::TemplateHere, span, "nothing is filled into a condition").hint(hint);
            return None;
        }
        let compiled = match compile(text, &scope.expressions(&self.declared, text), expected) {
            Ok(compiled) => compiled,
            Err(mistakes) => {
                for mistake in mistakes {
                    let span = mistake.span();
                    let span = self.inside(node, span.start..span.end);
                    let hint = self.unknown_fact(&mistake).or_else(|| condition_hint(&mistake));
                    self.report.error(Code::BadCondition, span, mistake.to_string()).hint_if(hint);
                }
                return None;
            }
        };
        let names: Vec<(String, expr::Span)> =
            compiled.names().map(|(name, span)| (name.to_owned(), span)).collect();
        if !self.facts_read(node, &names, scope.live) {
            return None;
        }
        for (name, span) in names {
            if name == RISK {
                self.risk_asked(node, span.start..span.end, scope);
            }
            let path = name.splitn(2, '.').map(ToOwned::to_owned).collect();
            self.asked(node, &Use { path, range: span.start..span.end }, scope);
        }
        Some(compiled)
    }

    /// The condition of a key, when it is there.
    pub(super) fn condition_of(&mut self, node: &Node, key: &str, scope: &Scope) -> Option<Expr> {
        node.get(key).and_then(|value| self.condition(value, scope))
    }
}

/// What to do about a mistake in a condition, with the kinds of gate that there are.
fn condition_hint(mistake: &ExpressionError) -> Option<String> {
    match mistake {
        ExpressionError::Check(CheckError { kind: CheckErrorKind::Clock { .. }, .. }) => {
            Some("let a person say when it is time, with a gate `ask` or a `manual` step".to_owned())
        }
        ExpressionError::Check(CheckError {
            kind: CheckErrorKind::UnknownName { candidates, .. }, ..
        }) if candidates.is_empty() => {
            let facts: Vec<&str> = facts::IN_CONDITIONS.iter().map(|fact| fact.name).collect();
            Some(format!("a condition knows {}, answers and outputs", listed(facts, "and")))
        }
        other => other.help(),
    }
}

/// A name with a dash reads as a subtraction: how to write it.
fn dashed(text: &str, used: &Use) -> Option<String> {
    let rest = text.get(used.range.end..)?.strip_prefix('-')?;
    let more: String = rest.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect();
    let (last, front) = used.path.split_last()?;
    if more.is_empty() || front.is_empty() {
        return None;
    }
    Some(format!("a name with a dash stands in brackets: `{}[\"{last}-{more}\"]`", front.join(".")))
}

/// Sample values by path: leaves, or mappings of them.
enum Sample {
    Leaf(Value),
    Map(BTreeMap<String, Sample>),
}

fn sample(into: &mut BTreeMap<String, Sample>, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        into.insert(first.clone(), Sample::Leaf(value));
        return;
    }
    let inner = into.entry(first.clone()).or_insert_with(|| Sample::Map(BTreeMap::new()));
    if let Sample::Map(inner) = inner {
        sample(inner, rest, value);
    }
}

fn nested(samples: BTreeMap<String, Sample>) -> Value {
    let values: BTreeMap<String, Value> = samples
        .into_iter()
        .map(|(name, sample)| match sample {
            Sample::Leaf(value) => (name, value),
            Sample::Map(inner) => (name, nested(inner)),
        })
        .collect();
    Value::from(values)
}
