//! Telling people before a train departs, and again where that was not so.

use jiff::Timestamp;

use super::decide::TrainView;
use super::event::Slot;
use super::state::{Announcement, SkipOrder};
use crate::commits::{Lines, plain_text};
use crate::ids::{ServiceName, TrainName};
use crate::journal::Hash;
use crate::model::Departs;
use crate::view::{later, named_uuid};

/// What people have to be told of a train.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Telling {
    /// That it departs.
    Departs {
        /// When.
        at: Timestamp,
        /// The departure that they were told of before and that is not to be.
        corrects: Option<Slot>,
    },
    /// That it does not depart as they were told.
    CalledOff {
        /// The departure that they were told of.
        slot: Slot,
        /// Why not.
        why: String,
    },
}

/// What people have to be told of now.
pub fn announcement_due(view: &TrainView<'_>, now: Timestamp) -> Option<Telling> {
    view.train?.heads_up.as_ref()?;
    if let Some(wrong) = wrong(view, now) {
        let slot = wrong.slot.clone();
        return match view.to_come().next() {
            Some(at) if at > now => Some(match view.state.skipped(at) {
                Some(order) => Telling::CalledOff { slot, why: why_left_out(order) },
                None => Telling::Departs { at, corrects: Some(slot) },
            }),
            // It is about to be taken up, or to be asked about.
            Some(_) => None,
            // Other rules ask elsewhere now, and nobody has asked there yet.
            None if is_unasked(view) => None,
            None => Some(Telling::CalledOff { slot, why: why_off(view) }),
        };
    }
    let at = view.next(now)?;
    let corrects = called_off(view, now).map(|told| told.slot.clone());
    (announced_at(view, at)? <= now).then_some(Telling::Departs { at, corrects })
}

/// What people were told of that is ahead, and not to be any more: the day that it is told from has changed.
pub(super) fn wrong<'a>(view: &'a TrainView<'_>, now: Timestamp) -> Option<&'a Announcement> {
    if !matches!(view.train?.departs, Departs::Date { .. }) {
        return None;
    }
    let told = view.state.announced.as_ref().filter(|told| told.off.is_none())?;
    let at = told.slot.at().filter(|at| *at > now)?;
    let taken_up = view.state.settled.is_some_and(|settled| settled >= at);
    (!taken_up && view.to_come().next() != Some(at)).then_some(told)
}

/// The departure ahead that people were told last is off: what departs now is on again, or takes its place.
fn called_off<'a>(view: &'a TrainView<'_>, now: Timestamp) -> Option<&'a Announcement> {
    let told = view.state.announced.as_ref().filter(|told| told.off.is_some())?;
    told.slot.at().is_some_and(|at| at > now).then_some(told)
}

/// Whether something tells the day and was not asked yet.
fn is_unasked(view: &TrainView<'_>) -> bool {
    let asks = view.train.is_some_and(|train| train.departs.told_by().is_some());
    asks && view.state.told.is_none() && view.state.untold.is_none()
}

fn why_left_out(order: &SkipOrder) -> String {
    let why = plain_text(&order.why, Lines::Join);
    format!("its day has changed, and what departs for that is left out, as {} said: {why}", order.by)
}

fn why_off(view: &TrainView<'_>) -> String {
    match (&view.state.untold, view.state.told) {
        (Some(untold), _) => untold.why.to_string(),
        (None, Some(day)) => format!("{day} is told now, and nothing departs for it any more"),
        (None, None) => "no day is told any more".to_owned(),
    }
}

/// When people are told of a departure, if they were not. A correction counts where it came no sooner than that.
pub(super) fn announced_at(view: &TrainView<'_>, departure: Timestamp) -> Option<Timestamp> {
    let heads_up = view.train?.heads_up.as_ref()?;
    let wanted = later(departure, -heads_up.before);
    let told = view.state.announced.as_ref().filter(|told| told.slot == Slot::At(departure));
    let was_told =
        told.is_some_and(|told| told.off.is_none() && (told.corrects.is_none() || told.at >= wanted));
    (!was_told).then_some(wanted)
}

/// When something that people were told has to be put right, if it has.
pub(super) fn correction_at(view: &TrainView<'_>, now: Timestamp) -> Option<Timestamp> {
    announcement_due(view, now).map(|_| now)
}

/// The Message-ID of the mail of a heads-up. Each is a mail of its own, also where an earlier one was of the same departure.
pub fn message_id_of(service: &ServiceName, train: &TrainName, told: &Announcement) -> String {
    let (slot, at) = (told.slot.key(), told.at.to_string());
    let kind = if told.off.is_some() { "off" } else { "departs" };
    let parts = ["heads-up", service.as_str(), train.as_str(), &slot, kind, &at];
    let id = named_uuid(&Hash::of_parts(parts.iter().map(|part| part.as_bytes())));
    format!("{id}@{service}.tollgate.invalid")
}
