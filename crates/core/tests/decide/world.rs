//! A small world to decide in: virtual time, people, environments, and executors that do as they are told.
//!
//! After every decision the invariants are checked that hold whatever happens.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::str::FromStr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tollgate_core::act::{Act, Failure, FailureClass, MergedBranch, Outcome, Report};
use tollgate_core::actor::{Actor, Known};
use tollgate_core::agenda::{Agenda, agenda};
use tollgate_core::decide::decide;
use tollgate_core::event::{
    ApprovalTarget, Asked, Ballot, Entry, RunOutcome, Seen, TickResult, WaiverTarget,
};
use tollgate_core::explain::{Holding, explain};
use tollgate_core::ids::{EffectId, EnvironmentName, ObjectId, RunId, StepId};
use tollgate_core::journal::{BlobId, Hash};
use tollgate_core::model::Policy;
use tollgate_core::others::Others;
use tollgate_core::plan::Plan;
use tollgate_core::publish::{Artifact, Digest};
use tollgate_core::state::{EnvironmentState, FreezeState, ReleaseState, RunStatus, StepState, StepStatus};
use tollgate_core::view::{Refusal, Stimulus, View, release_id};

use crate::checks::check;

/// Any name, or a panic.
pub(crate) fn n<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

pub(crate) fn mins(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

pub(crate) fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

pub(crate) fn commit(text: &str) -> ObjectId {
    ObjectId(Hash::of(text).to_string()[..40].to_owned())
}

/// A person of the policy, or an account that belongs to nobody (`?login`).
pub(crate) fn actor(name: &str) -> Actor {
    match name.strip_prefix('?') {
        Some(login) => Actor::Login(login.into()),
        None if name == "tollgate" => Actor::Tollgate,
        None => Actor::Person { name: n(name), known: Known::Login(name.into()) },
    }
}

pub(crate) fn run_id(number: u128) -> RunId {
    RunId(uuid::Uuid::from_u128(number))
}

pub(crate) fn failure(class: FailureClass, why: &str) -> Failure {
    Failure { class, why: why.into(), hint: None, retry_at: None, output: None }
}

pub(crate) fn gate(environment: &str, gate: &str) -> ApprovalTarget {
    ApprovalTarget::Gate(n(environment), n(gate))
}

pub(crate) fn seen(value: &str) -> Seen {
    Seen { value: Some(value.into()), problem: None }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Release {
    pub(crate) state: ReleaseState,
    pub(crate) plans: BTreeMap<RunId, Arc<Plan>>,
    pub(crate) runs: Vec<RunId>,
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) policy: Arc<Policy>,
    pub(crate) freezes: Vec<FreezeState>,
    pub(crate) environments: BTreeMap<EnvironmentName, EnvironmentState>,
    pub(crate) releases: BTreeMap<String, Release>,
    pub(crate) journal: Vec<Entry>,
    pub(crate) epoch: u64,
    runs: u128,
}

impl World {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            now: "2026-03-02T09:00:00Z".parse().unwrap(),
            policy: Arc::new(policy.clone()),
            freezes: Vec::new(),
            environments: BTreeMap::new(),
            releases: BTreeMap::new(),
            journal: Vec::new(),
            epoch: 0,
            runs: 0,
        }
    }

    /// What a decision about a release looks at, with the other ones that are under way.
    pub(crate) fn view(&self, version: &str) -> View {
        let names = self.releases.keys().filter(|other| *other != version);
        let others = names.map(|other| self.alone(other)).filter(|other| other.active().next().is_some());
        View { others: Others::new(others.map(Arc::new).collect()), ..self.alone(version) }
    }

    fn alone(&self, version: &str) -> View {
        let service = self.policy.service.clone();
        let release = self.releases.get(version).cloned().unwrap_or_default();
        let mut environments = self.environments.clone();
        for name in self.policy.environments.keys() {
            environments.entry(name.clone()).or_default();
        }
        View {
            release_id: release_id(&service, version),
            service,
            release: release.state,
            plans: release.plans,
            policy: Some(self.policy.clone()),
            freezes: self.freezes.clone(),
            environments,
            others: Others::default(),
            versions: Vec::new(),
        }
    }

    /// Decides, checks, and takes over what came of it.
    pub(crate) fn give(
        &mut self,
        version: &str,
        by: &Actor,
        stimulus: &Stimulus,
    ) -> Result<Vec<Entry>, Refusal> {
        let before = self.view(version);
        let decision = decide(before.clone(), stimulus, by, self.now)?;
        check(&before, &decision.after, &decision.entries, self.now);
        let release = self.releases.entry(version.to_owned()).or_default();
        release.state = decision.after.release.clone();
        release.plans = decision.after.plans.clone();
        self.environments = decision.after.environments.clone();
        self.journal.extend(decision.entries.iter().cloned());
        Ok(decision.entries)
    }

    pub(crate) fn by(&mut self, version: &str, who: &str, stimulus: Stimulus) -> Result<Vec<Entry>, Refusal> {
        self.give(version, &actor(who), &stimulus)
    }

    /// The refusal's code, for somebody who may not.
    #[track_caller]
    pub(crate) fn refused(&mut self, version: &str, who: &str, stimulus: Stimulus) -> &'static str {
        self.by(version, who, stimulus).unwrap_err().code
    }

    #[track_caller]
    pub(crate) fn start(&mut self, plan: &Plan, who: &str) -> RunId {
        self.try_start(plan, who).unwrap()
    }

    pub(crate) fn try_start(&mut self, plan: &Plan, who: &str) -> Result<RunId, Refusal> {
        self.runs += 1;
        let run = run_id(self.runs);
        let version = plan.version.text.clone();
        let blob = BlobId(plan.id());
        self.by(&version, who, Stimulus::Start { run, plan: Arc::new(plan.clone()), blob })?;
        self.releases.get_mut(&version).unwrap().runs.push(run);
        Ok(run)
    }

    /// Another candidate of a release.
    pub(crate) fn respin(&mut self, release: &str, plan: &Plan, who: &str) -> Result<RunId, Refusal> {
        self.runs += 1;
        let run = run_id(self.runs);
        let (plan, blob, why) = (Arc::new(plan.clone()), BlobId(plan.id()), "it failed on stage".to_owned());
        self.by(release, who, Stimulus::Respin { run, plan, blob, why })?;
        self.releases.get_mut(release).unwrap().runs.push(run);
        Ok(run)
    }

    pub(crate) fn wake(&mut self, version: &str) -> Vec<Entry> {
        self.by(version, "tollgate", Stimulus::Wake).unwrap()
    }

    pub(crate) fn agenda(&self, version: &str) -> Agenda {
        agenda(&self.view(version), self.now)
    }

    pub(crate) fn explain(&self, version: &str) -> Vec<Holding> {
        explain(&self.view(version), self.now)
    }

    /// What holds it, one line each.
    pub(crate) fn why(&self, version: &str) -> String {
        let line = |holding: &Holding| format!("{}: {}", holding.hold.what, holding.hold.why);
        self.explain(version).iter().map(line).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn run(&self, version: &str) -> RunId {
        *self.releases[version].runs.last().unwrap()
    }

    pub(crate) fn step(&self, version: &str, step: &str) -> &StepState {
        let run = self.run(version);
        let state = self.releases[version].state.run(&run).unwrap();
        state.steps.get(&n::<StepId>(step)).unwrap_or_else(|| panic!("{step} is not reached"))
    }

    pub(crate) fn reached(&self, version: &str, step: &str) -> bool {
        let run = self.run(version);
        self.releases[version].state.run(&run).unwrap().steps.contains_key(&n::<StepId>(step))
    }

    /// A word for how a step stands.
    pub(crate) fn is(&self, version: &str, step: &str) -> &'static str {
        if !self.reached(version, step) {
            return "not reached";
        }
        match self.step(version, step).status {
            StepStatus::Open { .. } => "open",
            StepStatus::Wanted { .. } => "wanted",
            StepStatus::Leased { .. } => "leased",
            StepStatus::Stuck { .. } => "stuck",
            StepStatus::Done { .. } => "done",
            StepStatus::Skipped(_) => "skipped",
            StepStatus::Expired => "expired",
        }
    }

    pub(crate) fn outcome(&self, version: &str) -> Option<RunOutcome> {
        let run = self.run(version);
        match &self.releases[version].state.run(&run)?.status {
            RunStatus::Finished { outcome, .. } => Some(outcome.clone()),
            _ => None,
        }
    }

    pub(crate) fn environment(&self, name: &str) -> EnvironmentState {
        self.environments.get(&n::<EnvironmentName>(name)).cloned().unwrap_or_default()
    }

    /// The version that runs in an environment.
    pub(crate) fn runs(&self, name: &str) -> Option<String> {
        let state = self.environment(name);
        state.deployed.values().next().map(|running| running.what.version.clone())
    }

    pub(crate) fn act(&self, version: &str, step: &str) -> Act {
        match &self.step(version, step).status {
            StepStatus::Wanted { act, .. } | StepStatus::Leased { act, .. } => act.clone(),
            other => panic!("{step} is {other:?}"),
        }
    }

    pub(crate) fn effect(&self, version: &str, step: &str) -> EffectId {
        let status = &self.step(version, step).status;
        status.effect().unwrap_or_else(|| panic!("{step} is {status:?}"))
    }

    pub(crate) fn lease(&mut self, version: &str, step: &str) -> Result<u64, Refusal> {
        let effect = self.effect(version, step);
        self.epoch += 1;
        let epoch = self.epoch;
        self.by(version, "tollgate", Stimulus::Lease { effect, epoch })?;
        Ok(epoch)
    }

    pub(crate) fn report(
        &mut self,
        version: &str,
        step: &str,
        report: Report,
    ) -> Result<Vec<Entry>, Refusal> {
        let effect = self.effect(version, step);
        let StepStatus::Leased { epoch, .. } = self.step(version, step).status else {
            panic!("{step} is not leased")
        };
        self.by(version, "tollgate", Stimulus::Reported { effect, epoch, report })
    }

    /// Carries one act out.
    #[track_caller]
    pub(crate) fn act_on(&mut self, version: &str, step: &str) {
        self.lease(version, step).unwrap();
        let outcome = outcome(&self.act(version, step));
        self.report(version, step, Report::Done(outcome)).unwrap();
    }

    /// Lets an act fail.
    #[track_caller]
    pub(crate) fn fail(&mut self, version: &str, step: &str, class: FailureClass) {
        self.lease(version, step).unwrap();
        self.report(version, step, Report::Failed(failure(class, "it broke"))).unwrap();
    }

    /// Carries out everything that is wanted, and lets probes answer with the version, until nothing is left to do.
    pub(crate) fn settle(&mut self, version: &str) {
        for _ in 0..500 {
            let wanted = self.agenda(version);
            let due = wanted.tasks.iter().find(|(_, task)| task.leased.is_none() && task.due <= self.now);
            if let Some((effect, _)) = due {
                let effect = *effect;
                self.epoch += 1;
                let epoch = self.epoch;
                self.by(version, "tollgate", Stimulus::Lease { effect, epoch }).unwrap();
                let state = &self.releases[version].state;
                if state.notices.get(effect).is_some() {
                    let report = Report::Done(Outcome::Sent { found: false });
                    self.by(version, "tollgate", Stimulus::Reported { effect, epoch, report }).unwrap();
                    continue;
                }
                let Some((_, _, step)) = state.step_of(effect) else { continue };
                let StepStatus::Leased { act, .. } = &step.status else { continue };
                let report = Report::Done(outcome(act));
                self.by(version, "tollgate", Stimulus::Reported { effect, epoch, report }).unwrap();
            } else if let Some(key) = wanted.watches.keys().next() {
                self.now += secs(10);
                let key = key.clone();
                let entries = self.observe(version, &key, &seen(version));
                if entries.is_empty() {
                    return;
                }
            } else {
                return;
            }
        }
        panic!("it never settles: {}", self.why(version));
    }

    pub(crate) fn observe(&mut self, version: &str, key: &str, seen: &Seen) -> Vec<Entry> {
        self.by(version, "tollgate", Stimulus::Observed { key: key.into(), seen: seen.clone() }).unwrap()
    }

    pub(crate) fn pass(&mut self, time: SignedDuration) {
        self.now += time;
    }

    pub(crate) fn approve(
        &mut self,
        version: &str,
        who: &str,
        target: ApprovalTarget,
    ) -> Result<(), Refusal> {
        self.by(version, who, Stimulus::Approve { target, note: None }).map(drop)
    }

    pub(crate) fn vote(
        &mut self,
        version: &str,
        who: &str,
        target: ApprovalTarget,
        ballot: Ballot,
        note: Option<&str>,
    ) -> Result<(), Refusal> {
        self.by(version, who, Stimulus::Vote { target, ballot, note: note.map(Into::into) }).map(drop)
    }

    pub(crate) fn tick(
        &mut self,
        version: &str,
        who: &str,
        target: ApprovalTarget,
        items: &[&str],
        result: TickResult,
        evidence: Option<&str>,
    ) -> Result<(), Refusal> {
        let items = items.iter().map(|item| n(item)).collect();
        let evidence = evidence.map(Into::into);
        self.by(version, who, Stimulus::Tick { target, items, result, evidence }).map(drop)
    }

    pub(crate) fn assign(
        &mut self,
        version: &str,
        who: &str,
        role: &str,
        person: &str,
    ) -> Result<(), Refusal> {
        self.by(version, who, Stimulus::Assign { role: n(role), person: n(person) }).map(drop)
    }

    pub(crate) fn revoke(&mut self, version: &str, who: &str, target: ApprovalTarget) -> Result<(), Refusal> {
        self.by(version, who, Stimulus::Revoke { target }).map(drop)
    }

    pub(crate) fn answer(&mut self, version: &str, who: &str, name: &str, text: &str) -> Result<(), Refusal> {
        let question = Asked::Question(n(name));
        self.by(version, who, Stimulus::Answer { question, text: text.into() }).map(drop)
    }

    pub(crate) fn answer_gate(
        &mut self,
        version: &str,
        who: &str,
        environment: &str,
        name: &str,
        text: &str,
    ) -> Result<(), Refusal> {
        let run = self.run(version);
        let candidate = self.releases[version].state.run(&run).unwrap().candidate;
        let question = Asked::Gate(n(environment), n(name), candidate);
        self.by(version, who, Stimulus::Answer { question, text: text.into() }).map(drop)
    }

    pub(crate) fn done(&mut self, version: &str, who: &str, step: &str) -> Result<(), Refusal> {
        self.done_with(version, who, step, None, &[])
    }

    pub(crate) fn done_with(
        &mut self,
        version: &str,
        who: &str,
        step: &str,
        evidence: Option<&str>,
        outputs: &[(&str, &str)],
    ) -> Result<(), Refusal> {
        let run = self.run(version);
        let outputs = outputs.iter().map(|(name, value)| (n(name), (*value).to_owned())).collect();
        let evidence = evidence.map(Into::into);
        self.by(version, who, Stimulus::Done { run, step: n(step), evidence, outputs }).map(drop)
    }

    pub(crate) fn retry(&mut self, version: &str, who: &str, step: &str) -> Result<(), Refusal> {
        let run = self.run(version);
        self.by(version, who, Stimulus::Retry { run, step: n(step) }).map(drop)
    }

    pub(crate) fn waive_step(&mut self, version: &str, who: &str, step: &str) -> Result<(), Refusal> {
        let target = WaiverTarget::Step(self.run(version), n(step));
        self.by(
            version,
            who,
            Stimulus::Waive { target, why: "it has to".into(), until: None, follow_up: None },
        )
        .map(drop)
    }

    pub(crate) fn waive_gate(
        &mut self,
        version: &str,
        who: &str,
        environment: &str,
        name: &str,
        until: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        let target = WaiverTarget::Gate(n(environment), n(name));
        self.by(version, who, Stimulus::Waive { target, why: "it has to".into(), until, follow_up: None })
            .map(drop)
    }

    pub(crate) fn abort(&mut self, version: &str, who: &str) -> Result<Vec<Entry>, Refusal> {
        let run = self.run(version);
        self.by(version, who, Stimulus::Abort { run, why: "no longer wanted".into() })
    }

    pub(crate) fn hold(&mut self, version: &str, who: &str) {
        let run = self.run(version);
        self.by(version, who, Stimulus::Hold { run, why: "wait a moment".into() }).unwrap();
    }

    pub(crate) fn resume(&mut self, version: &str, who: &str) {
        let run = self.run(version);
        self.by(version, who, Stimulus::Resume { run }).unwrap();
    }
}

/// A file of some content.
pub(crate) fn artifact(content: &str) -> Artifact {
    let sha256 = Digest::sha256(&Hash::of(content));
    let sha512 = format!("sha512:{0}{0}", Hash::of(content)).parse().unwrap();
    Artifact { sha256, sha512, bytes: content.len() as u64 }
}

/// What an executor plausibly gives back.
pub(crate) fn outcome(act: &Act) -> Outcome {
    match act {
        Act::CheckCopy { .. } => Outcome::Fit,
        Act::EditVersion { base, files, version, .. } => Outcome::Edited {
            tree: commit(&format!("{base} {version}")),
            files: files.iter().map(|file| file.path.clone()).collect(),
            notes: None,
        },
        Act::EditChangelog { base, spec, version, .. } => Outcome::Edited {
            tree: commit(&format!("{base} notes {version}")),
            files: vec![spec.file.clone()],
            notes: Some(format!("## {version}\n\n- a change\n")),
        },
        Act::Commit { tree, parent, .. } => {
            Outcome::Committed { commit: commit(&format!("{tree} {parent}")) }
        }
        Act::Tag { name, target, .. } => {
            Outcome::Tagged { object: commit(&format!("{name} {target}")), signed: false, found: false }
        }
        Act::MergeInto { branch, commit: theirs, .. } => Outcome::MergedInto {
            branch: branch.clone(),
            commit: commit(&format!("{branch} {theirs}")),
            found: false,
        },
        Act::MergeFrom { onto, commit: theirs, .. } => {
            Outcome::Merged { commit: commit(&format!("{onto} {theirs}")), found: false }
        }
        Act::CherryPick { onto, commits, .. } => Outcome::Picked {
            commit: commit(&format!("{onto} {commits:?}")),
            picked: commits.clone(),
            contained: Vec::new(),
            authors: vec!["Carol@example.org".into()],
        },
        Act::Verify { .. } => Outcome::Verified { by: vec!["a key".into()], count: 1 },
        Act::PrepareMerge(merge) => Outcome::MergePrepared {
            branch: merge.branch.clone(),
            of: merge.commit.clone(),
            commit: commit(&format!("{} {}", merge.branch, merge.commit)),
            onto: commit(&merge.branch),
            found: false,
        },
        Act::Push { merges, .. } => {
            let merged = merges.iter().map(|merge| MergedBranch {
                branch: merge.branch.clone(),
                commit: commit(&format!("{} {}", merge.branch, merge.commit)),
                found: false,
            });
            Outcome::Pushed { found: Vec::new(), merged: merged.collect() }
        }
        Act::Run(command) => Outcome::Ran {
            outputs: command.outputs.keys().map(|name| (name.clone(), format!("{name}-1"))).collect(),
            tail: "fine".into(),
            output: None,
            took_ms: 5,
        },
        Act::Pack(pack) => {
            let files = BTreeMap::from([("shop.tar.gz".into(), artifact(&pack.version))]);
            let files = if pack.keeps() { files } else { Default::default() };
            Outcome::Packed(Box::new(pack.packed(files, None)))
        }
        Act::Publish(publish) => Outcome::Published {
            registry: publish.target.registry(),
            name: publish.target.name(),
            version: publish.version.clone(),
            files: BTreeMap::from([("file".into(), artifact(&publish.version))]),
            component: publish.target.component().cloned(),
            found: false,
        },
        Act::Mail { .. } => Outcome::Sent { found: false },
    }
}

/// The kinds of the events, for comparing at a glance.
pub(crate) fn kinds(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| entry.encode().kind).collect()
}

/// How many events of a kind a journal has.
pub(crate) fn count(entries: &[Entry], kind: &str) -> usize {
    entries.iter().filter(|entry| entry.encode().kind == kind).count()
}
