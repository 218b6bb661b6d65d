//! Tickets named in a commit's message.

use serde::{Deserialize, Serialize};

/// The most tickets that are taken from one message.
pub const REFERENCES_MAX: usize = 64;

/// The words that close a ticket when they stand before it, in any case.
const CLOSING: [&str; 9] =
    ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"];

/// A ticket that a commit names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reference {
    /// Which one.
    pub ticket: Ticket,
    /// Whether the commit says that it closes it (`closes #12`, `Fixes: ABC-3`) or only names it.
    pub closes: bool,
}

/// A ticket of a tracker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ticket {
    /// `#12`: an issue of the same repository.
    Issue(u64),
    /// `owner/name#12`: an issue of another repository.
    IssueOf {
        /// The repository, `owner/name`.
        repository: String,
        /// The issue's number.
        number: u64,
    },
    /// `Bug 1476181`.
    Bug(u64),
    /// `ABC-12`, where `ABC` is one of the keys looked for.
    Key(String),
}

impl std::fmt::Display for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ticket::Issue(number) => write!(f, "#{number}"),
            Ticket::IssueOf { repository, number } => write!(f, "{repository}#{number}"),
            Ticket::Bug(number) => write!(f, "bug {number}"),
            Ticket::Key(key) => f.write_str(key),
        }
    }
}

/// The tickets named in a text, each once, in the order in which they stand there.
///
/// `keys` are the project keys of the tracker ("ABC" for `ABC-12`): without them `UTF-8` would be a ticket.
pub(super) fn references(text: &str, keys: &[String]) -> Vec<Reference> {
    let mut found: Vec<Reference> = Vec::new();
    if !may_name(text, keys) {
        return found;
    }
    // A closing word holds for the tickets after it, as long as only these words stand between.
    let mut closing = false;
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let bare = bare(word);
        let next = words.peek().map(|next| self::bare(next));
        let ticket = if bare.eq_ignore_ascii_case("bug") {
            let number = next.and_then(number);
            if number.is_some() {
                words.next();
            }
            number.map(Ticket::Bug)
        } else {
            ticket(bare, keys)
        };
        match ticket {
            Some(ticket) => add(&mut found, ticket, closing),
            None if closes(bare) => closing = true,
            None => closing &= matches!(word, "and" | "&" | ",") || bare.eq_ignore_ascii_case("issue"),
        }
        if found.len() == REFERENCES_MAX {
            break;
        }
    }
    found
}

/// Whether there is anything in a text that can be part of a ticket. Most messages of a long history name none.
fn may_name(text: &str, keys: &[String]) -> bool {
    let bug = || text.as_bytes().windows(3).any(|three| three.eq_ignore_ascii_case(b"bug"));
    text.contains('#') || keys.iter().any(|key| text.contains(key.as_str())) || bug()
}

fn closes(word: &str) -> bool {
    let begins = matches!(word.as_bytes().first(), Some(b'c' | b'C' | b'f' | b'F' | b'r' | b'R'));
    begins && CLOSING.iter().any(|verb| word.eq_ignore_ascii_case(verb))
}

fn add(found: &mut Vec<Reference>, ticket: Ticket, closes: bool) {
    match found.iter_mut().find(|reference| reference.ticket == ticket) {
        Some(reference) => reference.closes |= closes,
        None => found.push(Reference { ticket, closes }),
    }
}

/// The word without brackets and punctuation around it.
fn bare(word: &str) -> &str {
    word.trim_start_matches(['(', '[']).trim_end_matches([')', ']', ',', '.', ';', ':', '!'])
}

fn ticket(word: &str, keys: &[String]) -> Option<Ticket> {
    if let Some((before, digits)) = word.split_once('#') {
        let number = number(digits)?;
        if before.is_empty() {
            return Some(Ticket::Issue(number));
        }
        let repository = before.to_owned();
        return is_repository(before).then_some(Ticket::IssueOf { repository, number });
    }
    let (key, digits) = word.rsplit_once('-')?;
    number(digits)?;
    keys.iter().any(|known| known == key).then(|| Ticket::Key(word.to_owned()))
}

/// `owner/name`, in the characters that forges allow.
fn is_repository(text: &str) -> bool {
    let part =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    text.len() <= 200 && text.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name))
}

fn number(digits: &str) -> Option<u64> {
    let plain = (1..=12).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0');
    if plain { digits.parse().ok() } else { None }
}
