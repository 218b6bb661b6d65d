//! Facts that a scenario tells: what a look at one sees, and when that changes.

use jiff::{SignedDuration, Timestamp};

use super::Stage;
use crate::decide::{AskedFact, asked};
use crate::facts::{FactLook, Reading, read};
use crate::ids::{EnvironmentName, FactName};
use crate::model::FactRead;

/// What a fact is from a moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripted {
    /// Which fact.
    pub fact: FactName,
    /// Of which environment; of all of them where none is named.
    pub environment: Option<EnvironmentName>,
    /// From when on.
    pub at: Timestamp,
    /// What it is.
    pub is: Answer,
}

/// What a scenario tells of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A list, a number or a word: the lines that a command would print.
    Is(Vec<String>),
    /// It cannot be read, and this is why.
    Fails(String),
    /// As it has to be, whatever that is.
    Suits,
}

impl Scripted {
    fn speaks_of(&self, asked: &AskedFact) -> bool {
        self.fact == asked.name
            && self.environment.as_ref().is_none_or(|name| asked.environments.contains(name))
    }
}

/// What a look at a fact sees now; `None` where the scenario does not say so.
pub(super) fn reading(script: &[Scripted], stage: &Stage, key: &str, look: &FactLook) -> Option<Reading> {
    if script.is_empty() {
        return None;
    }
    let asked = asked(&stage.view, key, stage.now)?;
    let so_far = script.iter().filter(|one| one.at <= stage.now && one.speaks_of(&asked));
    // Of two at one moment, the later in the file.
    match &so_far.max_by_key(|one| one.at)?.is {
        Answer::Is(lines) => {
            Some(match read(&FactRead::Text, look.want, None, lines.join("\n").as_bytes()) {
                Ok(value) => Reading::Is(value),
                Err(why) => Reading::Problem(why),
            })
        }
        Answer::Fails(why) => Some(Reading::Problem(why.clone())),
        Answer::Suits => None,
    }
}

/// The first look after a moment that sees something else: looks are as far from each other as the fact says.
pub(super) fn change(
    script: &[Scripted],
    stage: &Stage,
    key: &str,
    look: &FactLook,
    after: Timestamp,
) -> Option<Timestamp> {
    let first = script.iter().map(|one| one.at).filter(|at| *at > after).min()?;
    let asked = asked(&stage.view, key, stage.now)?;
    let own = script.iter().filter(|one| one.at > after && one.speaks_of(&asked));
    let first = own.map(|one| one.at).min().filter(|at| *at >= first)?;
    let every = look.every.max(SignedDuration::from_secs(1)).as_secs();
    let looks = (first.duration_since(after).as_secs() + every - 1) / every;
    Some(crate::view::later(after, SignedDuration::from_secs(every.saturating_mul(looks.max(1)))))
}
