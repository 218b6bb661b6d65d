//! Trains: who is told that one departs, did, did not, or does not.

use jiff::Timestamp;

use super::words::told;
use super::{NoticeEvent, OutsideRuns, Told};
use crate::calendar::Zone;
use crate::ids::{PersonName, ServiceName, TrainName};
use crate::model::{Happening, Policy};
use crate::train::{Prospect, Slot, TrainEvent, TrainState};

/// Which train something happened to, and by which rules people are told of it.
#[derive(Debug, Clone, Copy)]
pub struct OfTrain<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// The train.
    pub name: &'a TrainName,
    /// The rules in force.
    pub policy: &'a Policy,
    /// Where relative paths of connections start, as far as that is known.
    pub folder: Option<&'a str>,
}

/// What of a train people can be told of.
pub const OF_TRAINS: [Happening; 4] =
    [Happening::Departing, Happening::Departed, Happening::Missed, Happening::Skipped];

/// The notices that are owed for what just happened to a train. `before` is the state that the event was written in.
pub fn about_train(
    of: &OfTrain<'_>,
    before: &TrainState,
    event: &TrainEvent,
    now: Timestamp,
) -> Vec<NoticeEvent> {
    let Some((about, cause, text)) = of.news(event, now) else { return Vec::new() };
    let OfTrain { service, name, policy, folder } = *of;
    let stream = format!("train/{service}/{name}");
    let outside = OutsideRuns { service, policy, folder, stream: &stream, told: &before.notices, now };
    // Anybody who is known can say something about a train.
    let everybody: Vec<PersonName> = policy.people.keys().cloned().collect();
    outside.tell(about, &cause, &everybody, &text)
}

impl OfTrain<'_> {
    /// What is told of an event: what it is, what makes it this cause and no other, and the words.
    fn news(&self, event: &TrainEvent, now: Timestamp) -> Option<(Happening, String, Told)> {
        let Self { service, name, .. } = self;
        let start = format!("tollgate train start {name} --service {service}");
        let skip = format!("tollgate train skip {name} --service {service} --why REASON");
        Some(match event {
            TrainEvent::Announced { slot, prospect, corrects, runs, .. } => {
                let when = self.when(slot);
                // Each heads-up is news: between two of the same departure people can have been told of another.
                let cause = format!("{} {now}", slot.key());
                let instead = corrects.as_ref().filter(|before| *before != slot);
                let instead = instead
                    .map(|before| format!("This takes the place of its departure on {}.", self.when(before)));
                let mut paragraphs =
                    vec![format!("The train `{name}` starts `{runs}` of {service} on {when}.")];
                paragraphs.extend(instead);
                paragraphs.push(would(prospect));
                let next = format!("tollgate train skip {name} --service {service} --next --why REASON");
                paragraphs.push(format!("Leave it out with:\n  {next}"));
                (
                    Happening::Departing,
                    cause,
                    told(&format!("{service}: `{name}` departs {when}"), &paragraphs),
                )
            }
            TrainEvent::CalledOff { slot, why, .. } => {
                let when = self.when(slot);
                let text = format!("The train `{name}` of {service} does not depart on {when}: {why}.");
                let subject = format!("{service}: `{name}` does not depart {when}");
                (Happening::Departing, format!("{} off {now}", slot.key()), told(&subject, &[text]))
            }
            TrainEvent::Departed { slot, version, .. } => {
                let when = self.when(slot);
                let text = format!("The departure of `{name}` ({when}) started {service} {version}.");
                let why = format!("How it gets on:\n  tollgate why {version} --service {service}");
                let subject = format!("{service} {version}: `{name}` departed");
                (Happening::Departed, slot.key(), told(&subject, &[text, why]))
            }
            TrainEvent::Empty { slot, why, .. } => {
                let text = format!("The departure of `{name}` ({}) was empty: {why}.", self.when(slot));
                (
                    Happening::Departed,
                    slot.key(),
                    told(&format!("{service}: `{name}` departed empty"), &[text]),
                )
            }
            TrainEvent::Asked { slot, doubt } => {
                let when = self.when(slot);
                let text = format!("The departure of `{name}` ({when}) did not start: {doubt}.");
                let how = format!("Anybody who is known can start it, or leave it out:\n  {start}\n  {skip}");
                let subject = format!("{service}: `{name}` did not depart");
                (Happening::Missed, slot.key(), told(&subject, &[text, how]))
            }
            TrainEvent::Skipped { slot, because } => {
                let when = self.when(slot);
                let why = because.text(|slot| self.when(slot));
                let text = format!("The departure of `{name}` ({when}) is left out: {why}.");
                let subject = format!("{service}: a departure of `{name}` is left out");
                (Happening::Skipped, slot.key(), told(&subject, &[text]))
            }
            _ => return None,
        })
    }

    /// A departure, by the clocks of its train.
    fn when(&self, slot: &Slot) -> String {
        let zone = self.policy.trains.get(self.name).and_then(|train| train.departs.zone());
        let utc = Zone::utc();
        match slot.at() {
            Some(at) => {
                let zone = zone.unwrap_or(&utc);
                format!("{} {zone}", zone.local(at).strftime("%a %Y-%m-%d %H:%M"))
            }
            None => slot.to_string(),
        }
    }
}

fn would(prospect: &Prospect) -> String {
    match (&prospect.version, &prospect.problem) {
        (Some(version), _) => {
            let changes = match prospect.changes {
                1 => "1 commit".to_owned(),
                count => format!("{count} commits"),
            };
            format!("As things stand it releases {version}: {changes}.")
        }
        (None, Some(problem)) => format!("As things stand it would release nothing: {problem}"),
        (None, None) => "As things stand it would release nothing.".to_owned(),
    }
}
