//! Telling whoever wants to know what was committed: in the order in which it was written down, however many commit at once.
//!
//! A process that commits goes on with other things before it tells of it, and another one of its tasks can have read that
//! commit and built on it meanwhile. What stands later in a stream is told later.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tollgate_core::event::Entry;
use tollgate_core::journal::{StreamId, StreamVersion};

use crate::Observer;
use crate::store::Commit;

/// Where the streams of a commit stood before it.
type Places = Vec<(StreamId, StreamVersion)>;

/// Who is told, and what is still to be told.
#[derive(Default)]
pub(crate) struct Telling {
    observer: Option<Observer>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    begun: u64,
    /// Commits that are under way, or that were made and are told of after others; those have their entries.
    commits: BTreeMap<u64, (Places, Option<Vec<Entry>>)>,
}

/// A commit that is about to be made. Dropped, there is nothing to tell of it.
pub(crate) struct Ticket<'a> {
    telling: &'a Telling,
    number: Option<u64>,
}

impl Telling {
    /// Tells this one.
    pub(crate) fn to(observer: Observer) -> Self {
        Self { observer: Some(observer), waiting: Mutex::default() }
    }

    /// A commit is about to be made.
    pub(crate) fn begin(&self, commit: &Commit) -> Ticket<'_> {
        if self.observer.is_none() || commit.append.is_empty() {
            return Ticket { telling: self, number: None };
        }
        let appended = |stream: &StreamId| commit.append.iter().any(|append| append.stream == *stream);
        let places = commit.read.iter().filter(|(stream, _)| appended(stream)).cloned().collect();
        let mut waiting = self.waiting();
        waiting.begun += 1;
        let number = waiting.begun;
        waiting.commits.insert(number, (places, None));
        Ticket { telling: self, number: Some(number) }
    }

    /// Tells of what nothing here was under way with.
    pub(crate) fn at_once(&self, entries: &[Entry]) {
        if let Some(observer) = &self.observer {
            observer(entries);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit was made, or came to nothing. Whatever has nothing before it any more is told, one after the other.
    fn ended(&self, number: u64, entries: Option<Vec<Entry>>) {
        let Some(observer) = &self.observer else { return };
        let mut waiting = self.waiting();
        match (entries, waiting.commits.get_mut(&number)) {
            (Some(entries), Some(commit)) => commit.1 = Some(entries),
            _ => drop(waiting.commits.remove(&number)),
        }
        while let Some(entries) = waiting.next() {
            observer(&entries);
        }
    }
}

impl Waiting {
    /// What is to be told next: what was made, and comes after nothing that is under way.
    fn next(&mut self) -> Option<Vec<Entry>> {
        let made = self.commits.iter().filter(|(_, (_, entries))| entries.is_some());
        let free = made.map(|(number, (places, _))| (*number, places)).find(|(number, places)| {
            self.commits.iter().all(|(other, (before, _))| other == number || !precedes(before, places))
        });
        let number = free?.0;
        self.commits.remove(&number)?.1
    }
}

/// Whether a commit is of a place in some stream before that of another one.
fn precedes(before: &Places, after: &Places) -> bool {
    let earlier = |(stream, version): &(StreamId, StreamVersion)| {
        after.iter().any(|(other, later)| other == stream && version < later)
    };
    before.iter().any(earlier)
}

impl Ticket<'_> {
    /// It was made.
    pub(crate) fn tell(mut self, entries: &[Entry]) {
        if let Some(number) = self.number.take() {
            self.telling.ended(number, Some(entries.to_vec()));
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number.take() {
            self.telling.ended(number, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use tollgate_core::actor::Actor;
    use tollgate_core::event::{Event, ReleaseEvent};
    use tollgate_core::ids::{ReleaseId, RunId};

    use super::*;
    use crate::store::Append;

    fn stream(number: u128) -> StreamId {
        let service = "shop".parse().expect("a name");
        StreamId::Release(service, ReleaseId(uuid::Uuid::from_u128(number)))
    }

    fn commit(streams: &[(u128, u64)]) -> Commit {
        let places = streams.iter().map(|(of, version)| (stream(*of), StreamVersion(*version)));
        let append = streams.iter().map(|(of, _)| Append { stream: stream(*of), events: Vec::new() });
        Commit { read: places.collect(), append: append.collect(), ..Commit::default() }
    }

    /// An entry that is known by its second.
    fn entry(second: i64) -> Entry {
        let event = Event::Release(ReleaseEvent::RunResumed { run: RunId(uuid::Uuid::nil()) });
        let at = Timestamp::from_second(second).expect("a time");
        Entry { stream: stream(1), at, actor: Actor::Tollgate, event }
    }

    fn telling() -> (Telling, Arc<Mutex<Vec<i64>>>) {
        let told: Arc<Mutex<Vec<i64>>> = Arc::default();
        let tells = told.clone();
        let observer = move |entries: &[Entry]| {
            tells.lock().expect("told").extend(entries.iter().map(|entry| entry.at.as_second()));
        };
        (Telling::to(Arc::new(observer)), told)
    }

    #[test]
    fn what_stands_later_in_a_stream_is_told_later() {
        let (telling, told) = telling();
        let first = telling.begin(&commit(&[(1, 4), (2, 7)]));
        let second = telling.begin(&commit(&[(1, 6)]));
        let third = telling.begin(&commit(&[(2, 9), (3, 0)]));
        let beside = telling.begin(&commit(&[(4, 1)]));
        third.tell(&[entry(3)]);
        second.tell(&[entry(2)]);
        assert!(told.lock().expect("told").is_empty());
        beside.tell(&[entry(4)]);
        first.tell(&[entry(1)]);
        assert_eq!(*told.lock().expect("told"), [4, 1, 2, 3]);
    }

    #[test]
    fn what_came_to_nothing_holds_nothing_up() {
        let (telling, told) = telling();
        let lost = telling.begin(&commit(&[(1, 4)]));
        let made = telling.begin(&commit(&[(1, 5)]));
        made.tell(&[entry(2)]);
        assert!(told.lock().expect("told").is_empty());
        drop(lost);
        assert_eq!(*told.lock().expect("told"), [2]);
        assert!(telling.waiting().commits.is_empty());
    }
}
