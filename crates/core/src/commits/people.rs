//! Those who made a commit beside its author.

use serde::{Deserialize, Serialize};

use super::{AUTHOR_MAX_CHARS, one_line};

/// The most co-authors that are taken from one message.
pub const CO_AUTHORS_MAX: usize = 32;

/// Somebody as a commit names them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Person {
    /// The name; may be empty.
    pub name: String,
    /// The mail address; may be empty.
    pub email: String,
}

/// The people of the `Co-authored-by: Name <address>` lines of a message, each once.
pub fn co_authors(body: &str) -> Vec<Person> {
    const KEY: &str = "co-authored-by:";
    let mut found: Vec<Person> = Vec::new();
    for line in body.lines() {
        let line = line.trim();
        let Some((key, rest)) = line.split_at_checked(KEY.len()) else { continue };
        if !key.eq_ignore_ascii_case(KEY) {
            continue;
        }
        let (name, email) = rest.split_once('<').unwrap_or((rest, ""));
        let email = email.split('>').next().unwrap_or_default();
        let person =
            Person { name: one_line(name, AUTHOR_MAX_CHARS), email: one_line(email, AUTHOR_MAX_CHARS) };
        if !(person.name.is_empty() && person.email.is_empty() || found.contains(&person)) {
            found.push(person);
        }
        if found.len() == CO_AUTHORS_MAX {
            break;
        }
    }
    found
}
