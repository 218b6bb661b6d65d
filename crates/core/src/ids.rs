//! Typed names and ids.
//!
//! Names are what people write in the procedure file; ids are made by the client (version 7 UUIDs), so that
//! no process has to ask another one for a number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that cannot be a name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be {what}: {why}")]
pub struct NameError {
    /// What was to be named, with its article ("a step id").
    pub what: &'static str,
    /// The text as given, made plain and cut to a readable length.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// The longest name, in bytes.
pub const NAME_MAX_BYTES: usize = 128;

fn check_name(what: &'static str, text: &str, extra: &str) -> Result<(), NameError> {
    let refuse = |why| {
        let text = text.chars().filter(|c| !c.is_control()).take(40).collect();
        Err(NameError { what, text, why })
    };
    if text.is_empty() {
        return refuse("it is empty");
    }
    if text.len() > NAME_MAX_BYTES {
        return refuse("it is longer than 128 bytes");
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return refuse("it has to start with a letter or a digit");
    }
    if text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c)) {
        Ok(())
    } else {
        refuse("only letters, digits, `-`, `_` and `.` can stand in it")
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $extra:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the text and makes it a name.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                check_name($what, &text, $extra)?;
                Ok(Self(text))
            }
            /// The text of the name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(/** What is released. */ ServiceName, "a service name", "-_.");
name!(/** A deployable part of a service. */ ComponentName, "a component name", "-_.");
name!(/** Where a release runs. */ EnvironmentName, "an environment name", "-_.");
name!(/** A line of older versions that is still maintained. */ LineName, "the name of a line", "-_.");
name!(/** A procedure of a service. */ ProcedureName, "a procedure name", "-_.");
name!(/** What starts a procedure by itself. */ TrainName, "a train's name", "-_.");
name!(/** A gate of an environment, or one that holds for all of them. */ GateName, "a gate name", "-_.");
name!(/** A fact that gates rest on. */ FactName, "the name of a fact", "-_.");
name!(/** A question that is asked once a release. */ QuestionName, "a question name", "-_");
name!(/** How risky a release is. */ RiskLevel, "a level of risk", "-_");
name!(/** A person, by the key under `people`. */ PersonName, "a person's name", "-_.@+");
name!(/** A group of people. */ GroupName, "a group name", "-_.");
name!(/** A part somebody plays in a run. */ RoleName, "a role name", "-_.");
name!(/** An outside system. */ ConnectionName, "a connection name", "-_.");
name!(/** A list of holidays, or a calendar from outside. */ CalendarName, "a calendar's name", "-_.");
name!(/** A rule by which people are told. */ NoticeName, "the name of a notice", "-_.");
name!(/** An item of a checklist. */ ItemName, "an item's name", "-_.");
name!(/** A declared output of a step. */ OutputName, "an output name", "-_");
name!(
    /** A step of a procedure: unique in it, given by `id:` or derived. Parts of an expanded step are set off by `/`, items by `#`. */
    StepId, "a step id", "-_./#"
);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Ok(Self(text.parse()?))
            }
        }
    };
}

id!(/** A release: the intent. */ ReleaseId);
id!(/** One execution of a procedure for one release. */ RunId);
id!(/** One outside act: its intent, its leases and its result. */ EffectId);

/// A candidate of a release, counted from 1; a respin is the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CandidateNumber(pub u32);

impl fmt::Display for CandidateNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A git object id in hexadecimal, 40 or 64 digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectId(pub String);

impl ObjectId {
    /// The first eight digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["stage", "v22", "server-syncstorage", "a.b_c"] {
            assert!(ServiceName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-rf", "a b", "a/b", "é", "a\u{1b}[2J", &"x".repeat(129)] {
            assert!(ServiceName::new(bad).is_err(), "{bad:?}");
        }
        assert!(StepId::new("promote-stage/verify-1#2").is_ok());
    }
}
