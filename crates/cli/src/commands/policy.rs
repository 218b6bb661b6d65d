//! `tollgate policy`: the rules in force, and putting others in force.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;
use similar::TextDiff;
use tollgate_core::ids::{CalendarName, PersonName};
use tollgate_core::journal::Hash;
use tollgate_core::model::Policy;
use tollgate_core::view::later;
use tollgate_engine::PolicyInForce;

use crate::app::{App, Opened};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{BAD, FAINT, GOOD, HEAD, NAME, WAITS, line, styled};
use crate::when;

/// What about the rules.
#[derive(Debug, Clone, Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum PolicyCommand {
    /// Show the rules in force, and how the procedure file here differs
    Show,
    /// Put the rules of the procedure file here in force, or agree to it
    Adopt,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Shown<'a> {
    in_force: Option<&'a Policy>,
    hash: Option<Hash>,
    proposed: Option<&'a Policy>,
    here: Option<&'a Policy>,
    same: bool,
    difference: String,
    calendars: Vec<CalendarShown>,
}

/// A calendar that is kept at an address.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct CalendarShown {
    name: CalendarName,
    url: String,
    read: Option<Timestamp>,
    counts_until: Option<Timestamp>,
    problem: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Adopted {
    adopted: bool,
    hash: Hash,
    signed: Vec<PersonName>,
    needed: u32,
}

pub(crate) async fn run(app: &App, args: &PolicyArgs) -> Result<Exit, CliError> {
    let opened = app.open(app.service()?, None)?;
    match args.command {
        PolicyCommand::Show => show(app, &opened).await,
        PolicyCommand::Adopt => adopt(app, &opened).await,
    }
}

async fn show(app: &App, opened: &Opened) -> Result<Exit, CliError> {
    let rules = opened.engine.policy(&opened.service).await?;
    let here = match app.project() {
        Ok(project) => Some(project.rules(app)?.policy),
        Err(_) => None,
    };
    let in_force = rules.in_force.as_deref();
    let same =
        here.as_ref().is_some_and(|here| in_force.is_some_and(|in_force| in_force.hash() == here.hash()));
    let difference = here.as_ref().map(|here| difference(in_force, here)).unwrap_or_default();
    let now = opened.engine.world.clock.now();
    let shown = Shown {
        in_force,
        hash: in_force.map(Policy::hash),
        proposed: rules.proposed.as_deref(),
        here: here.as_ref(),
        same,
        difference: difference.clone(),
        calendars: calendars(&rules),
    };
    app.output.data(&shown, || {
        let mut text = heading(&rules);
        if let Some(in_force) = in_force {
            text.push_str(&overview(in_force));
        }
        text.extend(shown.calendars.iter().map(|calendar| calendar_line(calendar, now)));
        match (&here, same) {
            (Some(_), true) => {
                text.push_str(&format!("{} the procedure file here says the same\n", styled(GOOD, "✓")))
            }
            (Some(here), false) => {
                text.push_str(&format!("{} the procedure file here is not in force:\n", styled(WAITS, "●")));
                match in_force {
                    Some(_) => text.push_str(&coloured(&difference)),
                    None => text.push_str(&overview(here)),
                }
                text.push_str(&format!(
                    "{} {}\n",
                    styled(FAINT, "put it in force with"),
                    styled(NAME, "tollgate policy adopt")
                ));
            }
            (None, _) => {}
        }
        text
    })?;
    Ok(Exit::Done)
}

async fn adopt(app: &App, opened: &Opened) -> Result<Exit, CliError> {
    let wanted = app.project()?.of(&opened.service)?.rules(app)?.policy;
    let rules = opened.engine.policy(&opened.service).await?;
    // The first rules name their own people; later ones are changed by the people of the rules in force.
    let known = rules.in_force.as_deref().unwrap_or(&wanted);
    let actor = app.actor(Some(known))?;
    let changed = difference(rules.in_force.as_deref(), &wanted);
    let outcome = opened.engine.adopt(&wanted, &actor).await?;
    if !changed.is_empty() {
        app.output.say(coloured(&changed).trim_end());
    }
    let adopted = Adopted {
        adopted: outcome.adopted,
        hash: wanted.hash(),
        signed: outcome.signed.clone(),
        needed: outcome.needed,
    };
    app.output.data(&adopted, || match outcome.adopted {
        true => format!("{} policy {} is in force\n", styled(GOOD, "✓"), wanted.hash().short()),
        false => {
            let names: Vec<String> = outcome.signed.iter().map(ToString::to_string).collect();
            format!(
                "{} {} of {} have agreed ({}); it is in force when the others have run {} too\n",
                styled(WAITS, "●"),
                outcome.signed.len(),
                outcome.needed,
                names.join(", "),
                styled(NAME, "tollgate policy adopt")
            )
        }
    })?;
    Ok(if outcome.adopted { Exit::Done } else { Exit::WaitsForPerson })
}

fn heading(rules: &PolicyInForce) -> String {
    match &rules.state.adopted {
        None => format!("{} no policy is in force yet\n", styled(WAITS, "●")),
        Some(adopted) => {
            let signed: Vec<String> = adopted.signed.iter().map(ToString::to_string).collect();
            let by =
                if signed.is_empty() { String::new() } else { format!(", signed by {}", signed.join(", ")) };
            let since = styled(FAINT, format!("since {}{by}", when::at(adopted.at)));
            format!("{} {since}\n", styled(HEAD, format!("policy {}", adopted.hash.short())))
        }
    }
}

/// What is known of the calendars that are kept at addresses.
fn calendars(rules: &PolicyInForce) -> Vec<CalendarShown> {
    let feeds = rules.in_force.iter().flat_map(|policy| &policy.feeds);
    let shown = feeds.map(|(name, spec)| {
        let known = rules.state.feeds.get(name).filter(|known| known.asked == spec.hash());
        let read = known.and_then(|known| known.read.as_ref()).map(|(at, _)| *at);
        CalendarShown {
            name: name.clone(),
            url: spec.url.clone(),
            read,
            counts_until: read.map(|read| later(read, spec.valid)),
            problem: known.and_then(|known| known.problem.as_ref()).map(|(_, why)| why.clone()),
        }
    });
    shown.collect()
}

fn calendar_line(calendar: &CalendarShown, now: Timestamp) -> String {
    let name = format!("{} {}", styled(FAINT, "calendar"), calendar.name);
    let read = match (calendar.read, calendar.counts_until) {
        (Some(read), Some(until)) if until > now => {
            format!("read {}, counts until {}", when::at(read), when::at(until))
        }
        (Some(read), _) => format!("read {}, which no longer counts: what asks it is closed", when::at(read)),
        (None, _) => "not read yet: what asks it is closed".to_owned(),
    };
    let problem = calendar.problem.as_ref().map(|why| format!("; it cannot be read: {}", line(why)));
    format!("  {name}: {read}{}\n", problem.unwrap_or_default())
}

fn overview(policy: &Policy) -> String {
    let mut text = String::new();
    for (name, environment) in &policy.environments {
        let from = environment.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
        let gates: Vec<String> =
            policy.gates.keys().chain(environment.gates.keys()).map(ToString::to_string).collect();
        let gates = if gates.is_empty() { "no gates".into() } else { format!("gates {}", gates.join(", ")) };
        text.push_str(&format!("  {}{from}  {}\n", styled(NAME, name), styled(FAINT, gates)));
    }
    for (name, members) in &policy.groups {
        let names: Vec<String> = members.iter().map(ToString::to_string).collect();
        text.push_str(&format!("  {} {}: {}\n", styled(FAINT, "group"), name, names.join(", ")));
    }
    text
}

/// What differs, line by line.
fn difference(before: Option<&Policy>, after: &Policy) -> String {
    let text = |policy: &Policy| serde_json::to_string_pretty(policy).unwrap_or_default();
    let before = before.map(text).unwrap_or_default();
    let after = text(after);
    if before.is_empty() {
        return String::new();
    }
    unified(&before, &after, "in force", "here")
}

/// What differs between two texts that have these names, as a unified diff.
pub(super) fn unified(before: &str, after: &str, old: &str, new: &str) -> String {
    TextDiff::from_lines(before, after).unified_diff().context_radius(3).header(old, new).to_string()
}

fn coloured(difference: &str) -> String {
    let colour = |text: &str| match text.as_bytes().first() {
        Some(b'+') => styled(GOOD, line(text)),
        Some(b'-') => styled(BAD, line(text)),
        _ => styled(FAINT, line(text)),
    };
    difference.lines().map(|text| format!("  {}\n", colour(text))).collect()
}
