//! What is looked at after every step, and at the end.

use std::collections::BTreeMap;

use tollgate_core::actor::Actor;
use tollgate_core::candidate::Pushed;
use tollgate_core::decide::decide;
use tollgate_core::event::Entry;
use tollgate_core::explain::{Holding, explain};
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::ids::ReleaseId;
use tollgate_core::journal::{Hash, StreamId, link};
use tollgate_core::view::{Stimulus, View};
use tollgate_engine::EngineError;
use tollgate_engine::store::{StoreError, Timer, latest_storable};

use crate::drive::Sim;
use crate::people::{self, Deed};
use crate::team::{SERVICE, named};

const MANY: usize = 100_000;
/// How often the dearer checks are made.
const SELDOM: u64 = 9;

impl Sim {
    /// What must hold after every step.
    pub(crate) async fn check(&mut self) {
        self.catch_up();
        let now = self.world.now();
        let seldom = self.steps.is_multiple_of(SELDOM);
        if !seldom && self.checked == (self.oracle.events, now) {
            return;
        }
        self.checked = (self.oracle.events, now);
        self.check_remote();
        self.check_merges();
        let timers = self.store.due_timers(latest_storable(), MANY).await.unwrap();
        for release in self.oracle.unfinished() {
            let view = self.oracle.view(release);
            self.check_wake(&view, &timers);
            self.check_explained(&view);
            if seldom {
                self.check_offers(&view);
                self.check_view(release, &view).await;
            }
        }
        if seldom {
            self.check_outbox().await;
        }
    }

    /// Refs are written once, tags never move.
    fn check_remote(&mut self) {
        let (written, remote) = {
            let state = self.world.state();
            (state.git.written.clone(), state.git.remote.clone())
        };
        let mut seen = BTreeMap::new();
        for (name, object) in &written {
            let count: &mut u32 = seen.entry((name.clone(), object.clone())).or_default();
            *count += 1;
            if *count > 1 {
                self.fail(format!("{name} was pushed to {object} twice"));
            }
            if name.starts_with("refs/tags/") && remote.get(name) != Some(object) {
                self.fail(format!("{name} was pushed as {object} and is {:?}", remote.get(name)));
            }
        }
        // What is told of the push of a tag is so.
        let candidates = self.oracle.releases.values().flat_map(|release| &release.candidates);
        let wrong = candidates.filter_map(|candidate| candidate.tag.as_ref()).find(|tag| {
            let there = seen.contains_key(&(format!("refs/tags/{}", tag.name), tag.object.clone()));
            there && tag.pushed == Pushed::Never || !there && tag.pushed == Pushed::Done
        });
        if let Some(tag) = wrong.map(|tag| format!("{tag:?}")) {
            self.fail(format!("the push of a tag is told wrongly: {tag}"));
        }
    }

    /// What is merged into a branch is merged once, and stays in it.
    fn check_merges(&mut self) {
        let wrong = {
            let state = self.world.state();
            let merged = state.git.merged_into("develop");
            let twice = merged.iter().enumerate().find(|(n, commit)| merged[..*n].contains(commit));
            let tip = state.git.remote.get("refs/heads/develop");
            let lost = merged.iter().find(|commit| tip.is_none_or(|tip| !state.git.contains(tip, commit)));
            let twice = twice.map(|(_, commit)| format!("{commit} was merged twice"));
            twice.or(lost.map(|commit| format!("develop lost the merged {commit}")))
        };
        if let Some(wrong) = wrong {
            self.fail(wrong);
        }
    }

    /// Nothing could go on without anybody knowing.
    fn check_wake(&mut self, view: &View, timers: &[Timer]) {
        let now = self.world.now();
        let rules = StreamId::Policy(view.service.clone());
        let own = |timer: &Timer| timer.stream == view.stream() || timer.stream == rules;
        // A nudge is for the moment at which it was set, even where the clock went back since.
        let due = timers.iter().any(|timer| own(timer) && (timer.due <= now || timer.name == "nudge"));
        // What a clock that was set back opens again, for the moments until it shuts once more, may be missed.
        if due || now < self.latest {
            return;
        }
        match decide(view.clone(), &Stimulus::Wake, &Actor::Tollgate, now) {
            Ok(decision) if decision.entries.is_empty() => {}
            Ok(decision) => {
                let events: Vec<String> =
                    decision.entries.iter().map(|entry| format!("{:?}", entry.event)).collect();
                self.fail(format!("{} could go on and nobody knows: {}", view.stream(), events.join(", ")));
            }
            Err(refusal) => self.fail(format!("{} cannot be woken: {refusal}", view.stream())),
        }
    }

    /// Whatever waits says for what, and what somebody can do.
    fn check_explained(&mut self, view: &View) {
        let holdings = explain(view, self.world.now());
        for (run, _) in view.active() {
            let own: Vec<&Holding> = holdings.iter().filter(|holding| holding.run == run.id).collect();
            if own.is_empty() {
                self.fail(format!("run {} waits and does not say for what", run.id));
            }
            for holding in own {
                if holding.hold.why.is_empty() || holding.hold.what.is_empty() {
                    self.fail(format!("a hold without a reason: {holding:?}"));
                }
                if holding.hold.how.is_empty() {
                    self.fail(format!("a hold without a way out: {holding:?}"));
                }
            }
        }
    }

    /// What is offered can be done, by somebody who is named.
    fn check_offers(&mut self, view: &View) {
        let now = self.world.now();
        for holding in explain(view, now) {
            for action in &holding.hold.how {
                let who = people::who(view, &holding, action);
                let mut refusals = Vec::new();
                let mut fine = matches!(
                    action,
                    Action::Wait
                        | Action::AbortOther { .. }
                        | Action::OfOther { .. }
                        | Action::Promote(_)
                        | Action::Release(_)
                        | Action::AdoptPolicy
                        | Action::Thaw(_)
                );
                for person in &who {
                    let (Deed::Submit(_, stimulus, by) | Deed::Deploy(_, _, stimulus, by)) =
                        people::deed(view, action, people::actor(person))
                    else {
                        fine = true;
                        break;
                    };
                    match decide(view.clone(), &stimulus, &by, now) {
                        Ok(_) => fine = true,
                        Err(refusal) => refusals.push(format!("{person}: {refusal}")),
                    }
                }
                // Whoever said no can also take that back where they can no longer say yes.
                let revoked = |other: &Action| matches!(other, Action::Revoke(_));
                let spare = matches!(action, Action::Approve(_)) && holding.hold.how.iter().any(revoked);
                if !fine && !spare {
                    self.fail(format!("{action:?} is offered and refused: {refusals:?} in {holding:?}"));
                }
            }
            let on_people = holding.hold.on == WaitsOn::Person;
            if on_people && !holding.hold.anybody && holding.hold.who.is_empty() && holding.hold.how.len() < 2
            {
                self.fail(format!("it waits for a person and nobody can act: {holding:?}"));
            }
        }
    }

    /// What the engine loads, with snapshots, is what the whole journal gives.
    async fn check_view(&mut self, release: ReleaseId, expected: &View) {
        match self.desk.clone().view(&named(SERVICE), release).await {
            Ok(found) => {
                if found.release != expected.release {
                    self.fail(format!(
                        "release {release} is loaded as something else than its journal gives"
                    ));
                }
                for (name, state) in &found.environments {
                    if expected.environments.get(name).cloned().unwrap_or_default() != *state {
                        self.fail(format!("{name} is loaded as something else than its journal gives"));
                    }
                }
            }
            Err(error) => self.fail(format!("release {release} cannot be loaded: {error}")),
        }
    }

    /// The outbox, the timers and the looks are what the agenda says.
    pub(crate) async fn check_outbox(&mut self) {
        match self.desk.clone().reconcile().await {
            Ok(repairs) if repairs.is_empty() => {}
            // A clock that was set back shows windows again that it had passed, and opens what a freeze had shut: nothing is told of that.
            Ok(repairs)
                if self.world.now() < self.latest
                    && repairs.iter().all(|repair| {
                        let what = &repair.what;
                        what.contains("to be looked at again") || what.starts_with("it can go on")
                    }) => {}
            Ok(repairs) => self.fail(format!("there was something to repair: {repairs:?}")),
            Err(EngineError::Crashed | EngineError::Store(StoreError::Busy { .. })) => {}
            Err(error) => self.fail(format!("reconciling: {error}")),
        }
    }

    /// The journal is chained, and replaying it gives what is known.
    pub(crate) async fn check_journal(&mut self) {
        let heads = self.store.heads("", None, MANY).await.unwrap();
        for head in heads {
            let records = self.store.records(&head.stream, 1, MANY).await.unwrap();
            let mut previous = Hash::ZERO;
            for (record, sequence) in records.iter().zip(1..) {
                let hash = link(&head.stream, sequence, &previous, &record.event);
                if record.sequence != sequence || record.previous != previous || record.hash != hash {
                    self.fail(format!("{} is not chained at {sequence}", head.stream));
                }
                if head.stream != StreamId::Checkpoint
                    && let Err(error) = Entry::decode(&head.stream, &record.event)
                {
                    self.fail(format!("{} cannot be read: {error}", head.stream));
                }
                previous = hash;
            }
            let known = self.oracle.versions.get(&head.stream.to_string()).copied();
            if head.hash != previous || head.stream != StreamId::Checkpoint && known != Some(head.version) {
                self.fail(format!("{} ends at {}, and {known:?} was committed", head.stream, head.version));
            }
        }
    }
}
