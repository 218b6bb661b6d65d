//! Where commits, comparisons, pull requests and tickets are linked to.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::ids::ObjectId;

/// Where the commits and tickets in a changelog are linked to.
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
    /// A forge with Bitbucket's paths, by the repository's page.
    Bitbucket(WebUrl),
    /// A forge with the paths of Gitea and Forgejo, by the repository's page.
    Gitea(WebUrl),
}

impl Links {
    /// The links for the page of a repository. The kind of forge is told by the host's name: GitLab's where it has
    /// `gitlab` in it, so too for `bitbucket`, `gitea`, `forgejo` and `codeberg`, else GitHub's, which many others share.
    ///
    /// # Errors
    ///
    /// When the text is not such a page.
    pub fn to_page(page: &str) -> Result<Self, WebUrlError> {
        let page = WebUrl::new(page)?;
        let host = page.0.split('/').nth(2).unwrap_or_default().to_ascii_lowercase();
        let has = |word: &str| host.contains(word);
        Ok(if has("gitlab") {
            Links::Gitlab(page)
        } else if has("bitbucket") {
            Links::Bitbucket(page)
        } else if ["gitea", "forgejo", "codeberg"].into_iter().any(has) {
            Links::Gitea(page)
        } else {
            Links::Github(page)
        })
    }

    /// The same page at a forge with the paths of `gitlab`, `bitbucket` or `gitea`; of GitHub for any other word.
    pub fn of_kind(self, kind: &str) -> Self {
        let page = match self {
            Links::None => return self,
            Links::Github(page) | Links::Gitlab(page) | Links::Bitbucket(page) | Links::Gitea(page) => page,
        };
        match kind {
            "gitlab" => Links::Gitlab(page),
            "bitbucket" => Links::Bitbucket(page),
            "gitea" => Links::Gitea(page),
            _ => Links::Github(page),
        }
    }

    /// Whether they lead nowhere.
    pub fn is_none(&self) -> bool {
        *self == Links::None
    }

    pub(super) fn write_commit(&self, out: &mut String, id: &ObjectId) {
        let (page, path) = match self {
            Links::None => return out.push_str(id.short()),
            Links::Github(page) | Links::Gitea(page) => (page, "/commit/"),
            Links::Gitlab(page) => (page, "/-/commit/"),
            Links::Bitbucket(page) => (page, "/commits/"),
        };
        for part in [&page.0, path, &id.0] {
            out.push_str(part);
        }
    }

    pub(super) fn write_issue(&self, out: &mut String, number: u64) {
        let _ = match self {
            Links::None => write!(out, "{number}"),
            Links::Github(page) | Links::Gitea(page) | Links::Bitbucket(page) => {
                write!(out, "{page}/issues/{number}")
            }
            Links::Gitlab(page) => write!(out, "{page}/-/issues/{number}"),
        };
    }

    /// The page of a pull request (a merge request at GitLab); nothing where there are no links.
    pub(super) fn write_pull(&self, out: &mut String, number: u64) {
        let (page, path) = match self {
            Links::None => return,
            Links::Github(page) => (page, "/pull/"),
            Links::Gitlab(page) => (page, "/-/merge_requests/"),
            Links::Bitbucket(page) => (page, "/pull-requests/"),
            Links::Gitea(page) => (page, "/pulls/"),
        };
        let _ = write!(out, "{page}{path}{number}");
    }

    /// What changed between two revisions; none where there are no links.
    pub fn compare(&self, from: &str, to: &str) -> Option<String> {
        let (from, to) = (encoded(from), encoded(to));
        Some(match self {
            Links::None => return None,
            Links::Github(page) | Links::Gitea(page) => format!("{page}/compare/{from}...{to}"),
            Links::Gitlab(page) => format!("{page}/-/compare/{from}...{to}"),
            Links::Bitbucket(page) => format!("{page}/branches/compare/{to}%0D{from}"),
        })
    }

    /// The page of a tag; none where there are no links.
    pub fn tag(&self, tag: &str) -> Option<String> {
        let tag = encoded(tag);
        Some(match self {
            Links::None => return None,
            Links::Github(page) | Links::Gitea(page) => format!("{page}/releases/tag/{tag}"),
            Links::Gitlab(page) => format!("{page}/-/tags/{tag}"),
            Links::Bitbucket(page) => format!("{page}/commits/tag/{tag}"),
        })
    }
}

/// The name of a revision as it stands in an address: what could end the address or a link in Markdown is encoded.
pub(super) fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/+".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
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

/// The longest address that is taken, in bytes.
const URL_MAX_BYTES: usize = 500;

impl WebUrl {
    /// Checks the text.
    ///
    /// # Errors
    ///
    /// When it is not such an address.
    pub fn new(text: &str) -> Result<Self, WebUrlError> {
        let text = text.trim_end_matches('/');
        let text = text.strip_suffix(".git").unwrap_or(text);
        if is_address(text, "-._~:/%+") { Ok(Self(text.to_owned())) } else { Err(WebUrlError) }
    }
}

/// Whether a text is an address of letters, digits and these signs.
fn is_address(text: &str, signs: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return false;
    };
    rest.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c))
        && rest.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= URL_MAX_BYTES
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

/// The address of a tracker's tickets, with one place for a ticket: `{key}` (`ABC-12`) or `{id}` (`12`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TicketUrl {
    text: String,
    /// Where the place is, in bytes.
    at: usize,
    /// Whether the place is for the whole key.
    key: bool,
}

/// A text that is not the address of a tracker's tickets. The text is not repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this cannot be the address of a ticket: write it like `https://example.org/browse/{{key}}` or `https://example.org/bug/{{id}}`, with one of the two once"
)]
pub struct TicketUrlError;

impl TicketUrl {
    /// Checks the text.
    ///
    /// # Errors
    ///
    /// When it is not such an address.
    pub fn new(text: &str) -> Result<Self, TicketUrlError> {
        let mut places = ["{key}", "{id}"].into_iter().flat_map(|place| text.match_indices(place));
        let (Some((at, place)), None) = (places.next(), places.next()) else { return Err(TicketUrlError) };
        let around = format!("{}{}", &text[..at], &text[at + place.len()..]);
        let host = text.split('/').nth(2).unwrap_or_default();
        if !is_address(&around, "-._~:/%+?&=#") || host.contains('{') {
            return Err(TicketUrlError);
        }
        Ok(Self { text: text.to_owned(), at, key: place == "{key}" })
    }

    /// Writes the address of a ticket, which has to be plain: letters, digits, `-` and `_`.
    pub(super) fn write(&self, out: &mut String, key: &str, id: &str) {
        let (place, value) = if self.key { ("{key}", key) } else { ("{id}", id) };
        out.push_str(&self.text[..self.at]);
        out.push_str(value);
        out.push_str(&self.text[self.at + place.len()..]);
    }
}

impl TryFrom<String> for TicketUrl {
    type Error = TicketUrlError;
    fn try_from(text: String) -> Result<Self, TicketUrlError> {
        Self::new(&text)
    }
}

impl From<TicketUrl> for String {
    fn from(url: TicketUrl) -> String {
        url.text
    }
}
