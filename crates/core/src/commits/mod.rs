//! What commits say: their kind, what they break, which tickets they close, and what that asks of the next version.
//!
//! Messages follow the convention `type(scope)!: text` or they do not; one that does not is [`ChangeKind::Other`]
//! and never an error. Anybody who can push can write anything into a message, so every text of a [`Change`] is
//! plain (see [`plain_text`]), on one line, and cut to a limit.
//!
//! What a change asks of the next version is up to the project: [`CommitRules`].

mod breaking;
mod files;
mod people;
mod plain;
mod references;
mod rules;
mod several;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::ids::ObjectId;

pub use files::{
    Brought, CHANGE_FILE_END, CHANGE_FILES_MAX, ChangeFile, ChangeFileError, advise_by_files, is_change_file,
};
pub use people::{CO_AUTHORS_MAX, Person, co_authors};
pub(crate) use plain::one_line;
pub use plain::{Lines, plain_text};
pub use references::{REFERENCES_MAX, Reference, Ticket};
pub use rules::{BumpAdvice, BumpReason, CommitRules, advise_bump};
pub use several::{ITEMS_MAX, without_taken_back};

/// The longest subject, text or description of a break that is kept, in characters.
pub const TEXT_MAX_CHARS: usize = 500;
/// The longest scope that is kept, in characters; a longer one is not a scope.
pub const SCOPE_MAX_CHARS: usize = 60;
/// The longest type that is kept, in bytes; a longer one is not a type.
pub const TYPE_MAX_BYTES: usize = 30;
/// The longest author's name or address that is kept, in characters.
pub const AUTHOR_MAX_CHARS: usize = 250;
/// How much of a message is read, in bytes: of a longer one its start, and its end, where the footers stand.
pub const MESSAGE_MAX_BYTES: usize = 64 * 1024;
/// How much of the end of a message that is too long is read, in bytes.
pub const MESSAGE_END_BYTES: usize = 16 * 1024;

/// A commit as git gives it. All texts are hostile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitText<'a> {
    /// Its id in hexadecimal.
    pub commit: &'a str,
    /// The author's name.
    pub author_name: &'a str,
    /// The author's mail address.
    pub author_email: &'a str,
    /// The whole message.
    pub message: &'a str,
}

/// A commit, understood.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// The commit.
    pub commit: ObjectId,
    /// The author's name.
    pub author_name: String,
    /// The author's mail address.
    pub author_email: String,
    /// Those who made it too, by the message's `Co-authored-by:` lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub co_authors: Vec<Person>,
    /// The first line of the message, whole.
    pub subject: String,
    /// What it says once type and scope are taken off; the same as `subject` when there are none.
    pub text: String,
    /// What kind of change it is.
    pub kind: ChangeKind,
    /// Which part it is about.
    pub scope: Option<String>,
    /// What it breaks, if it is a breaking change: the text of the `BREAKING CHANGE:` footer, else `text`.
    pub breaking: Option<String>,
    /// The tickets that it names.
    pub references: Vec<Reference>,
    /// Whether the middle of its message was not read, since it is longer than [`MESSAGE_MAX_BYTES`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shortened: bool,
    /// The commits that it takes back, where it is a revert and says so: ids, whole or the start of one.
    #[serde(default)]
    pub reverts: Vec<ObjectId>,
}

/// What kind of change a commit is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Something new: `feat`, `feature` or `ft`.
    Feature,
    /// Something mended: `fix`, `bugfix` or `fx`.
    Fix,
    /// Something taken back: `revert:`, or the subject that git writes for a revert.
    Revert,
    /// Another type of the convention, in lower case: `docs`, `perf`, `chore`.
    Type(String),
    /// A merge whose message does not follow the convention: it has nothing to say beside the commits that it merges.
    Merge,
    /// The message does not follow the convention.
    Other,
}

impl ChangeKind {
    /// The type as the convention writes it; nothing for a message that does not follow it.
    pub fn type_name(&self) -> Option<&str> {
        match self {
            ChangeKind::Feature => Some("feat"),
            ChangeKind::Fix => Some("fix"),
            ChangeKind::Revert => Some("revert"),
            ChangeKind::Type(name) => Some(name),
            ChangeKind::Merge | ChangeKind::Other => None,
        }
    }

    /// The kind that a type of the convention stands for.
    pub fn of_type(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "feat" | "feature" | "ft" => ChangeKind::Feature,
            "fix" | "bugfix" | "fx" => ChangeKind::Fix,
            "revert" => ChangeKind::Revert,
            name => ChangeKind::Type(name.to_owned()),
        }
    }
}

/// The first line of a message, taken apart.
struct Head {
    kind: ChangeKind,
    scope: Option<String>,
    text: String,
    /// Whether it has the `!` of a breaking change.
    marked: bool,
    /// Whether git wrote it for a revert, or for the revert of one: what its body quotes is not its own.
    turns: bool,
}

impl Change {
    /// The mail addresses of all who made it: of its author, then of those who made it too.
    pub fn emails(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.author_email.as_str())
            .chain(self.co_authors.iter().map(|person| person.email.as_str()))
    }

    /// Reads what a commit says. `ticket_keys` are the project keys of the tracker, such as "ABC" for `ABC-12`.
    pub fn read(raw: CommitText<'_>, ticket_keys: &[String]) -> Self {
        let (message, shortened) = bounded(raw.message);
        let message = message.as_ref();
        let (subject, body) = split(message);
        let subject = one_line(&subject, TEXT_MAX_CHARS);
        let head = Head::read(&subject);
        // The body that git writes for a revert may quote the footers of what it takes back.
        let footer = if head.turns { None } else { breaking::footer(body) };
        let breaking = match footer {
            // That it breaks something is said, and what is not: so it is what the change does.
            Some(text) if text.is_empty() => Some(head.text.clone()),
            Some(text) => Some(text),
            None => head.marked.then(|| head.text.clone()),
        };
        let reverts = if head.turns { several::reverts(body) } else { Vec::new() };
        Self {
            reverts,
            shortened,
            commit: ObjectId(one_line(raw.commit, 64)),
            author_name: one_line(raw.author_name, AUTHOR_MAX_CHARS),
            author_email: one_line(raw.author_email, AUTHOR_MAX_CHARS),
            co_authors: people::co_authors(body),
            references: references::references(&plain_text(message, Lines::Keep), ticket_keys),
            subject,
            text: head.text,
            kind: head.kind,
            scope: head.scope,
            breaking,
        }
    }
}

impl Head {
    /// Reads a subject that is plain and on one line.
    fn read(subject: &str) -> Self {
        if let Some(quoted) = subject.strip_prefix("Revert \"") {
            let text = quoted.strip_suffix('"').unwrap_or(quoted).to_owned();
            return Self { kind: ChangeKind::Revert, scope: None, text, marked: false, turns: true };
        }
        // What git writes for the revert of a revert: what was taken back is there again, and is what it was.
        let again =
            subject.strip_prefix("Reapply \"").map(|quoted| quoted.strip_suffix('"').unwrap_or(quoted));
        let said = again.unwrap_or(subject);
        let head = Self::conventional(said).unwrap_or_else(|| Self {
            kind: ChangeKind::Other,
            scope: None,
            text: said.to_owned(),
            marked: false,
            turns: false,
        });
        Self { turns: head.turns || again.is_some(), ..head }
    }

    fn conventional(subject: &str) -> Option<Self> {
        let commit = git_conventional::Commit::parse(subject).ok()?;
        let name = commit.type_().as_str();
        let text = commit.description().trim();
        // The convention's grammar is wide: by it `https://…` is a change of type `https`, and `std::mem` one of type `std`.
        let word = name.len() <= TYPE_MAX_BYTES
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let address = ["::", "://"].iter().any(|after| subject[name.len()..].starts_with(after));
        if !word || text.is_empty() || address {
            return None;
        }
        let scope = commit.scope().map(|scope| scope.as_str().trim().to_owned());
        if scope.as_ref().is_some_and(|scope| scope.is_empty() || scope.chars().count() > SCOPE_MAX_CHARS) {
            return None;
        }
        let kind = ChangeKind::of_type(name);
        let turns = kind == ChangeKind::Revert;
        Some(Self { kind, scope, text: text.to_owned(), marked: commit.breaking(), turns })
    }
}

/// The subject as git sees it (the lines up to the first empty one, joined) and the rest.
fn split(message: &str) -> (String, &str) {
    let message = message.trim_start();
    let mut subject = String::new();
    let mut at = 0;
    for line in message.split_inclusive('\n') {
        at += line.len();
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if !subject.is_empty() {
            subject.push(' ');
        }
        subject.push_str(line);
    }
    (subject, &message[at..])
}

/// A message without its middle, where it is too long, and whether that is so. No line is torn: a half of one could read like
/// something that nobody said.
fn bounded(message: &str) -> (Cow<'_, str>, bool) {
    if message.len() <= MESSAGE_MAX_BYTES {
        return (Cow::Borrowed(message), false);
    }
    let start = &message[..message.floor_char_boundary(MESSAGE_MAX_BYTES - MESSAGE_END_BYTES - 2)];
    let end = &message[message.ceil_char_boundary(message.len() - MESSAGE_END_BYTES)..];
    // A subject may go on for ever; it is cut later on.
    let start = start.rfind('\n').map_or(start, |at| &start[..at]);
    let end = end.find('\n').map_or("", |at| &end[at + 1..]);
    (Cow::Owned(format!("{start}\n\n{end}")), true)
}

#[cfg(test)]
mod tests;
