//! What is said of one change, in the pieces that the styles put together.

use std::fmt::Write as _;

use super::ChangelogRules;
use super::escape::{escape_inside, escape_into};
use super::groups::Entry;
use super::tickets::Linker;
use crate::commits::{Change, Person, Ticket};
use crate::ids::ObjectId;

/// Writes the pieces of entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bullets<'r> {
    pub(super) rules: &'r ChangelogRules,
    linker: Option<Linker<'r>>,
    /// How many digits of a commit's id are shown.
    digits: usize,
}

impl<'r> Bullets<'r> {
    pub(super) fn of(rules: &'r ChangelogRules, digits: usize) -> Self {
        Self { rules, linker: Linker::of(rules), digits }
    }

    /// A text of a commit, with links to what it names.
    pub(super) fn text(&self, out: &mut String, text: &str) {
        escape_into(out, text, self.linker.as_ref());
    }

    /// `**scope:**`
    pub(super) fn scope(out: &mut String, scope: &str) {
        out.push_str("**");
        escape_inside(out, scope, None);
        out.push_str(":**");
    }

    /// The commit, as a link where it can be one.
    pub(super) fn commit(&self, out: &mut String, id: &ObjectId) {
        // An id that is none must not get into a link.
        let is_id = !id.0.is_empty() && id.0.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_id {
            return escape_into(out, &id.0, None);
        }
        let short = id.0.get(..self.digits).unwrap_or(&id.0);
        if self.leads_nowhere() {
            return out.push_str(short);
        }
        out.push('[');
        out.push_str(short);
        out.push_str("](");
        self.rules.links.write_commit(out, id);
        out.push(')');
    }

    /// The tickets that a change closes, and those with an address of their own that it names beside its text:
    /// `, closes [#1](…), [#2](…), see [ABC-3](…)`, with `between` between two of a kind.
    pub(super) fn tickets(&self, out: &mut String, entry: &Entry<'_>, between: &str) {
        let references = &entry.change.references;
        for (index, reference) in references.iter().filter(|reference| reference.closes).enumerate() {
            out.push_str(if index == 0 { ", closes " } else { between });
            self.ticket(out, &reference.ticket);
        }
        if self.rules.tickets.is_empty() {
            return;
        }
        let seen = references.iter().filter(|reference| !reference.closes).map(|reference| &reference.ticket);
        let seen = seen.filter(|ticket| self.has_address(ticket) && !names(entry.text, ticket));
        for (index, ticket) in seen.enumerate() {
            out.push_str(if index == 0 { ", see " } else { between });
            self.ticket(out, ticket);
        }
    }

    /// One ticket, as a link where it has one.
    pub(super) fn ticket(&self, out: &mut String, ticket: &Ticket) {
        if matches!(ticket, Ticket::Issue(_)) && self.leads_nowhere() {
            let _ = write!(out, "{ticket}");
        } else {
            Linker::write_ticket(self.rules, out, ticket);
        }
    }

    /// Whether there is nothing to link to. What clog writes then is a link to nowhere; the others leave the text alone.
    fn leads_nowhere(&self) -> bool {
        self.rules.links.is_none() && self.rules.style != super::Style::Clog
    }

    fn has_address(&self, ticket: &Ticket) -> bool {
        match ticket {
            Ticket::Bug(_) => self.rules.tickets.contains_key(super::rules::BUG),
            Ticket::Key(key) => {
                key.rsplit_once('-').is_some_and(|(project, _)| self.rules.tickets.contains_key(project))
            }
            Ticket::Issue(_) | Ticket::IssueOf { .. } => false,
        }
    }

    /// ` by Ann and Bo`, where authors are named.
    pub(super) fn authors(&self, out: &mut String, change: &Change) {
        let Some(rules) = &self.rules.authors else { return };
        let people = authors(change);
        for (index, person) in people.iter().enumerate() {
            out.push_str(match index {
                0 => " by ",
                _ if index + 1 == people.len() => " and ",
                _ => ", ",
            });
            write_person(out, person, rules.mail);
        }
    }

    /// The list of newcomers, where there is to be one.
    pub(super) fn newcomers(&self, out: &mut String, people: &[Person], heading: &str, bullet: &str) {
        let Some(rules) = &self.rules.authors else { return };
        let Some(title) = rules.newcomers.as_ref().filter(|_| !people.is_empty()) else { return };
        out.push_str(heading);
        escape_into(out, title, None);
        out.push_str("\n\n");
        for person in people.iter().filter(|person| !person.name.is_empty()) {
            out.push_str(bullet);
            write_person(out, person, rules.mail);
            out.push('\n');
        }
    }
}

fn write_person(out: &mut String, person: &Person, mail: bool) {
    escape_into(out, &person.name, None);
    if mail && !person.email.is_empty() {
        out.push_str(" (");
        escape_into(out, &person.email, None);
        out.push(')');
    }
}

/// Those who made a change and have a name, each once.
pub(super) fn authors(change: &Change) -> Vec<Person> {
    let author = Person { name: change.author_name.clone(), email: change.author_email.clone() };
    let mut people: Vec<Person> = Vec::with_capacity(1 + change.co_authors.len());
    for person in std::iter::once(author).chain(change.co_authors.iter().cloned()) {
        let known = people.iter().any(|one| {
            one.name == person.name
                || (!one.email.is_empty() && one.email.eq_ignore_ascii_case(&person.email))
        });
        if !known && !person.name.is_empty() {
            people.push(person);
        }
    }
    people
}

/// Whether a text has a ticket in it already.
fn names(text: &str, ticket: &Ticket) -> bool {
    match ticket {
        Ticket::Bug(number) => text.contains(&format!("ug {number}")),
        other => text.contains(&other.to_string()),
    }
}
