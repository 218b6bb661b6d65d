//! The changelog: a section rendered from changes, put at the head of the file, and cut out again as release notes.
//!
//! The same changes under the same rules give the same bytes. What commits say is escaped: it can make neither a link
//! nor HTML nor a heading.

mod clog;
mod escape;
mod file;

use std::fmt;

use indexmap::IndexMap;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::commits::Change;
use crate::ids::ObjectId;
use crate::version::Version;

pub use escape::escape_markdown;
pub use file::{CHANGELOG_MAX_BYTES, ChangelogError, CutSection, cut, prepend};

/// How a changelog is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ChangelogRules {
    /// The form.
    pub style: Style,
    /// The title for each type of the convention, in the order in which they appear. Types with one title share it;
    /// types without one are left out.
    pub sections: IndexMap<String, String>,
    /// The title of the list of breaking changes, which comes first.
    pub breaking: String,
    /// A title for everything that has none in `sections`, messages outside of the convention too; it comes last.
    /// Without it these are left out.
    pub rest: Option<String>,
    /// Where commits and issues are linked to.
    pub links: Links,
}

impl Default for ChangelogRules {
    fn default() -> Self {
        let sections =
            [("feat", "Features"), ("fix", "Bug Fixes"), ("perf", "Performance"), ("revert", "Reverts")];
        Self {
            style: Style::Clog,
            sections: sections.into_iter().map(|(name, title)| (name.to_owned(), title.to_owned())).collect(),
            breaking: "Breaking Changes".to_owned(),
            rest: None,
            links: Links::None,
        }
    }
}

/// The form of a changelog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// As the program clog writes it: an anchor, a heading of the second level (of the third for a patch release),
    /// bullets grouped by scope.
    #[default]
    Clog,
}

/// Where the commits and issues in a changelog are linked to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Links {
    /// Nowhere: as clog does without a repository, the link's text is its target too.
    #[default]
    None,
    /// A forge with GitHub's paths, by the repository's page.
    Github(WebUrl),
    /// A forge with GitLab's paths, by the repository's page.
    Gitlab(WebUrl),
}

impl Links {
    /// The links for the page of a repository. The kind of forge is told by the host's name: GitLab's where it has
    /// `gitlab` in it, else GitHub's, which many others share.
    ///
    /// # Errors
    ///
    /// When the text is not such a page.
    pub fn to_page(page: &str) -> Result<Self, WebUrlError> {
        let page = WebUrl::new(page)?;
        let host = page.0.split('/').nth(2).unwrap_or_default().to_ascii_lowercase();
        Ok(if host.contains("gitlab") { Links::Gitlab(page) } else { Links::Github(page) })
    }

    fn commit(&self, id: &ObjectId) -> String {
        match self {
            Links::None => id.short().to_owned(),
            Links::Github(page) => format!("{page}/commit/{id}"),
            Links::Gitlab(page) => format!("{page}/-/commit/{id}"),
        }
    }

    fn issue(&self, number: u64) -> String {
        match self {
            Links::None => number.to_string(),
            Links::Github(page) => format!("{page}/issues/{number}"),
            Links::Gitlab(page) => format!("{page}/-/issues/{number}"),
        }
    }
}

/// The page of a repository: `http://` or `https://`, without user, query or fragment, and safe inside a Markdown link.
/// A `/` or `.git` at the end is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebUrl(String);

/// A text that is not the address of a repository's page. The text is not repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this cannot be the page of a repository: write it like `https://example.org/owner/name`, without user, password or query"
)]
pub struct WebUrlError;

impl WebUrl {
    /// Checks the text.
    ///
    /// # Errors
    ///
    /// When it is not such an address.
    pub fn new(text: &str) -> Result<Self, WebUrlError> {
        let text = text.trim_end_matches('/');
        let text = text.strip_suffix(".git").unwrap_or(text);
        let rest =
            text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(WebUrlError)?;
        let plain = rest.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/%+".contains(c));
        if plain && rest.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.len() <= 500 {
            Ok(Self(text.to_owned()))
        } else {
            Err(WebUrlError)
        }
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for WebUrl {
    type Error = WebUrlError;
    fn try_from(text: String) -> Result<Self, WebUrlError> {
        Self::new(&text)
    }
}

impl From<WebUrl> for String {
    fn from(url: WebUrl) -> String {
        url.0
    }
}

/// The part of a changelog that is about one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Section {
    /// The version.
    pub version: Version,
    /// The text: lines end in `\n`, with one at the end.
    pub text: String,
}

/// Renders the section of a version. The changes keep their order (git's, the newest first) under each title and scope.
/// `date` is the day of the release in the project's time zone.
pub fn render(rules: &ChangelogRules, version: &Version, date: Date, changes: &[Change]) -> Section {
    let text = match rules.style {
        Style::Clog => clog::render(rules, version, date, changes),
    };
    Section { version: version.clone(), text }
}

#[cfg(test)]
mod tests;
