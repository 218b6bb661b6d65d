//! `tollgate simulate`: a procedure tried out on a virtual clock, before anybody relies on it.

mod trains;

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use tollgate_connect::system::SystemClock;
use tollgate_core::calendar::Zone;
use tollgate_core::event::{Event, PolicyEvent, ReleaseEvent};
use tollgate_core::explain::Holding;
use tollgate_core::forward::point::Point;
use tollgate_core::forward::scenario::{Ending, Scenario, read_moment};
use tollgate_core::forward::script::play;
use tollgate_core::forward::verdict::{Verdict, clock, ending, judge, live_at};
use tollgate_core::forward::{Driven, Told};
use tollgate_core::gate::WaitsOn;
use tollgate_engine::EngineError;
use tollgate_engine::ports::Clock;
use tollgate_engine::rehearsal::Rehearsal;
use tollgate_procedure::{load_scenario, scenario_schema};

use crate::app::App;
use crate::describe::{Weight, describe};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{BAD, FAINT, GOOD, HEAD, WAITS, line, styled};
use crate::project::{Rules, read};

/// What is tried out.
#[derive(Debug, Clone, Args)]
pub(crate) struct SimulateArgs {
    /// Scenario files; without one, a good day is played
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
    /// When the good day starts, such as `2026-11-23 09:00 Europe/Berlin`; without it, now
    #[arg(long, value_name = "WHEN", conflicts_with = "scenarios")]
    start: Option<String>,
    /// The procedure of the good day, where there are several
    #[arg(long, value_name = "PROCEDURE", conflicts_with = "scenarios")]
    procedure: Option<String>,
    /// Only say whether what was expected came about, without the timeline
    #[arg(long)]
    brief: bool,
    /// Print the JSON Schema of scenario files instead
    #[arg(long, conflicts_with_all = ["scenarios", "start", "procedure", "brief"])]
    schema: bool,
}

/// A scenario that was played.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Played {
    /// The file; none for the good day.
    file: Option<String>,
    scenario: String,
    version: String,
    zone: String,
    started_at: Timestamp,
    ended_at: Timestamp,
    /// How it ends; nothing where no train started anything. Of several releases, that of the first.
    ends: Option<Ending>,
    met: bool,
    live: Vec<Live>,
    /// What trains started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    releases: Vec<Release>,
    expected: Vec<Verdict>,
    timeline: Vec<Line>,
}

/// A release that a train started.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Release {
    version: String,
    train: String,
    departed_at: Timestamp,
    ends: Ending,
    live: Vec<Live>,
}

/// When an environment got it; never where there is no moment.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Live {
    environment: String,
    at: Option<Timestamp>,
}

/// Something that happened.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    at: Timestamp,
    kind: &'static str,
    text: String,
    #[serde(skip)]
    shown: String,
}

pub(crate) fn run(app: &App, args: &SimulateArgs) -> Result<Exit, CliError> {
    if args.schema {
        let schema = scenario_schema();
        app.output.data(&schema, || format!("{schema:#}\n"))?;
        return Ok(Exit::Done);
    }
    let rules = app.project()?.rules(app)?;
    let mut played = Vec::new();
    if args.scenarios.is_empty() {
        let scenario = good_day(args, &rules)?;
        played.push(one(None, &scenario, &rules)?);
    }
    for file in &args.scenarios {
        let scenario = load(app, file, &rules)?;
        played.push(one(Some(file), &scenario, &rules)?);
    }
    app.output.data(&played, || {
        let texts: Vec<String> = played.iter().map(|played| render(played, args.brief)).collect();
        texts.join("\n")
    })?;
    Ok(if played.iter().all(|played| played.met) { Exit::Done } else { Exit::Failed })
}

fn good_day(args: &SimulateArgs, rules: &Rules) -> Result<Scenario, CliError> {
    let zone = rules.definition.version.next.zone.clone();
    let (zone, start) = match &args.start {
        Some(text) => moment(text, zone)?,
        None => (zone, this_minute()),
    };
    let mut scenario = Scenario::good_day(start, zone);
    scenario.procedure = args.procedure.as_deref().map(str::parse).transpose()?;
    Ok(scenario)
}

/// Now, to the minute.
fn this_minute() -> Timestamp {
    let now = SystemClock.now();
    Timestamp::from_second(now.as_second() / 60 * 60).unwrap_or(now)
}

/// A moment, and the zone that it is told in.
fn moment(text: &str, zone: Zone) -> Result<(Zone, Timestamp), CliError> {
    let last = text.split_ascii_whitespace().last().unwrap_or_default();
    let zone = if last.contains(':') { zone } else { Zone::new(last).unwrap_or(zone) };
    let at = read_moment(text, &zone, None).map_err(|why| CliError::usage(format!("`--start`: {why}")))?;
    Ok((zone, at))
}

fn load(app: &App, file: &Path, rules: &Rules) -> Result<Scenario, CliError> {
    let path = app.folder()?.join(file);
    let bytes = read(&path).map_err(|why| CliError::refused("no-scenario", why))?;
    let shown = file.display().to_string();
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::refused("scenario", format!("{shown}: byte {at} is not UTF-8"))
    })?;
    let loaded = load_scenario(&text, &shown, &rules.definition, &rules.policy);
    match loaded.scenario {
        Some(scenario) => Ok(scenario),
        None => {
            app.output.say(format!("{}\n", loaded.render(true).trim_end()));
            let mistakes = crate::output::count(loaded.diagnostics.len(), "mistake");
            Err(CliError::refused("scenario", format!("{shown} has {mistakes}"))
                .hint("see what can stand in it with `tollgate simulate --schema`"))
        }
    }
}

fn one(file: Option<&Path>, scenario: &Scenario, rules: &Rules) -> Result<Played, CliError> {
    if !scenario.trains.is_empty() {
        return Ok(trains::one(file, scenario, rules));
    }
    let rehearsal = Rehearsal::new(&rules.definition, &rules.policy, scenario);
    let plan = rehearsal.plan().map_err(|error| CliError::from(EngineError::Planning(error)))?;
    let driven = play(scenario, plan.clone(), &rehearsal);
    let expected = judge(scenario, &plan, &driven);
    Ok(Played {
        file: file.map(|file| file.display().to_string()),
        scenario: scenario.name.clone(),
        version: plan.version.text.clone(),
        zone: scenario.zone.name().to_owned(),
        started_at: scenario.start,
        ended_at: driven.stage.now,
        ends: Some(ending(&driven)),
        met: expected.iter().all(|verdict| verdict.met),
        live: plan
            .environments()
            .iter()
            .map(|name| Live { environment: name.to_string(), at: live_at(&driven, name) })
            .collect(),
        releases: Vec::new(),
        expected,
        timeline: timeline(scenario, &driven),
    })
}

fn timeline(scenario: &Scenario, driven: &Driven) -> Vec<Line> {
    driven.told.iter().filter_map(|told| tell(&scenario.zone, told)).collect()
}

fn tell(zone: &Zone, told: &Told) -> Option<Line> {
    let (kind, mark, style, text) = match told {
        Told::Event(entry) => match &entry.event {
            Event::Release(ReleaseEvent::EffectFailed { step, failure, again_at, .. }) => {
                let again = clock(zone, *again_at);
                ("event", "↻", WAITS, format!("{step}: {}; tried again at {again}", failure.why))
            }
            Event::Policy(PolicyEvent::Frozen { number, freeze, .. }) => {
                let (from, until) = (clock(zone, freeze.start()), clock(zone, freeze.end()));
                let when = match freeze.start() > entry.at {
                    true => format!("from {from} until {until}"),
                    false => format!("until {until}"),
                };
                let (scope, author, why) = (freeze.scope(), freeze.author(), freeze.reason());
                ("event", "❄", WAITS, format!("freeze {number} of {scope} {when}, by {author}: {why}"))
            }
            _ => {
                let described = describe(entry);
                if described.weight < Weight::News {
                    return None;
                }
                ("event", described.mark, described.style, described.text)
            }
        },
        Told::Holds { holding, .. } => ("waits", "●", WAITS, waits(zone, holding)?),
        Told::Over { version, goal, .. } => ("elsewhere", "○", FAINT, format!("{version} {goal}")),
        Told::Refused { actor, what, refusal, .. } => {
            let text = format!("{actor} tries to {what}: {refusal}");
            ("refused", "✗", BAD, text)
        }
    };
    let shown = format!("{} {}", styled(style, mark), line(&text));
    Some(Line { at: told.at(), kind, text, shown })
}

/// What begins to hold a release; nothing where it goes on by itself.
fn waits(zone: &Zone, holding: &Holding) -> Option<String> {
    let hold = &holding.hold;
    let what = match Point::of(holding) {
        Some(point) => point.to_string(),
        None => hold.what.clone(),
    };
    match (hold.on, hold.earliest) {
        (WaitsOn::Time, Some(at)) => {
            let opens = clock(zone, at);
            Some(format!("waits for {what}, until {opens}"))
        }
        // What the others wait for in turn is theirs.
        (WaitsOn::Release, _) => {
            Some(format!("waits for {what}: {}", hold.why.split(';').next().unwrap_or_default()))
        }
        (WaitsOn::World, _) if holding.gate.is_some() => Some(format!("waits for {what}: {}", hold.why)),
        (WaitsOn::Person, _) => {
            let who: Vec<String> = hold.who.iter().map(ToString::to_string).collect();
            let who = match (who.is_empty(), hold.anybody) {
                (false, _) => who.join(", "),
                (true, true) => "anybody".into(),
                (true, false) => "nobody can".into(),
            };
            Some(format!("waits for {what}: {who}"))
        }
        _ => None,
    }
}

fn render(played: &Played, brief: bool) -> String {
    let file = played.file.as_deref().map(|file| format!("{file}: ")).unwrap_or_default();
    let mut text = format!(
        "{} {}\n",
        styled(HEAD, line(&format!("{file}{}", played.scenario))),
        styled(FAINT, format!("{}, {}", played.version, played.zone))
    );
    if !brief {
        text.push_str(&days(played));
    }
    for verdict in &played.expected {
        let place = match (&played.file, verdict.place.line) {
            (Some(file), number) if number > 0 => format!("{}:{number}: ", line(file)),
            _ => String::new(),
        };
        text.push_str(&match verdict.met {
            true => format!("{} {}\n", styled(GOOD, "✓"), line(&verdict.expected)),
            false => format!(
                "{} {place}expected: {}; but {}\n",
                styled(BAD, "✗"),
                line(&verdict.expected),
                line(&verdict.found)
            ),
        });
    }
    text
}

/// The timeline, day by day.
fn days(played: &Played) -> String {
    let zone = Zone::new(&played.zone).unwrap_or_else(|_| Zone::utc());
    let mut text = String::new();
    let mut day = None;
    let mut minute = String::new();
    for told in &played.timeline {
        let local = zone.local(told.at);
        if day != Some(local.date()) {
            day = Some(local.date());
            minute.clear();
            text.push_str(&format!("{}\n", styled(HEAD, local.strftime("%A %-d %B %Y"))));
        }
        let now = local.strftime(if local.second() == 0 { "%H:%M" } else { "%H:%M:%S" }).to_string();
        let shown = if now == minute { String::new() } else { now.clone() };
        minute = now;
        text.push_str(&format!("  {} {}\n", styled(FAINT, format!("{shown:8}")), told.shown));
    }
    text
}
