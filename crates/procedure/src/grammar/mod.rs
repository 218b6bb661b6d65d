//! The grammar of the procedure file as data: which keys stand where, of what shape, and what they are for.
//!
//! It is the only place that says so. [`crate::check`] holds a file against it, and [`crate::schema`] makes the
//! published JSON Schema of it; what a name, an address or a condition may look like inside is the business of
//! [`crate::lower`].

/// A mapping as the value of another shape.
macro_rules! map {
    ($mapping:ident) => {
        const { &Shape::Map(&$mapping) }
    };
}

mod budget;
mod changelog;
mod environments;
mod facts;
mod file;
mod labels;
mod load;
mod notify;
mod order;
mod pack;
mod publish;
mod risk;
mod scenario;
mod steps;
mod trains;

pub(crate) use environments::PROBE_READS;
pub(crate) use file::{FILE, PEOPLE_FILE};
pub(crate) use publish::REGISTRIES;
pub(crate) use scenario::SCENARIO;
pub(crate) use steps::STEP_KINDS;
pub(crate) use trains::DEPARTS;

/// What can stand as a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// A text of any kind.
    Text,
    /// A text on one line.
    Line,
    /// A text in which `{{ … }}` is filled in.
    Template,
    /// A name by these rules: what it names, as a pattern.
    Name(&'static str),
    /// A person or a group.
    Who,
    /// A version, with or without quotes.
    Version,
    /// A length of time with its unit.
    Duration,
    /// A web address.
    Address,
    /// A condition.
    Condition,
    /// `true` or `false`.
    Bool,
    /// Only `true`: a key that is there or not.
    True,
    /// A whole number between these.
    Integer(i64, i64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list with at least so many items.
    List(&'static Self, usize),
    /// A mapping from names of one's own to values of one shape: the pattern of the names, at least so many.
    Named(&'static str, &'static Self, usize),
    /// A mapping with keys that are known.
    Map(&'static Mapping),
    /// One of two shapes that differ in their kind (a text, a list, a mapping).
    Either(&'static Self, &'static Self),
}

/// A mapping with keys that are known.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// Its name in the schema.
    pub(crate) name: &'static str,
    /// What it is called in messages, with its article.
    pub(crate) what: &'static str,
    /// What it is for.
    pub(crate) about: &'static str,
    /// Its keys.
    pub(crate) keys: &'static [Key],
    /// Keys of which exactly one stands there.
    pub(crate) one_of: &'static [Choice],
    /// Words that people may expect here.
    pub(crate) refused: &'static [Refused],
    /// More of them, where two mappings share a list.
    pub(crate) refused_too: &'static [Refused],
}

/// Keys of which only one can stand in a mapping.
#[derive(Debug)]
pub(crate) struct Choice {
    /// What they say, in messages: "what the step does".
    pub(crate) what: &'static str,
    /// The keys.
    pub(crate) keys: &'static [&'static str],
    /// One of them only has to be there when this key is; always when it is empty.
    pub(crate) when: &'static str,
}

/// A key of a mapping.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
    /// It only makes sense beside one of these; beside anything when there are none.
    pub(crate) with: &'static [&'static str],
}

/// A word that people may expect at a place where it does not stand.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) names: &'static [&'static str],
    /// A later version will know it; otherwise it belongs somewhere else.
    pub(crate) later: bool,
    /// What to write instead.
    pub(crate) instead: &'static str,
}

const fn key(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, about, shape, required: false, with: &[] }
}

impl Key {
    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn with(self, with: &'static [&'static str]) -> Self {
        Self { with, ..self }
    }
}

const fn mapping(
    name: &'static str,
    what: &'static str,
    about: &'static str,
    keys: &'static [Key],
) -> Mapping {
    Mapping { name, what, about, keys, one_of: &[], refused: &[], refused_too: &[] }
}

impl Mapping {
    const fn one_of(self, one_of: &'static [Choice]) -> Self {
        Self { one_of, ..self }
    }

    const fn refused(self, refused: &'static [Refused]) -> Self {
        Self { refused, ..self }
    }

    const fn refused_too(self, refused_too: &'static [Refused]) -> Self {
        Self { refused_too, ..self }
    }

    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// What to write instead of a word that does not stand here.
    pub(crate) fn refusal(&self, name: &str) -> Option<&'static Refused> {
        self.refused.iter().chain(self.refused_too).find(|refused| refused.names.contains(&name))
    }
}

const fn choice(what: &'static str, keys: &'static [&'static str]) -> Choice {
    Choice { what, keys, when: "" }
}

const fn later(names: &'static [&'static str], instead: &'static str) -> Refused {
    Refused { names, later: true, instead }
}

const fn elsewhere(names: &'static [&'static str], instead: &'static str) -> Refused {
    Refused { names, later: false, instead }
}

/// Names of most things.
pub(crate) const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$";
/// Names that stand in conditions and texts after a dot.
pub(crate) const WORD: &str = "^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$";
/// Types of commits.
pub(crate) const COMMIT_TYPE: &str = "^[a-z][a-z0-9_-]{0,29}$";
/// Labels of pull requests.
pub(crate) const LABEL: &str = r"^\S(.{0,98}\S)?$";
/// How much a version can grow.
pub(crate) const BUMPS: &[&str] = &["major", "minor", "patch"];
/// How much a change can ask for.
pub(crate) const WEIGHTS: &[&str] = &["major", "minor", "patch", "none"];
/// Names of people.
pub(crate) const PERSON: &str = "^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$";
/// Names of variables of a process.
pub(crate) const VARIABLE: &str = "^[A-Za-z_][A-Za-z0-9_]{0,127}$";

/// The largest count that makes sense anywhere.
pub(crate) const MANY: i64 = 1_000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn walk(shape: &Shape, seen: &mut BTreeSet<&'static str>) {
        match shape {
            Shape::List(inner, _) | Shape::Named(_, inner, _) => walk(inner, seen),
            Shape::Either(one, two) => {
                walk(one, seen);
                walk(two, seen);
            }
            Shape::Map(map) => walk_map(map, seen),
            _ => {}
        }
    }

    fn walk_map(map: &'static Mapping, seen: &mut BTreeSet<&'static str>) {
        if !seen.insert(map.name) {
            return;
        }
        let names: BTreeSet<&str> = map.keys.iter().map(|key| key.name).collect();
        assert_eq!(names.len(), map.keys.len(), "{}: a key twice", map.name);
        for key in map.keys {
            assert!(key.about.ends_with('.'), "{}.{}: {}", map.name, key.name, key.about);
            assert!(!["on", "yes", "no"].contains(&key.name));
            assert!(!key.name.contains('_') && key.name == key.name.to_lowercase(), "{}", key.name);
            assert!(key.with.iter().all(|other| names.contains(other)), "{}.{}", map.name, key.name);
            walk(&key.shape, seen);
        }
        for choice in map.one_of {
            assert!(choice.keys.iter().all(|key| names.contains(key)), "{}: {}", map.name, choice.what);
            assert!(choice.when.is_empty() || names.contains(choice.when));
        }
        for refused in map.refused.iter().chain(map.refused_too) {
            assert!(
                refused.names.iter().all(|name| !names.contains(name)),
                "{}: {:?}",
                map.name,
                refused.names
            );
        }
    }

    #[test]
    fn the_table_is_sound() {
        let mut seen = BTreeSet::new();
        walk_map(&FILE, &mut seen);
        walk_map(&PEOPLE_FILE, &mut seen);
        walk_map(&SCENARIO, &mut seen);
        assert!(seen.len() > 20);
    }
}
