//! Labels of pull requests, where they decide the version.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use tollgate_core::model::{BumpSource, FactAsk, VersionSpec};
use tollgate_core::pulls::{LabelRules, Unlabelled, is_label};

use super::Lower;
use super::scope::Scope;
use super::version::weight;
use crate::diagnostic::Code;
use crate::tree::Node;
use crate::words::shown;

/// How long one question may take where the file does not say.
const TIMEOUT: SignedDuration = SignedDuration::from_secs(30);

impl Lower<'_> {
    /// Puts what labels ask for into the rules of the version.
    pub(super) fn labels(&mut self, root: &Node, version: &mut VersionSpec) {
        let decide = version.next.bump == BumpSource::Labels;
        let Some(node) = root.get("labels") else {
            if let Some(bump) = root.get("version").and_then(|version| version.get("bump")).filter(|_| decide)
            {
                let message = "nothing says where labels are asked for, and what they ask for";
                let hint = "add `labels`, with `url` or `command`, and `types`";
                self.report.error(Code::MissingKey, bump.span, message).hint(hint);
            }
            return;
        };
        if !decide {
            let message = "without `bump: labels` under `version`, labels decide nothing";
            self.report.error(Code::BadValue, node.span, message).hint("add it, or remove `labels`");
        }
        version.next.labels = self.label_rules(node).map(Box::new);
    }

    fn label_rules(&mut self, node: &Node) -> Option<LabelRules> {
        let scope = Scope { pull: true, ..Scope::default() };
        let ask = self.fact_ask(node, &scope);
        if let (Some(FactAsk::Http { url, .. }), Some(at)) = (&ask, node.get("url")) {
            let uses = crate::template::names(&url.0).unwrap_or_default();
            if !uses.iter().any(|used| used.dotted() == "pull.number") {
                let message = "the answer is the same for every pull request";
                let hint = "say which one is meant, with `{{ pull.number }}`";
                self.report.error(Code::BadAddress, at.span, message).hint(hint);
            }
        }
        let read = self.fact_read(node);
        let timeout = self.duration_of(node, "timeout").unwrap_or(TIMEOUT);
        let mut types = BTreeMap::new();
        for entry in node.get("types").map(Node::entries).unwrap_or_default() {
            if !is_label(&entry.key) {
                let message = format!("`{}` cannot be a label", shown(&entry.key));
                let hint = "write it as it is shown on a pull request, without spaces around it";
                self.report.error(Code::BadName, entry.key_span, message).hint(hint);
            } else if let Some(weight) = weight(&entry.value) {
                types.insert(entry.key.clone(), weight);
            }
        }
        let other = match node.get("other").and_then(Node::text) {
            None | Some("ask") => Unlabelled::Ask,
            Some("commits") => Unlabelled::Commits,
            Some(_) => Unlabelled::Counts(node.get("other").and_then(weight)?),
        };
        Some(LabelRules { ask: ask?, read: read?, timeout, types, other })
    }
}
