//! What a scenario with trains expects, held against what came of it.

use jiff::Timestamp;

use super::{Ride, Started};
use crate::calendar::Zone;
use crate::event::Event;
use crate::forward::Told;
use crate::forward::scenario::{Expectation, Expected, Scenario, TrainFate};
use crate::forward::verdict::{Judging, Verdict, clock, cut_short, expected, is_in_time, when};
use crate::ids::TrainName;
use crate::journal::StreamId;
use crate::train::TrainEvent;

/// Holds a scenario's expectations against what came of it. What names no release is about the first that departed.
pub fn judge_ride(scenario: &Scenario, ride: &Ride) -> Vec<Verdict> {
    let all = expected(scenario);
    let verdicts = all.iter().map(|one| verdict(&scenario.zone, ride, one));
    verdicts.chain(cut_short(&scenario.zone, ride.end, ride.ended_at)).collect()
}

fn verdict(zone: &Zone, ride: &Ride, expected: &Expected) -> Verdict {
    if let Expectation::Train(train, fate) = &expected.what {
        return of_train(zone, ride, expected, train, *fate);
    }
    let version = |started: &Started| started.plan.version.text.clone();
    let wanted = expected.release.as_ref();
    let found = ride.releases.iter().find(|started| wanted.is_none_or(|wanted| version(started) == *wanted));
    match found {
        Some(Started { plan, driven, .. }) => {
            let verdict = Judging { zone, plan, driven }.verdict(expected);
            match wanted {
                Some(wanted) => Verdict { expected: format!("{wanted}: {}", verdict.expected), ..verdict },
                None => verdict,
            }
        }
        None => {
            let all: Vec<String> = ride.releases.iter().map(version).collect();
            let name =
                wanted.map_or_else(|| "something departs".to_owned(), |name| format!("{name} departs"));
            let found = match all.is_empty() {
                true => "nothing departed".to_owned(),
                false => format!("what departed is {}", all.join(", ")),
            };
            Verdict { expected: name, met: false, found, place: expected.place }
        }
    }
}

/// What happened to a train, when, and which version it had.
fn fates<'a>(
    ride: &'a Ride,
    train: &'a TrainName,
) -> impl Iterator<Item = (Timestamp, TrainFate, Option<&'a str>)> {
    ride.told.iter().filter_map(move |heard| {
        let Told::Event(entry) = &heard.told else { return None };
        let (StreamId::Train(_, name), Event::Train(event)) = (&entry.stream, &entry.event) else {
            return None;
        };
        let (fate, version) = match event {
            TrainEvent::Announced { prospect, .. } => (TrainFate::Departing, prospect.version.as_deref()),
            TrainEvent::CalledOff { .. } => (TrainFate::CalledOff, None),
            TrainEvent::Departed { version, .. } => (TrainFate::Departed, Some(version.as_str())),
            TrainEvent::Empty { .. } => (TrainFate::Empty, None),
            TrainEvent::Queued { .. } => (TrainFate::Queued, None),
            TrainEvent::Asked { .. } => (TrainFate::Missed, None),
            TrainEvent::Skipped { .. } => (TrainFate::Skipped, None),
            _ => return None,
        };
        (name == train).then_some((entry.at, fate, version))
    })
}

fn of_train(zone: &Zone, ride: &Ride, expected: &Expected, train: &TrainName, fate: TrainFate) -> Verdict {
    let release = expected.release.as_deref();
    let suits = |(at, what, version): &(Timestamp, TrainFate, Option<&str>)| {
        *what == fate
            && is_in_time(*at, expected.limit)
            && release.is_none_or(|release| *version == Some(release))
    };
    let met = fates(ride, train).any(|one| suits(&one));
    let with = release.map(|release| format!(" with {release}")).unwrap_or_default();
    let all = fates(ride, train).map(|(at, what, version)| {
        let version = version.map(|version| format!(" with {version}")).unwrap_or_default();
        format!("it {what}{version} at {}", clock(zone, at))
    });
    let all: Vec<String> = all.collect();
    let found = match (met, all.is_empty()) {
        (true, _) => String::new(),
        (false, true) => "nothing happened to it".to_owned(),
        (false, false) => all.join(", "),
    };
    let expectation = format!("`{train}` {fate}{with}{}", when(zone, expected.limit));
    Verdict { expected: expectation, met, found, place: expected.place }
}
