//! Commands that outlive the engine that started them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tollgate_core::act::FailureClass;
use tollgate_core::ids::EffectId;
use tollgate_engine::ports::{ChildExit, ChildRequest, ChildState, PortError, Runner};

use super::watch::Happened;
use super::{SimWorld, State, error, lost_answer};

/// A command of an effect, and which of its tries.
pub type ChildKey = (EffectId, u32);

/// What a command says that may be done twice. Any other may not.
pub const REPEATABLE: &str = "repeatable";
/// What a command says that puts its version where its environment runs.
pub const DEPLOY: &str = "deploy";

/// What a command says that measures: it prints requests a second, as JSON.
pub const LOAD: &str = "load";

/// A command in the world.
#[derive(Debug, Clone)]
pub struct ChildInWorld {
    /// When it ends, or ended.
    pub ends_at: Timestamp,
    /// How it ends.
    pub exit: ChildExit,
    /// How it stands.
    pub state: ChildState,
    deploys: Option<(String, String, SignedDuration)>,
}

/// A start of a command.
#[derive(Debug, Clone)]
pub struct Started {
    /// Which effect and try.
    pub key: ChildKey,
    /// When.
    pub at: Timestamp,
    /// The command.
    pub command: String,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// How it ended, once it did; a lost one has none.
    pub ended: Option<ChildExit>,
    /// Whether it is gone without a word.
    pub lost: bool,
}

/// Runs commands in the world.
#[derive(Debug, Clone)]
pub struct SimRunner(pub SimWorld);

impl State {
    /// Ends the commands whose time has come.
    pub(super) fn settle_children(&mut self) {
        let now = self.now;
        let due = |child: &&mut ChildInWorld| child.state == ChildState::Running && child.ends_at <= now;
        let mut ended = Vec::new();
        for (key, child) in &mut self.children {
            if let Some(child) = Some(child).filter(due) {
                child.state = ChildState::Ended(child.exit.clone());
                ended.push((*key, child.clone()));
            }
        }
        for (key, child) in ended {
            self.end(key, &child, true);
        }
    }

    fn end(&mut self, key: ChildKey, child: &ChildInWorld, acted: bool) {
        self.note(|| format!("command {} try {} ends: {:?}", key.0, key.1, child.exit.status));
        if let Some(started) = self.started.iter_mut().rev().find(|started| started.key == key) {
            started.ended = Some(child.exit.clone());
        }
        if let Some((environment, version, delay)) = child.deploys.clone().filter(|_| acted) {
            // From when it ended, which may be a while ago.
            let since = child.ends_at.duration_since(self.now);
            self.deploy(&environment, &version, since + delay);
        }
    }

    /// The machine is started anew: commands that run are gone without a word.
    pub fn reboot(&mut self) {
        let mut lost = Vec::new();
        for (key, child) in &mut self.children {
            if child.state == ChildState::Running {
                child.state = ChildState::Lost;
                lost.push((*key, child.deploys.clone()));
            }
        }
        for (key, deploys) in lost {
            self.note(|| format!("command {} try {} is lost", key.0, key.1));
            if let Some(started) = self.started.iter_mut().rev().find(|started| started.key == key) {
                started.lost = true;
            }
            if let Some((environment, version, delay)) = deploys
                && self.chance.percent(50)
            {
                self.deploy(&environment, &version, delay);
            }
        }
    }

    /// Commands that run.
    pub fn running(&self) -> impl Iterator<Item = &ChildKey> {
        self.children.iter().filter(|(_, child)| child.state == ChildState::Running).map(|(key, _)| key)
    }

    fn start_child(&mut self, request: &ChildRequest) {
        let key = (request.id, request.attempt);
        let publishing = request.variables.contains_key("TOLLGATE_OUT");
        let looking = request.variables.get("TOLLGATE_FACT").cloned();
        // The two commands of a publication may be started again: what they do was looked for before.
        if !publishing && looking.is_none() {
            self.check_start(request);
        }
        let now = self.now;
        let took = SignedDuration::from_secs(self.chance.between(1, 400)).min(request.timeout);
        let (hangs, fails) = (
            self.chance.permille(self.faults.command_hangs),
            self.chance.permille(self.faults.command_fails),
        );
        let json = request.command.contains("json");
        let stdout = match json {
            _ if request.command.starts_with(LOAD) => {
                let any = self.chance.between(600, 1_000);
                format!("{{\"rps\": {}}}\n", self.load.map_or(any, i64::from))
            }
            true => "{\"result\": \"42\"}\n".to_owned(),
            false => "result: 42\n".to_owned(),
        };
        let mut exit = ChildExit {
            status: Some(0),
            signal: None,
            timed_out: false,
            output: stdout.clone().into(),
            stdout: stdout.into(),
            took,
        };
        if hangs {
            (exit.status, exit.signal, exit.timed_out, exit.took) = (None, Some(15), true, request.timeout);
        } else if fails {
            exit.status = Some(1);
        }
        if publishing {
            self.publishing(request, &mut exit);
        }
        if let (Some(_), Some(0)) = (&looking, exit.status) {
            self.tell(&request.command, &mut exit);
        }
        let variable = |name: &str| request.variables.get(name).cloned().unwrap_or_default();
        let acts = exit.status == Some(0) || self.chance.percent(40);
        let delay = SignedDuration::from_secs(self.chance.between(0, 120));
        let deploys = (acts && request.command.contains(DEPLOY))
            .then(|| (variable("TOLLGATE_ENVIRONMENT"), variable("TOLLGATE_VERSION"), delay));
        let ends_at = now + exit.took;
        self.note(|| format!("command {} try {} starts: {}, until {ends_at}", key.0, key.1, request.command));
        let child = ChildInWorld { ends_at, exit, state: ChildState::Running, deploys };
        self.children.insert(key, child);
        let (command, variables) = (request.command.clone(), request.variables.clone());
        let started = Started { key, at: now, command, variables, ended: None, lost: false };
        self.log.push(Happened::Started(started.clone()));
        self.started.push(started);
    }

    /// A command is started once, or again after it ended badly or may be repeated.
    fn check_start(&mut self, request: &ChildRequest) {
        let repeatable = request.command.contains(REPEATABLE);
        let before: Vec<Started> =
            self.started.iter().filter(|started| started.key.0 == request.id).cloned().collect();
        for earlier in before {
            let same = earlier.key.1 == request.attempt;
            let failed =
                earlier.ended.as_ref().is_some_and(|exit| exit.status != Some(0) || exit.timed_out) && !same;
            let again = repeatable && earlier.lost;
            if !failed && !again {
                let what = format!(
                    "the command of effect {} is started as try {} after try {} ({:?}, lost: {})",
                    request.id, request.attempt, earlier.key.1, earlier.ended, earlier.lost
                );
                self.violation(what);
            }
        }
    }
}

#[async_trait]
impl Runner for SimRunner {
    async fn look(&self, id: EffectId, attempt: u32) -> Result<ChildState, PortError> {
        self.0.outside("look for a command").await?;
        let mut state = self.0.state();
        state.settle_children();
        Ok(state.children.get(&(id, attempt)).map_or(ChildState::Never, |child| child.state.clone()))
    }

    async fn run(&self, request: &ChildRequest) -> Result<ChildExit, PortError> {
        let what = "run a command";
        let lost = self.0.outside(what).await?;
        let key = (request.id, request.attempt);
        let early = {
            let mut state = self.0.state();
            state.settle_children();
            if !state.children.contains_key(&key) {
                state.start_child(request);
            }
            lost && state.chance.percent(50)
        };
        if early {
            return Err(lost_answer(what));
        }
        loop {
            let ends_at = {
                let mut state = self.0.state();
                state.settle_children();
                match state.children.get(&key).map(|child| (child.state.clone(), child.ends_at)) {
                    Some((ChildState::Ended(exit), _)) if !lost => return Ok(exit),
                    Some((ChildState::Ended(_), _)) => return Err(lost_answer(what)),
                    Some((ChildState::Running, ends_at)) => ends_at,
                    _ => return Err(error(FailureClass::InDoubt, what, "it is gone without a word")),
                }
            };
            self.0.until(ends_at).await;
        }
    }

    async fn stop(&self, id: EffectId, attempt: u32) -> Result<(), PortError> {
        self.0.outside("stop a command").await?;
        let mut state = self.0.state();
        state.settle_children();
        let now = state.now;
        let key = (id, attempt);
        if let Some(child) = state.children.get_mut(&key).filter(|child| child.state == ChildState::Running) {
            (child.exit.status, child.exit.signal, child.ends_at) = (None, Some(15), now);
            child.state = ChildState::Ended(child.exit.clone());
            let child = child.clone();
            state.end(key, &child, false);
        }
        Ok(())
    }

    async fn forget(&self, id: EffectId) -> Result<(), PortError> {
        self.0.outside("forget a command").await?;
        let mut state = self.0.state();
        state.settle_children();
        if state.running().any(|(running, _)| *running == id) {
            state.violation(format!("the command of effect {id} is forgotten while it runs"));
        }
        state.children.retain(|(kept, _), _| *kept != id);
        Ok(())
    }
}
