//! Notices about freezes. They belong to a service, and not to any release: they stand in the stream of its rules.

use jiff::Timestamp;
use tollgate_core::act::{Act, Report};
use tollgate_core::actor::Actor;
use tollgate_core::decide::PolicyView;
use tollgate_core::event::{Entry, Event, PolicyEvent};
use tollgate_core::ids::ServiceName;
use tollgate_core::journal::{StreamId, StreamVersion};
use tollgate_core::notices::{NoticeEvent, NoticeStatus, about_freeze, freeze_moment, freeze_turns};

use super::leased;
use crate::store::{Claim, Commit, StoreError, Task, TaskChange, Timer, TimerChange};
use crate::submit::{appends, nudge};
use crate::{Engine, EngineError};

/// The timer by which a freeze begins and ends.
pub(crate) const FREEZE: &str = "freeze";
/// How often something is written anew because the rules have changed.
const TRIES_MAX: u32 = 100;

/// What follows for people of what was decided about rules.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) entries: Vec<Entry>,
    pub(crate) tasks: Vec<TaskChange>,
    pub(crate) timers: Vec<TimerChange>,
}

impl Engine {
    /// What people are told of what was decided about freezes, and when the next one begins or ends.
    pub(crate) async fn tell_of_rules(
        &self,
        view: &PolicyView,
        entries: &[Entry],
        now: Timestamp,
    ) -> Result<Told, EngineError> {
        let mut told = Told::default();
        let about = |event: &Event| {
            matches!(
                event,
                Event::Policy(
                    PolicyEvent::Frozen { .. }
                        | PolicyEvent::Thawed { .. }
                        | PolicyEvent::FreezeBegan { .. }
                        | PolicyEvent::FreezeEnded { .. }
                )
            )
        };
        if !entries.iter().any(|entry| about(&entry.event)) {
            return Ok(told);
        }
        let stream = StreamId::Policy(view.service.clone());
        let mut state = view.state.clone();
        let folder = match &view.in_force {
            Some(policy) if !policy.notify.is_empty() => self.last_folder(&view.service).await?,
            _ => None,
        };
        for entry in entries {
            let Event::Policy(event) = &entry.event else { continue };
            let owed = view
                .in_force
                .as_deref()
                .map(|policy| about_freeze(&view.service, policy, &state, event, folder.as_deref(), now));
            state.apply(entry.at, &entry.actor, event);
            for notice in owed.unwrap_or_default() {
                if let NoticeEvent::Wanted { id, act, .. } = &notice {
                    let (lane, stream) = (act.lane().to_owned(), stream.clone());
                    let task = Task { id: *id, stream, lane, due: now, epoch: 0, claim: None };
                    told.tasks.push(TaskChange::Put(task));
                }
                told.entries.push(by_rule(&stream, notice, now));
            }
        }
        let name = FREEZE.to_owned();
        told.timers.push(match freeze_moment(&state, now) {
            Some(due) => TimerChange::Set(Timer { stream, name, due }),
            None => TimerChange::Clear { stream, name },
        });
        Ok(told)
    }

    /// The folder of the procedure file of the newest release: the rules do not know where they were read.
    pub(crate) async fn last_folder(&self, service: &ServiceName) -> Result<Option<String>, EngineError> {
        let Some(row) = self.releases(service, 1).await?.into_iter().next() else { return Ok(None) };
        let view = self.view(service, row.release).await?;
        let Some(run) = view.release.runs.last() else { return Ok(None) };
        Ok(self.plan_blob(&run.plan).await?.folder.clone())
    }

    /// A moment has come at which a freeze begins or ends.
    pub(crate) async fn freeze_turns(&self, service: &ServiceName) -> Result<(), EngineError> {
        let stream = StreamId::Policy(service.clone());
        for _ in 0..TRIES_MAX {
            let (view, version) = self.rules(service).await?;
            let now = self.now();
            let at = |event| Entry {
                stream: stream.clone(),
                at: now,
                actor: Actor::Tollgate,
                event: Event::Policy(event),
            };
            let mut entries: Vec<Entry> = freeze_turns(&view.state, now).into_iter().map(at).collect();
            let mut told = self.tell_of_rules(&view, &entries, now).await?;
            if entries.is_empty() {
                // The clock went back, or the freeze was lifted meanwhile.
                let name = FREEZE.to_owned();
                told.timers.push(match freeze_moment(&view.state, now) {
                    Some(due) => TimerChange::Set(Timer { stream: stream.clone(), name, due }),
                    None => TimerChange::Clear { stream: stream.clone(), name },
                });
            } else {
                told.timers.push(nudge(stream.clone(), now));
            }
            entries.extend(told.entries);
            let commit = Commit {
                read: vec![(stream.clone(), version)],
                append: appends(&entries),
                tasks: told.tasks,
                timers: told.timers,
                ..Commit::default()
            };
            let telling = self.telling.begin(&commit);
            match self.commit(commit).await {
                Ok(()) => {
                    telling.tell(&entries);
                    return Ok(());
                }
                Err(EngineError::Store(StoreError::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends a notice about the rules of a service: leased, sent, and written down, as every act is.
    pub(crate) async fn policy_notice(&self, service: &ServiceName, task: &Task) -> Result<(), EngineError> {
        let epoch = task.epoch + 1;
        let claim = Claim { holder: self.places.holder.clone(), until: self.now() + super::CLAIM };
        let claimed = TaskChange::Claim { id: task.id, epoch: task.epoch, claim };
        let Some(act) = self.lease_of_rules(service, task, epoch, claimed).await? else { return Ok(()) };
        let report = self.send(&act).await?;
        for _ in 0..TRIES_MAX {
            let (view, version) = self.rules(service).await?;
            let now = self.now();
            let failure = match &report {
                Report::Done(_) => None,
                Report::Failed(failure) => Some(failure),
            };
            let Some(event) = view.state.notices.reported(task.id, epoch, failure, now) else {
                return Ok(());
            };
            let change = match &event {
                NoticeEvent::Failed { again_at, .. } => {
                    TaskChange::Put(Task { due: *again_at, epoch, claim: None, ..task.clone() })
                }
                _ => TaskChange::Finish { id: task.id, epoch },
            };
            if self.of_rules(service, version, vec![event], vec![change], now).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn lease_of_rules(
        &self,
        service: &ServiceName,
        task: &Task,
        epoch: u64,
        claimed: TaskChange,
    ) -> Result<Option<Act>, EngineError> {
        for _ in 0..TRIES_MAX {
            let (mut view, version) = self.rules(service).await?;
            let now = self.now();
            let Some(event) = view.state.notices.lease(task.id, epoch, now) else {
                // It is not wanted any more, or somebody else is at it.
                let notice = view.state.notices.get(task.id);
                let over = notice.is_none_or(|notice| {
                    matches!(notice.status, NoticeStatus::Sent | NoticeStatus::Undelivered { .. })
                });
                let changes = Vec::from_iter(over.then_some(TaskChange::Withdraw { id: task.id }));
                self.of_rules(service, version, Vec::new(), changes, now).await?;
                return Ok(None);
            };
            view.state.notices.apply(now, &event);
            let act = leased(view.state.notices.get(task.id), epoch);
            if self.of_rules(service, version, vec![event], vec![claimed.clone()], now).await? {
                return Ok(act);
            }
        }
        Ok(None)
    }

    /// Writes something down about notices of the rules. Gives whether nothing had changed in between.
    async fn of_rules(
        &self,
        service: &ServiceName,
        version: StreamVersion,
        events: Vec<NoticeEvent>,
        tasks: Vec<TaskChange>,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let stream = StreamId::Policy(service.clone());
        let entries: Vec<Entry> = events.into_iter().map(|event| by_rule(&stream, event, now)).collect();
        let read = vec![(stream, version)];
        let commit = Commit { read, append: appends(&entries), tasks, ..Commit::default() };
        match self.commit(commit).await {
            Ok(()) => Ok(true),
            Err(EngineError::Store(StoreError::Conflict { .. } | StoreError::Fenced { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn by_rule(stream: &StreamId, event: NoticeEvent, at: Timestamp) -> Entry {
    let event = Event::Policy(PolicyEvent::Notice(event));
    Entry { stream: stream.clone(), at, actor: Actor::Tollgate, event }
}
