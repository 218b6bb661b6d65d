//! Those who made the changes.

use std::collections::HashSet;

use crate::commits::{Change, CommitText, Person, co_authors};

/// Everybody of whom there is a commit already, told apart by their mail addresses.
#[derive(Debug, Clone, Default)]
pub struct KnownAuthors(HashSet<String>);

impl KnownAuthors {
    /// Takes in the authors of these changes, co-authors too, and gives those of them who were not known, each once:
    /// the author of the oldest change first. `changes` are in git's order, the newest first.
    pub fn add(&mut self, changes: &[Change]) -> Vec<Person> {
        let mut new = Vec::new();
        for change in changes.iter().rev() {
            let author = (change.author_name.as_str(), change.author_email.as_str());
            let others = change.co_authors.iter().map(|one| (one.name.as_str(), one.email.as_str()));
            for (name, email) in std::iter::once(author).chain(others) {
                self.add_one(name, email, &mut new);
            }
        }
        new
    }

    /// Takes in the authors of a commit, who are no newcomers. Faster than reading the whole of it.
    pub fn know(&mut self, commit: CommitText<'_>) {
        let mut known = Vec::new();
        self.add_one(commit.author_name, commit.author_email, &mut known);
        for person in co_authors(commit.message) {
            self.add_one(&person.name, &person.email, &mut known);
        }
    }

    fn add_one(&mut self, name: &str, email: &str, new: &mut Vec<Person>) {
        let key = if email.is_empty() { name } else { email };
        // Most are known, and most are written small: no copy is made of those.
        if key.is_empty() || self.0.contains(key) {
            return;
        }
        if self.0.insert(key.to_ascii_lowercase()) {
            new.push(Person { name: name.to_owned(), email: email.to_owned() });
        }
    }
}
