//! The names that texts and conditions know. They are those of `tollgate_core::context`, which has their values.
//!
//! What a step of a procedure knows beside these depends on what was done before it: an output of a step that may not
//! have ended yet is not known, and neither is an answer that was not asked for.

use tollgate_core::expr::Type;

/// A name that is known at some kind of place.
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
    /// One of these words.
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

/// What every text knows. `major`, `minor` and `patch` only where versions have such numbers, `notes` only where there is a changelog,
/// `risk` and `reasons` only where the file speaks of risk.
pub const IN_TEXTS: &[Fact] = &[
    fact("service", FactKind::Text, "What is released."),
    fact("version", FactKind::Text, "The version as it stands in files, such as `1.9.0`."),
    fact("major", FactKind::Text, "The first number of the version."),
    fact("minor", FactKind::Text, "The second number of the version."),
    fact("patch", FactKind::Text, "The third number of the version."),
    fact("tag", FactKind::Text, "The name of the tag, such as `v1.9.0`."),
    fact(
        "release",
        FactKind::Text,
        "What the release is called: the version of its first candidate, however many it has.",
    ),
    fact("candidate", FactKind::Number, "Which of the release's candidates it is, from 1."),
    fact("previous", FactKind::Text, "The version before; empty at the first release."),
    fact(
        "target",
        FactKind::Text,
        "The day of the release, such as `2026-12-16`; empty where the procedure has none.",
    ),
    fact("commit", FactKind::Text, "The commit that is released."),
    fact("branch", FactKind::Text, "The branch that the release's commits go to."),
    fact("notes", FactKind::Text, "The section of the changelog; empty before it is written."),
    fact("starter", FactKind::Text, "Who started the run."),
    fact(
        "accounts.mail",
        FactKind::Text,
        "The mail address of who started the run; empty where it is not told.",
    ),
    fact("accounts.forge", FactKind::Text, "Their account where the code is kept, likewise."),
    fact("accounts.tracker", FactKind::Text, "Their account where tickets are kept, likewise."),
    fact("accounts.chat", FactKind::Text, "Their account where people talk, likewise."),
    fact("risk", FactKind::Text, "How risky the release is, as far as that is known: a level of `risk`."),
    fact("reasons", FactKind::Text, "Why it is of that level, one reason a line."),
];

/// What every condition knows.
pub const IN_CONDITIONS: &[Fact] = &[
    fact("version.text", FactKind::Text, "The version as it stands in files, such as `1.9.0`."),
    fact(
        "version.bump",
        FactKind::Word(&["major", "minor", "patch", "given", "initial"]),
        "How the version was raised; `given` when a person named it, `initial` at the first release.",
    ),
    fact(
        "version.pre",
        FactKind::Text,
        "The label of a pre-release, such as `rc`; empty for a final version.",
    ),
    fact("version.previous", FactKind::Text, "The version before; empty at the first release."),
];

/// What texts know in an environment and its gates.
pub const IN_ENVIRONMENTS: &[Fact] = &[
    fact("env.name", FactKind::Text, "The environment."),
    fact("env.url", FactKind::Text, "Its address, where it has one."),
];

/// What texts know in a step with `each`. `item.commit` is only there for changes.
pub const IN_ITEMS: &[Fact] = &[
    fact(
        "item.title",
        FactKind::Text,
        "What it is about: a commit's subject, a component, the text in the list.",
    ),
    fact("item.number", FactKind::Number, "Its place among them, from 1."),
    fact("item.commit", FactKind::Text, "The commit."),
];

/// What texts know where labels of a pull request are asked for, and nothing else.
pub const IN_PULLS: &[Fact] = &[fact("pull.number", FactKind::Number, "The number of the pull request.")];

/// The variable in which a command finds a value; `None` for what it only gets when asked for under `variables`.
pub fn variable(path: &str) -> Option<String> {
    let shouted = |name: &str| -> String {
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
    };
    let name = match path {
        "service" | "version" | "tag" | "release" | "candidate" | "target" | "commit" | "branch"
        | "starter" | "risk" => shouted(path),
        "previous" => "PREVIOUS_VERSION".to_owned(),
        "env.name" => "ENVIRONMENT".to_owned(),
        "env.url" => "ENVIRONMENT_URL".to_owned(),
        "pull.number" => "PULL_NUMBER".to_owned(),
        "item.title" => "ITEM".to_owned(),
        "item.commit" => "ITEM_COMMIT".to_owned(),
        _ => match path.split_once('.')? {
            ("answers", question) => format!("ANSWER_{}", shouted(question)),
            ("accounts", place) => format!("ACCOUNT_{}", shouted(place)),
            ("steps", output) => {
                let (step, output) = output.rsplit_once('.')?;
                format!("OUTPUT_{}_{}", shouted(step), shouted(output))
            }
            _ => return None,
        },
    };
    Some(format!("TOLLGATE_{name}"))
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn variables_are_named_after_facts() {
        assert_eq!(variable("env.name").as_deref(), Some("TOLLGATE_ENVIRONMENT"));
        assert_eq!(variable("steps.load-test.number").as_deref(), Some("TOLLGATE_OUTPUT_LOAD_TEST_NUMBER"));
        assert_eq!(variable("notes"), None);
    }
}
