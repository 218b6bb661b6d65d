//! Faults stop, and helpful people do what `explain` says: everybody gets through.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use tollgate_core::event::RunOutcome;
use tollgate_core::explain::explain;
use tollgate_core::gate::Action;
use tollgate_core::ids::{ReleaseId, RunId, StepId};
use tollgate_core::plan::Body;
use tollgate_core::state::{RunStatus, StepStatus};
use tollgate_core::view::View;
use tollgate_engine::store::latest_storable;
use tollgate_testkit::world::Faults;

use crate::drive::Sim;
use crate::people::{self, Deed};

/// How many rounds of help a run may take.
const ROUNDS_MAX: u32 = 600;
/// How often somebody tries the same step again before they give up.
const RETRIES_MAX: u32 = 3;
/// Somebody said yes, and it no longer counts.
const RAN_OUT: &str = ": it ran out at ";
/// After so many rounds people lose their patience.
const PATIENCE: u32 = 400;

/// Whether somebody does the same thing again.
fn is_again(action: &Action) -> bool {
    match action {
        Action::Retry(..) | Action::Promote(_) => true,
        Action::OfOther { action, .. } => is_again(action),
        _ => false,
    }
}

impl Sim {
    /// From here on nothing goes wrong.
    pub(crate) async fn end(&mut self) {
        {
            let mut state = self.world.state();
            state.note(|| "from here on nothing goes wrong".into());
            state.faults = Faults::none();
            state.git.declined.clear();
            if let Some(checkout) = &mut state.git.checkout {
                checkout.dirty.clear();
            }
        }
        self.facts_mend();
        self.no_more_trains().await;
        let mut retries = BTreeMap::new();
        let mut rounds = 0;
        let mut back = false;
        loop {
            if self.oracle.unfinished().is_empty() {
                // Once all is there, some of it is not liked: that, too, comes to its end.
                if std::mem::replace(&mut back, true) {
                    break;
                }
                if let Some(environment) = self.roll_back().await {
                    // And somebody goes on as if it had not been.
                    let releases: Vec<ReleaseId> = self.oracle.releases.keys().copied().collect();
                    if let Some(release) = self.chance.pick(&releases).copied() {
                        let by = people::anybody(&mut self.chance);
                        self.promote(release, &environment, &by).await;
                    }
                }
                continue;
            }
            rounds += 1;
            if rounds > ROUNDS_MAX {
                let left: Vec<String> = self
                    .oracle
                    .unfinished()
                    .iter()
                    .map(|release| format!("{:#?}", explain(&self.oracle.view(*release), self.world.now())))
                    .collect();
                return self.fail(format!("it never ends: {}", left.join("\n")));
            }
            self.settle().await;
            for release in self.oracle.unfinished() {
                self.help(release, &mut retries, rounds).await;
                if !self.world.state().violations.is_empty() {
                    return;
                }
            }
            self.steps += 1;
            self.check().await;
            if !self.world.state().violations.is_empty() {
                return;
            }
            let now = self.world.now();
            let next = self.next_moment().await.unwrap_or(now + SignedDuration::from_mins(5));
            self.world.advance(next.max(now));
        }
        // Where the clock went back, or a freeze has an end, something is left for later.
        loop {
            self.settle().await;
            match self.store.next_due().await.unwrap().filter(|due| *due > self.world.now()) {
                Some(due) => self.world.advance(due),
                None => break,
            }
        }
        self.check_end().await;
    }

    /// The engine does what is due, until nothing is.
    pub(crate) async fn settle(&mut self) {
        for _ in 0..200 {
            self.work(false).await;
            self.catch_up();
            if self.in_turn() {
                let next = self.world.next_sleeper().unwrap_or(self.world.now());
                self.world.advance(next);
                continue;
            }
            let due = self.store.next_due().await.unwrap();
            if due.is_none_or(|due| due > self.world.now()) {
                return;
            }
        }
    }

    async fn help(
        &mut self,
        release: ReleaseId,
        retries: &mut BTreeMap<(RunId, Option<StepId>), u32>,
        rounds: u32,
    ) {
        self.put_what_is_awaited(release);
        let view = self.oracle.view(release);
        for holding in explain(&view, self.world.now()) {
            let tried = retries.entry((holding.run, holding.step.clone())).or_default();
            let mut how = holding.hold.how.clone();
            if rounds > PATIENCE {
                self.fail(format!("what is said does not help: {holding:#?}"));
                self.ended.impatient += 1;
                how = vec![Action::Abort(holding.run)];
            } else if *tried >= RETRIES_MAX {
                let runs_out = holding.hold.why.contains(RAN_OUT);
                how.retain(|action| !(is_again(action) || runs_out && matches!(action, Action::Approve(_))));
                if how.is_empty() {
                    // The promotion that it needs does not get anywhere.
                    how.push(Action::Abort(holding.run));
                }
            }
            for action in how {
                // The other ways come before giving up.
                let accepted = self.try_action(release, &holding, &action).await;
                // A yes that runs out before the others say theirs can be said for ever.
                let ran_out = matches!(action, Action::Approve(_)) && holding.hold.why.contains(RAN_OUT);
                *tried += u32::from(accepted && (ran_out || is_again(&action)));
                if accepted {
                    break;
                }
                if self.oracle.view(release).active().all(|(run, _)| run.id != holding.run) {
                    break;
                }
            }
        }
    }

    /// Does one thing that is offered, by as many people as it takes.
    async fn try_action(
        &mut self,
        release: ReleaseId,
        holding: &tollgate_core::explain::Holding,
        action: &Action,
    ) -> bool {
        let view = self.oracle.view(release);
        let mut accepted = false;
        for person in people::who(&view, holding, action) {
            let deed = people::deed(&view, action, people::actor(&person));
            if matches!(deed, Deed::Wait) {
                return true;
            }
            accepted |= self.perform(deed).await;
            // Approvals and sign-offs may take several; more than it takes would fill places that others need.
            let view = self.oracle.view(release);
            let still = explain(&view, self.world.now()).into_iter().any(|other| {
                other.run == holding.run && other.step == holding.step && other.hold.how.contains(action)
            });
            if accepted && !still {
                return true;
            }
        }
        accepted
    }

    /// Ops people deploy what is looked for and never came.
    fn put_what_is_awaited(&mut self, release: ReleaseId) {
        let view = self.oracle.view(release);
        for (environment, version) in looked_for(&view) {
            let coming = self
                .world
                .state()
                .services
                .get(environment.as_str())
                .is_some_and(|service| service.versions.last().is_some_and(|(_, last)| *last == version));
            if !coming {
                self.put(&environment, &version);
            }
        }
    }

    /// What must hold when all is over.
    async fn check_end(&mut self) {
        for (name, state) in self.oracle.environments.clone() {
            if let Some(held) = state.held {
                self.fail(format!("{name} is held for ever by {:?}", held.by));
            }
        }
        let tasks = self.store.due_tasks(latest_storable(), true, 100).await.unwrap();
        let timers = self.store.due_timers(latest_storable(), 100).await.unwrap();
        let polls = self.store.due_polls(latest_storable(), 100).await.unwrap();
        if !tasks.is_empty() || !timers.is_empty() || !polls.is_empty() {
            self.fail(format!("all is over, and there is left: {tasks:?} {timers:?} {polls:?}"));
        }
        for state in self.oracle.releases.values() {
            for run in &state.runs {
                match &run.status {
                    RunStatus::Finished { outcome: RunOutcome::Done, .. } => {
                        self.ended.done += 1;
                        self.ended.rolled_back += u32::from(run.procedure.as_str() == "rollback");
                    }
                    RunStatus::Finished { outcome: RunOutcome::Superseded { .. }, .. } => {
                        self.ended.superseded += 1;
                    }
                    _ => self.ended.aborted += 1,
                }
            }
        }
        let mail = self.world.state().mail.clone();
        for wrong in self.oracle.trains.open().into_iter().chain(self.oracle.told.unkept(&mail)) {
            self.fail(wrong);
        }
        let ends = self.oracle.trains.ends();
        let count = |how: &str| ends.get(how).copied().unwrap_or_default();
        (self.ended.departed, self.ended.left_out) = (count("departed"), count("skipped"));
        self.ended.notices = self.oracle.told.count();
        self.ended.events = self.oracle.events;
        self.ended.steps = self.steps;
        self.check_outbox().await;
        self.check_journal().await;
    }
}

/// What is looked for right now: environments and versions.
fn looked_for(view: &View) -> Vec<(tollgate_core::ids::EnvironmentName, String)> {
    let mut found = Vec::new();
    for (run, plan) in view.active() {
        for planned in &plan.steps {
            let open =
                run.steps.get(&planned.id).is_some_and(|step| matches!(step.status, StepStatus::Open { .. }));
            if let (true, Body::Live(Some(_)), Some(name)) = (open, &planned.body, &planned.environment) {
                found.push((name.clone(), plan.version.text.clone()));
            }
        }
    }
    found
}
