//! People who roll back, and the word that lets others go there again.

use std::collections::BTreeMap;

use tollgate_core::actor::Actor;
use tollgate_core::event::EnvironmentEvent;
use tollgate_core::ids::{EnvironmentName, ReleaseId, RunId};
use tollgate_core::state::ReleaseState;
use tollgate_engine::rollback::Back;

use crate::drive::Sim;
use crate::judge::Judging;
use crate::people;
use crate::team::{SERVICE, named};

/// The rollbacks that nobody has released yet.
#[derive(Debug, Default)]
pub(crate) struct Reins {
    held: BTreeMap<EnvironmentName, RunId>,
}

impl Reins {
    /// Takes in what happened in an environment; gives what must not have.
    pub(crate) fn take_in(&mut self, name: &EnvironmentName, event: &EnvironmentEvent) -> Option<String> {
        match event {
            EnvironmentEvent::RolledBack { by, .. } => {
                self.held.insert(name.clone(), by.run);
                None
            }
            EnvironmentEvent::Released { .. } => match self.held.remove(name) {
                Some(_) => None,
                None => Some(format!("{name} was released, and nobody had rolled it back")),
            },
            _ => None,
        }
    }
}

impl Judging<'_> {
    /// What speaks against a deployment, as far as rollbacks go: after one, only it goes there, and it only to what ran there.
    pub(crate) fn reined_in(&self) -> Option<String> {
        let other = self.oracle.reins.held.get(self.name).is_some_and(|run| *run != self.run.id);
        if other && !self.waived("rollback") {
            return Some(format!("{} was entered after a rollback, and nobody said so", self.name));
        }
        self.plan.rollback.as_ref()?;
        let sealed = self.release.candidate(self.run.candidate)?.sealed?;
        let stretches = self.oracle.stretches.get(self.name).map(Vec::as_slice).unwrap_or_default();
        let ran = stretches.iter().any(|stretch| stretch.what == sealed);
        (!ran && !self.waived("from"))
            .then(|| format!("{} was rolled back to what was never verified there", self.name))
    }
}

impl Sim {
    /// Somebody wants an environment back as it was, or as it never was.
    pub(crate) async fn roll_back(&mut self) -> Option<EnvironmentName> {
        let policy = self.oracle.in_force()?;
        let mut names: Vec<EnvironmentName> = policy.environments.keys().cloned().collect();
        if self.chance.percent(80) {
            names.retain(|name| {
                self.oracle.environments.get(name).is_some_and(|state| state.before().is_some())
            });
        }
        let environment = self.chance.pick(&names).cloned()?;
        let releases: Vec<(ReleaseId, String)> =
            self.oracle.releases.iter().filter_map(|(id, state)| Some((*id, version(state)?))).collect();
        let to = match self.chance.percent(30) {
            true => self.chance.pick(&releases).cloned(),
            false => None,
        };
        let by = people::anybody(&mut self.chance);
        let back = Back { environment, to, why: "it is slow".into() };
        let desk = self.desk.clone();
        let result = match desk.plan_rollback(&named(SERVICE), &policy, &back).await {
            Ok((release, _)) if self.runs(release) > 60 => return None,
            Ok((release, plan)) => self.start(plan, Some(release), &by).await,
            Err(error) => Err(error),
        };
        let accepted = self.told(&format!("{by}: roll {} back", back.environment), result);
        self.catch_up();
        accepted.then_some(back.environment)
    }

    fn runs(&self, release: ReleaseId) -> usize {
        self.oracle.releases.get(&release).map(|state| state.runs.len()).unwrap_or_default()
    }

    /// Somebody lets others go to an environment again.
    pub(crate) async fn release(&mut self, environment: &EnvironmentName, by: &Actor) -> bool {
        let desk = self.desk.clone();
        let result = desk.release_environment(&named(SERVICE), environment, None, by).await;
        let accepted = self.told(&format!("{by}: release {environment}"), result);
        self.catch_up();
        accepted
    }
}

fn version(state: &ReleaseState) -> Option<String> {
    Some(state.opened.as_ref()?.version.clone())
}
