//! A scenario in which trains depart by themselves.

use std::path::Path;

use tollgate_core::calendar::Zone;
use tollgate_core::event::{Entry, Event};
use tollgate_core::forward::Told;
use tollgate_core::forward::ride::{Heard, Ride, Started, judge_ride, ride};
use tollgate_core::forward::scenario::Scenario;
use tollgate_core::forward::verdict::{ending, live_at};
use tollgate_core::ids::TrainName;
use tollgate_core::journal::StreamId;
use tollgate_core::model::Recipient;
use tollgate_core::notices::NoticeEvent;
use tollgate_core::train::{MailEnd, TrainEvent};
use tollgate_engine::rehearsal::Rehearsal;

use super::{Line, Live, Played, Release, tell};
use crate::output::{FAINT, NAME, line, styled};
use crate::project::Rules;

/// Plays a scenario whose trains depart by themselves.
pub(super) fn one(file: Option<&Path>, scenario: &Scenario, rules: &Rules) -> Played {
    let rehearsal = Rehearsal::new(&rules.definition, &rules.policy, scenario);
    let ride = ride(scenario, &rules.definition.service, &rules.policy, &rehearsal);
    let expected = judge_ride(scenario, &ride);
    let releases: Vec<Release> = ride.releases.iter().map(release).collect();
    let versions: Vec<String> = releases.iter().map(|release| release.version.clone()).collect();
    let first = ride.releases.first();
    Played {
        file: file.map(|file| file.display().to_string()),
        scenario: scenario.name.clone(),
        version: if versions.is_empty() { "no release".into() } else { versions.join(", ") },
        zone: scenario.zone.name().to_owned(),
        started_at: scenario.start,
        ended_at: ride.ended_at,
        ends: first.map(|first| ending(&first.driven)),
        met: expected.iter().all(|verdict| verdict.met),
        live: first.map(live).unwrap_or_default(),
        releases,
        expected,
        timeline: timeline(scenario, rules, &ride),
    }
}

fn release(started: &Started) -> Release {
    Release {
        version: started.plan.version.text.clone(),
        train: started.train.to_string(),
        departed_at: started.at,
        ends: ending(&started.driven),
        live: live(started),
    }
}

fn live(started: &Started) -> Vec<Live> {
    let environments = started.plan.environments();
    let live = |name| live_at(&started.driven, name);
    environments.iter().map(|name| Live { environment: name.to_string(), at: live(name) }).collect()
}

fn timeline(scenario: &Scenario, rules: &Rules, ride: &Ride) -> Vec<Line> {
    // Beside each other, it has to be told whose each line is.
    let several = ride.releases.len() > 1;
    let whose =
        |release: usize| Some(ride.releases.get(release)?.plan.version.text.as_str()).filter(|_| several);
    ride.told.iter().filter_map(|heard| said(scenario, rules, heard, heard.release.and_then(whose))).collect()
}

fn said(scenario: &Scenario, rules: &Rules, heard: &Heard, release: Option<&str>) -> Option<Line> {
    if let Told::Event(entry) = &heard.told
        && let (StreamId::Train(_, name), Event::Train(event)) = (&entry.stream, &entry.event)
    {
        return of_train(&scenario.zone, rules, entry, name, event);
    }
    let told = tell(&scenario.zone, &heard.told)?;
    Some(match release {
        Some(version) => Line {
            text: format!("{version}: {}", told.text),
            shown: format!("{} {}", styled(FAINT, line(version)), told.shown),
            ..told
        },
        None => told,
    })
}

fn of_train(zone: &Zone, rules: &Rules, entry: &Entry, name: &TrainName, event: &TrainEvent) -> Option<Line> {
    let text = match event {
        // Who is told of what, which is a detail in a log.
        TrainEvent::MailEnded { end: MailEnd::Sent, .. } => {
            let train = rules.policy.trains.get(name)?;
            let mail = train.heads_up.as_ref()?.mail.as_ref()?;
            format!("`{name}`: heads-up for {}", recipients(&mail.to))
        }
        TrainEvent::Notice(NoticeEvent::Wanted { about, act, .. }) => {
            let (to, subject) = match act {
                tollgate_core::act::Act::Mail { to, subject, .. } => (to.join(", "), subject.as_str()),
                _ => return None,
            };
            format!("{about}: “{subject}” for {to}")
        }
        _ => {
            let described = crate::trains::describe_in(entry, event, Some(zone));
            if described.weight < crate::describe::Weight::News {
                return None;
            }
            let shown = format!("{} {}", styled(described.style, described.mark), line(&described.text));
            return Some(Line { at: entry.at, kind: "train", text: described.text, shown });
        }
    };
    let shown = format!("{} {}", styled(NAME, "✉"), line(&text));
    Some(Line { at: entry.at, kind: "told", text, shown })
}

fn recipients(to: &[Recipient]) -> String {
    let name = |recipient: &Recipient| match recipient {
        Recipient::Address(address) => address.clone(),
        Recipient::Who(who) => who.to_string(),
    };
    to.iter().map(name).collect::<Vec<_>>().join(", ")
}
