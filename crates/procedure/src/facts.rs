//! The names that texts and conditions know: one list for the loader and for whoever fills in at run time.
//!
//! A text `{{ … }}` and a condition know the same names. What a step of a procedure knows depends on what was done
//! before it: an output of a step that may not have ended yet is not known, and neither is an answer that was not asked
//! for.

use tollgate_core::expr::Type;

/// A name that is known everywhere, or everywhere in environments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// The dotted name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Its type.
    pub kind: FactKind,
}

/// The type of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactKind {
    /// Text.
    Text,
    /// A whole number.
    Number,
    /// One of these words. In a text it is the word.
    Word(&'static [&'static str]),
}

impl FactKind {
    /// The type in a condition.
    pub fn as_type(self) -> Type {
        match self {
            Self::Text | Self::Word(_) => Type::String,
            Self::Number => Type::Int,
        }
    }
}

const fn fact(name: &'static str, kind: FactKind, about: &'static str) -> Fact {
    Fact { name, about, kind }
}

/// What is known everywhere.
///
/// `patch` only exists where versions have three numbers, and `notes` where there is a changelog.
pub const EVERYWHERE: &[Fact] = &[
    fact("service", FactKind::Text, "What is released."),
    fact("version", FactKind::Text, "The version as it stands in files, such as `1.9.0`."),
    fact("major", FactKind::Number, "The first number of the version."),
    fact("minor", FactKind::Number, "The second number of the version."),
    fact("patch", FactKind::Number, "The third number of the version."),
    fact("tag", FactKind::Text, "The name of the tag, such as `v1.9.0`."),
    fact("previous", FactKind::Text, "The version before, or nothing at the first release."),
    fact("commit", FactKind::Text, "The commit that is released."),
    fact("branch", FactKind::Text, "The branch that the release's commits go to."),
    fact("notes", FactKind::Text, "The section of the changelog."),
];

/// What is known in conditions only.
pub const IN_CONDITIONS: &[Fact] = &[fact(
    "version.bump",
    FactKind::Word(&["major", "minor", "patch", "given"]),
    "How the version was raised; `given` when a person named it.",
)];

/// What is known in an environment.
pub const IN_ENVIRONMENTS: &[Fact] = &[
    fact("env.name", FactKind::Text, "The environment."),
    fact("env.url", FactKind::Text, "Its address, where it has one."),
];

/// What is known in a step with `each`. `item.commit` is only there for changes.
pub const IN_ITEMS: &[Fact] = &[
    fact(
        "item.title",
        FactKind::Text,
        "What it is about: a commit's subject, a component, the text in the list.",
    ),
    fact("item.number", FactKind::Number, "Its place among them, from 1."),
    fact("item.commit", FactKind::Text, "The commit."),
];

/// The variable in which a command finds a value: `answers.data` is in `TOLLGATE_ANSWERS_DATA`.
pub fn variable(path: &str) -> String {
    let upper = path.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    "TOLLGATE_".chars().chain(upper).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn variables_are_named_after_facts() {
        assert_eq!(super::variable("env.name"), "TOLLGATE_ENV_NAME");
        assert_eq!(super::variable("steps.load-test.number"), "TOLLGATE_STEPS_LOAD_TEST_NUMBER");
    }
}
