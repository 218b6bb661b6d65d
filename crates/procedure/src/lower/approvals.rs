//! So many of these people: approvals and sign-offs.

use tollgate_core::model::{ApprovalRule, FacetName, SignOff, Who};

use super::Lower;
use crate::diagnostic::{Code, Span};
use crate::tree::Node;

impl Lower<'_> {
    /// What it takes to change the policy.
    pub(super) fn sign_off(&mut self, node: &Node) -> Option<SignOff> {
        let by = self.by(node);
        let count = self.count_of(node, "count").unwrap_or(1);
        let by = by?;
        self.enough(&by, count, node.get("count").map_or(node.span, |count| count.span));
        Some(SignOff { by, count })
    }

    /// An approval of a step or gate. `by` stands beside it, or is passed on from the group the step is in.
    pub(super) fn approval(
        &mut self,
        step: &Node,
        node: &Node,
        inherited: Option<&Who>,
    ) -> Option<ApprovalRule> {
        let by = match step.get("by") {
            Some(by) => self.who(by),
            None => inherited.cloned(),
        };
        if by.is_none() && step.get("by").is_none() {
            let span = step.entry("approval").map_or(step.span, |entry| entry.key_span);
            self.report
                .error(Code::MissingKey, span, "the approval does not say by whom")
                .hint("write `by` with a group or a person beside `approval`");
        }
        let count = self.count_of(node, "count").unwrap_or(1);
        let allow_self = node.get("allow-self").and_then(Node::boolean).unwrap_or(false);
        let covers = self.once(step, node, "covers").map(facets);
        let valid = self.once(step, node, "valid").and_then(|valid| self.duration(valid));
        let by = by?;
        let at = node.get("count").map_or(step.span, |count| count.span);
        if self.enough(&by, count, at) && !allow_self {
            self.tight(&by, count, at);
        }
        Some(ApprovalRule { by, count, allow_self, covers, valid })
    }

    /// A key that can stand in a mapping or beside it, and not at both places.
    fn once<'n>(&mut self, outer: &'n Node, inner: &'n Node, key: &str) -> Option<&'n Node> {
        if let (Some(_), Some(again)) = (inner.get(key), outer.entry(key)) {
            let message = format!("`{key}` is said twice, here and in `approval`");
            self.report.error(Code::KeyConflict, again.key_span, message).hint("remove one of them");
        }
        inner.get(key).or_else(|| outer.get(key))
    }

    fn people_of(&self, who: &Who) -> usize {
        match who {
            Who::Person(_) => 1,
            Who::Group(group) => self.declared.groups.get(group).map_or(0, Vec::len),
        }
    }

    /// Whether there are as many people as are asked for.
    pub(super) fn enough(&mut self, by: &Who, count: u32, at: Span) -> bool {
        let people = self.people_of(by);
        if usize::try_from(count).is_ok_and(|count| count <= people) {
            return true;
        }
        let has = match by {
            Who::Person(_) => format!("`{by}` is one person"),
            Who::Group(_) if people == 1 => format!("`{by}` is a group of one"),
            Who::Group(_) => format!("`{by}` is a group of {people}"),
        };
        self.report
            .error(Code::TooFewPeople, at, format!("{count} people are asked for, and {has}"))
            .hint("ask for fewer, or add people to the group");
        false
    }

    /// Warns when everybody of a group is needed: whoever started the run, or wrote a commit, may not approve.
    fn tight(&mut self, by: &Who, count: u32, at: Span) {
        let people = self.people_of(by);
        if usize::try_from(count).is_ok_and(|count| count < people) {
            return;
        }
        let message = match people {
            1 => format!("only one person is in `{by}`, and nobody approves a release of their own"),
            _ => {
                format!("all {people} of `{by}` have to approve, and nobody approves a release of their own")
            }
        };
        let hint = "add people, ask for fewer, or write `allow-self: true` so that everybody sees it";
        self.report.warning(Code::TightApproval, at, message).hint(hint);
    }
}

/// The facets of a list; what is none was reported by the grammar.
pub(super) fn facets(node: &Node) -> Vec<FacetName> {
    let known = |text: &str| {
        Some(match text {
            "source" => FacetName::Source,
            "tag" => FacetName::Tag,
            "digest" => FacetName::Digest,
            "notes" => FacetName::Notes,
            "schema" => FacetName::Schema,
            "procedure" => FacetName::Procedure,
            _ => return None,
        })
    };
    let mut found: Vec<FacetName> = node.items().iter().filter_map(Node::text).filter_map(known).collect();
    found.sort_unstable();
    found.dedup();
    found
}
