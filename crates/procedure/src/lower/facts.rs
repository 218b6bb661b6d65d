//! Facts of the world, and the gates and steps that rest on them.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use tollgate_core::ids::FactName;
use tollgate_core::model::{
    Baseline, Bound, CiRule, FactAsk, FactGate, FactRead, FactSpec, FactType, FactWait, MetricRule, StepKind,
    Template,
};

use super::Lower;
use super::kinds::sample;
use super::scope::Scope;
use crate::diagnostic::Code;
use crate::tree::Node;
use crate::words::{name_hint, shown};

/// The pause between two looks where the file does not say.
const EVERY: SignedDuration = SignedDuration::from_mins(1);
/// How long a fact counts where the file does not say.
const VALID: SignedDuration = SignedDuration::from_mins(5);
/// Words that usually mean that a result is good.
const PASSED: [&str; 8] = ["success", "passed", "successful", "succeeded", "pass", "ok", "green", "true"];
/// Words that usually mean that it is not.
const FAILED: [&str; 9] =
    ["failure", "failed", "fail", "error", "cancelled", "canceled", "timed_out", "red", "false"];
/// What makes an address speak of one commit.
const OF_COMMIT: [&str; 3] = ["commit", "tag", "version"];

impl Lower<'_> {
    /// Reads the facts that have names.
    pub(super) fn declare_facts(&mut self, root: &Node) {
        let has_url = self.declared.environments.values().all(|url| *url);
        let some = !self.declared.environments.is_empty();
        let scope = Scope { environment: some.then_some(has_url), every: true, ..Scope::default() };
        for entry in root.get("facts").map(Node::entries).unwrap_or_default() {
            let name = self.name(&entry.key, entry.key_span, FactName::new);
            let spec = self.fact_spec(&entry.value, name.clone(), &scope);
            let of = self.fact_type(&entry.value);
            self.declared.fact_types.extend(name.clone().zip(of));
            match (name, spec) {
                (Some(name), Some(spec)) => drop(self.declared.facts.insert(name, spec)),
                _ => drop(self.declared.broken.insert(entry.key.clone())),
            }
        }
    }

    /// A fact where it is used.
    pub(super) fn fact(&mut self, node: &Node, scope: &Scope) -> Option<FactSpec> {
        let Some(text) = node.text() else { return self.fact_spec(node, None, scope) };
        let found = self.declared.facts.iter().find(|(name, _)| name.as_str() == text);
        if let Some((_, spec)) = found {
            let spec = spec.clone();
            if scope.environment.is_none() && speaks_of_environments(&spec) {
                let message = format!("`{}` speaks of an environment, and there is none here", shown(text));
                let hint = "write the fact out in this step, without `env`";
                self.report.error(Code::Unknown, node.span, message).hint(hint);
                return None;
            }
            return Some(spec);
        }
        if !self.declared.broken.contains(text) {
            let names = self.declared.facts.keys().map(FactName::as_str);
            let hint = name_hint(text, names, "declare it under `facts`, or write it out here");
            let message = format!("there is no fact `{}`", shown(text));
            self.report.error(Code::Unknown, node.span, message).hint(hint);
        }
        None
    }

    fn fact_spec(&mut self, node: &Node, name: Option<FactName>, scope: &Scope) -> Option<FactSpec> {
        let ask = self.fact_ask(node, scope);
        let read = self.fact_read(node);
        let about = node.get("commit").and_then(|pointer| self.pointer(pointer));
        let every = self.duration_of(node, "every").unwrap_or(EVERY);
        let valid = self.duration_of(node, "valid").unwrap_or_else(|| VALID.max(every * 2));
        let timeout = self.duration_of(node, "timeout").unwrap_or(SignedDuration::from_mins(1));
        // A look takes time, and can be late.
        if valid < every * 2 {
            let at = node.get("valid").or(node.get("every")).map_or(node.span, |value| value.span);
            let message = format!(
                "it counts for {valid:#}, and is looked at every {every:#}: a look that is late would be too old"
            );
            let hint = "let it count for longer, or look more often";
            self.report.error(Code::BadValue, at, message).hint(hint);
        }
        Some(FactSpec { name, ask: ask?, read: read?, about, every, valid, timeout })
    }

    /// How the answer to a question is read.
    pub(super) fn fact_read(&mut self, node: &Node) -> Option<FactRead> {
        match node.get("json") {
            _ if node.get("prometheus").is_some() => Some(FactRead::Prometheus),
            None => Some(FactRead::Text),
            Some(whole) if whole.text() == Some(".") => Some(FactRead::Json(String::new())),
            Some(pointer) => self.pointer(pointer).map(FactRead::Json),
        }
    }

    /// How something is asked for.
    pub(super) fn fact_ask(&mut self, node: &Node, scope: &Scope) -> Option<FactAsk> {
        if let Some(command) = node.get("command") {
            return self.shell(command, node, scope).map(FactAsk::Command);
        }
        let mut headers = BTreeMap::new();
        let mut secrets = BTreeMap::new();
        for entry in node.get("headers").map(Node::entries).unwrap_or_default() {
            match entry.value.get("secret") {
                Some(secret) => {
                    if let Some(secret) = self.secret_name(secret) {
                        secrets.insert(entry.key.clone(), secret);
                    }
                }
                None if carries_secrets(&entry.key) => {
                    let message = format!("`{}` is a header that holds a secret", shown(&entry.key));
                    let hint =
                        format!("write `{}: {{ secret: NAME }}`, or `bearer: NAME`", shown(&entry.key));
                    self.report.error(Code::Secret, entry.value.span, message).hint(hint);
                }
                None => {
                    if let Some(text) = self.template(&entry.value, scope) {
                        headers.insert(entry.key.clone(), text);
                    }
                }
            }
        }
        let bearer = match node.get("bearer") {
            Some(bearer) => Some(self.secret_name(bearer)?),
            None => None,
        };
        let (url, query) = match node.get("prometheus") {
            Some(prometheus) => {
                let url = prometheus.get("url").and_then(|url| self.address(url));
                let query = prometheus.get("query").and_then(|query| self.template(query, scope));
                let url = url.map(|url| format!("{}/api/v1/query?query=", url.trim_end_matches('/')));
                (url.map(Template)?, Some(query?))
            }
            None => (self.address_template(node.get("url")?, scope)?, None),
        };
        Some(FactAsk::Http { url, query, headers, secrets, bearer })
    }

    /// An address in which something is filled in: it is looked at with something harmless there.
    fn address_template(&mut self, node: &Node, scope: &Scope) -> Option<Template> {
        let text = self.template(node, scope)?;
        if !self.without_credentials(node, &text.0, false) {
            return None;
        }
        let start = text.0.strip_prefix("{{").and_then(|rest| rest.split_once("}}"));
        let looked_at = match start {
            Some((name, rest)) if name.trim() == "env.url" => {
                format!("https://example.org{}", sample(&Template(rest.to_owned())))
            }
            _ => sample(&text),
        };
        let rest = looked_at.strip_prefix("https://").or_else(|| looked_at.strip_prefix("http://"));
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\\' | '<' | '>' | '"' | '`');
        if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/') || rest.contains(odd)) {
            let message = format!("`{}` is no web address", shown(&text.0));
            let hint = "write `https://…`, or `{{ env.url }}/…` where the environments have addresses";
            self.report.error(Code::BadAddress, node.span, message).hint(hint);
            return None;
        }
        Some(text)
    }

    /// The gate of a kind that rests on facts, where it is one.
    pub(super) fn fact_gate(&mut self, node: &Node, scope: &Scope) -> Option<Option<FactGate>> {
        if let Some(list) = node.get("blockers") {
            return Some(self.blockers(node, list, scope));
        }
        if let Some(number) = node.get("metrics") {
            return Some(self.metrics(node, number, scope).map(|rule| FactGate::Metrics(Box::new(rule))));
        }
        if let Some(artifacts) = node.get("artifacts") {
            return Some(self.artifacts_gate(artifacts).map(FactGate::Artifacts));
        }
        if let Some(signed) = node.get("signed") {
            let rule = self.signatures(signed, "remove the gate");
            return Some(rule.map(|rule| FactGate::Signed(Box::new(rule))));
        }
        let result = node.get("ci")?;
        Some(self.ci(node, result, scope).map(|rule| FactGate::Ci(Box::new(rule))))
    }

    fn blockers(&mut self, node: &Node, list: &Node, scope: &Scope) -> Option<FactGate> {
        self.read_as(list, None);
        let spec = self.fact(list, scope);
        let mut place = |key| match node.get(key) {
            Some(name) => self.declared_environment(name).map(Some),
            None => Some(None),
        };
        let (from, not_in) = (place("from")?, place("not-in")?);
        let spec = spec?;
        if (from.is_some() || not_in.is_some()) && !speaks_of_environments(&spec) {
            let at = node.get("not-in").or(node.get("from")).map_or(list.span, |at| at.span);
            let message = "the list is the same for every environment";
            let hint = "let it say which one it is about, with `{{ env.name }}` or \"$TOLLGATE_ENVIRONMENT\"";
            self.report.error(Code::KeyConflict, at, message).hint(hint);
            return None;
        }
        Some(FactGate::Blockers { list: Box::new(spec), from, not_in })
    }

    fn metrics(&mut self, node: &Node, number: &Node, scope: &Scope) -> Option<MetricRule> {
        self.read_as(number, Some(FactType::Number));
        let spec = self.fact(number, scope);
        let from = match node.get("from") {
            Some(name) => Some(self.declared_environment(name)?),
            None => None,
        };
        let baseline = match node.get("baseline") {
            Some(start) if start.text() == Some("start") => Some(Baseline::Start),
            Some(name) => Some(Baseline::Environment(self.declared_environment(name)?)),
            None => None,
        };
        let bound = match (node.get("at-most"), node.get("at-least")) {
            (Some(most), None) => Bound::AtMost(self.bound(most, baseline.is_some())?),
            (None, Some(least)) => Bound::AtLeast(self.bound(least, baseline.is_some())?),
            (Some(_), Some(least)) => {
                let hint = "make two gates of it";
                self.report.error(Code::KeyConflict, least.span, "a number keeps one bound").hint(hint);
                return None;
            }
            (None, None) => {
                let hint = "write `at-most: 0.5`, or `at-least`";
                self.report
                    .error(Code::MissingKey, number.span, "nothing says what the number has to be")
                    .hint(hint);
                return None;
            }
        };
        let quiet = self.duration_of(node, "for");
        let spec = spec?;
        let elsewhere = from.is_some() || matches!(baseline, Some(Baseline::Environment(_)));
        if elsewhere && !speaks_of_environments(&spec) {
            let at = node.get("baseline").or(node.get("from")).map_or(number.span, |at| at.span);
            let message = "the number is the same for every environment";
            let hint = "let it say which one it is about, with `{{ env.name }}` or \"$TOLLGATE_ENVIRONMENT\"";
            self.report.error(Code::KeyConflict, at, message).hint(hint);
            return None;
        }
        Some(MetricRule { number: spec, from, bound, baseline, quiet })
    }

    fn bound(&mut self, node: &Node, relative: bool) -> Option<tollgate_core::facts::Decimal> {
        let text = node.text()?;
        let hint = match (relative, text.strip_suffix('%')) {
            (true, Some(percent)) => match percent.trim().parse() {
                Ok(number) => return Some(number),
                Err(_) => "write `110%`",
            },
            (true, None) => "with `baseline` it is a percentage of that: write `110%`",
            (false, Some(_)) => "a percentage needs a `baseline`",
            (false, None) => match text.parse() {
                Ok(number) => return Some(number),
                Err(_) => "write it as `0.5`",
            },
        };
        let message = format!("`{}` is no bound", shown(text));
        self.report.error(Code::BadValue, node.span, message).hint(hint);
        None
    }

    /// A result that has to be good; it has to speak of one commit, or an older one would do.
    fn ci(&mut self, beside: &Node, node: &Node, scope: &Scope) -> Option<CiRule> {
        self.read_as(node, Some(FactType::Text));
        let result = self.fact(node, scope)?;
        self.of_one_commit(node, &result)?;
        let words = |key, usual: &[&str]| match beside.get(key) {
            Some(words) => {
                words.items().iter().filter_map(|word| word.text().map(ToOwned::to_owned)).collect()
            }
            None => usual.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>(),
        };
        let (passed, failed) = (words("passed", &PASSED), words("failed", &FAILED));
        let failed = failed.into_iter().filter(|word| !passed.contains(word)).collect();
        Some(CiRule { result, passed, failed })
    }

    pub(super) fn of_one_commit(&mut self, node: &Node, spec: &FactSpec) -> Option<()> {
        let FactAsk::Http { url, .. } = &spec.ask else { return Some(()) };
        let uses = crate::template::names(&url.0).unwrap_or_default();
        if spec.about.is_some() || uses.iter().any(|used| OF_COMMIT.contains(&used.dotted().as_str())) {
            return Some(());
        }
        let message = "nothing says which commit the answer speaks of";
        let hint = "ask for `{{ commit }}`, `{{ tag }}` or `{{ version }}` in the address, or say with `commit` where it stands in the answer";
        self.report.error(Code::MissingKey, node.span, message).hint(hint);
        None
    }

    /// A step that waits for a good result.
    pub(super) fn ci_step(&mut self, step: &Node, node: &Node, scope: &Scope) -> Option<StepKind> {
        Some(StepKind::Wait(FactWait::Ci(Box::new(self.ci(step, node, scope)?))))
    }
}

/// Headers whose value nobody else may know.
fn carries_secrets(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["authorization", "token", "api-key", "apikey", "secret", "cookie", "password"]
        .iter()
        .any(|word| lower.contains(word))
}

/// Whether a fact is another one for another environment.
fn speaks_of_environments(spec: &FactSpec) -> bool {
    let speaks = |text: &Template| {
        let uses = crate::template::names(&text.0).unwrap_or_default();
        uses.iter().any(|used| used.dotted().starts_with("env."))
    };
    let by_variable = match &spec.ask {
        FactAsk::Command(shell) => shell.command.contains("TOLLGATE_ENVIRONMENT"),
        FactAsk::Http { .. } => false,
    };
    by_variable || texts(spec).any(speaks)
}

/// The texts of a question that are filled in.
pub(super) fn texts(spec: &FactSpec) -> Box<dyn Iterator<Item = &Template> + '_> {
    match &spec.ask {
        FactAsk::Command(shell) => Box::new(shell.variables.values()),
        FactAsk::Http { url, query, headers, .. } => {
            Box::new(std::iter::once(url).chain(query).chain(headers.values()))
        }
    }
}
