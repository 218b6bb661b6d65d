//! Votes: period, quorum, majority.

use tollgate_core::model::{Majority, VoteRule, Who};

use super::Lower;
use crate::diagnostic::Code;
use crate::tree::Node;

impl Lower<'_> {
    /// A vote of a step or gate. `by` stands beside it, or is passed on from the group the step is in.
    pub(super) fn vote(&mut self, step: &Node, node: &Node, inherited: Option<&Who>) -> Option<VoteRule> {
        let by = self.binding(step, inherited);
        let span = step.entry("vote").map_or(step.span, |entry| entry.key_span);
        if by.is_none() && step.get("by").is_none() {
            self.report
                .error(Code::MissingKey, span, "the vote does not say whose votes bind")
                .hint("write `by` with a group or a person beside `vote`");
        }
        let yes = |key: &str| node.get(key).and_then(Node::boolean).unwrap_or(false);
        let lazy = yes("lazy");
        let at_least = self.duration_of(node, "at-least");
        let closes = self.duration_of(node, "closes");
        if let (Some(at), true) = (node.entry("quorum"), lazy) {
            let message = "a vote in which silence is a yes has no quorum";
            self.report.error(Code::KeyConflict, at.key_span, message).hint("remove `quorum` or `lazy`");
        }
        if lazy && node.get("at-least").is_none() {
            let message = "silence needs a time after which it is a yes";
            self.report
                .error(Code::MissingKey, span, message)
                .hint("add `at-least`, such as `at-least: 72h`");
        }
        if let (Some(entry), Some(closes), Some(at_least)) = (node.entry("closes"), closes, at_least)
            && closes <= at_least
        {
            let message = "the vote closes before its period is over";
            let hint = "`closes` counts from the opening too: make it longer than `at-least`";
            self.report.error(Code::BadValue, entry.value.span, message).hint(hint);
        }
        let early = self.count_of(node, "early");
        if let Some(entry) = node.entry("early")
            && node.get("at-least").is_none()
        {
            let message = "without a period a vote passes as soon as the votes are there";
            self.report
                .error(Code::KeyConflict, entry.key_span, message)
                .hint("remove `early`, or add `at-least`, such as `at-least: 72h`");
        }
        let majority = match node.get("majority").and_then(Node::text) {
            Some("two-thirds") => Majority::TwoThirds,
            Some("unanimous") => Majority::Unanimous,
            _ => Majority::Simple,
        };
        let quorum = if lazy { 0 } else { self.count_of(node, "quorum").unwrap_or(1) };
        if let (Some(early), Some(entry)) = (early, node.entry("early"))
            && early < quorum
        {
            let message = "fewer votes than the quorum pass nothing";
            self.report
                .error(Code::BadValue, entry.value.span, message)
                .hint(format!("write {quorum} or more"));
        }
        let by = by?;
        self.enough(&by, early.unwrap_or(0), node.get("early").map_or(span, |early| early.span));
        self.enough(&by, quorum, node.get("quorum").map_or(span, |quorum| quorum.span));
        Some(VoteRule { by, at_least, quorum, majority, veto: yes("veto"), lazy, early, closes })
    }
}
