//! Tickets and pull requests that a text names, as links.

use std::fmt::Write as _;

use super::rules::BUG;
use super::{ChangelogRules, Links};
use crate::commits::Ticket;

/// Makes links of what is linked under these rules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Linker<'r> {
    rules: &'r ChangelogRules,
}

/// Brackets and punctuation around a word.
const OPENING: [char; 2] = ['(', '['];
const CLOSING: [char; 7] = [')', ']', ',', '.', ';', ':', '!'];

/// What a word names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named<'a> {
    /// `#12`
    Number(u64),
    /// `!12`, as GitLab names a merge request.
    Merge(u64),
    /// `ABC-12`
    Key(&'a str),
}

impl<'r> Linker<'r> {
    /// None when the rules link nothing.
    pub(super) fn of(rules: &'r ChangelogRules) -> Option<Self> {
        (!rules.links.is_none() || !rules.tickets.is_empty()).then_some(Self { rules })
    }

    /// Writes the word that `rest` begins with as a link, with what stands around it, if it names something that is
    /// linked. Gives how many bytes of `rest` that was. `whole` is the whole text.
    pub(super) fn write(&self, out: &mut String, rest: &str, whole: &str) -> Option<usize> {
        let word = &rest[..rest.find(' ').unwrap_or(rest.len())];
        let start = word.len() - word.trim_start_matches(OPENING).len();
        let bare = word[start..].trim_end_matches(CLOSING);
        if bare.eq_ignore_ascii_case(BUG) {
            return self.write_bug(out, rest, start, bare);
        }
        let named = named(bare)?;
        let end = start + bare.len();
        let mut url = String::new();
        match named {
            Named::Number(number) if is_pull(self.rules, whole, rest, &word[start..]) => {
                self.rules.links.write_pull(&mut url, number);
            }
            Named::Number(number) if !self.rules.links.is_none() => {
                self.rules.links.write_issue(&mut url, number);
            }
            Named::Merge(number) if matches!(self.rules.links, Links::Gitlab(_)) => {
                self.rules.links.write_pull(&mut url, number);
            }
            Named::Key(key) => self.write_key_url(&mut url, key)?,
            Named::Number(_) | Named::Merge(_) => return None,
        }
        around(out, &word[..start]);
        let _ = write!(out, "[{bare}]({url})");
        around(out, &word[end..]);
        Some(word.len())
    }

    fn write_bug(&self, out: &mut String, rest: &str, start: usize, bug: &str) -> Option<usize> {
        let url = self.rules.tickets.get(BUG)?;
        let second = rest[start + bug.len()..].strip_prefix(' ')?;
        let second = &second[..second.find(' ').unwrap_or(second.len())];
        let id = second.trim_end_matches(CLOSING);
        number(id)?;
        around(out, &rest[..start]);
        let _ = write!(out, "[{bug} {id}](");
        url.write(out, id, id);
        out.push(')');
        around(out, &second[id.len()..]);
        Some(start + bug.len() + 1 + second.len())
    }

    fn write_key_url(&self, out: &mut String, key: &str) -> Option<()> {
        let (project, id) = key.rsplit_once('-')?;
        let url = self.rules.tickets.get(project).filter(|_| project != BUG)?;
        url.write(out, key, id);
        Some(())
    }

    /// Writes a ticket that stands in no text, as a link if it has one. It is escaped by whoever wrote it.
    pub(super) fn write_ticket(rules: &ChangelogRules, out: &mut String, ticket: &Ticket) {
        match ticket {
            Ticket::Issue(number) => {
                let _ = write!(out, "[#{number}](");
                rules.links.write_issue(out, *number);
                out.push(')');
            }
            Ticket::Bug(number) if rules.tickets.contains_key(BUG) => {
                let id = number.to_string();
                let _ = write!(out, "[bug {id}](");
                rules.tickets[BUG].write(out, &id, &id);
                out.push(')');
            }
            Ticket::Key(key) => {
                let linker = Linker { rules };
                let mut url = String::new();
                if named(key).is_some() && linker.write_key_url(&mut url, key).is_some() {
                    let _ = write!(out, "[{key}]({url})");
                } else {
                    super::escape::escape_into(out, key, None);
                }
            }
            other => super::escape::escape_into(out, &other.to_string(), None),
        }
    }
}

/// What stands around a ticket, escaped.
fn around(out: &mut String, signs: &str) {
    for sign in signs.chars() {
        if matches!(sign, '[' | ']') {
            out.push('\\');
        }
        out.push(sign);
    }
}

/// Whether `#12` is a pull request and no issue: at the end of a subject, where forges put it when they squash, and in the
/// subject that they write for a merge.
fn is_pull(rules: &ChangelogRules, whole: &str, rest: &str, word: &str) -> bool {
    let squash = matches!(rules.links, Links::Github(_) | Links::Gitea(_));
    let at_the_end = squash && word.len() + 1 == rest.len() && rest.starts_with('(') && word.ends_with(')');
    at_the_end || whole.starts_with("Merge pull request ") || whole.contains("(pull request #")
}

fn named(bare: &str) -> Option<Named<'_>> {
    match bare.as_bytes().first()? {
        b'#' => number(&bare[1..]).map(Named::Number),
        b'!' => number(&bare[1..]).map(Named::Merge),
        first if first.is_ascii_alphabetic() => {
            let (project, id) = bare.rsplit_once('-')?;
            number(id)?;
            let plain = project.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            plain.then_some(Named::Key(bare))
        }
        _ => None,
    }
}

/// A number as trackers count: up to twelve digits, the first of them not 0.
fn number(digits: &str) -> Option<u64> {
    let plain = (1..=12).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0');
    if plain { digits.parse().ok() } else { None }
}
