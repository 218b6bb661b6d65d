//! What is to come, as a calendar: windows, freezes, departures of trains, and where releases under way get to.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::calendar::ical::{Entry, EntryTime};
use crate::calendar::{Answer, Because, Stretch, Windows};
use crate::forward::forecast::Forecast;
use crate::ids::{EnvironmentName, GateName, ReleaseId, ServiceName, TrainName};
use crate::model::{Gate, GateKind, Policy};
use crate::state::FreezeState;
use crate::view::later;

/// How far back the beginning of what is under way is looked for.
const BACK: SignedDuration = SignedDuration::from_hours(24 * 62);
/// The most openings of one window that are told.
pub const OPENINGS_MAX: usize = 1_000;

/// Something that is to come, or under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Coming {
    /// What it is.
    #[serde(flatten)]
    pub what: What,
    /// From when; of something that only happens, when.
    pub start: Timestamp,
    /// Until when; nothing of something that only happens.
    pub end: Option<Timestamp>,
    /// What there is to say about it, on one line or several; empty where its title says it all.
    pub about: String,
    /// Where more is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// What is to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum What {
    /// A window is open.
    Open {
        /// The gate.
        gate: GateName,
        /// The environment; all of them where there is none.
        environment: Option<EnvironmentName>,
    },
    /// A window that is open otherwise is closed.
    Closed {
        /// The gate.
        gate: GateName,
        /// The environment; all of them where there is none.
        environment: Option<EnvironmentName>,
    },
    /// A freeze.
    Freeze {
        /// Its number.
        number: u32,
        /// What it covers.
        covers: String,
    },
    /// A train departs.
    Departure {
        /// The train.
        train: TrainName,
        /// Whether it is left out.
        skipped: bool,
    },
    /// A release gets into an environment, as things stand.
    Arrival {
        /// The release.
        release: ReleaseId,
        /// Its version.
        version: String,
        /// The environment.
        environment: EnvironmentName,
    },
}

impl Coming {
    /// One line for people.
    pub fn title(&self) -> String {
        let of = |environment: &Option<EnvironmentName>| match environment {
            Some(environment) => format!("`{environment}`"),
            None => "every environment".to_owned(),
        };
        match &self.what {
            What::Open { gate, environment } => format!("window `{gate}` of {} is open", of(environment)),
            What::Closed { gate, environment } => format!("window `{gate}` of {} is closed", of(environment)),
            What::Freeze { number, covers } => format!("freeze {number} of {covers}"),
            What::Departure { train, skipped: false } => format!("train `{train}` departs"),
            What::Departure { train, skipped: true } => format!("train `{train}` is left out"),
            What::Arrival { version, environment, .. } => {
                format!("{version} gets to `{environment}` (forecast)")
            }
        }
    }

    /// What makes it this event and no other, also when it moves.
    fn key(&self, service: &ServiceName) -> String {
        let of = |environment: &Option<EnvironmentName>| {
            environment.as_ref().map_or_else(|| "*".to_owned(), ToString::to_string)
        };
        // The end of a window is known however long ago it began.
        let end = self.end.map_or(0, Timestamp::as_second);
        match &self.what {
            What::Open { gate, environment } => format!("open/{service}/{}/{gate}/{end}", of(environment)),
            What::Closed { gate, environment } => {
                format!("closed/{service}/{}/{gate}/{end}", of(environment))
            }
            What::Freeze { number, .. } => format!("freeze/{service}/{number}"),
            What::Departure { train, .. } => {
                format!("departure/{service}/{train}/{}", self.start.as_second())
            }
            What::Arrival { release, environment, .. } => {
                format!("arrival/{service}/{release}/{environment}")
            }
        }
    }

    /// It as an event of a calendar that others subscribe to. It makes nobody busy.
    pub fn entry(&self, service: &ServiceName) -> Entry {
        let end = self.end.unwrap_or(self.start);
        Entry {
            key: self.key(service),
            time: EntryTime::Time(Stretch { start: self.start, end }),
            title: format!("{service}: {}", self.title()),
            description: self.about.clone(),
            link: self.link.clone(),
            busy: false,
        }
    }
}

/// The windows of rules from one moment to another. Of a window that something opens: when it is open; of one that is only
/// closed at times: when it is closed. What is never open, or always, is no event.
pub fn windows(policy: &Policy, from: Timestamp, until: Timestamp) -> Vec<Coming> {
    let mut all = Vec::new();
    let everywhere = policy.gates.iter().map(|(name, gate)| (None, name, gate));
    let own = policy.environments.iter().flat_map(|(environment, spec)| {
        spec.gates.iter().map(move |(name, gate)| (Some(environment.clone()), name, gate))
    });
    for (environment, name, gate) in everywhere.chain(own) {
        if let GateKind::Window { windows, .. } = &gate.kind {
            let stretches = stretches(policy, windows, from, until);
            all.extend(stretches.into_iter().map(|(stretch, why)| {
                let (gate_name, environment) = (name.clone(), environment.clone());
                let what = match windows.allow().is_empty() {
                    false => What::Open { gate: gate_name, environment },
                    true => What::Closed { gate: gate_name, environment },
                };
                let about = [why, condition(gate)].into_iter().flatten().collect::<Vec<_>>().join("\n");
                Coming { what, start: stretch.start, end: Some(stretch.end), about, link: None }
            }));
        }
    }
    all
}

fn condition(gate: &Gate) -> Option<String> {
    gate.condition.as_ref().map(|condition| format!("only if: {}", condition.source()))
}

/// When windows are open, or, without anything that opens them, closed and why.
fn stretches(
    policy: &Policy,
    windows: &Windows,
    from: Timestamp,
    until: Timestamp,
) -> Vec<(Stretch, Option<String>)> {
    // What is known now goes on to be known.
    let calendar = policy.calendar.clone().trusted_from(from);
    let wants_open = !windows.allow().is_empty();
    let mut found = Vec::new();
    let mut at = later(from, -BACK);
    for _ in 0..2 * OPENINGS_MAX {
        if at >= until {
            break;
        }
        let (open, change, why) = match windows.at(at, &calendar) {
            Answer::Open { until } => (true, until, None),
            Answer::Closed { opens_at, because } => (false, opens_at, detail(&because)),
        };
        // What goes on for ever is no event.
        let Some(change) = change else { break };
        if open == wants_open && change > from {
            found.push((Stretch { start: at, end: change }, why));
        }
        at = change;
    }
    found
}

fn detail(because: &Because) -> Option<String> {
    match because {
        Because::Denied { detail: Some(detail), .. } => Some(detail.clone()),
        Because::Denied { rule, detail: None } => Some(rule.to_string()),
        Because::NotAllowed { .. } | Because::NoCalendar(_) => None,
    }
}

/// The freezes that touch the time from one moment to another.
pub fn freezes(all: &[FreezeState], from: Timestamp, until: Timestamp) -> Vec<Coming> {
    let touches = |state: &&FreezeState| state.freeze.start() < until && state.freeze.end() > from;
    let coming = |state: &FreezeState| {
        let freeze = &state.freeze;
        Coming {
            what: What::Freeze { number: state.number, covers: freeze.scope().to_string() },
            start: freeze.start(),
            end: Some(freeze.end()),
            about: format!("{}: {}", freeze.author(), freeze.reason()),
            link: freeze.link().map(ToOwned::to_owned),
        }
    };
    all.iter().filter(touches).map(coming).collect()
}

/// A departure of a train at a moment. `skipped` is why it is left out.
pub fn departure(train: &TrainName, runs: &str, at: Timestamp, skipped: Option<&str>) -> Coming {
    let about = match skipped {
        Some(why) => format!("left out: {why}"),
        None => format!("it starts `{runs}`"),
    };
    let what = What::Departure { train: train.clone(), skipped: skipped.is_some() };
    Coming { what, start: at, end: None, about, link: None }
}

/// Where a release under way gets to until a moment, as things stand.
pub fn arrivals(release: ReleaseId, version: &str, forecast: &Forecast, until: Timestamp) -> Vec<Coming> {
    let coming = |arrival: &crate::forward::forecast::Arrival| {
        let at = arrival.usually.filter(|at| *at < until)?;
        let environment = arrival.environment.clone();
        let mut about = "as things stand, with everything as long as it usually takes".to_owned();
        if let Some(slowly) = arrival.slowly.filter(|slowly| *slowly > at) {
            about.push_str(&format!("\nby {} at the slowest", slowly.strftime("%Y-%m-%d %H:%M UTC")));
        }
        let bound: Vec<String> =
            arrival.bound_by.iter().map(|link| format!("{} {}", link.kind, link.name)).collect();
        if !bound.is_empty() {
            about.push_str(&format!("\nbound by: {}", bound.join(", ")));
        }
        let what = What::Arrival { release, version: version.to_owned(), environment };
        Some(Coming { what, start: at, end: None, about, link: None })
    };
    forecast.arrivals.iter().filter_map(coming).collect()
}
