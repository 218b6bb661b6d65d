//! The loop that carries releases on: timers, looks at the world, outside acts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tollgate_core::act::{Act, COMMANDS, FailureClass, Report};
use tollgate_core::actor::Actor;
use tollgate_core::agenda::agenda;
use tollgate_core::event::Seen;
use tollgate_core::facts::Look;
use tollgate_core::ids::{EffectId, ReleaseId, RunId, ServiceName};
use tollgate_core::journal::StreamId;
use tollgate_core::model::{Probe, ProbeRead};
use tollgate_core::pack;
use tollgate_core::plan::Plan;
use tollgate_core::publish::commands_of;
use tollgate_core::state::StepStatus;
use tollgate_core::view::Stimulus;

use crate::execute::{Executed, Execution, failure};
use crate::feeds::FEED_POLL;
use crate::inject::{Fault, Point, fault};
use crate::notifying::rules::FREEZE;
use crate::ports::{PortError, ProbeRequest};
use crate::store::{Claim, Commit, Poll, StoreError, Task, TaskChange, Timer, TimerChange};
use crate::submit::Beside;
use crate::trains::{BRANCH_POLL, DAY_POLL};
use crate::{Engine, EngineError, notifying};

/// How many acts and looks go on at the same time.
const AT_ONCE: usize = 64;
/// How many commands run at the same time.
const COMMANDS_AT_ONCE: usize = 16;
/// How many due things are taken at a time.
const BATCH: usize = 256;
/// How long a claim counts, where claims run out by time.
pub(crate) const CLAIM: SignedDuration = SignedDuration::from_mins(5);
/// How long one look at a service may take.
const PROBE_TIMEOUT: SignedDuration = SignedDuration::from_secs(10);
/// How long a release that this version cannot read is left alone.
const LEFT_ALONE: SignedDuration = SignedDuration::from_mins(10);
/// The pause before looking for more to do while all that is due is under way.
const BUSY: SignedDuration = SignedDuration::from_millis(250);
/// The longest sleep: a poll for what no hint told of.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// When the loop ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// When nothing is under way and nothing is due within this time.
    Within(SignedDuration),
    /// Never.
    Never,
}

/// Why the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkEnd {
    /// Nothing is due soon; the next thing is due then, if anything is.
    Idle(Option<Timestamp>),
    /// Another process carries this state on.
    Elsewhere,
}

/// What a finished piece of work was.
enum Piece {
    Effect(EffectId),
    Poll(String),
    Train(StreamId),
}

/// What this process is at, so that nothing is begun twice.
#[derive(Default)]
struct UnderWay {
    pieces: JoinSet<(Piece, Result<(), EngineError>)>,
    /// The acts, and whether each runs a command.
    effects: HashMap<EffectId, bool>,
    /// The looks, and whether each runs a command.
    polls: HashMap<String, bool>,
    trains: HashSet<StreamId>,
}

impl UnderWay {
    /// Whether an act is begun now: it is not under way yet, and there is room for it.
    fn begins(&mut self, task: &Task) -> bool {
        let command = task.lane == COMMANDS;
        if !self.has_room(command) || self.effects.contains_key(&task.id) {
            return false;
        }
        self.effects.insert(task.id, command);
        true
    }

    /// Whether a look is begun now.
    fn looks(&mut self, key: &str, command: bool) -> bool {
        if !self.has_room(command) || self.polls.contains_key(key) {
            return false;
        }
        self.polls.insert(key.to_owned(), command);
        true
    }

    fn has_room(&self, command: bool) -> bool {
        let all = self.effects.values().chain(self.polls.values());
        let commands = all.filter(|command| **command).count();
        self.pieces.len() < AT_ONCE && (!command || commands < COMMANDS_AT_ONCE)
    }

    fn ended(&mut self, piece: &Piece) {
        match piece {
            Piece::Effect(id) => {
                self.effects.remove(id);
            }
            Piece::Poll(key) => {
                self.polls.remove(key);
            }
            Piece::Train(stream) => {
                self.trains.remove(stream);
            }
        }
    }
}

impl Engine {
    /// Carries everything on. At most one process does so on a state that is a file.
    pub async fn work(self: &Arc<Self>, idle: Idle) -> Result<WorkEnd, EngineError> {
        let Some(_lock) = self.store.work_lock().await? else { return Ok(WorkEnd::Elsewhere) };
        // What is left over does no harm but take room.
        if let Err(error) = self.sweep().await {
            tracing::warn!(%error, "files that were packed for what is over were not looked for");
        }
        let mut under_way = UnderWay::default();
        loop {
            let now = self.now();
            self.fire(now).await?;
            for timer in self.due_trains(now).await? {
                if under_way.pieces.len() < AT_ONCE && under_way.trains.insert(timer.stream.clone()) {
                    let engine = self.clone();
                    let piece =
                        async move { (Piece::Train(timer.stream.clone()), engine.train(timer).await) };
                    under_way.pieces.spawn(piece);
                }
            }
            // Holding the lock, whatever is claimed and not ours was left by a process that died.
            for task in self.store.due_tasks(now, true, BATCH).await? {
                if under_way.begins(&task) {
                    let engine = self.clone();
                    under_way
                        .pieces
                        .spawn(async move { (Piece::Effect(task.id), engine.effect(task).await) });
                }
            }
            for poll in self.store.due_polls(now, BATCH).await? {
                let look = serde_json::from_str(&poll.spec);
                let command = matches!(&look, Ok(Look::Fact(look)) if look.is_command());
                if under_way.looks(&poll.key, command) {
                    let engine = self.clone();
                    let piece = async move { (Piece::Poll(poll.key.clone()), engine.look(poll, look).await) };
                    under_way.pieces.spawn(piece);
                }
            }
            let next = self.store.next_due().await?;
            if let (true, Idle::Within(span)) = (under_way.pieces.is_empty(), idle)
                && (next.is_none_or(|next| next > now + span) || self.only_looks_again(now, span).await?)
            {
                self.store.checkpoint(now).await?;
                return Ok(WorkEnd::Idle(next));
            }
            let until = match next {
                Some(next) if next > now => next.duration_since(now).min(LOOK_AGAIN),
                // What is under way is due until it is done, and its end wakes the loop.
                Some(_) if !under_way.pieces.is_empty() => BUSY,
                Some(_) => SignedDuration::from_millis(1),
                None => LOOK_AGAIN,
            };
            let mut finished = tokio::select! {
                finished = under_way.pieces.join_next(), if !under_way.pieces.is_empty() => finished,
                () = self.store.changed(until) => None,
            };
            while let Some(ended) = finished {
                let (piece, result) =
                    ended.map_err(|error| EngineError::Damaged(format!("a task failed: {error}")))?;
                under_way.ended(&piece);
                result?;
                finished = under_way.pieces.try_join_next();
            }
        }
    }

    /// Does once whatever is due, one thing after the other, always in the same order: for simulations, where the clock
    /// stands still in between. Gives how many things were done.
    pub async fn turn(self: &Arc<Self>) -> Result<usize, EngineError> {
        let now = self.now();
        let mut done = self.store.due_timers(now, BATCH).await?.len();
        self.fire(now).await?;
        for timer in self.due_trains(now).await? {
            self.train(timer).await?;
        }
        for task in self.store.due_tasks(now, true, BATCH).await? {
            self.clone().effect(task).await?;
            done += 1;
        }
        for poll in self.store.due_polls(now, BATCH).await? {
            let look = serde_json::from_str(&poll.spec);
            self.clone().look(poll, look).await?;
            done += 1;
        }
        Ok(done)
    }

    /// Wakes every release whose time has come.
    async fn fire(self: &Arc<Self>, now: Timestamp) -> Result<(), EngineError> {
        loop {
            let due = self.store.due_timers(now, BATCH).await?;
            let (count, mut fired) = (due.len(), false);
            // A departure takes a while: trains go on beside the rest.
            for timer in due.into_iter().filter(|timer| !matches!(timer.stream, StreamId::Train(..))) {
                fired = true;
                self.wake(timer).await?;
            }
            if count < BATCH || !fired {
                return Ok(());
            }
        }
    }

    /// The timers of trains whose time has come, one a train.
    async fn due_trains(&self, now: Timestamp) -> Result<Vec<Timer>, EngineError> {
        let mut due = self.store.due_timers(now, BATCH).await?;
        due.retain(|timer| matches!(timer.stream, StreamId::Train(..)));
        // What tells of something new comes first: it is taken away before anything is read.
        due.sort_by(|one, other| (&one.stream, &one.name).cmp(&(&other.stream, &other.name)));
        due.dedup_by(|one, other| one.stream == other.stream);
        Ok(due)
    }

    async fn train(&self, timer: Timer) -> Result<(), EngineError> {
        let carried = self.carry_train(&timer).await;
        self.left_alone(&timer.stream, carried).await
    }

    async fn wake(&self, timer: Timer) -> Result<(), EngineError> {
        let (service, release) = match &timer.stream {
            StreamId::Release(service, release) => (service, release),
            StreamId::Policy(service) if timer.name == FREEZE => return self.freeze_turns(service).await,
            StreamId::Policy(service) => return self.nudge_all(service, &timer).await,
            StreamId::Environment(..) | StreamId::Train(..) | StreamId::Checkpoint => return Ok(()),
        };
        let beside = Beside { fired: Some(timer.name.clone()), ..Beside::default() };
        let woken = self.take_in(service, *release, &Stimulus::Wake, &Actor::Tollgate, beside).await;
        self.left_alone(&timer.stream, woken.map(|_| ())).await
    }

    /// Looks at the world for all who wait for the same fact.
    async fn look(
        self: Arc<Self>,
        poll: Poll,
        look: Result<Look, serde_json::Error>,
    ) -> Result<(), EngineError> {
        if poll.key.starts_with(BRANCH_POLL) {
            return self.look_at_branch(&poll).await;
        }
        if poll.key.starts_with(FEED_POLL) {
            return self.look_at_calendar(&poll).await;
        }
        if poll.key.starts_with(DAY_POLL) {
            return self.look_for_day(&poll).await;
        }
        match look {
            Ok(Look::Probe(probe)) => self.look_at_service(poll, probe).await,
            Ok(Look::Fact(look)) => self.look_at_fact(poll, &look).await,
            Err(error) => {
                tracing::warn!(poll.key, %error, "a newer version looks at this; left alone");
                let next = self.now() + LEFT_ALONE;
                Ok(self.store.polled(&poll.key, next, poll.failures, poll.memo).await?)
            }
        }
    }

    async fn look_at_service(&self, poll: Poll, probe: Probe) -> Result<(), EngineError> {
        let request =
            ProbeRequest { url: probe.url.clone(), read: probe.read.clone(), timeout: PROBE_TIMEOUT };
        let answer = self.world.prober.probe(&request).await;
        let value = match probe.read {
            ProbeRead::Status(_) => answer.status.map(|status| status.to_string()),
            _ => answer.value,
        };
        let failed = value.is_none();
        let seen = Seen { value, problem: answer.problem };
        for stream in self.store.poll_subscribers(&poll.key).await? {
            let StreamId::Release(service, release) = &stream else { continue };
            let stimulus = Stimulus::Observed { key: poll.key.clone(), seen: seen.clone() };
            let seen = self.take_in(service, *release, &stimulus, &Actor::Tollgate, Beside::default()).await;
            self.left_alone(&stream, seen.map(|_| ())).await?;
        }
        let failures = if failed { poll.failures.saturating_add(1) } else { 0 };
        let next = self.now() + probe.every;
        Ok(self.store.polled(&poll.key, next, failures, None).await?)
    }

    /// Leases an act, carries it out, writes down what came of it.
    async fn effect(self: Arc<Self>, task: Task) -> Result<(), EngineError> {
        let carried = self.carry_on(&task).await;
        self.left_alone(&task.stream, carried).await
    }

    async fn carry_on(&self, task: &Task) -> Result<(), EngineError> {
        let (service, release) = match task.stream.clone() {
            StreamId::Release(service, release) => (service, release),
            StreamId::Policy(service) => return self.policy_notice(&service, task).await,
            StreamId::Train(service, name) => return self.train_notice(&service, &name, task).await,
            _ => return Ok(()),
        };
        let epoch = task.epoch + 1;
        let claim = Claim { holder: self.places.holder.clone(), until: self.now() + CLAIM };
        let beside = Beside { claim: Some((task.id, task.epoch, claim)), ..Beside::default() };
        let lease = Stimulus::Lease { effect: task.id, epoch };
        let leased = match self.take_in(&service, release, &lease, &Actor::Tollgate, beside).await {
            Ok(submitted) => submitted.view,
            Err(EngineError::Refused(refusal)) if refusal.is_stale() => {
                return self.withdraw(&service, release, task.id).await;
            }
            Err(error) => return Err(error),
        };
        if let Some(act) = notifying::leased(leased.release.notices.get(task.id), epoch) {
            return self.notice(&service, release, task, &act).await;
        }
        let Some((plan, act, child)) = leased_act(&leased, task.id, epoch) else { return Ok(()) };
        let executed = self.carry_out(&plan, task.id, child, &act).await?;
        let ended = !executed.report.may_go_on();
        let done = matches!(executed.report, Report::Done(_));
        let report = Stimulus::Reported { effect: task.id, epoch, report: executed.report };
        let beside = Beside { blobs: executed.blobs, finished: Some((task.id, epoch)), ..Beside::default() };
        match self.take_in(&service, release, &report, &Actor::Tollgate, beside).await {
            // Only what was written down can be forgotten, and only when its command has ended: the next try finds it.
            Ok(_) if ended && act.runs_commands() => self.tidy(task.id, &act, done).await,
            Ok(_) => Ok(()),
            Err(EngineError::Refused(refusal)) if refusal.is_stale() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn carry_out(
        &self,
        plan: &Plan,
        effect: EffectId,
        child: u32,
        act: &Act,
    ) -> Result<Executed, EngineError> {
        let execution = Execution { engine: self, plan, effect, child };
        match fault(&*self.inject, Point::BeforeAct(act.kind())).await {
            Fault::Crash => return Err(EngineError::Crashed),
            Fault::Fail => {
                let report = Report::Failed(failure(PortError {
                    class: FailureClass::Transient,
                    what: act.kind().into(),
                    why: "a fault was injected".into(),
                    hint: None,
                    retry_at: None,
                }));
                return Ok(Executed { report, blobs: Vec::new(), crashed: false });
            }
            Fault::Repeat => {
                execution.carry_out(act).await;
            }
            Fault::None | Fault::Delay(_) => {}
        }
        let executed = execution.carry_out(act).await;
        if executed.crashed {
            return Err(EngineError::Crashed);
        }
        if fault(&*self.inject, Point::AfterAct(act.kind())).await == Fault::Crash {
            return Err(EngineError::Crashed);
        }
        Ok(executed)
    }

    /// Removes a task, unless its release wants it all the same: another process may be at it, or it was put back meanwhile.
    async fn withdraw(
        &self,
        service: &ServiceName,
        release: ReleaseId,
        id: EffectId,
    ) -> Result<(), EngineError> {
        let view = self.view(service, release).await?;
        if agenda(&view, self.now()).tasks.contains_key(&id) {
            return Ok(());
        }
        let tasks = vec![TaskChange::Withdraw { id }];
        let commit = Commit { read: view.versions, tasks, ..Commit::default() };
        match self.commit(commit).await {
            // Whatever changed in between says anew what is wanted.
            Err(EngineError::Store(StoreError::Conflict { .. })) => Ok(()),
            other => other,
        }
    }

    /// A release that a newer version wrote is left alone, not failed: what is due of it is put off.
    pub(crate) async fn left_alone(
        &self,
        release: &StreamId,
        result: Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let Err(EngineError::Decode { stream, source }) = result else { return result };
        tracing::warn!(%stream, %source, "left alone");
        let read = self.store.read(std::slice::from_ref(release)).await?;
        let now = self.now();
        let later = now + LEFT_ALONE;
        let tasks = self.store.due_tasks(now, true, BATCH).await?;
        let timers = self.store.due_timers(now, BATCH).await?;
        let own = tasks.into_iter().filter(|task| task.stream == *release);
        let tasks = own.map(|task| TaskChange::Put(Task { due: later, claim: None, ..task })).collect();
        let own = timers.into_iter().filter(|timer| timer.stream == *release);
        let timers = own.map(|timer| TimerChange::Set(Timer { due: later, ..timer })).collect();
        let read = read.into_iter().map(|read| (read.stream, read.version)).collect();
        match self.commit(Commit { read, tasks, timers, ..Commit::default() }).await {
            Err(EngineError::Store(StoreError::Conflict { .. })) => Ok(()),
            other => other,
        }
    }

    /// Removes what was kept of a command whose result is in the journal.
    async fn tidy(&self, effect: EffectId, act: &Act, done: bool) -> Result<(), EngineError> {
        for child in children_of(effect, act) {
            if let Err(error) = self.world.runner.forget(child).await {
                tracing::warn!(%error, "what was kept of a command could not be removed");
            }
        }
        if let (Act::Publish(publish), true) = (act, done)
            && let Err(error) = self.world.depot.forget(&publish.key()).await
        {
            tracing::warn!(%error, "files that were published could not be removed");
        }
        let folder = self.places.work.join("files").join(effect.to_string());
        // Left-over files do no harm: they are laid out anew before they are used.
        if let Err(error) = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await {
            tracing::debug!(%error, "files were left over");
        }
        Ok(())
    }

    /// Ends the commands of a release whose run was given up.
    pub async fn stop_commands(&self, effects: &[(EffectId, u32)]) -> Result<(), EngineError> {
        for (effect, child) in effects {
            self.world.runner.stop(*effect, *child).await?;
        }
        Ok(())
    }

    /// The commands of a run that are under way, each with its try.
    pub async fn commands_under_way(
        &self,
        service: &ServiceName,
        release: ReleaseId,
        of: RunId,
    ) -> Result<Vec<(EffectId, u32)>, EngineError> {
        let view = self.view(service, release).await?;
        let steps = view.active().filter(|(run, _)| run.id == of).flat_map(|(run, _)| run.steps.values());
        let running = steps.flat_map(|step| match &step.status {
            StepStatus::Leased { effect, act: Act::Run(_), .. } => vec![(*effect, step.ended + 1)],
            StepStatus::Leased { effect, act, .. } if act.runs_commands() => {
                children_of(*effect, act).into_iter().map(|child| (child, 1)).collect()
            }
            _ => Vec::new(),
        });
        Ok(running.collect())
    }
}

/// The commands of an act, as the runner knows them.
fn children_of(effect: EffectId, act: &Act) -> Vec<EffectId> {
    match act {
        Act::Publish(_) => commands_of(effect).to_vec(),
        Act::Pack(_) => pack::commands_of(effect).to_vec(),
        _ => vec![effect],
    }
}

/// The act that was just leased, with its plan and the try of its command.
fn leased_act(
    view: &tollgate_core::view::View,
    effect: EffectId,
    epoch: u64,
) -> Option<(Arc<Plan>, Act, u32)> {
    let (run, _, step) = view.release.step_of(effect)?;
    match &step.status {
        StepStatus::Leased { act, epoch: leased, .. } if *leased == epoch => {
            Some((view.plans.get(&run.id)?.clone(), act.clone(), step.ended + 1))
        }
        _ => None,
    }
}
