//! Notices: what people are owed, told from what happened, and whether each came once or was told as undelivered.

use std::collections::BTreeMap;

use tollgate_core::act::Act;
use tollgate_core::event::{Entry, Event, PolicyEvent, ReleaseEvent};
use tollgate_core::ids::EffectId;
use tollgate_core::model::{Happening, Policy};
use tollgate_core::notices::NoticeEvent;
use tollgate_core::train::TrainEvent;

/// What became of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Sent,
    Undelivered,
}

/// An account of notices.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Each that was owed: the id of its mail, and how it ended.
    owed: BTreeMap<EffectId, (Option<String>, Option<End>)>,
}

fn notice(event: &Event) -> Option<&NoticeEvent> {
    match event {
        Event::Train(TrainEvent::Notice(event))
        | Event::Release(ReleaseEvent::Notice(event))
        | Event::Policy(PolicyEvent::Notice(event)) => Some(event),
        _ => None,
    }
}

/// What of a train people are told of, if it is what happened.
fn news(event: &Event) -> Option<Happening> {
    let Event::Train(event) = event else { return None };
    match event {
        TrainEvent::Announced { .. } | TrainEvent::CalledOff { .. } => Some(Happening::Departing),
        TrainEvent::Departed { .. } | TrainEvent::Empty { .. } => Some(Happening::Departed),
        TrainEvent::Asked { .. } => Some(Happening::Missed),
        TrainEvent::Skipped { .. } => Some(Happening::Skipped),
        _ => None,
    }
}

impl Told {
    /// Takes a commit in; gives what must not be in it.
    pub(crate) fn take_in(&mut self, entries: &[Entry], in_force: Option<&Policy>) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut told: BTreeMap<(String, Happening), usize> = BTreeMap::new();
        for event in entries.iter().filter_map(|entry| notice(&entry.event)) {
            let (id, mail, end) = match event {
                NoticeEvent::Wanted { id, act, rule, about } => {
                    *told.entry((rule.to_string(), *about)).or_default() += 1;
                    let Act::Mail { message_id, .. } = act else {
                        wrong.push(format!("the notice {id} is no mail: {act:?}"));
                        continue;
                    };
                    (id, Some(message_id.clone()), None)
                }
                // What nobody can get is given up at once.
                NoticeEvent::Undelivered { id, rule, about, .. } => {
                    if !self.owed.contains_key(id) {
                        *told.entry((rule.to_string(), *about)).or_default() += 1;
                    }
                    (id, None, Some(End::Undelivered))
                }
                NoticeEvent::Sent { id } => (id, None, Some(End::Sent)),
                NoticeEvent::Leased { id, .. } | NoticeEvent::Failed { id, .. } => {
                    match self.owed.get(id) {
                        Some((_, None)) => {}
                        other => wrong.push(format!("{event:?}, and it was {other:?}")),
                    }
                    continue;
                }
            };
            let before = self.owed.get(id).cloned();
            match (&before, end) {
                (None, None | Some(End::Undelivered)) => drop(self.owed.insert(*id, (mail, end))),
                (Some((mail, None)), Some(_)) => drop(self.owed.insert(*id, (mail.clone(), end))),
                _ => wrong.push(format!("{event:?}, and it was {before:?}")),
            }
        }
        let Some(policy) = in_force else { return wrong };
        for (name, rule) in &policy.notify {
            for about in &rule.events {
                let happened = entries.iter().filter(|entry| news(&entry.event) == Some(*about)).count();
                let told = told.get(&(name.to_string(), *about)).copied().unwrap_or_default();
                if happened > 0 && happened != told {
                    wrong
                        .push(format!("`{name}` owes {happened} notices of `{about}`, and there are {told}"));
                }
            }
        }
        wrong
    }

    /// How many were owed.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.owed.len()).unwrap_or(u32::MAX)
    }

    /// What did not come to its end by the end of everything: each came once, or was told as undelivered.
    pub(crate) fn unkept(&self, mail: &BTreeMap<String, u32>) -> Vec<String> {
        let mut unkept = Vec::new();
        for (id, (message, end)) in &self.owed {
            let came = message.as_ref().and_then(|message| mail.get(message)).copied().unwrap_or_default();
            let kept = match end {
                Some(End::Sent) => came == 1,
                Some(End::Undelivered) => came <= 1,
                None => false,
            };
            if !kept {
                unkept.push(format!("the notice {id} ended as {end:?} and came {came} times"));
            }
        }
        unkept
    }
}
