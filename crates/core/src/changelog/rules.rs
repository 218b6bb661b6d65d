//! How a changelog is written.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{ChangelogTemplate, Links, TicketUrl};
use crate::commits::Change;

/// How a changelog is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ChangelogRules {
    /// The form.
    pub style: Style,
    /// The title for each type of the convention, in the order in which they appear. Types with one title share it;
    /// types without one are left out. Pairs and no mapping: what a plan keeps as a mapping comes back sorted.
    pub sections: Vec<(String, String)>,
    /// The title of the list of breaking changes, which comes first. Without it they are marked where they stand.
    pub breaking: Option<String>,
    /// A title for everything that has none in `sections`, messages outside of the convention too; it comes last.
    /// Without it these are left out.
    pub rest: Option<String>,
    /// What is asked before `sections` and `rest`: the first that fits a change says where it goes.
    pub rules: Vec<Rule>,
    /// Where commits and issues are linked to.
    pub links: Links,
    /// Where tickets are linked to: by the key of a project (`ABC` for `ABC-12`), `bug` for `bug 12`.
    pub tickets: IndexMap<String, TicketUrl>,
    /// Whether those who made a change are named, and how.
    pub authors: Option<AuthorRules>,
}

/// How those who made a change are named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct AuthorRules {
    /// With their mail addresses.
    pub mail: bool,
    /// The title of a list of those of whom there was no commit before; without it there is none.
    pub newcomers: Option<String>,
}

/// The form of a changelog.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// As the program clog writes it: an anchor, a heading of the second level (of the third for a patch release),
    /// bullets grouped by scope.
    #[default]
    Clog,
    /// As keepachangelog.com describes it: "Unreleased" on top, comparisons as link references at the end.
    KeepAChangelog,
    /// As the tools around conventional-changelog write it with their preset `conventionalcommits`.
    ConventionalChangelog,
    /// A template of the team's own.
    Template(ChangelogTemplate),
}

impl Default for ChangelogRules {
    fn default() -> Self {
        Self::of_style(Style::Clog)
    }
}

impl ChangelogRules {
    /// What is usual for a style.
    pub fn of_style(style: Style) -> Self {
        let (sections, breaking): (&[(&str, &str)], _) = match &style {
            Style::Clog | Style::Template(_) => (
                &[("feat", "Features"), ("fix", "Bug Fixes"), ("perf", "Performance"), ("revert", "Reverts")],
                Some("Breaking Changes"),
            ),
            Style::KeepAChangelog => (
                &[
                    ("feat", "Added"),
                    ("perf", "Changed"),
                    ("revert", "Changed"),
                    ("deprecate", "Deprecated"),
                    ("remove", "Removed"),
                    ("fix", "Fixed"),
                    ("security", "Security"),
                ],
                None,
            ),
            Style::ConventionalChangelog => (
                &[
                    ("feat", "Features"),
                    ("fix", "Bug Fixes"),
                    ("perf", "Performance Improvements"),
                    ("revert", "Reverts"),
                ],
                Some("⚠ BREAKING CHANGES"),
            ),
        };
        Self {
            style,
            sections: sections
                .iter()
                .map(|(name, title)| ((*name).to_owned(), (*title).to_owned()))
                .collect(),
            breaking: breaking.map(ToOwned::to_owned),
            rest: None,
            rules: Vec::new(),
            links: Links::None,
            tickets: IndexMap::new(),
            authors: None,
        }
    }

    /// The keys of the tracker's projects, which commits are read for: `ABC` for `ABC-12`.
    pub fn ticket_keys(&self) -> Vec<String> {
        self.tickets.keys().filter(|name| *name != BUG).cloned().collect()
    }
}

/// The name under which `tickets` has the address of `bug 12`.
pub(super) const BUG: &str = "bug";

/// Where the changes go that fit. What is empty or not there fits all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rule {
    /// One of these types.
    #[serde(default)]
    pub types: Vec<String>,
    /// One of these scopes.
    #[serde(default)]
    pub scopes: Vec<Wildcard>,
    /// The first line of the message.
    #[serde(default)]
    pub subject: Option<Wildcard>,
    /// The name or the mail address of the author.
    #[serde(default)]
    pub author: Option<Wildcard>,
    /// Where they go.
    pub then: Fate,
}

/// Where a change goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Nowhere; what it breaks is told even so.
    Skip,
    /// Under this title.
    Section(String),
}

impl Rule {
    /// Whether a change fits.
    pub fn fits(&self, change: &Change) -> bool {
        let is = |wanted: &Option<Wildcard>, found: &str| wanted.as_ref().is_none_or(|one| one.fits(found));
        let any_type =
            || change.kind.type_name().is_some_and(|name| self.types.iter().any(|one| one == name));
        let any_scope =
            || change.scope.as_ref().is_some_and(|name| self.scopes.iter().any(|one| one.fits(name)));
        (self.types.is_empty() || any_type())
            && (self.scopes.is_empty() || any_scope())
            && is(&self.subject, &change.subject)
            && (is(&self.author, &change.author_name) || is(&self.author, &change.author_email))
    }
}

/// A text in which `*` stands for any text and `?` for one character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wildcard(pub String);

impl Wildcard {
    /// Whether the whole text is of this form. Letters are told apart from capitals.
    pub fn fits(&self, text: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.as_str(), text);
        // Where to go back to: after the last `*`, and what it has taken in so far.
        let mut again: Option<(&str, &str)> = None;
        loop {
            let (one, found) = (pattern.chars().next(), rest.chars().next());
            match (one, found) {
                (Some('*'), _) => {
                    pattern = &pattern[1..];
                    again = Some((pattern, rest));
                    continue;
                }
                (Some(one), Some(found)) if one == '?' || one == found => {
                    pattern = &pattern[one.len_utf8()..];
                    rest = &rest[found.len_utf8()..];
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            let Some((after, taken)) = again else { return false };
            let Some(next) = taken.chars().next() else { return false };
            rest = &taken[next.len_utf8()..];
            pattern = after;
            again = Some((after, rest));
        }
    }
}
