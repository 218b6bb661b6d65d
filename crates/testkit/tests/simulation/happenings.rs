//! What happens around the engine: rules change, others work and deploy, answers come late, people come in between.

use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard, PoisonError};

use jiff::SignedDuration;
use tollgate_core::act::{Failure, FailureClass, Outcome, Report};
use tollgate_core::actor::Actor;
use tollgate_core::calendar::{Freeze, Only, Scope};
use tollgate_core::event::{Deployed, Seen};
use tollgate_core::ids::{EnvironmentName, PersonName, ReleaseId};
use tollgate_core::model::Policy;
use tollgate_core::state::StepStatus;
use tollgate_core::view::{Stimulus, watch_key};

use crate::drive::{Meanwhile, Sim};
use crate::people::{self, Deed};
use crate::team::{PEOPLE, SERVICE, Team, named};

impl Sim {
    /// Others work on the same branch; the working copy follows, or does not.
    pub(crate) fn others_commit(&mut self) {
        let now = self.world.now();
        let follows = self.chance.percent(70);
        let mut state = self.world.state();
        if self.chance.percent(30) {
            state.git.others_commit("develop", "eve@example.org", "feat: for later", now);
            return;
        }
        let head = state.git.others_commit("main", "bob@example.org", "feat: more", now);
        if let (true, Some(checkout)) = (follows, &mut state.git.checkout) {
            checkout.head = Some(head);
        }
    }

    /// Something is not as it should be, for a while.
    pub(crate) async fn trouble(&mut self) {
        let now = self.world.now();
        let names: Vec<EnvironmentName> = self.team.policy.environments.keys().cloned().collect();
        let Some(name) = self.chance.pick(&names).cloned() else { return };
        match self.chance.below(5) {
            4 => self.freeze(&name).await,
            0 => {
                let mut state = self.world.state();
                if !state.git.declined.remove("refs/heads/") {
                    state.git.declined.insert("refs/heads/".into());
                }
            }
            1 => {
                let until = now + SignedDuration::from_mins(self.chance.between(1, 30));
                let mut state = self.world.state();
                state.services.entry(name.to_string()).or_default().down_until = Some(until);
            }
            2 => {
                let mut state = self.world.state();
                if let Some(checkout) = &mut state.git.checkout {
                    match checkout.dirty.pop() {
                        Some(_) => {}
                        None => checkout.dirty.push(" M app.txt".into()),
                    }
                }
            }
            _ => self.record(&name).await,
        }
    }

    /// Somebody stops what goes to an environment, or to any.
    async fn freeze(&mut self, name: &EnvironmentName) {
        let author: PersonName = named(PEOPLE[self.chance.below(PEOPLE.len())]);
        let by = people::actor(&author);
        let environments = match self.chance.percent(70) {
            true => Only::These([name.clone()].into()),
            false => Only::All,
        };
        let start = self.world.now() + SignedDuration::from_mins(self.chance.between(0, 30));
        let end = start + SignedDuration::from_mins(self.chance.between(1, 600));
        let scope = Scope { environments, ..Scope::ALL };
        let mut freeze = Freeze::new(scope, "something is on fire", author, start, end).unwrap();
        if self.chance.percent(20) {
            let what = if self.chance.percent(50) { "by-hand" } else { "rollback" };
            freeze = freeze.exempting(vec![what.parse().unwrap()]);
        }
        let desk = self.desk.clone();
        let result = desk.freeze(&named(SERVICE), &freeze, false, &by).await;
        self.told(&format!("{by}: {freeze}"), result.map(drop));
        self.catch_up();
    }

    /// Somebody agrees to lift a freeze.
    pub(crate) async fn thaw(&mut self, number: u32, by: &Actor) -> bool {
        let desk = self.desk.clone();
        let result = desk.thaw(&named(SERVICE), number, by).await;
        let accepted = self.told(&format!("{by}: thaw {number}"), result.map(drop));
        self.catch_up();
        accepted
    }

    /// Somebody tells what runs in an environment.
    async fn record(&mut self, name: &EnvironmentName) {
        let by = people::anybody(&mut self.chance);
        let what = Deployed {
            version: "0.9.0".into(),
            commit: None,
            fingerprint: None,
            release: None,
            candidate: None,
        };
        let deployed = [(named("app"), what)].into_iter().collect();
        let desk = self.desk.clone();
        let result = desk.record_environment(&named(SERVICE), name, deployed, &by).await;
        self.told(&format!("{by}: 0.9.0 runs in {name}"), result);
        self.catch_up();
    }

    pub(crate) async fn promote_by_hand(&mut self) {
        let releases: Vec<ReleaseId> = self.oracle.releases.keys().copied().collect();
        let Some(release) = self.chance.pick(&releases).copied() else { return };
        let names: Vec<EnvironmentName> =
            self.oracle.in_force().iter().flat_map(|policy| policy.environments.keys().cloned()).collect();
        let Some(environment) = self.chance.pick(&names).cloned() else { return };
        let by = people::anybody(&mut self.chance);
        self.promote(release, &environment, &by).await;
    }

    pub(crate) async fn promote(
        &mut self,
        release: ReleaseId,
        environment: &EnvironmentName,
        by: &Actor,
    ) -> bool {
        let Some(policy) = self.oracle.in_force() else { return false };
        let Some(state) = self.oracle.releases.get(&release).cloned() else { return false };
        if state.runs.len() > 60 {
            return false;
        }
        let desk = self.desk.clone();
        let result = match desk.plan_promotion(&state, &policy, environment).await {
            Ok(plan) => self.start(plan, Some(release), by).await,
            Err(error) => Err(error),
        };
        let accepted = self.told(&format!("{by}: promote {release} to {environment}"), result);
        self.catch_up();
        accepted
    }

    /// The rules change, mostly for the stricter.
    pub(crate) async fn change_rules(&mut self) {
        let Some(policy) = self.changed_rules() else { return };
        for _ in 0..2 {
            let by = people::actor(&named(PEOPLE[2 + self.chance.below(3)]));
            self.adopt(&policy, &by).await;
        }
    }

    fn changed_rules(&mut self) -> Option<Policy> {
        let mut policy = (*self.oracle.in_force()?).clone();
        let names: Vec<EnvironmentName> = policy.environments.keys().cloned().collect();
        let name = self.chance.pick(&names)?.clone();
        if self.has_trains() && self.chance.percent(20) {
            crate::trains::change(&mut policy, &mut self.chance);
            return Some(policy);
        }
        match self.chance.below(13) {
            10 => policy.risk = Some(crate::risks::rules(&mut self.chance)),
            11 | 12 => crate::signed::revoke(&mut policy, &mut self.chance),
            0..4 => {
                let rules = Team::by(&mut self.chance).policy;
                let new = rules.environments.values().flat_map(|environment| environment.gates.clone());
                let new: Vec<_> = new.collect();
                let (_, gate) = self.chance.pick(&new)?.clone();
                let number = self.chance.below(3);
                policy.environments.get_mut(&name)?.gates.insert(named(&format!("new-{number}")), gate);
            }
            4..6 => {
                policy.environments.get_mut(&name)?.gates.pop();
            }
            6..8 => {
                let groups = policy.groups.len();
                let (_, members) = policy.groups.get_index_mut(self.chance.below(groups))?;
                if members.len() > 2 {
                    members.remove(0);
                }
            }
            8 => {
                let person = named(PEOPLE[self.chance.below(PEOPLE.len())]);
                let groups = policy.groups.len();
                let (_, members) = policy.groups.get_index_mut(self.chance.below(groups))?;
                if !members.contains(&person) {
                    members.push(person);
                }
            }
            _ => {
                if policy.environments.len() > 1 {
                    let gone = policy.environments.shift_remove(&name)?;
                    for environment in policy.environments.values_mut() {
                        if environment.from.as_ref() == Some(&name) {
                            environment.from.clone_from(&gone.from);
                        }
                    }
                }
            }
        }
        Some(policy)
    }

    /// Answers that come late, twice, or in another order.
    pub(crate) async fn late(&mut self) {
        let leases = self.oracle.leases.clone();
        if self.chance.percent(30) {
            return self.late_look().await;
        }
        let index = self.chance.below(leases.len());
        let Some((release, effect, epoch)) = leases.get(index).copied() else { return };
        let newest = leases.iter().rposition(|(_, leased, _)| *leased == effect) == Some(index);
        let state = self.oracle.releases.get(&release).cloned().unwrap_or_default();
        let under_way = state.step_of(effect).is_some_and(
            |(_, _, step)| matches!(step.status, StepStatus::Leased { epoch: now, .. } if now == epoch),
        );
        if newest && under_way {
            return;
        }
        let report = match self.chance.percent(50) {
            true => Report::Done(Outcome::Done),
            false => Report::Failed(Failure {
                class: FailureClass::Permanent,
                why: "a late answer".into(),
                hint: None,
                retry_at: None,
                output: None,
            }),
        };
        let stimulus = match self.chance.percent(70) {
            true => Stimulus::Reported { effect, epoch, report },
            false => Stimulus::Lease { effect, epoch },
        };
        let what = format!("{stimulus:?}");
        if self.submit(release, stimulus, &Actor::Tollgate).await {
            self.fail(format!("a late answer was taken: {what}"));
        }
    }

    async fn late_look(&mut self) {
        let unfinished = self.oracle.unfinished();
        let Some(release) = self.chance.pick(&unfinished).copied() else { return };
        let probes: Vec<_> = self
            .team
            .policy
            .environments
            .values()
            .filter_map(|environment| environment.probe.as_ref().map(watch_key))
            .collect();
        let Some(key) = self.chance.pick(&probes).cloned() else { return };
        let seen = match self.chance.percent(50) {
            true => Seen { value: Some("0.9.9".into()), problem: None },
            false => Seen { value: None, problem: Some("no route to host".into()) },
        };
        self.submit(release, Stimulus::Observed { key, seen }, &Actor::Tollgate).await;
    }

    /// Others deploy where Tollgate only watches.
    pub(crate) fn others_deploy(&mut self) {
        let unfinished = self.oracle.unfinished();
        let Some(release) = self.chance.pick(&unfinished).copied() else { return };
        for (environment, version) in people::awaited(&self.oracle.view(release)) {
            self.put(&environment, &version);
        }
    }

    pub(crate) fn meanwhile(&self) -> MutexGuard<'_, VecDeque<Meanwhile>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What others are about to do in the middle of somebody's decision.
    pub(crate) fn prepare_meanwhile(&mut self) {
        if !self.immediate {
            return;
        }
        let mut prepared = VecDeque::new();
        let unfinished = self.oracle.unfinished();
        for _ in 0..2 {
            let Some(release) = self.chance.pick(&unfinished).copied() else { break };
            let view = self.oracle.view(release);
            let deed = people::whatever(&view, &mut self.chance, self.world.now());
            if let Some(Deed::Submit(release, stimulus, by)) = deed {
                prepared.push_back(Meanwhile::Submit(release, stimulus, by));
            }
        }
        if self.chance.percent(3)
            && let Some(policy) = self.changed_rules()
        {
            self.oracle.policies.insert(policy.hash(), Arc::new(policy.clone()));
            let by = people::actor(&named(PEOPLE[2 + self.chance.below(3)]));
            prepared.push_front(Meanwhile::Adopt(Box::new(policy), by));
        }
        *self.meanwhile() = prepared;
    }
}
