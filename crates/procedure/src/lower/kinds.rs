//! What a step does, kind by kind.

use std::collections::BTreeMap;

use tollgate_core::ids::EnvironmentName;
use tollgate_core::model::{
    GitCheck, GitCherryPick, GitMerge, MergeHow, MergeWay, Message, Shell, StepKind, Template, Who,
};

use super::Lower;
use super::scope::Scope;
use super::steps::Flow;
use crate::diagnostic::Code;
use crate::facts;
use crate::template;
use crate::tree::{Entry, Node};
use crate::words::{name_hint, shown};

impl Lower<'_> {
    pub(super) fn kind(
        &mut self,
        step: &Node,
        kind: &Entry,
        scope: &Scope,
        by: Option<&Who>,
        flow: &mut Flow,
    ) -> Option<StepKind> {
        let value = &kind.value;
        let at = kind.key_span;
        let in_parallel = flow.parallel > 0;
        flow.order.look(kind, in_parallel, self.report);
        match kind.key.as_str() {
            "git.check" => self.git_check(value, scope),
            "git.branch" => {
                let name = self.template(value, scope)?;
                self.branch_template(&name, value).then_some(StepKind::GitBranch { name })
            }
            "version.bump" => {
                if !self.declared.version_files {
                    let message = "there is no file to write the version into";
                    let hint = "name the `files` under `version`, or leave this step out";
                    self.report.error(Code::MissingKey, at, message).hint(hint);
                }
                Some(StepKind::VersionBump)
            }
            "changelog" => {
                if !self.declared.changelog {
                    let message = "there is no changelog to write to";
                    let hint = "add `changelog` with its `file` to the top of the file";
                    self.report.error(Code::MissingKey, at, message).hint(hint);
                }
                Some(StepKind::Changelog)
            }
            "git.commit" => self.git_commit(value, scope),
            "git.tag" => Some(StepKind::GitTag {
                message: self.template_of(value, "message", scope),
                sign: value.get("sign").and_then(Node::boolean),
            }),
            "git.push" => {
                let what: Vec<&str> = value.items().iter().filter_map(Node::text).collect();
                Some(StepKind::GitPush { branch: what.contains(&"branch"), tag: what.contains(&"tag") })
            }
            "git.merge" => self.git_merge(value, scope),
            "git.verify" => self.signatures(value, "remove the step").map(StepKind::GitVerify),
            "git.cherry-pick" => self.git_cherry_pick(value, scope),
            "shell" => {
                let command = value.get("command").unwrap_or(value);
                self.shell(command, value, scope).map(StepKind::Shell)
            }
            "load-test" => self.load_test(step, value, scope, by),
            "pack" => self.pack(kind, flow),
            "publish" => self.publish(value, scope),
            "manual" => {
                let instruction = self.template(value.get("do").unwrap_or(value), scope)?;
                let evidence = value.get("evidence").and_then(Node::boolean).unwrap_or(false);
                Some(StepKind::Manual { instruction, evidence })
            }
            "ask" => {
                let questions: Vec<_> = value.items().iter().filter_map(|item| self.question(item)).collect();
                (!questions.is_empty()).then_some(StepKind::Ask { questions })
            }
            "approval" => self.approval(step, value, by).map(StepKind::Approval),
            "vote" => self.vote(step, value, by).map(StepKind::Vote),
            "checklist" => self.checklist(step, value, scope).map(StepKind::Checklist),
            "ci" => self.ci_step(step, value, scope),
            "artifact" => self.artifact(step, value, scope),
            "hand-over" => self.hand_over(value),
            "message" => self.message(value, scope).map(StepKind::Message),
            "promote" => self.promote(value, flow),
            "parallel" => {
                let steps = self.parallel(value.items(), flow);
                Some(StepKind::Parallel { steps })
            }
            "phase" => {
                let nodes = value.get("steps").map(Node::items).unwrap_or_default();
                Some(StepKind::Phase { steps: self.steps(nodes, flow) })
            }
            _ => None,
        }
    }

    fn git_check(&mut self, node: &Node, scope: &Scope) -> Option<StepKind> {
        let branch = node.get("branch").and_then(|branch| {
            let name = self.template(branch, scope)?;
            self.branch_template(&name, branch).then_some(name)
        });
        let yes = |key: &str| node.get(key).and_then(Node::boolean).unwrap_or(true);
        Some(StepKind::GitCheck(GitCheck { branch, clean: yes("clean"), in_sync: yes("in-sync") }))
    }

    /// A branch's name is looked at with its holes filled by something harmless.
    pub(super) fn branch_template(&mut self, name: &Template, node: &Node) -> bool {
        self.branch_name(&sample(name), node)
    }

    fn git_commit(&mut self, node: &Node, scope: &Scope) -> Option<StepKind> {
        let message = self.template(node.get("message").unwrap_or(node), scope)?;
        Some(StepKind::GitCommit { message, sign: node.get("sign").and_then(Node::boolean) })
    }

    fn git_merge(&mut self, node: &Node, scope: &Scope) -> Option<StepKind> {
        let way = match (node.get("into"), node.get("from")) {
            (Some(into), _) => {
                let name = self.template(into, scope)?;
                self.branch_template(&name, into).then_some(MergeWay::Into(name))
            }
            (None, Some(from)) => {
                let name = self.text(from)?;
                self.branch_name(&name, from).then_some(MergeWay::From(name))
            }
            (None, None) => None,
        };
        let how = merge_how(node);
        if let (MergeHow::FfOnly, Some(useless)) = (how, node.get("message").or(node.get("sign"))) {
            let message = "there is no merge commit with `how: ff-only`";
            let hint = "leave `message` and `sign` out, or write `how: no-ff`";
            self.report.error(Code::KeyConflict, useless.span, message).hint(hint);
        }
        if let (Some(useless), Some(_)) = (node.entry("push"), node.get("from")) {
            let message = "what is merged `from` a branch is a part of the release, and is pushed with it";
            self.report.error(Code::KeyConflict, useless.key_span, message).hint("leave `push` out");
        }
        let message = self.template_of(node, "message", scope);
        let sign = node.get("sign").and_then(Node::boolean);
        let later = is_later(node);
        Some(StepKind::GitMerge(GitMerge { way: way?, how, message, sign, later }))
    }

    fn git_cherry_pick(&mut self, node: &Node, scope: &Scope) -> Option<StepKind> {
        let named = node.get("commits")?;
        let items = if named.text().is_some() { std::slice::from_ref(named) } else { named.items() };
        let mut commits = Vec::new();
        for item in items {
            let Some(text) = self.template(item, scope) else { continue };
            let words = text.0.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
            let odd = words.clone().find(|word| !is_commit_id(word));
            if let Some(word) = odd.filter(|_| !text.0.contains("{{")) {
                let message = format!("`{}` is not the full id of a commit", shown(word));
                let hint = "write all 40 digits, as `git log --format=%H` prints them";
                self.report.error(Code::BadValue, item.span, message).hint(hint);
                continue;
            }
            commits.push(text);
        }
        let mainline = node.get("mainline").and_then(Node::integer).and_then(|n| u32::try_from(n).ok());
        let sign = node.get("sign").and_then(Node::boolean);
        (!commits.is_empty()).then_some(StepKind::GitCherryPick(GitCherryPick { commits, mainline, sign }))
    }

    /// A command, with what stands beside it in `settings`.
    pub(super) fn shell(&mut self, command: &Node, settings: &Node, scope: &Scope) -> Option<Shell> {
        let text = command.text().map(|text| text.trim_end_matches('\n').to_owned());
        if let Some(text) = &text {
            self.nothing_filled_in(text, command);
        }
        let mut variables = BTreeMap::new();
        for entry in settings.get("variables").map(Node::entries).unwrap_or_default() {
            self.variable_name(entry);
            if let Some(value) = self.template(&entry.value, scope) {
                variables.insert(entry.key.clone(), value);
            }
        }
        let mut secrets = BTreeMap::new();
        for entry in settings.get("secrets").map(Node::entries).unwrap_or_default() {
            self.variable_name(entry);
            if variables.contains_key(&entry.key) {
                let message = format!("`{}` is a variable and a secret", shown(&entry.key));
                self.report.error(Code::KeyConflict, entry.key_span, message).hint("remove one of them");
            }
            if let Some(secret) = self.secret_name(&entry.value) {
                secrets.insert(entry.key.clone(), secret);
            }
        }
        let repeatable = settings.get("repeatable").and_then(Node::boolean).unwrap_or(false);
        Some(Shell { command: text?, variables, secrets, repeatable })
    }

    pub(super) fn secret_name(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.chars().all(good) && text.len() <= 128 {
            return Some(text);
        }
        // Not shown: it may be the secret itself.
        self.report.error(Code::Secret, node.span, "this is no name of a secret").hint(
            "the name stands here, of letters, digits, `-`, `_` and `.`; the secret itself is kept elsewhere",
        );
        None
    }

    /// Outside text in a command would be run: values come as variables, which the shell does not read as code.
    pub(super) fn nothing_filled_in(&mut self, text: &str, node: &Node) {
        let Some(open) = text.find("{{") else { return };
        let close = text[open..].find("}}").map_or(open + 2, |close| open + close + 2);
        let uses = template::names(&text[open..close]).unwrap_or_default();
        let hint = match uses.first().map(|used| (used.dotted(), facts::variable(&used.dotted()))) {
            Some((_, Some(variable))) => format!("write \"${variable}\""),
            Some((path, None)) => {
                let path = shown(&path);
                format!(
                    "write \"$VALUE\", and beside the command `variables: {{ VALUE: \"{{{{ {path} }}}}\" }}`"
                )
            }
            None => "values reach it as variables, such as \"$TOLLGATE_VERSION\"".to_owned(),
        };
        let span = self.inside(node, open..close);
        self.report.error(Code::TemplateHere, span, "nothing is filled into a command").hint(hint);
    }

    fn variable_name(&mut self, entry: &Entry) {
        let name = &entry.key;
        let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(letters) {
            let message = format!("`{}` cannot be the name of a variable", shown(name));
            let hint = "use letters, digits and `_`";
            self.report.error(Code::BadName, entry.key_span, message).hint(hint);
        } else if name.starts_with("TOLLGATE_") {
            let message = format!("`{}` is a name that Tollgate gives", shown(name));
            let hint = "choose one that does not start with `TOLLGATE_`";
            self.report.error(Code::BadName, entry.key_span, message).hint(hint);
        }
    }

    fn message(&mut self, node: &Node, scope: &Scope) -> Option<Message> {
        let via = node.get("via").and_then(|via| self.connection(via));
        let to = self.recipients(node.get("to").map(Node::items).unwrap_or_default());
        let subject = self.template_of(node, "subject", scope);
        let body = self.template_of(node, "body", scope);
        if let Some(at) = node.get("subject").filter(|_| subject.as_ref().is_some_and(|s| s.0.contains('\n')))
        {
            self.report.error(Code::WrongShape, at.span, "`subject` has to be on one line");
        }
        Some(Message { via: via?, to, subject: subject?, body: body? })
    }

    pub(super) fn has_mail(&mut self, who: &Who, node: &Node) {
        let people = self.people_named(who);
        let without = |name: &&_| self.declared.people.get(*name).is_some_and(|person| person.mail.is_none());
        if let Some(person) = people.iter().find(without) {
            let message = format!("`{person}` has no mail address to be told at");
            self.report.error(Code::MissingKey, node.span, message).hint("give the person a `mail`");
        }
    }

    fn promote(&mut self, node: &Node, flow: &mut Flow) -> Option<StepKind> {
        let name = self.declared_environment(node)?;
        let asked = flow.asked().clone();
        flow.order.promotions.push((name.clone(), node.span, asked));
        Some(StepKind::Promote { environment: name })
    }

    /// A declared environment.
    pub(super) fn declared_environment(&mut self, node: &Node) -> Option<EnvironmentName> {
        let text = node.text()?;
        if let Some(name) = self.declared.environments.keys().find(|name| name.as_str() == text) {
            return Some(name.clone());
        }
        let names = self.declared.environments.keys().map(EnvironmentName::as_str);
        let hint = name_hint(text, names, "declare it under `environments`");
        let message = format!("there is no environment `{}`", shown(text));
        self.report.error(Code::Unknown, node.span, message).hint(hint);
        None
    }
}

/// A text with its holes filled by something harmless.
pub(super) fn sample(template: &Template) -> String {
    let mut sample = String::new();
    let mut rest = template.0.as_str();
    while let Some((before, hole)) = rest.split_once("{{") {
        sample.push_str(before);
        sample.push('1');
        rest = hole.split_once("}}").map_or("", |(_, after)| after);
    }
    sample.push_str(rest);
    sample
}

fn is_commit_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

/// How a merge is made.
pub(super) fn merge_how(node: &Node) -> MergeHow {
    match node.get("how").and_then(Node::text) {
        Some("ff-only") => MergeHow::FfOnly,
        _ => MergeHow::NoFf,
    }
}

/// Whether a merge is left to the next push.
pub(super) fn is_later(merge: &Node) -> bool {
    merge.get("push").and_then(Node::text) == Some("later")
}
