//! A train on the virtual clock: its day is asked for, its branch looked at, its departures taken up.

use jiff::Timestamp;

use super::Riding;
use crate::actor::Actor;
use crate::calendar::Zone;
use crate::event::Event;
use crate::forward::facts::Answer;
use crate::ids::TrainName;
use crate::journal::StreamId;
use crate::model::{Departs, FactRead, FactSpec, Overlap, Train};
use crate::notices::{NoticeEvent, OfTrain, about_train};
use crate::plan::Plan;
use crate::train::{
    Again, Boarding, DayMemo, DayReading, Departure, Doing, MailEnd, NoDay, Prospect, Slot, Telling,
    TrainEvent, TrainState, TrainView, Way, asked_again, boarding, can_be_given_up, day_seen, departs_empty,
    departs_not, doing, follows, moves_day, pushed, rests_until, way, why_superseded,
};
use crate::view::{Refusal, Stimulus, later};

/// How a train stands in a scenario.
pub(super) struct Rail<'s> {
    pub(super) name: TrainName,
    pub(super) train: &'s Train,
    pub(super) state: TrainState,
    /// When it is looked at next.
    pub(super) wake: Option<Timestamp>,
    /// When its day is asked for next.
    pub(super) look: Option<Timestamp>,
    memo: DayMemo,
    /// Whether its day was asked for once more, and the day that counts since then.
    asked: bool,
    sure: Option<Option<jiff::civil::Date>>,
    /// The question about a departure whose answer was refused, by when it was asked, and when the answer was given.
    pub(super) refused: Option<(Timestamp, Timestamp)>,
}

impl<'s> Rail<'s> {
    pub(super) fn new(name: &TrainName, train: &'s Train, start: Timestamp) -> Self {
        Self {
            name: name.clone(),
            train,
            state: TrainState::default(),
            wake: Some(start),
            look: train.departs.told_by().map(|_| start),
            memo: DayMemo::default(),
            asked: false,
            sure: None,
            refused: None,
        }
    }
}

impl<'s> Riding<'s> {
    pub(super) fn view_of(&self, at: usize) -> TrainView<'_> {
        let rail = &self.rails[at];
        TrainView {
            train: Some(rail.train),
            since: self.scenario.start,
            calendar: &self.policy.calendar,
            state: rail.state.clone(),
            sure: rail.sure == Some(rail.state.told),
        }
    }

    /// Does one thing that is due for a train; `false` where nothing is.
    pub(super) fn on_rails(&mut self) -> bool {
        for at in 0..self.rails.len() {
            let is_due = |due: Option<Timestamp>| due.is_some_and(|due| self.scenario.awake(due) <= self.now);
            let rail = &self.rails[at];
            if is_due(rail.look) {
                self.ask_for_day(at);
                return true;
            }
            if is_due(rail.wake) {
                self.carry(at);
                return true;
            }
            if rail.train.departs == Departs::Push && self.look_at_branch(at) {
                return true;
            }
        }
        false
    }

    /// Writes down what happened to a train, with the notices that are owed for it, and delivers them.
    pub(super) fn write(&mut self, at: usize, event: TrainEvent, actor: &Actor) {
        let (policy, now) = (self.policy.clone(), self.now);
        let rail = &mut self.rails[at];
        let of = OfTrain { service: self.service, name: &rail.name, policy: &policy, folder: Some(".") };
        let owed = about_train(&of, &rail.state, &event, now);
        rail.state.apply(now, actor, &event);
        rail.wake = Some(now);
        let stream = StreamId::Train(self.service.clone(), rail.name.clone());
        self.tell(stream.clone(), actor, Event::Train(event));
        for notice in owed {
            let id = match &notice {
                NoticeEvent::Wanted { id, .. } => Some(*id),
                _ => None,
            };
            self.noted(at, notice);
            let Some(id) = id else { continue };
            if let Some(leased) = self.rails[at].state.notices.lease(id, 1, now) {
                self.noted(at, leased);
            }
            if let Some(sent) = self.rails[at].state.notices.reported(id, 1, None, now) {
                self.noted(at, sent);
            }
        }
    }

    fn noted(&mut self, at: usize, notice: NoticeEvent) {
        let (event, now) = (TrainEvent::Notice(notice), self.now);
        let rail = &mut self.rails[at];
        rail.state.apply(now, &Actor::Tollgate, &event);
        let stream = StreamId::Train(self.service.clone(), rail.name.clone());
        self.tell(stream, &Actor::Tollgate, Event::Train(event));
    }

    /// Does what is to be done next about a train.
    fn carry(&mut self, at: usize) {
        let (view, now) = (self.view_of(at), self.now);
        match doing(&view, now, self.rails[at].asked) {
            Doing::Follow(events) => {
                events.into_iter().for_each(|event| self.write(at, event, &Actor::Tollgate));
            }
            Doing::AskForDay => self.ask_again(at),
            Doing::Announce(telling) => self.announce(at, telling),
            Doing::Mail => self.mail(at),
            Doing::Depart(open) => {
                let way = self.way(at, &open);
                match boarding(&open, way, now) {
                    Boarding::Waits => {
                        let next = rests_until(&self.view_of(at), now);
                        self.rest(at, next);
                    }
                    Boarding::Follows(event) => self.write(at, event, &Actor::Tollgate),
                    Boarding::Starts => self.start_by_itself(at, open.slot),
                }
            }
            Doing::Rest(next) => self.rest(at, next),
        }
    }

    fn rest(&mut self, at: usize, next: Option<Timestamp>) {
        let soonest = later(self.now, jiff::SignedDuration::from_secs(1));
        let rail = &mut self.rails[at];
        (rail.asked, rail.sure) = (false, None);
        rail.wake = next.map(|next| next.max(soonest));
    }

    fn announce(&mut self, at: usize, telling: Telling) {
        let train = self.rails[at].train;
        let mail = train.heads_up.as_ref().is_some_and(|heads_up| heads_up.mail.is_some());
        let event = match telling {
            Telling::Departs { at: departs, corrects } => {
                let prospect = match self.planned(at) {
                    Ok(plan) => Prospect::of(&plan),
                    Err(refusal) => Prospect::problem(refusal.why),
                };
                let (runs, branch, slot) = (train.runs.clone(), train.branch.clone(), Slot::At(departs));
                TrainEvent::Announced { slot, runs, branch, prospect, mail, corrects }
            }
            Telling::CalledOff { slot, why } => TrainEvent::CalledOff { slot, why, mail },
        };
        self.write(at, event, &Actor::Tollgate);
    }

    /// Mail gets there at once here.
    fn mail(&mut self, at: usize) {
        let Some(slot) = self.rails[at].state.announced.as_ref().map(|told| told.slot.clone()) else {
            return;
        };
        let end = match slot.at().is_none_or(|departs| departs <= self.now) {
            true => MailEnd::TooLate,
            false => {
                self.write(at, TrainEvent::MailBegun { slot: slot.clone() }, &Actor::Tollgate);
                MailEnd::Sent
            }
        };
        self.write(at, TrainEvent::MailEnded { slot, end }, &Actor::Tollgate);
    }

    /// The plan of what a train would start now.
    fn planned(&self, at: usize) -> Result<Plan, Refusal> {
        let rail = &self.rails[at];
        // The day that its departure is told from, or that of the departure itself.
        let today = || rail.train.departs.zone().map(|zone| zone.date(self.now));
        self.plans.depart(&self.alone(rail.train), rail.state.told.or_else(today))
    }

    /// Whether a departure can start, by the runs of its procedure that are under way.
    fn way(&mut self, at: usize, open: &Departure) -> Way {
        let train = self.rails[at].train;
        let of = |one: &super::Moving<'_>| one.is_under_way() && one.plan.procedure == train.runs;
        let own = self.rails[at].state.last.filter(|_| train.overlap == Overlap::Supersede);
        if let Some((_, run)) = own
            && let Some(other) = self.release_of(run)
            && can_be_given_up(&self.moving[other].driver.stage.view, run)
        {
            let name = self.rails[at].name.clone();
            let why = why_superseded(&name, &open.slot);
            self.say_to(other, &Actor::Schedule(name), Stimulus::Abort { run, why });
        }
        // The newest first, as lists have them.
        let behind = self.moving.iter().rev().find(|one| of(one)).map(|one| one.version().to_owned());
        way(train.overlap, behind)
    }

    fn start_by_itself(&mut self, at: usize, slot: Slot) {
        let actor = Actor::Schedule(self.rails[at].name.clone());
        let started = self.planned(at).and_then(|plan| {
            let alone = self.alone(self.rails[at].train);
            self.board(at, &slot, plan, alone, &actor)
        });
        match started {
            Ok(()) => {}
            Err(refusal) if refusal.code == NOTHING => {
                self.write(at, departs_empty(slot, refusal.why), &Actor::Tollgate);
            }
            Err(refusal) => self.write(at, departs_not(slot, refusal.why), &Actor::Tollgate),
        }
    }

    /// A person starts a departure that is open: without one, somebody who may.
    pub(super) fn start_by_hand(&mut self, at: usize, slot: Slot, by: Option<&Actor>) {
        let planned = self.planned(at);
        let actor = match (by, &planned) {
            (Some(by), _) => by.clone(),
            (None, Ok(plan)) => self.who_starts(plan),
            (None, Err(_)) => self.somebody(None),
        };
        let started = planned.and_then(|plan| {
            let alone = self.alone(self.rails[at].train);
            self.board(at, &slot, plan, alone, &actor)
        });
        match started {
            Ok(()) => {}
            Err(refusal) if refusal.code == NOTHING => {
                self.write(at, TrainEvent::Empty { slot, why: refusal.why, commit: None }, &actor);
            }
            Err(refusal) => {
                let what = format!("start the departure of `{}`", self.rails[at].name);
                self.refused(&actor, what, refusal);
            }
        }
    }

    /// Looks at the branch that a train departs for; `false` where it has seen what is there.
    fn look_at_branch(&mut self, at: usize) -> bool {
        let (head, now) = (self.head(), self.now);
        if self.rails[at].state.head.as_ref() == Some(&head) {
            return false;
        }
        let made_of = |one: &&super::Moving<'_>| {
            let candidates = &one.driver.stage.view.release.candidates;
            candidates.iter().any(|candidate| candidate.commit == head || candidate.base == head)
        };
        let own = self.moving.iter().find(made_of).map(|one| one.version().to_owned());
        let events = pushed(&self.view_of(at), &head, own.as_deref(), now);
        let any = !events.is_empty();
        events.into_iter().for_each(|event| self.write(at, event, &Actor::Tollgate));
        any
    }

    /// What tells the day of a train, and what it says now.
    fn day(&self, at: usize) -> Option<(&'s FactSpec, DayReading)> {
        let departs = &self.rails[at].train.departs;
        let fact = departs.told_by()?;
        let here = self.scenario.facts.iter().filter(|one| Some(&one.fact) == fact.name.as_ref());
        let so_far = here.filter(|one| one.environment.is_none() && one.at <= self.now);
        let reading = match so_far.max_by_key(|one| one.at).map(|one| &one.is) {
            Some(Answer::Is(lines)) => read_lines(lines, departs.zone()),
            Some(Answer::Fails(why)) => DayReading::Unreadable(why.clone()),
            Some(Answer::Suits) | None => DayReading::None,
        };
        Some((fact, reading))
    }

    /// Asks for the day of a train, as it is done again and again.
    fn ask_for_day(&mut self, at: usize) {
        let now = self.now;
        self.rails[at].look = None;
        let Some((fact, reading)) = self.day(at) else { return };
        let before = self.rails[at].memo.clone();
        let (memo, counts) = before.after(&self.rails[at].state, &reading, fact, now);
        if counts {
            self.saw_day(at, &reading);
        }
        let untold = self.rails[at].state.untold.as_ref().map(|untold| &untold.why);
        // The same answer again and again says nothing new, unless it counts only by the time that has passed.
        let is_steady = counts
            && before.last.as_ref() == Some(&reading)
            && !matches!(untold, Some(NoDay::Implausible(_)))
            && !matches!(reading, DayReading::Unreadable(_));
        let next = match is_steady {
            true => self.next_change(fact),
            false => Some(later(now, DayMemo::pause(&reading, counts, fact.every))),
        };
        let rail = &mut self.rails[at];
        (rail.memo, rail.look) = (memo, next);
        if is_steady {
            // The looks that are left out until then would have read the same.
            rail.memo.read = next.map(|next| later(next, -fact.every)).or(rail.memo.read);
        }
    }

    fn saw_day(&mut self, at: usize, reading: &DayReading) {
        loop {
            let view = self.view_of(at);
            let mut events = follows(&view, self.now);
            if events.is_empty() {
                events.extend(day_seen(&view, reading, self.now));
            }
            if events.is_empty() {
                return;
            }
            events.into_iter().for_each(|event| self.write(at, event, &Actor::Tollgate));
        }
    }

    /// The first look from which something else can be seen.
    fn next_change(&self, fact: &FactSpec) -> Option<Timestamp> {
        let here = self.scenario.facts.iter().filter(|one| Some(&one.fact) == fact.name.as_ref());
        let change = here.map(|one| one.at).filter(|at| *at > self.now).min()?;
        let every = fact.every.as_secs().max(1);
        let looks = (change.duration_since(self.now).as_secs() + every - 1) / every;
        Some(later(self.now, jiff::SignedDuration::from_secs(every.saturating_mul(looks.max(1)))))
    }

    /// Asks once more for the day of a departure whose time has come.
    fn ask_again(&mut self, at: usize) {
        let now = self.now;
        self.rails[at].asked = true;
        let Some((fact, reading)) = self.day(at) else { return };
        let told = self.rails[at].state.told;
        if matches!(reading, DayReading::Unreadable(_)) && self.rails[at].memo.is_good(fact, now) {
            self.rails[at].sure = Some(told);
            return;
        }
        let view = self.view_of(at);
        // Asked twice at the same moment, a script says the same.
        let second = moves_day(&view, &reading).then_some(&reading);
        match asked_again(&view, &reading, second, now) {
            Again::Stands => self.rails[at].sure = Some(told),
            Again::Follows(event) => {
                self.write(at, event, &Actor::Tollgate);
                self.rails[at].sure = Some(self.rails[at].state.told);
            }
            Again::Unclear => {}
        }
    }
}

/// The code of a plan that there is none of because nothing is to be released.
const NOTHING: &str = "nothing-to-release";

/// A day by the lines that a scenario has for it.
pub fn read_lines(lines: &[String], zone: Option<&Zone>) -> DayReading {
    let utc = Zone::utc();
    crate::train::read_day(&FactRead::Text, lines.join("\n").as_bytes(), zone.unwrap_or(&utc))
}
