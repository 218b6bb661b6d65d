//! Changes and commits that are not one and one: squash merges hold several changes, and a revert and what it takes back
//! are none.

use std::collections::HashSet;

use super::{Change, ChangeKind, CommitRules, CommitText, Head, TEXT_MAX_CHARS, bounded, one_line, split};
use crate::ids::ObjectId;

/// The most changes that are read from one message.
pub const ITEMS_MAX: usize = 200;
/// The most commits that one revert takes back.
const REVERTS_MAX: usize = 100;
/// The shortest start of an id that names a commit, in characters; git does not write shorter ones.
const ID_MIN_CHARS: usize = 7;

impl Change {
    /// Reads all changes of a commit, the commit's own first. There is one, unless the project squashes its merges and the
    /// message holds a list of changes (`* feat: …`): then each of these lines, with the text below it, is one more.
    ///
    /// The subject of such a merge that follows no convention, or says the same as one of the lines, is left out; but not what it
    /// says to break.
    pub fn read_all(raw: CommitText<'_>, ticket_keys: &[String], rules: &CommitRules) -> Vec<Self> {
        if !rules.squash {
            return vec![Self::read(raw, ticket_keys)];
        }
        let (message, shortened) = bounded(raw.message);
        let raw = CommitText { message: &message, ..raw };
        let mut all = Self::read_items(raw, ticket_keys);
        for change in &mut all {
            change.shortened = shortened;
        }
        all
    }

    fn read_items(raw: CommitText<'_>, ticket_keys: &[String]) -> Vec<Self> {
        let items = items(raw.message);
        let Some(first) = items.first() else { return vec![Self::read(raw, ticket_keys)] };
        let own = Self::read(CommitText { message: first.before, ..raw }, ticket_keys);
        let listed =
            items.iter().map(|item| Self::read(CommitText { message: item.text, ..raw }, ticket_keys));
        let mut listed: Vec<Self> = listed.collect();
        let said = own.text.rsplit_once(" (#").map_or(own.text.as_str(), |(text, _)| text);
        if let Some(same) = listed.iter_mut().find(|change| change.kind == own.kind && change.text == said) {
            same.breaking = same.breaking.take().or(own.breaking);
            return listed;
        }
        let own = (own.kind != ChangeKind::Other || own.breaking.is_some()).then_some(own);
        own.into_iter().chain(listed).collect()
    }
}

/// A line of a list in a message, with what stands below it.
struct Item<'a> {
    /// The message from its start to the first of the items.
    before: &'a str,
    text: &'a str,
}

fn items(message: &str) -> Vec<Item<'_>> {
    let body = message.len() - split(message).1.len();
    let mut starts = Vec::new();
    let mut at = body;
    for line in message[body..].split_inclusive('\n') {
        let item = line.strip_prefix("* ").or_else(|| line.strip_prefix("- "));
        let subject = item.map(|item| one_line(item, TEXT_MAX_CHARS));
        if subject.is_some_and(|subject| Head::read(&subject).kind != ChangeKind::Other) {
            starts.push(at);
        }
        at += line.len();
    }
    starts.truncate(ITEMS_MAX);
    let ends = starts.iter().skip(1).copied().chain([message.len()]);
    let before = &message[..starts.first().copied().unwrap_or(message.len())];
    let items = starts.iter().zip(ends);
    items.map(|(start, end)| Item { before, text: &message[start + 2..end] }).collect()
}

/// The commits that the body of a revert says it takes back: `This reverts commit …`, and `Refs: …` as the convention has it.
pub(super) fn reverts(body: &str) -> Vec<ObjectId> {
    let mut found = Vec::new();
    for line in body.lines() {
        let line = line.trim();
        let ids = line.strip_prefix("This reverts commit ").or_else(|| line.strip_prefix("Refs: "));
        let ids = ids.unwrap_or_default().split([' ', ',', '.']).filter(|id| !id.is_empty());
        // Only the first words are ids: `…, reversing changes made to …` names what is kept.
        found.extend(ids.map_while(id));
    }
    found.truncate(REVERTS_MAX);
    found
}

fn id(text: &str) -> Option<ObjectId> {
    let hexadecimal = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    ((ID_MIN_CHARS..=64).contains(&text.len()) && hexadecimal).then(|| ObjectId(text.to_owned()))
}

/// Takes changes, the newest first, apart: those that stay, and those that were taken back with what took them back.
///
/// A revert of something that is not among them stays, since it changes what is released; and so does one that takes back more
/// than is among them.
pub fn without_taken_back(changes: Vec<Change>) -> (Vec<Change>, Vec<Change>) {
    let mut gone: HashSet<usize> = HashSet::new();
    for (at, change) in changes.iter().enumerate() {
        // What is newer was looked at: a revert that was itself reverted takes nothing back.
        if change.reverts.is_empty() || gone.contains(&at) {
            continue;
        }
        let mut taken = vec![at];
        let all = change.reverts.iter().all(|id| {
            let start = taken.len();
            let older = changes.iter().enumerate().skip(at + 1);
            taken.extend(
                older
                    .filter(|(at, other)| other.commit.0.starts_with(&id.0) && !gone.contains(at))
                    .map(|(at, _)| at),
            );
            taken.len() > start
        });
        if all {
            gone.extend(taken);
        }
    }
    let (mut stay, mut taken_back) = (Vec::with_capacity(changes.len() - gone.len()), Vec::new());
    for (at, change) in changes.into_iter().enumerate() {
        if gone.contains(&at) { taken_back.push(change) } else { stay.push(change) }
    }
    (stay, taken_back)
}
