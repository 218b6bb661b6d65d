//! What must always hold, told from the journal and the world alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use tollgate_core::event::{ApprovalTarget, Entry, EnvironmentEvent, Event, PolicyEvent, ReleaseEvent};
use tollgate_core::ids::{EffectId, EnvironmentName, ObjectId, PersonName, ReleaseId, RunId, StepId};
use tollgate_core::journal::{Hash, StreamId, StreamVersion};
use tollgate_core::model::Policy;
use tollgate_core::others::Others;
use tollgate_core::plan::{Body, Plan};
use tollgate_core::state::{
    EnvironmentState, PolicyState, ReleaseState, Run, RunStatus, Running, StepStatus,
};
use tollgate_core::view::{View, effect_id};
use tollgate_testkit::world::{Appended, Happened, Started};

use crate::judge::Judging;
use crate::notices::Told;
use crate::rollbacks::Reins;
use crate::team::{SERVICE, named};
use crate::trains::Trains;

/// A time in which an environment ran something that was verified there.
#[derive(Debug)]
pub(crate) struct Stretch {
    pub(crate) what: Hash,
    pub(crate) from: Timestamp,
    pub(crate) until: Option<Timestamp>,
}

/// Its own idea of everything, from what was committed.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) releases: BTreeMap<ReleaseId, ReleaseState>,
    pub(crate) environments: BTreeMap<EnvironmentName, EnvironmentState>,
    /// What each environment ran, verified, and how long.
    pub(crate) stretches: BTreeMap<EnvironmentName, Vec<Stretch>>,
    /// Which releases began to be deployed, how they raised the version, and when.
    pub(crate) starts: BTreeMap<EnvironmentName, Vec<(ReleaseId, String, Timestamp)>>,
    /// Where only a rollback goes.
    pub(crate) reins: Reins,
    pub(crate) policy: PolicyState,
    /// How the departures of trains stand, and what people are told.
    pub(crate) trains: Trains,
    pub(crate) told: Told,
    /// What facts were in the world, and when.
    pub(crate) facts: BTreeMap<String, Vec<tollgate_testkit::world::Stretch>>,
    /// With which key tags and commits are signed in the world.
    pub(crate) signatures: BTreeMap<ObjectId, String>,
    /// What Tollgate wrote on the remote: names of refs and objects.
    pub(crate) written: BTreeSet<(String, ObjectId)>,
    /// Rules and plans that were ever made, by hash.
    pub(crate) policies: BTreeMap<Hash, Arc<Policy>>,
    pub(crate) plans: BTreeMap<Hash, Arc<Plan>>,
    pub(crate) versions: BTreeMap<String, StreamVersion>,
    /// Every lease, in order.
    pub(crate) leases: Vec<(ReleaseId, EffectId, u64)>,
    /// What must not happen, and did.
    pub(crate) violations: Vec<String>,
    /// How many events there were.
    pub(crate) events: u64,
}

impl Oracle {
    /// Takes in what happened.
    pub(crate) fn take_in(&mut self, log: Vec<Happened>) {
        for happened in log {
            match happened {
                Happened::Kept(plan) => {
                    if let Ok(plan) = serde_json::from_slice::<Plan>(&plan) {
                        self.plans.entry(plan.id()).or_insert_with(|| Arc::new(plan));
                    }
                }
                Happened::Committed(appended) => self.committed(&appended),
                Happened::Started(started) => self.started(&started),
            }
        }
    }

    pub(crate) fn violation(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    pub(crate) fn in_force(&self) -> Option<Arc<Policy>> {
        let adopted = self.policy.adopted.as_ref()?;
        self.policies.get(&adopted.hash).cloned()
    }

    pub(crate) fn plan(&self, run: &Run) -> Option<&Arc<Plan>> {
        self.plans.get(&run.plan_id)
    }

    /// What a decision about a release would look at.
    pub(crate) fn view(&self, release: ReleaseId) -> View {
        let view = self.alone(release);
        if !view.asks_for_order(None) {
            return view;
        }
        let others = self.unfinished().into_iter().filter(|other| *other != release);
        View { others: Others::new(others.map(|other| Arc::new(self.alone(other))).collect()), ..view }
    }

    fn alone(&self, release: ReleaseId) -> View {
        let state = self.releases.get(&release).cloned().unwrap_or_default();
        let unfinished = state.runs.iter().filter(|run| !matches!(run.status, RunStatus::Finished { .. }));
        let plans = unfinished.filter_map(|run| Some((run.id, self.plan(run)?.clone()))).collect();
        let mut environments = self.environments.clone();
        for name in self.in_force().iter().flat_map(|policy| policy.environments.keys()) {
            environments.entry(name.clone()).or_default();
        }
        View {
            service: named(SERVICE),
            release_id: release,
            release: state,
            plans,
            policy: self.in_force(),
            freezes: self.policy.freezes.clone(),
            environments,
            others: Others::default(),
            versions: Vec::new(),
        }
    }

    pub(crate) fn unfinished(&self) -> Vec<ReleaseId> {
        let open = |state: &ReleaseState| {
            state.runs.iter().any(|run| !matches!(run.status, RunStatus::Finished { .. }))
        };
        self.releases.iter().filter(|(_, state)| open(state)).map(|(id, _)| *id).collect()
    }

    fn committed(&mut self, appended: &[Appended]) {
        let mut entries = Vec::new();
        for append in appended {
            let version = self.versions.entry(append.stream.to_string()).or_default();
            version.0 += append.events.len() as u64;
            for event in &append.events {
                match Entry::decode(&append.stream, event) {
                    Ok(entry) => entries.push(entry),
                    Err(error) => self.violations.push(format!("{}: {error}", append.stream)),
                }
            }
        }
        self.events += entries.len() as u64;
        // A commit holds the events of one decision stream by stream: those of the release first, then what follows from them.
        for entry in &entries {
            if let (Event::Release(event), StreamId::Release(_, id)) = (&entry.event, &entry.stream) {
                self.before_release(*id, entry, event);
                self.releases.entry(*id).or_default().apply(entry.at, &entry.actor, event);
            }
            if let Event::Policy(event) = &entry.event {
                self.before_policy(entry, event);
                self.policy.apply(entry.at, &entry.actor, event);
                if let (PolicyEvent::Adopted { .. }, Some(in_force)) = (event, self.in_force()) {
                    self.trains.adopted(entry.at, &in_force);
                }
            }
        }
        let in_force = self.in_force();
        let wrong = self.trains.take_in(&entries, in_force.as_deref());
        self.violations.extend(wrong);
        let wrong = self.told.take_in(&entries, in_force.as_deref());
        self.violations.extend(wrong);
        for entry in &entries {
            if let (Event::Environment(event), StreamId::Environment(_, name)) = (&entry.event, &entry.stream)
            {
                self.before_environment(name, entry.at, event);
                self.environments.entry(name.clone()).or_default().apply(entry.at, &entry.actor, event);
            }
        }
        for entry in &entries {
            if let (Event::Release(ReleaseEvent::EffectLeased { run, step, .. }), StreamId::Release(_, id)) =
                (&entry.event, &entry.stream)
            {
                self.leased_deployment(*id, *run, step);
            }
        }
    }

    fn before_policy(&mut self, entry: &Entry, event: &PolicyEvent) {
        let PolicyEvent::Adopted { hash, signed, .. } = event else { return };
        let Some(in_force) = self.in_force() else { return };
        let Some(rule) = in_force.changes.clone() else { return };
        let counted: BTreeSet<&PersonName> =
            signed.iter().filter(|person| in_force.includes(&rule.by, person)).collect();
        if counted.len() < rule.count as usize {
            self.violation(format!(
                "{hash} was adopted by {} with too few sign-offs: {signed:?}",
                entry.actor
            ));
        }
    }

    fn before_release(&mut self, id: ReleaseId, entry: &Entry, event: &ReleaseEvent) {
        let state = self.releases.entry(id).or_default().clone();
        if let Some(run) = run_of(event)
            && !matches!(event, ReleaseEvent::RunStarted { .. })
        {
            match state.run(&run).map(|run| &run.status) {
                None => self.violation(format!("an event of a run that never started: {event:?}")),
                Some(RunStatus::Finished { .. }) => {
                    self.violation(format!("an event of a run that is finished: {event:?}"));
                }
                Some(RunStatus::Held { .. }) if begins(event) => {
                    self.violation(format!("a run that is held goes on: {event:?}"));
                }
                _ => {}
            }
            self.order(&state, run, event);
        }
        for wrong in crate::respins::judge(self, id, &state, event) {
            self.violation(wrong);
        }
        match event {
            ReleaseEvent::RunFinished { run, outcome: tollgate_core::event::RunOutcome::Done } => {
                if let Some((run, plan)) = state.run(run).and_then(|run| Some((run, self.plan(run)?.clone())))
                {
                    let over = |step| run.steps.get(step).is_some_and(|state| state.status.is_over());
                    if let Some(step) = plan.steps.iter().find(|step| !over(&step.id)) {
                        self.violation(format!("a run was done without `{}`", step.id));
                    }
                }
            }
            ReleaseEvent::EffectWanted { run, step, effect, attempt, .. } => {
                let now = state.run(run).and_then(|run| run.steps.get(step)).map_or(1, |step| step.attempt);
                if *attempt != now || *effect != effect_id(*run, step, *attempt) {
                    self.violation(format!("`{step}` wants {effect} as attempt {attempt}, not {now}"));
                }
                self.in_time(&state, run, step, entry.at);
            }
            ReleaseEvent::EffectLeased { run, step, effect, epoch } => {
                let wrong = self.tried_again(id, &state, (run, step), entry.at);
                self.violations.extend(wrong);
                let before = self.leases.iter().rev().find(|(_, leased, _)| leased == effect);
                if before.is_some_and(|(_, _, before)| before >= epoch) {
                    self.violation(format!("{effect} is leased at epoch {epoch} again"));
                }
                self.leases.push((id, *effect, *epoch));
            }
            ReleaseEvent::Approved { target, candidate, covers, .. } => {
                let now = state.candidate(*candidate).map(|candidate| candidate.fingerprint());
                if matches!(target, ApprovalTarget::Gate(..)) && now.as_ref() != Some(covers) {
                    self.violation(format!("{} approved something else than there is", entry.actor));
                }
            }
            ReleaseEvent::RiskSaid { level, from, .. } => {
                let wrong = crate::risks::wrong_to_say(self, &state, &entry.actor, (from, level));
                self.violations.extend(wrong);
            }
            ReleaseEvent::Waived { .. } => {
                let policy = self.in_force();
                let allowed = policy.zip(entry.actor.person()).is_some_and(|(policy, person)| {
                    policy.waivers.as_ref().is_some_and(|who| policy.includes(who, person))
                });
                if !allowed {
                    self.violation(format!("{} waived something and may not", entry.actor));
                }
            }
            _ => {}
        }
    }

    /// A step is reached after those before it are over.
    fn order(&mut self, state: &ReleaseState, run: RunId, event: &ReleaseEvent) {
        let step = match event {
            ReleaseEvent::StepOpened { step, .. }
            | ReleaseEvent::EffectWanted { step, .. }
            | ReleaseEvent::StepDone { step, .. }
            | ReleaseEvent::StepKept { step, .. }
            | ReleaseEvent::StepSkipped { step, .. } => step,
            _ => return,
        };
        let Some(run) = state.run(&run) else { return };
        let Some(plan) = self.plan(run).cloned() else { return self.violation("a run without a known plan") };
        let Some(planned) = plan.step(step) else {
            return self.violation(format!("the plan has no step `{step}`"));
        };
        let over = |step| run.steps.get(step).is_some_and(|state| state.status.is_over());
        if let Some(before) = planned.after.iter().find(|before| !over(before)) {
            self.violation(format!("`{step}` is reached before `{before}` is over"));
        }
        if run.steps.get(step).is_some_and(|state| state.status.is_over()) {
            self.violation(format!("`{step}` is over, and then: {event:?}"));
        }
    }

    fn before_environment(&mut self, name: &EnvironmentName, at: Timestamp, event: &EnvironmentEvent) {
        let state = self.environments.entry(name.clone()).or_default().clone();
        let stretches = self.stretches.entry(name.clone()).or_default();
        match event {
            EnvironmentEvent::DeploymentStarted { .. } | EnvironmentEvent::Recorded { .. } => {
                stretches.iter_mut().for_each(|stretch| stretch.until = stretch.until.or(Some(at)));
            }
            EnvironmentEvent::Verified { fingerprint, .. } => {
                stretches.push(Stretch { what: *fingerprint, from: at, until: None });
            }
            EnvironmentEvent::DeploymentEnded { .. }
            | EnvironmentEvent::RolledBack { .. }
            | EnvironmentEvent::Released { .. } => {}
        }
        let wrong = self.reins.take_in(name, event);
        self.violations.extend(wrong);
        match event {
            EnvironmentEvent::DeploymentStarted { by, deploying, bump, gates, .. } => {
                if let Some(held) = &state.held {
                    self.violation(format!("{by:?} deploys into {name}, which {:?} holds", held.by));
                }
                if let Some(closed) = gates.iter().find(|report| !report.is_open()) {
                    self.violation(format!("{by:?} deploys into {name} past {closed:?}"));
                }
                let release = self.releases.get(&by.release).cloned().unwrap_or_default();
                let sealed = release.candidate(by.candidate).and_then(|candidate| candidate.sealed);
                let wrong =
                    |what: &&tollgate_core::event::Deployed| what.fingerprint != sealed || sealed.is_none();
                if deploying.values().find(wrong).is_some() || deploying.is_empty() {
                    self.violation(format!("{deploying:?} goes to {name}, the candidate is {sealed:?}"));
                }
                let found = release.run(&by.run).and_then(|run| Some((run, self.plan(run)?.clone())));
                match found.zip(self.in_force()) {
                    Some(((run, plan), in_force)) => {
                        let judging = Judging {
                            oracle: self,
                            release: &release,
                            run,
                            plan: &plan,
                            name,
                            at,
                            id: by.release,
                        };
                        let wrong: Vec<String> = [&in_force, &Arc::new(plan.policy.clone())]
                            .into_iter()
                            .filter_map(|policy| judging.enter(policy, &in_force))
                            .chain(judging.reined_in())
                            .collect();
                        self.violations.extend(wrong);
                    }
                    None => self.violation("a deployment without a run or without rules"),
                }
                self.starts.entry(name.clone()).or_default().push((by.release, bump.clone(), at));
            }
            EnvironmentEvent::DeploymentEnded { by, .. } => {
                if state.held.as_ref().is_none_or(|held| held.by != *by) {
                    self.violation(format!("{by:?} gives {name} back and does not hold it"));
                }
            }
            EnvironmentEvent::Verified { fingerprint, .. } => {
                let other = |running: &Running| running.what.fingerprint.as_ref() != Some(fingerprint);
                if state.deployed.is_empty() || state.deployed.values().any(other) {
                    self.violation(format!("{fingerprint} was verified in {name} and does not run there"));
                }
            }
            EnvironmentEvent::Recorded { .. }
            | EnvironmentEvent::RolledBack { .. }
            | EnvironmentEvent::Released { .. } => {}
        }
    }

    /// What speaks against another try of a deployment, which takes no environment: it holds it since the first one. What
    /// another process takes over goes on.
    fn tried_again(
        &self,
        id: ReleaseId,
        release: &ReleaseState,
        (run, step): (&RunId, &StepId),
        at: Timestamp,
    ) -> Vec<String> {
        let Some(run) = release.run(run) else { return Vec::new() };
        let begins = run.steps.get(step).is_some_and(|step| matches!(step.status, StepStatus::Wanted { .. }));
        let Some((plan, in_force)) = self.plan(run).zip(self.in_force()).filter(|_| begins) else {
            return Vec::new();
        };
        let deploys = plan.step(step).filter(|step| matches!(step.body, Body::Deploy(_)));
        let Some(name) = deploys.and_then(|step| step.environment.as_ref()) else { return Vec::new() };
        let judging = Judging { oracle: self, release, run, plan, name, at, id };
        let rules = [&in_force, &Arc::new(plan.policy.clone())];
        let wrong = rules.into_iter().filter_map(|policy| judging.enter(policy, &in_force));
        wrong.map(|wrong| format!("{wrong}, at another try")).collect()
    }

    /// Whoever is about to deploy holds the environment.
    fn leased_deployment(&mut self, id: ReleaseId, run: RunId, step: &tollgate_core::ids::StepId) {
        let view = self.view(id);
        let Some((run, plan)) = view.active().find(|(active, _)| active.id == run) else { return };
        let Some(planned) = plan.step(step).filter(|step| matches!(step.body, Body::Deploy(_))) else {
            return;
        };
        let Some(name) = &planned.environment else { return };
        let held = self.environments.get(name).and_then(|state| state.held.as_ref());
        if held.is_none_or(|held| held.by != view.holder(run, planned)) {
            self.violation(format!("`{step}` is leased without holding {name}"));
        }
    }

    /// A command that deploys was started for a deployment that is in the journal.
    fn started(&mut self, started: &Started) {
        // A look changes nothing, and is no act.
        if started.variables.contains_key("TOLLGATE_FACT") {
            return;
        }
        let variable = |name: &str| started.variables.get(name).cloned().unwrap_or_default();
        let leased = self.leases.iter().rev().find(|(_, effect, _)| *effect == started.key.0).copied();
        let Some((release, ..)) = leased else {
            return self.violation(format!("the command of {} was started without a lease", started.key.0));
        };
        let state = self.releases.get(&release).cloned().unwrap_or_default();
        let over = state.runs.iter().find_map(|run| {
            let step = run.steps.iter().find(|(id, state)| {
                (1..=state.attempt).any(|attempt| effect_id(run.id, id, attempt) == started.key.0)
            });
            step.map(|(_, state)| state.status.is_over())
        });
        if over == Some(true) {
            self.violation(format!("the command of {} was started after its step was over", started.key.0));
        }
        if !started.command.starts_with(tollgate_testkit::world::DEPLOY) {
            return;
        }
        let Ok(name) = variable("TOLLGATE_ENVIRONMENT").parse::<EnvironmentName>() else {
            return self.violation("a deployment without an environment");
        };
        let held = self.environments.get(&name).and_then(|state| state.held.clone());
        let aborted = state.runs.iter().any(|run| {
            matches!(run.status, RunStatus::Finished { .. })
                && run.steps.iter().any(|(_, step)| step.status.effect() == Some(started.key.0))
        });
        // Given up between the lease and the start: it was started while it was allowed, and is stopped.
        if aborted {
            return;
        }
        match held {
            Some(held) => {
                let version = variable("TOLLGATE_VERSION");
                let candidate = variable("TOLLGATE_CANDIDATE");
                let fits = held.by.release == release
                    && held.by.candidate.to_string() == candidate
                    && held.deploying.values().all(|what| what.version == version)
                    && variable("TOLLGATE_STEP").starts_with(held.by.step.as_str());
                if !fits {
                    self.violation(format!(
                        "{:?} was started while {:?} holds {name}",
                        started.variables, held.by
                    ));
                }
            }
            None => self.violation(format!("{:?} was started, and nobody holds {name}", started.variables)),
        }
    }
}

/// The run that an event belongs to.
fn run_of(event: &ReleaseEvent) -> Option<RunId> {
    match event {
        ReleaseEvent::StepOpened { run, .. }
        | ReleaseEvent::EffectWanted { run, .. }
        | ReleaseEvent::EffectLeased { run, .. }
        | ReleaseEvent::EffectFailed { run, .. }
        | ReleaseEvent::StepStuck { run, .. }
        | ReleaseEvent::Seen { run, .. }
        | ReleaseEvent::StepDone { run, .. }
        | ReleaseEvent::StepSkipped { run, .. }
        | ReleaseEvent::StepKept { run, .. }
        | ReleaseEvent::StepExpired { run, .. }
        | ReleaseEvent::StepOverdue { run, .. }
        | ReleaseEvent::StepRetried { run, .. }
        | ReleaseEvent::LookWanted { run, .. }
        | ReleaseEvent::RunHeld { run, .. }
        | ReleaseEvent::RunResumed { run }
        | ReleaseEvent::RunStarted { run, .. }
        | ReleaseEvent::RunFinished { run, .. } => Some(*run),
        _ => None,
    }
}

/// Whether something new begins with it.
fn begins(event: &ReleaseEvent) -> bool {
    matches!(event, ReleaseEvent::EffectWanted { .. })
        || matches!(event, ReleaseEvent::EffectLeased { epoch: 1, .. })
}
