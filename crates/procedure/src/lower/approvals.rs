//! So many of these people: approvals and sign-offs.

use tollgate_core::ids::PersonName;
use tollgate_core::model::{ApprovalRule, FacetName, SignOff, Who};

use super::Lower;
use crate::diagnostic::{Code, Span};
use crate::tree::Node;

impl Lower<'_> {
    /// What it takes to change the policy.
    pub(super) fn sign_off(&mut self, node: &Node) -> Option<SignOff> {
        let by = self.fixed(node, "by");
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
        let by = self.binding(step, inherited);
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
        let exclude = self.excluded(node);
        let by = by?;
        let at = node.get("count").map_or(step.span, |count| count.span);
        if self.enough_without(&by, &exclude, count, at) && !allow_self {
            self.tight(&by, &exclude, count, at);
        }
        Some(ApprovalRule { by, exclude, count, allow_self, covers, valid })
    }

    /// A key that can stand in a mapping or beside it, and not at both places.
    fn once<'n>(&mut self, outer: &'n Node, inner: &'n Node, key: &str) -> Option<&'n Node> {
        if let (Some(_), Some(again)) = (inner.get(key), outer.entry(key)) {
            let message = format!("`{key}` is said twice, here and in `approval`");
            self.report.error(Code::KeyConflict, again.key_span, message).hint("remove one of them");
        }
        inner.get(key).or_else(|| outer.get(key))
    }

    /// Who approves or votes: people, a group or a role. Whoever did another step is nobody who could be counted.
    pub(super) fn binding(&mut self, step: &Node, inherited: Option<&Who>) -> Option<Who> {
        let (by, at) = match step.get("by") {
            Some(by) if by.get("same-as").is_some() => (None, by.span),
            Some(by) => return self.who(by),
            None if matches!(inherited, Some(Who::SameAs(_))) => (None, step.span),
            None => return inherited.cloned(),
        };
        let message = "an approval or a vote is not for whoever did another step";
        let hint = "name a group, a role or a person with `by` beside it";
        self.report.error(Code::BadValue, at, message).hint(hint);
        by.or_else(|| inherited.filter(|who| !matches!(who, Who::SameAs(_))).cloned())
    }

    /// Who may not approve: one or several.
    fn excluded(&mut self, node: &Node) -> Vec<Who> {
        let Some(exclude) = node.get("exclude") else { return Vec::new() };
        match exclude.scalar() {
            Some(_) => self.who(exclude).into_iter().collect(),
            None => exclude.items().iter().filter_map(|item| self.who(item)).collect(),
        }
    }

    /// The people of a rule by name; of a role, those who can fill it.
    pub(super) fn people_named(&self, who: &Who) -> Vec<PersonName> {
        match who {
            Who::Person(person) => vec![person.clone()],
            Who::Group(group) => self.declared.groups.get(group).cloned().unwrap_or_default(),
            Who::Role(role) => {
                self.declared.roles.get(role).map(|role| self.people_named(&role.of)).unwrap_or_default()
            }
            Who::SameAs(_) => Vec::new(),
            Who::Either(one, other) => [self.people_named(one), self.people_named(other)].concat(),
        }
    }

    /// How many people there are without those who are always left out. One at a time fills a role.
    fn people_of(&self, who: &Who, exclude: &[Who]) -> usize {
        let (roles, fixed): (Vec<&Who>, Vec<&Who>) =
            exclude.iter().partition(|who| matches!(who, Who::Role(_)));
        let out: Vec<PersonName> = fixed.into_iter().flat_map(|who| self.people_named(who)).collect();
        let people = self.people_named(who).into_iter().filter(|person| !out.contains(person)).count();
        let people = people.saturating_sub(roles.len());
        if matches!(who, Who::Role(_)) { people.min(1) } else { people }
    }

    /// Whether there are as many people as are asked for.
    pub(super) fn enough(&mut self, by: &Who, count: u32, at: Span) -> bool {
        self.enough_without(by, &[], count, at)
    }

    /// The same, without those who are left out.
    fn enough_without(&mut self, by: &Who, exclude: &[Who], count: u32, at: Span) -> bool {
        let people = self.people_of(by, exclude);
        if usize::try_from(count).is_ok_and(|count| count <= people) {
            return true;
        }
        let has = match by {
            _ if !exclude.is_empty() => format!("`{by}` has {people} without those who are left out"),
            Who::Person(_) => format!("`{by}` is one person"),
            Who::Role(_) | Who::SameAs(_) | Who::Either(..) => {
                format!("one person at a time fills the role `{by}`")
            }
            Who::Group(_) if people == 1 => format!("`{by}` is a group of one"),
            Who::Group(_) => format!("`{by}` is a group of {people}"),
        };
        self.report
            .error(Code::TooFewPeople, at, format!("{count} people are asked for, and {has}"))
            .hint("ask for fewer, or add people to the group");
        false
    }

    /// Warns when everybody of a group is needed: whoever started the run, or wrote a commit, may not approve.
    pub(super) fn tight(&mut self, by: &Who, exclude: &[Who], count: u32, at: Span) {
        // Another one can be named for a role.
        let people = match by {
            Who::Role(_) => self.people_named(by).len(),
            _ => self.people_of(by, exclude),
        };
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
