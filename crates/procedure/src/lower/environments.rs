//! Environments: where they come from, how they are deployed to, how they are looked at.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use jiff::SignedDuration;
use tollgate_core::ids::{EnvironmentName, QuestionName};
use tollgate_core::model::{Deploy, Environment, Probe, ProbeRead};

use super::gates::Entered;
use super::kinds::merge_how;
use super::scope::Scope;
use super::steps::Flow;
use super::{EnvironmentUse, Environments, Lower, place};
use crate::diagnostic::Code;
use crate::grammar::PROBE_READS;
use crate::tree::{Entry, Node};
use crate::words::{name_hint, shown};

/// Names that can only mean the real thing.
const PRODUCTION: &[&str] = &["production", "prod", "live"];

/// Ids that the parts of a promotion have.
const PARTS: &[&str] = &["enter", "deploy", "live", "verified"];

impl Lower<'_> {
    /// Makes the names known, since gates and steps speak of them.
    pub(super) fn declare_environments(&mut self, root: &Node) {
        for entry in root.get("environments").map(Node::entries).unwrap_or_default() {
            if let Ok(name) = EnvironmentName::new(entry.key.as_str()) {
                self.declared.environments.insert(name, entry.value.get("url").is_some());
            }
        }
    }

    pub(super) fn environments(
        &mut self,
        root: &Node,
        for_all: &BTreeSet<QuestionName>,
    ) -> (Environments, IndexMap<EnvironmentName, EnvironmentUse>) {
        let mut environments = Environments::new();
        let mut uses = IndexMap::new();
        let entries = root.get("environments").map(Node::entries).unwrap_or_default();
        for (position, entry) in entries.iter().enumerate() {
            let name = self.name(&entry.key, entry.key_span, EnvironmentName::new);
            let from = self.from(entry, entries, position);
            let environment = self.environment(entry, from.clone());
            let mut answers = std::mem::take(&mut self.answers_used);
            answers.extend(for_all.iter().cloned());
            let Some(name) = name else { continue };
            uses.insert(name.clone(), EnvironmentUse { from, answers });
            if let Some(environment) = environment {
                environments.insert(name, environment);
            }
        }
        (environments, uses)
    }

    /// The environment before: declared, above this one, and there for all but the first.
    fn from(&mut self, entry: &Entry, entries: &[Entry], position: usize) -> Option<EnvironmentName> {
        let Some(node) = entry.value.get("from") else {
            self.without_from(entry, entries, position);
            return None;
        };
        let text = node.text()?;
        let Some(other) = entries.iter().position(|one| one.key == text) else {
            let hint = name_hint(text, entries.iter().map(|one| one.key.as_str()), "");
            let message = format!("there is no environment `{}`", shown(text));
            self.report.error(Code::Unknown, node.span, message).hint(hint);
            return None;
        };
        if other == position {
            let message = format!("`{}` comes from itself", shown(text));
            self.report.error(Code::EnvironmentOrder, node.span, message);
            return None;
        }
        if other > position {
            let circle = comes_from(&entries[other], entries).any(|name| name == entry.key);
            let (message, hint) = if circle {
                let message = format!("`{}` and `{}` come from each other", shown(&entry.key), shown(text));
                (message, "the first environment has no `from`")
            } else {
                let message =
                    format!("`{}` stands below `{}`, which comes from it", shown(text), shown(&entry.key));
                (message, "write environments in the order in which a release goes through them")
            };
            self.report.error(Code::EnvironmentOrder, node.span, message).hint(hint);
            return None;
        }
        EnvironmentName::new(text).ok()
    }

    fn without_from(&mut self, entry: &Entry, entries: &[Entry], position: usize) {
        let lower = entry.key.to_ascii_lowercase();
        let first = entries.first().map(|first| first.key.as_str()).unwrap_or_default();
        let named_above = |one: &Entry| one.value.get("from").and_then(Node::text) == Some(&entry.key);
        if entries[..position].iter().any(named_above) {
            return; // It stands too low, which is reported there.
        }
        if position > 0 {
            let before = entries.get(position - 1).map_or(first, |before| before.key.as_str());
            let message = format!("`{}` does not say which environment comes before it", shown(&entry.key));
            let hint =
                format!("write `from: {}`; only the first environment is entered without it", shown(before));
            self.report.error(Code::NoFrom, entry.key_span, message).hint(hint);
        } else if PRODUCTION.contains(&lower.as_str()) {
            let message = format!("nothing is verified before it comes to `{}`", shown(&entry.key));
            let hint = "declare the environment before it, and write `from` with its name";
            self.report.error(Code::NoFrom, entry.key_span, message).hint(hint);
        }
    }

    fn environment(&mut self, entry: &Entry, from: Option<EnvironmentName>) -> Option<Environment> {
        let node = &entry.value;
        let url = node.get("url").and_then(|url| self.address(url));
        let has_url = node.get("url").is_some();
        let entered = EnvironmentName::new(entry.key.as_str()).ok();
        let entered = entered.map(|name| Entered { name, has_url, from: from.clone() });
        let gates = node.get("gates").map(|gates| self.gates(gates, entered)).unwrap_or_default();
        let scope = Scope { environment: Some(has_url), ..Scope::default() };
        let mut flow = Flow::of_environment(node, PARTS, &["before", "verify", "after"], has_url);
        self.take_ids(node, &mut flow);
        let mut section = |lower: &mut Self, key: &'static str| {
            flow.enter_section(key);
            let steps = node.get(key).map(Node::items).unwrap_or_default();
            lower.steps(steps, &mut flow)
        };
        let before = section(self, "before");
        let verify = section(self, "verify");
        let after = section(self, "after");
        let deploy = node.get("deploy").and_then(|deploy| self.deploy(deploy, &scope));
        let probe = node.get("probe").and_then(|probe| self.probe(probe, &scope));
        if matches!(deploy, Some(Deploy::Observed | Deploy::Merge { .. })) {
            self.seen(node, probe.as_ref());
        }
        let place = place(entry.key_span);
        Some(Environment { from, url, gates, before, deploy: deploy?, probe, verify, after, place })
    }

    /// What others deploy, also because a branch moved on, has to be seen by a probe that reads the version.
    fn seen(&mut self, node: &Node, probe: Option<&Probe>) {
        let at = node.entry("deploy").map_or(node.span, |entry| entry.value.span);
        if node.get("probe").is_none() {
            self.report
                .error(Code::MissingKey, at, "nothing would notice what others deploy")
                .hint("add a `probe` that reads the version");
        } else if probe.is_some_and(|probe| matches!(probe.read, ProbeRead::Status(_))) {
            self.report
                .error(Code::KeyConflict, at, "a status does not tell which version others deployed")
                .hint("let the `probe` read the version with `json` or `body`, or use `dockerflow`");
        }
    }

    fn deploy(&mut self, node: &Node, scope: &Scope) -> Option<Deploy> {
        if node.text() == Some("observed") {
            return Some(Deploy::Observed);
        }
        if let Some(instruction) = node.get("manual") {
            let instruction = self.template(instruction, scope);
            let by = self.by(node);
            return Some(Deploy::Manual { instruction: instruction?, by });
        }
        if let Some(branch) = node.get("merge") {
            let name = self.template(branch, scope)?;
            let (how, by) = (merge_how(node), self.by(node));
            return self.branch_template(&name, branch).then_some(Deploy::Merge { branch: name, how, by });
        }
        let command = node.get("command")?;
        let shell = self.shell(command, node, scope);
        let timeout = self.duration_of(node, "timeout").unwrap_or(SignedDuration::from_hours(1));
        Some(Deploy::Command { shell: shell?, timeout })
    }

    fn probe(&mut self, node: &Node, scope: &Scope) -> Option<Probe> {
        let asked = self.probe_target(node);
        let expect = self.template_of(node, "expect", scope);
        let within = self.duration_of(node, "within").unwrap_or(SignedDuration::from_mins(15));
        let every = self.duration_of(node, "every").unwrap_or(SignedDuration::from_secs(10));
        let times = self.count_of(node, "times").unwrap_or(1);
        let (url, read) = asked?;
        if let (ProbeRead::Status(_), Some(entry)) = (&read, node.entry("expect")) {
            let message = "`expect` says nothing beside `status`, which reads no version";
            self.report.error(Code::KeyConflict, entry.key_span, message).hint("remove one of them");
        }
        let needed = every.checked_mul(i32::try_from(times.saturating_sub(1)).unwrap_or(i32::MAX));
        if needed.is_none_or(|needed| needed >= within) {
            let at = ["times", "every", "within"].into_iter().find_map(|key| node.entry(key));
            let message = format!("{times} looks, one `every` {every:#}, do not fit `within` {within:#}");
            let span = at.map_or(node.span, |entry| entry.key_span);
            self.report.error(Code::BadValue, span, message).hint("look for longer, or more often");
        }
        Some(Probe { url, read, expect, within, every, times })
    }

    fn probe_target(&mut self, node: &Node) -> Option<(String, ProbeRead)> {
        if let Some(base) = node.get("dockerflow") {
            let address = self.address(base)?;
            if address.contains(['?', '#']) {
                let message = "this address ends where `/__version__` is added";
                self.report
                    .error(Code::BadAddress, base.span, message)
                    .hint("remove what follows `?` or `#`");
                return None;
            }
            let address = address.trim_end_matches('/').trim_end_matches("/__version__");
            return Some((format!("{address}/__version__"), ProbeRead::Json("/version".to_owned())));
        }
        let address = node.get("url").and_then(|url| self.address(url));
        let read = PROBE_READS.iter().find_map(|key| node.get(key).map(|value| (*key, value)));
        let read = match read? {
            ("json", pointer) => ProbeRead::Json(self.pointer(pointer)?),
            ("status", status) => ProbeRead::Status(u16::try_from(status.integer()?).ok()?),
            _ => ProbeRead::Body,
        };
        Some((address?, read))
    }
}

/// The environments that come before one, as far as they are declared and each once.
fn comes_from<'n>(start: &'n Entry, entries: &'n [Entry]) -> impl Iterator<Item = &'n str> {
    let next = move |entry: &&'n Entry| {
        let name = entry.value.get("from")?.text()?;
        entries.iter().find(|one| one.key == name)
    };
    std::iter::successors(Some(start), next).take(entries.len() + 1).map(|entry| entry.key.as_str())
}
