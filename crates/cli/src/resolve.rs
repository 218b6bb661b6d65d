//! From what people type to what is meant.

use tollgate_core::actor::Actor;
use tollgate_core::event::{ApprovalTarget, WaiverTarget};
use tollgate_core::explain::{Holding, explain};
use tollgate_core::gate::Action;
use tollgate_core::ids::{EnvironmentName, GateName, ReleaseId, RunId, StepId};
use tollgate_core::plan::list;
use tollgate_core::state::Run;
use tollgate_core::view::{View, release_id};

use crate::app::Opened;
use crate::error::CliError;

/// How many releases are searched for a tag.
const SEARCH_MAX: usize = 10_000;

/// A gate of an environment, or a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Gate(EnvironmentName, GateName),
    Step(RunId, StepId),
}

impl From<Target> for ApprovalTarget {
    fn from(target: Target) -> Self {
        match target {
            Target::Gate(environment, gate) => Self::Gate(environment, gate),
            Target::Step(run, step) => Self::Step(run, step),
        }
    }
}

impl From<ApprovalTarget> for Target {
    fn from(target: ApprovalTarget) -> Self {
        match target {
            ApprovalTarget::Gate(environment, gate) => Self::Gate(environment, gate),
            ApprovalTarget::Step(run, step) => Self::Step(run, step),
        }
    }
}

impl From<Target> for WaiverTarget {
    fn from(target: Target) -> Self {
        match target {
            Target::Gate(environment, gate) => Self::Gate(environment, gate),
            Target::Step(run, step) => Self::Step(run, step),
        }
    }
}

impl Opened {
    /// The release that is meant: by version or tag, or the one under way.
    pub(crate) async fn release(&self, named: Option<&str>) -> Result<(ReleaseId, View), CliError> {
        let id = match named {
            Some(name) => self.named(name).await?,
            None => self.under_way().await?,
        };
        let view = self.engine.view(&self.service, id).await?;
        Ok((id, view))
    }

    /// The release that is meant, to look at it: the newest one where none is under way.
    pub(crate) async fn release_or_last(&self, named: Option<&str>) -> Result<(ReleaseId, View), CliError> {
        if named.is_none()
            && self.engine.unfinished(&self.service).await?.is_empty()
            && let Some(last) = self.engine.releases(&self.service, 1).await?.first()
        {
            return Ok((last.release, self.engine.view(&self.service, last.release).await?));
        }
        self.release(named).await
    }

    async fn named(&self, name: &str) -> Result<ReleaseId, CliError> {
        let by_version = release_id(&self.service, name);
        if self.engine.view(&self.service, by_version).await?.release.opened.is_some() {
            return Ok(by_version);
        }
        let rows = self.engine.releases(&self.service, SEARCH_MAX).await?;
        let found = rows
            .iter()
            .find(|row| row.tag == name || row.version == name || row.also.iter().any(|also| also == name));
        found.map(|row| row.release).ok_or_else(|| {
            let shown = crate::output::line(name);
            CliError::refused("no-release", format!("{} has no release `{shown}`", self.service))
                .hint("see them with `tollgate status`")
        })
    }

    async fn under_way(&self) -> Result<ReleaseId, CliError> {
        let rows = self.engine.unfinished(&self.service).await?;
        match rows.as_slice() {
            [one] => Ok(one.release),
            [] => {
                Err(CliError::refused("no-release", format!("no release of {} is under way", self.service))
                    .hint("start one with `tollgate start`, or name one with `--release VERSION`"))
            }
            several => {
                let versions = list(several.iter().map(|row| &row.version));
                Err(CliError::refused("which-release", format!("several releases are under way: {versions}"))
                    .hint("say which with `--release VERSION`"))
            }
        }
    }
}

/// The one thing somebody can do, among all that hold a release: what was named, or the only one there is.
pub(crate) fn choose(
    view: &View,
    actor: &Actor,
    now: jiff::Timestamp,
    named: Option<&str>,
    what: &str,
    pick: impl Fn(&Action) -> Option<Target>,
) -> Result<Target, CliError> {
    if let Some(name) = named {
        return parse_target(view, name);
    }
    let holdings = explain(view, now);
    let found: Vec<(Target, &Holding)> = holdings
        .iter()
        .filter_map(|holding| holding.hold.how.iter().find_map(&pick).map(|target| (target, holding)))
        .collect();
    let can = |holding: &Holding| {
        holding.hold.anybody || actor.person().is_some_and(|person| holding.hold.who.contains(person))
    };
    let mine: Vec<&Target> =
        found.iter().filter(|(_, holding)| can(holding)).map(|(target, _)| target).collect();
    let all: Vec<&Target> = found.iter().map(|(target, _)| target).collect();
    match (mine.as_slice(), all.as_slice()) {
        ([one], _) | ([], [one]) => Ok((*one).clone()),
        ([], []) => Err(CliError::refused("nothing", format!("nothing waits for {what}"))
            .hint("see what it waits for with `tollgate why`")),
        ([], several) | (several, _) => {
            let names = list(several.iter().map(|target| name_of(target)));
            Err(CliError::refused("which", format!("several things wait for {what}: {names}"))
                .hint("name the one you mean"))
        }
    }
}

/// What people call a target.
pub(crate) fn name_of(target: &Target) -> String {
    match target {
        Target::Gate(environment, gate) => format!("{environment}/{gate}"),
        Target::Step(_, step) => step.to_string(),
    }
}

/// A target by its name: `ENVIRONMENT/GATE`, or a step.
pub(crate) fn parse_target(view: &View, name: &str) -> Result<Target, CliError> {
    let named = |run: RunId| name.parse().map(|step| Target::Step(run, step));
    for (run, plan) in view.active() {
        if plan.steps.iter().any(|step| step.id.as_str() == name) {
            return Ok(named(run.id)?);
        }
    }
    if let Some((environment, gate)) = name.split_once('/')
        && let Ok(environment) = environment.parse::<EnvironmentName>()
        && view.environments.contains_key(&environment)
    {
        return Ok(Target::Gate(environment, gate.parse()?));
    }
    // A step can be named by its last part where that is enough.
    let ends = |step: &StepId| step.as_str().rsplit('/').next() == Some(name);
    let fitting: Vec<(&Run, &StepId)> = view
        .active()
        .flat_map(|(run, plan)| plan.steps.iter().map(move |step| (run, &step.id)))
        .filter(|(_, step)| ends(step))
        .collect();
    // Those that wait are meant before those that are over or to come.
    let waiting =
        |(run, step): &&(&Run, &StepId)| run.steps.get(*step).is_some_and(|state| !state.status.is_over());
    let waits: Vec<_> = fitting.iter().filter(waiting).copied().collect();
    let meant = if waits.is_empty() { fitting } else { waits };
    let found: Vec<Target> =
        meant.into_iter().map(|(run, step)| Target::Step(run.id, step.clone())).collect();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(CliError::refused(
            "no-target",
            format!("there is no step or gate `{}`", crate::output::line(name)),
        )
        .hint(
            "a gate is named `ENVIRONMENT/GATE`; see what there is with `tollgate why` and `tollgate status`",
        )),
        several => {
            let names = list(several.iter().map(name_of));
            Err(CliError::refused("which", format!("several steps end in `{name}`: {names}")))
        }
    }
}
