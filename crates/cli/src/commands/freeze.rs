//! `tollgate freeze` and `tollgate thaw`: nothing goes there for a while, and going on before the end.

use std::collections::BTreeSet;
use std::str::FromStr;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use tollgate_core::actor::Actor;
use tollgate_core::calendar::{Exemption, Freeze, Only, Scope};
use tollgate_core::ids::{ComponentName, PersonName, ServiceName};
use tollgate_core::model::Policy;
use tollgate_core::plan::list;
use tollgate_core::state::FreezeState;

use super::people::moment;
use crate::app::{App, Opened};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{FAINT, GOOD, HEAD, WAITS, line, styled};
use crate::when;

/// What is frozen; without `--why`, what is frozen now is shown.
#[derive(Debug, Clone, Args)]
pub(crate) struct FreezeArgs {
    /// Why; others will ask
    #[arg(long, value_name = "REASON", requires = "until")]
    why: Option<String>,
    /// Its end: a moment such as `2026-03-01T12:00:00Z`, or a time from its start such as `4h`
    #[arg(long, value_name = "WHEN", requires = "why")]
    until: Option<String>,
    /// Its start: a moment, or a time from now; without it, now
    #[arg(long, value_name = "WHEN", requires = "why")]
    from: Option<String>,
    /// Only these environments, with commas between; without it, all
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "why")]
    environments: Vec<String>,
    /// Only what moves one of these components, with commas between: a promotion moves all that its service has
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        requires = "why",
        conflicts_with_all = ["services", "all_services"]
    )]
    components: Vec<String>,
    /// These services of this machine instead of this one, with commas between: all of them or none
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        requires = "why",
        conflicts_with = "all_services"
    )]
    services: Vec<String>,
    /// Every service of this machine
    #[arg(long, requires = "why")]
    all_services: bool,
    /// Where more is said, such as the incident
    #[arg(long, value_name = "URL", requires = "why")]
    link: Option<String>,
    /// Only automation stops: what a person starts with `tollgate promote` may go on
    #[arg(long, requires = "why")]
    by_hand_exempt: bool,
    /// What may go on all the same, once it is approved: `everything with 1 approval`, `by-hand`; several with commas between
    #[arg(long, value_name = "WHAT", value_delimiter = ',', requires = "why")]
    exempt: Vec<String>,
    /// It is meant, also where it looks like a typing mistake
    #[arg(long, requires = "why")]
    yes: bool,
}

/// What is lifted.
#[derive(Debug, Clone, Args)]
pub(crate) struct ThawArgs {
    /// The number of the freeze; without it, the only one there is
    #[arg(value_name = "NUMBER")]
    number: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Thawed {
    number: u32,
    lifted: bool,
    signed: Vec<PersonName>,
    needed: u32,
}

pub(crate) async fn freeze(app: &App, args: &FreezeArgs) -> Result<Exit, CliError> {
    if args.all_services || !args.services.is_empty() {
        return super::freeze_several::freeze(app, args).await;
    }
    let opened = app.open(app.service()?, None)?;
    let now = opened.engine.world.clock.now();
    if args.why.is_none() {
        let freezes = to_come(&opened, now).await?;
        app.output.data(&freezes, || freezes.iter().map(|state| shown(state, now)).collect())?;
        return Ok(Exit::Done);
    }
    let (freeze, actor) = made(app, &opened, args, Only::All, now).await?;
    let decision = opened.engine.freeze(&opened.service, &freeze, args.yes, &actor).await?;
    app.output.data(&decision.freeze, || shown(&decision.freeze, now))?;
    Ok(Exit::Done)
}

/// The freeze of a service as it was typed, and who makes it.
pub(super) async fn made(
    app: &App,
    opened: &Opened,
    args: &FreezeArgs,
    services: Only<ServiceName>,
    now: Timestamp,
) -> Result<(Freeze, Actor), CliError> {
    let (Some(why), Some(until)) = (&args.why, &args.until) else {
        return Err(CliError::usage("a freeze has a reason and an end: `--why REASON --until WHEN`"));
    };
    let policy = opened.engine.policy(&opened.service).await?.in_force;
    let actor = app.actor(policy.as_deref())?;
    let author = actor.person().cloned().ok_or_else(|| {
        CliError::refused("not-allowed", format!("{actor} may freeze nothing"))
            .hint("say who you are with `--as PERSON`")
    })?;
    let start = args.from.as_deref().map_or(Ok(now), |from| moment(from, now))?;
    let end = moment(until, start)?;
    let (environments, components) = (only(&args.environments)?, only(&args.components)?);
    if let Only::These(names) = &components {
        let known = components_of(app, opened, policy.as_deref()).await?;
        if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
            let there = if known.is_empty() { "nothing that is known".into() } else { list(&known) };
            let why = format!("{} has no component `{unknown}`; it has {there}", opened.service);
            return Err(CliError::refused("no-component", why));
        }
    }
    let scope = Scope { services, environments, components };
    let refused =
        |error: tollgate_core::calendar::CalendarError| CliError::refused("bad-freeze", error.to_string());
    let mut freeze = Freeze::new(scope, why, author, start, end).map_err(refused)?;
    if let Some(link) = &args.link {
        freeze = freeze.linked(link).map_err(refused)?;
    }
    let mut exempt: Vec<Exemption> =
        args.exempt.iter().map(|text| text.trim().parse().map_err(refused)).collect::<Result<_, _>>()?;
    if args.by_hand_exempt {
        exempt.push("by-hand".parse().map_err(refused)?);
    }
    Ok((freeze.exempting(exempt), actor))
}

/// The components of a service: those of its procedure file, where that is here, else those that are known to run somewhere.
async fn components_of(
    app: &App,
    opened: &Opened,
    policy: Option<&Policy>,
) -> Result<BTreeSet<ComponentName>, CliError> {
    let here = app.project().ok().and_then(|project| project.loaded.definition);
    if let Some(definition) = here.filter(|definition| definition.service == opened.service) {
        return Ok(definition.components.into_keys().collect());
    }
    let mut known = BTreeSet::new();
    for name in policy.into_iter().flat_map(|policy| policy.environments.keys()) {
        known.extend(opened.engine.environment(&opened.service, name).await?.deployed.into_keys());
    }
    Ok(known)
}

impl FreezeArgs {
    /// The services that were named, each once; none where this one is meant, or all are.
    pub(super) fn named(&self) -> Result<BTreeSet<ServiceName>, CliError> {
        Ok(self.services.iter().map(|name| name.parse()).collect::<Result<_, _>>()?)
    }

    /// Whether it is meant, also where it looks like a mistake.
    pub(super) fn sure(&self) -> bool {
        self.yes
    }
}

/// All, or only those that were named.
fn only<N: Ord + FromStr>(names: &[String]) -> Result<Only<N>, CliError>
where
    CliError: From<N::Err>,
{
    if names.is_empty() {
        return Ok(Only::All);
    }
    let names: Result<BTreeSet<N>, N::Err> = names.iter().map(|name| name.parse()).collect();
    Ok(Only::These(names?))
}

pub(crate) async fn thaw(app: &App, args: &ThawArgs) -> Result<Exit, CliError> {
    let opened = app.open(app.service()?, None)?;
    let now = opened.engine.world.clock.now();
    let policy = opened.engine.policy(&opened.service).await?.in_force;
    let actor = app.actor(policy.as_deref())?;
    let number = match args.number {
        Some(number) => number,
        None => {
            let freezes = to_come(&opened, now).await?;
            match freezes.as_slice() {
                [one] => one.number,
                [] => return Err(CliError::refused("no-freeze", "nothing is frozen")),
                several => {
                    let numbers = list(several.iter().map(|state| state.number));
                    return Err(CliError::refused(
                        "which-freeze",
                        format!("there are several freezes: {numbers}"),
                    )
                    .hint("name the one you mean: `tollgate thaw NUMBER`"));
                }
            }
        }
    };
    let decision = opened.engine.thaw(&opened.service, number, &actor).await?;
    let thawed = Thawed { number, lifted: decision.lifted, signed: decision.signed, needed: decision.needed };
    app.output.data(&thawed, || {
        let names = list(&thawed.signed);
        if thawed.lifted {
            return format!("{} freeze {number} is lifted, by {names}\n", styled(GOOD, "✓"));
        }
        let missing = (thawed.needed as usize).saturating_sub(thawed.signed.len());
        format!("{} freeze {number} stays: {names} agreed, {missing} more needed\n", styled(WAITS, "●"))
    })?;
    Ok(if thawed.lifted { Exit::Done } else { Exit::WaitsForPerson })
}

/// The freezes that have not ended.
pub(crate) async fn to_come(opened: &Opened, now: Timestamp) -> Result<Vec<FreezeState>, CliError> {
    let state = opened.engine.policy(&opened.service).await?.state;
    Ok(state.freezes.into_iter().filter(|state| state.freeze.end() > now).collect())
}

/// A freeze in a few lines.
pub(crate) fn shown(state: &FreezeState, now: Timestamp) -> String {
    let freeze = &state.freeze;
    let what = match freeze.is_active(now) {
        true => format!("frozen until {}", when::at(freeze.end())),
        false => {
            format!("will be frozen from {} until {}", when::at(freeze.start()), when::at(freeze.end()))
        }
    };
    let mut text = format!(
        "{} {} {what}  {}\n",
        styled(WAITS, format!("❄ {}", state.number)),
        styled(HEAD, line(&freeze.scope().to_string())),
        styled(FAINT, format!("by {}", freeze.author()))
    );
    text.push_str(&format!("    {}\n", line(freeze.reason())));
    if let Some(link) = freeze.link() {
        text.push_str(&format!("    {}\n", line(link)));
    }
    if !freeze.exemptions().is_empty() {
        text.push_str(&format!("    exempt: {}\n", list(freeze.exemptions())));
    }
    if !state.signed.is_empty() {
        text.push_str(&format!("    lifting it was agreed to by {}\n", list(&state.signed)));
    }
    text
}
