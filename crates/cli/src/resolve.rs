//! From what people type to what is meant.

use tollgate_core::actor::Actor;
use tollgate_core::event::{ApprovalTarget, WaiverTarget};
use tollgate_core::explain::{Holding, explain};
use tollgate_core::gate::Action;
use tollgate_core::ids::{EnvironmentName, GateName, ReleaseId, RunId, StepId};
use tollgate_core::plan::list;
use tollgate_core::state::Run;
use tollgate_core::typed::{run_name, runs_named, runs_with_step};
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

/// The run under way that is meant by a name.
pub(crate) fn parse_run(view: &View, name: &str) -> Result<RunId, CliError> {
    match runs_named(view, name).as_slice() {
        [one] => Ok(one.id),
        found => {
            let shown = crate::output::line(name);
            let all: Vec<&Run> = view.active().map(|(run, _)| run).collect();
            let among = if found.is_empty() { all.as_slice() } else { found };
            let names = list(among.iter().map(|run| run_name(view, run)));
            let (code, why) = match (found, all.as_slice()) {
                ([], []) => ("no-run", "no run of this release is under way".to_owned()),
                ([], _) => {
                    ("no-run", format!("no run `{shown}` of this release is under way; there is {names}"))
                }
                _ => ("which-run", format!("several runs of this release are called `{shown}`: {names}")),
            };
            Err(CliError::refused(code, why).hint("see what each of them waits for with `tollgate why`"))
        }
    }
}

/// The one thing somebody can do, among all that hold a release or one of its runs: what was named, or the only one there is.
pub(crate) fn choose(
    view: &View,
    run: Option<RunId>,
    actor: &Actor,
    now: jiff::Timestamp,
    named: Option<&str>,
    what: &str,
    pick: impl Fn(&Action) -> Option<Target>,
) -> Result<Target, CliError> {
    if let Some(name) = named {
        return parse_target(view, run, name);
    }
    let holdings = explain(view, now);
    let found: Vec<(Target, &Holding)> = holdings
        .iter()
        .filter(|holding| run.is_none_or(|run| holding.run == run))
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
            let names = list(several.iter().map(|target| told(view, target)));
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

/// The same as it is typed, with its run where another one has a step of this name too.
fn told(view: &View, target: &Target) -> String {
    let name = name_of(target);
    match target {
        Target::Step(of, step) if runs_with_step(view, step).nth(1).is_some() => {
            let run = view.release.run(of).map(|run| format!(" --run {}", run_name(view, run)));
            format!("{name}{}", run.unwrap_or_default())
        }
        _ => name,
    }
}

/// A target by its name: `ENVIRONMENT/GATE`, or a step, of a run or of any that is under way.
pub(crate) fn parse_target(view: &View, run: Option<RunId>, name: &str) -> Result<Target, CliError> {
    if let Some(step) = step_named(view, run, name, |step| step.as_str() == name)? {
        return Ok(step);
    }
    if let Some((environment, gate)) = name.split_once('/')
        && let Ok(environment) = environment.parse::<EnvironmentName>()
        && view.environments.contains_key(&environment)
    {
        if let Some(run) = run {
            is_next(view, run, &environment, name)?;
        }
        return Ok(Target::Gate(environment, gate.parse()?));
    }
    // A step can be named by its last part where that is enough.
    if let Some(step) = step_named(view, run, name, |step| step.as_str().rsplit('/').next() == Some(name))? {
        return Ok(step);
    }
    let why = format!("there is no step or gate `{}`", crate::output::line(name));
    Err(CliError::refused("no-target", why).hint(
        "a gate is named `ENVIRONMENT/GATE`; see what there is with `tollgate why` and `tollgate status`",
    ))
}

/// The step that is meant; `None` where none fits.
fn step_named(
    view: &View,
    of: Option<RunId>,
    name: &str,
    fits: impl Fn(&StepId) -> bool,
) -> Result<Option<Target>, CliError> {
    let fitting: Vec<(&Run, &StepId)> = view
        .active()
        .filter(|(run, _)| of.is_none_or(|of| run.id == of))
        .flat_map(|(run, plan)| plan.steps.iter().map(move |step| (run, &step.id)))
        .filter(|(_, step)| fits(step))
        .collect();
    // Those that wait are meant before those that are over or to come.
    let waiting =
        |(run, step): &&(&Run, &StepId)| run.steps.get(*step).is_some_and(|state| !state.status.is_over());
    let waits: Vec<_> = fitting.iter().filter(waiting).copied().collect();
    let meant = if waits.is_empty() { fitting } else { waits };
    let found: Vec<Target> =
        meant.into_iter().map(|(run, step)| Target::Step(run.id, step.clone())).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        several => {
            let names = list(several.iter().map(|target| told(view, target)));
            let why = format!("several steps are called `{}`: {names}", crate::output::line(name));
            Err(CliError::refused("which", why).hint("name the one you mean"))
        }
    }
}

/// What is said to a gate is said for the run that goes there next: whoever names another one means something else.
fn is_next(view: &View, run: RunId, environment: &EnvironmentName, name: &str) -> Result<(), CliError> {
    let heading = view.heading_to(environment);
    match heading.first() {
        Some((next, _)) if next.id == run => Ok(()),
        Some((next, _)) if heading.iter().any(|(other, _)| other.id == run) => {
            let why = format!(
                "what is said to `{}` is for `{}` now, which goes there first",
                crate::output::line(name),
                run_name(view, next)
            );
            Err(CliError::refused("no-target", why))
        }
        _ => Err(CliError::refused("no-target", format!("this run does not go to `{environment}`"))
            .hint("see where each of them goes with `tollgate status VERSION`")),
    }
}
