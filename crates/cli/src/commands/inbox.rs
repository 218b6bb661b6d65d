//! `tollgate inbox`: all that waits for one person, over all services of this machine, the oldest first.

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use tollgate_core::actor::Actor;
use tollgate_core::consequence::{Consequence, consequence};
use tollgate_core::explain::{Holding, explain};
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::ids::ServiceName;
use tollgate_core::model::Policy;
use tollgate_core::typed::{Typed, is_first_choice};
use tollgate_core::view::View;

use crate::app::{App, Opened};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{FAINT, GOOD, HEAD, NAME, WAITS, line, plain, styled, wrapped};
use crate::trains::AskedOfTrain;
use crate::when;

/// Whose inbox.
#[derive(Debug, Clone, Args)]
pub(crate) struct InboxArgs {
    /// Only what waits for you by name, not what anybody can do
    #[arg(long)]
    mine: bool,
}

/// Something that waits.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Waiting {
    service: ServiceName,
    version: String,
    /// Since when.
    since: Option<Timestamp>,
    /// Whether it waits for anybody who is known.
    anybody: bool,
    holding: Holding,
    /// What a yes does, where one is asked for.
    consequence: Option<Consequence>,
    /// What to type.
    commands: Vec<String>,
}

/// A piece of an inbox.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Item {
    Release(Box<Waiting>),
    Train(AskedOfTrain),
}

impl Item {
    fn shown(&self, now: Timestamp) -> String {
        match self {
            Self::Release(waiting) => shown(waiting, now),
            Self::Train(asked) => asked.shown(now),
        }
    }
}

pub(crate) async fn run(app: &App, args: &InboxArgs) -> Result<Exit, CliError> {
    let (mut found, mut trains) = (Vec::new(), Vec::new());
    let mut now = Timestamp::UNIX_EPOCH;
    for service in app.services()? {
        // One state that cannot be read does not hide the others.
        match of_service(app, service.clone(), args.mine).await {
            Ok((waiting, asked, at)) => {
                found.extend(waiting);
                trains.extend(asked);
                now = now.max(at);
            }
            Err(error) if app.global.service.is_none() => {
                app.output.say(format!("{} {service}: {}", styled(WAITS, "!"), line(&error.message)));
            }
            Err(error) => return Err(error),
        }
    }
    // What is for you comes before what is for anybody, and each the oldest first.
    found.sort_by(|one, other| {
        let key = |waiting: &Waiting| (waiting.anybody, waiting.since.unwrap_or(Timestamp::MAX));
        key(one).cmp(&key(other)).then_with(|| one.service.cmp(&other.service))
    });
    trains.sort_by(|one, other| (one.since, &one.service).cmp(&(other.since, &other.service)));
    let all: Vec<Item> = found
        .into_iter()
        .map(|waiting| Item::Release(Box::new(waiting)))
        .chain(trains.into_iter().map(Item::Train))
        .collect();
    app.output.data(&all, || match all.as_slice() {
        [] => format!("{} nothing waits for you\n", styled(GOOD, "✓")),
        all => all.iter().map(|item| item.shown(now)).collect::<Vec<_>>().join("\n"),
    })?;
    Ok(if all.is_empty() { Exit::Done } else { Exit::WaitsForPerson })
}

async fn of_service(
    app: &App,
    service: ServiceName,
    mine: bool,
) -> Result<(Vec<Waiting>, Vec<AskedOfTrain>, Timestamp), CliError> {
    let opened = app.look(service)?;
    let now = opened.engine.world.clock.now();
    let policy = opened.engine.policy(&opened.service).await?.in_force;
    let actor = match app.actor(policy.as_deref()) {
        Ok(actor) => actor,
        // Whoever was named is somebody of another service.
        Err(error) if error.code == "unknown-person" && app.global.service.is_none() => {
            return Ok((Vec::new(), Vec::new(), now));
        }
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for row in opened.engine.unfinished(&opened.service).await? {
        let view = opened.engine.view(&opened.service, row.release).await?;
        for holding in explain(&view, now) {
            if let Some(waiting) = waits(&opened, &view, &actor, holding, mine, now) {
                found.push(waiting);
            }
        }
    }
    let trains = match !mine && is_known(&actor, policy.as_deref()) {
        true => opened.asked_of_trains().await?,
        false => Vec::new(),
    };
    Ok((found, trains, now))
}

/// Whether somebody is one of those who can do what anybody can.
fn is_known(actor: &Actor, policy: Option<&Policy>) -> bool {
    match (actor.person(), policy) {
        (Some(person), Some(policy)) => policy.people.contains_key(person),
        (None, Some(policy)) => policy.people.is_empty(),
        (_, None) => true,
    }
}

/// Something that waits for whoever asks.
fn waits(
    opened: &Opened,
    view: &View,
    actor: &Actor,
    holding: Holding,
    mine: bool,
    now: Timestamp,
) -> Option<Waiting> {
    let hold = &holding.hold;
    let is_known = is_known(actor, view.policy.as_deref());
    let named = actor.person().is_some_and(|person| hold.who.contains(person));
    let anybody = hold.anybody && is_known && !mine;
    if hold.on != WaitsOn::Person || !named && !anybody {
        return None;
    }
    let typed = Typed { view, service: Some(&opened.service), release: true };
    let first: Vec<&Action> = hold.how.iter().filter(|action| is_first_choice(action)).collect();
    let actions = if first.is_empty() { hold.how.iter().collect() } else { first };
    let commands = actions.iter().filter_map(|action| typed.command(action)).collect();
    let asked = actions.iter().find_map(|action| match action {
        Action::Approve(target) => Some(target),
        _ => None,
    });
    let run = view.release.run(&holding.run)?;
    let plan = view.plans.get(&run.id)?;
    let consequence = asked.map(|target| consequence(view, run, plan, target, actor.person(), now));
    Some(Waiting {
        service: opened.service.clone(),
        version: plan.version.text.clone(),
        since: hold.since,
        anybody: !named,
        consequence,
        commands,
        holding,
    })
}

fn shown(waiting: &Waiting, now: Timestamp) -> String {
    let hold = &waiting.holding.hold;
    let since = waiting.since.map(|since| format!("  {}", when::ago(since, now))).unwrap_or_default();
    let anybody = if waiting.anybody { "  for anybody" } else { "" };
    let mut text = format!(
        "{} {} {}  {}{}\n",
        styled(WAITS, "●"),
        styled(HEAD, &waiting.service),
        styled(HEAD, line(&waiting.version)),
        plain(&hold.what),
        styled(FAINT, format!("{since}{anybody}"))
    );
    text.push_str(&wrapped(&plain(&hold.why), 4));
    if let Some(consequence) = &waiting.consequence {
        text.push_str(&wrapped(&plain(&consequence.to_string()), 4));
    }
    for command in &waiting.commands {
        text.push_str(&format!("    {}\n", styled(NAME, command)));
    }
    text
}
