//! Facts of the world, as services and commands tell them.

use std::collections::VecDeque;

use async_trait::async_trait;
use jiff::Timestamp;
use tollgate_engine::ports::{ChildExit, FactQuestion, Facts};

use super::{SimWorld, State};

/// What is so, one stretch of time after the other. A clock that is set back begins another one.
#[derive(Debug, Clone, Default)]
pub struct FactInWorld {
    /// The stretches, the newest last.
    pub stretches: Vec<Stretch>,
    /// What is answered over HTTP instead, one after the other and from the start again, by a service that contradicts itself.
    pub in_turn: VecDeque<String>,
}

/// A stretch of time in which the same was answered.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// From when.
    pub from: Timestamp,
    /// Until when; the last one goes on.
    pub until: Option<Timestamp>,
    /// What was answered; `None` where nothing was.
    pub answer: Option<String>,
}

impl FactInWorld {
    /// What is answered now.
    pub fn now(&self) -> Option<&str> {
        self.stretches.last().and_then(|stretch| stretch.answer.as_deref())
    }

    fn asked(&mut self) -> Option<String> {
        match self.in_turn.pop_front() {
            Some(answer) => {
                self.in_turn.push_back(answer.clone());
                Some(answer)
            }
            None => self.now().map(ToOwned::to_owned),
        }
    }

    fn ends(&mut self, at: Timestamp) {
        if let Some(last) = self.stretches.last_mut().filter(|last| last.until.is_none()) {
            last.until = Some(at);
        }
    }
}

impl State {
    /// From now on a fact is like this; `None` where it cannot be asked for.
    pub fn fact(&mut self, name: &str, answer: Option<&str>) {
        let now = self.now;
        self.note(|| format!("fact {name}: {answer:?}"));
        let fact = self.facts.entry(name.to_owned()).or_default();
        fact.ends(now);
        fact.in_turn.clear();
        fact.stretches.push(Stretch { from: now, until: None, answer: answer.map(ToOwned::to_owned) });
    }

    /// From now on a service answers one of these after the other, until [`State::fact`] says what is so.
    pub fn fact_in_turn(&mut self, name: &str, answers: impl IntoIterator<Item = String>) {
        self.facts.entry(name.to_owned()).or_default().in_turn = answers.into_iter().collect();
    }

    /// The clock goes back: what is so goes on from there.
    pub(super) fn facts_go_back(&mut self, to: Timestamp) {
        let now = self.now;
        for fact in self.facts.values_mut() {
            let answer = fact.now().map(ToOwned::to_owned);
            fact.ends(now);
            fact.stretches.push(Stretch { from: to, until: None, answer });
        }
    }

    /// What the command of a look prints: the fact that is called like it.
    pub(super) fn tell(&self, command: &str, exit: &mut ChildExit) {
        match self.facts.get(command).and_then(FactInWorld::now) {
            Some(answer) => exit.stdout = answer.as_bytes().to_vec(),
            None => (exit.status, exit.stdout) = (Some(3), Vec::new()),
        }
        exit.output.clone_from(&exit.stdout);
    }
}

/// Answers at addresses.
#[derive(Debug, Clone)]
pub struct SimFacts(pub SimWorld);

#[async_trait]
impl Facts for SimFacts {
    async fn ask(&self, question: &FactQuestion) -> Result<Vec<u8>, String> {
        self.0.state().looks += 1;
        self.0.outside("ask for a fact").await.map_err(|error| error.why)?;
        let mut state = self.0.state();
        let answer = state.facts.get_mut(&question.url).and_then(FactInWorld::asked);
        state.note(|| format!("asked {}: {answer:?}", question.url));
        answer.map(String::into_bytes).ok_or_else(|| "it answered 500 Internal Server Error".to_owned())
    }
}
