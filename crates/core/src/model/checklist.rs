//! Checklists: what people look at, one item at a time.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::Template;
use crate::ids::ItemName;

/// The most items of one checklist, with those of everything it is gone over for.
pub const CHECKLIST_MAX: usize = 200;

/// A list of things to look at, each with an answer of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Checklist {
    /// Its groups, in order.
    pub groups: Vec<ChecklistGroup>,
}

/// Items under one heading.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChecklistGroup {
    /// The heading; none for items that stand by themselves.
    pub title: Option<String>,
    /// The items, in order.
    pub items: Vec<ChecklistItem>,
}

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChecklistItem {
    /// Its name, unique in the checklist; its number where the file gives none.
    pub id: ItemName,
    /// What to look at.
    pub text: Template,
    /// How long it usually takes.
    pub takes: Option<SignedDuration>,
    /// What has to be handed in with a yes.
    pub evidence: Handed,
    /// Whether "not run" is an answer that counts.
    pub optional: bool,
}

/// What has to be handed in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handed {
    /// Nothing.
    #[default]
    Nothing,
    /// Something: what was seen, a result, a link.
    Something,
    /// A web address.
    Link,
}

impl Checklist {
    /// Its items, with the heading each stands under.
    pub fn items(&self) -> impl Iterator<Item = (Option<&str>, &ChecklistItem)> {
        self.groups.iter().flat_map(|group| group.items.iter().map(|item| (group.title.as_deref(), item)))
    }
}
