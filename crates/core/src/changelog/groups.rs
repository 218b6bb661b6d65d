//! Which change stands under which title.

use std::collections::HashMap;

use super::rules::Fate;
use super::{ChangelogRules, Rule};
use crate::commits::{Change, ChangeKind};

/// Where a breaking change goes that nothing else lists, when there is no list of breaking changes.
const CHANGED: &str = "Changed";

/// What is said of a change under a title.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) change: &'a Change,
    pub(super) text: &'a str,
    /// Whether it stands in the list of what breaks.
    pub(super) is_break: bool,
    /// What it breaks, where it is to be marked because there is no such list.
    pub(super) marked: Option<&'a str>,
}

impl<'a> Entry<'a> {
    /// A change as it stands.
    pub(super) fn of(change: &'a Change) -> Self {
        Self { change, text: &change.text, is_break: false, marked: None }
    }
}

/// The titles of a changelog, made once for all its releases.
#[derive(Debug)]
pub(super) struct Titles<'r> {
    names: Vec<&'r str>,
    /// Only ever looked up in, never walked through.
    by_type: HashMap<ChangeKind, usize>,
    breaking: Option<usize>,
    /// Where a breaking change goes that has no other place.
    homeless: usize,
    rest: Option<usize>,
    rules: Vec<(&'r Rule, Option<usize>)>,
}

impl<'r> Titles<'r> {
    pub(super) fn of(rules: &'r ChangelogRules) -> Self {
        let mut names: Vec<&'r str> = Vec::new();
        let mut place = |name: &'r str| {
            names.iter().position(|known| *known == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            })
        };
        let breaking = rules.breaking.as_deref().map(&mut place);
        let by_type =
            rules.sections.iter().map(|(name, title)| (ChangeKind::of_type(name), place(title))).collect();
        let fates = rules.rules.iter().map(|rule| match &rule.then {
            Fate::Skip => (rule, None),
            Fate::Section(title) => (rule, Some(place(title))),
        });
        let fates = fates.collect();
        let homeless = breaking.unwrap_or_else(|| place(rules.rest.as_deref().unwrap_or(CHANGED)));
        let rest = rules.rest.as_deref().map(place);
        Self { names, by_type, breaking, homeless, rest, rules: fates }
    }

    /// The titles in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &'r str> {
        self.names.iter().copied()
    }

    /// The entries under each title that has any, in the order of the titles; under each in the order of the changes.
    pub(super) fn group<'a>(&self, changes: &'a [Change]) -> Vec<(&'r str, Vec<Entry<'a>>)> {
        let mut groups: Vec<_> = self.names.iter().map(|name| (*name, Vec::new())).collect();
        for change in changes {
            let place = self.place(change);
            let entry = |text, is_break, marked| Entry { change, text, is_break, marked };
            let mut add = |place: usize, entry| groups[place].1.push(entry);
            match (&change.breaking, self.breaking) {
                (None, _) => {}
                (Some(text), Some(breaking)) => add(breaking, entry(text.as_str(), true, None)),
                (Some(text), None) => {
                    add(place.unwrap_or(self.homeless), entry(&change.text, false, Some(text)));
                    continue;
                }
            }
            if let Some(place) = place {
                add(place, entry(&change.text, false, None));
            }
        }
        groups.retain(|(_, entries)| !entries.is_empty());
        groups
    }

    fn place(&self, change: &Change) -> Option<usize> {
        if let Some((_, fate)) = self.rules.iter().find(|(rule, _)| rule.fits(change)) {
            return *fate;
        }
        self.by_type.get(&change.kind).copied().or(self.rest)
    }
}
