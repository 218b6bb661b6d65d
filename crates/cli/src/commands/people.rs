//! What people do to a release: approve, say no, take back, do, answer, retry, waive, hold, resume, abort.

use std::collections::BTreeMap;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use tollgate_core::actor::Actor;
use tollgate_core::consequence::{Consequence, consequence, sets_in_motion};
use tollgate_core::decide::decide;
use tollgate_core::event::{ApprovalTarget, Asked, Ballot, WaiverTarget};
use tollgate_core::gate::Action;
use tollgate_core::ids::{OutputName, ReleaseId, RunId, StepId};
use tollgate_core::plan::list;
use tollgate_core::state::{Run, RunStatus};
use tollgate_core::typed::{Typed, run_name};
use tollgate_core::view::{Stimulus, View};

use crate::app::{App, Opened};
use crate::args::{Onward, Which, WhichRun};
use crate::error::CliError;
use crate::exit::Exit;
use crate::left::what_is_left;
use crate::output::{FAINT, line, styled};
use crate::progress::Progress;
use crate::resolve::{Target, choose, parse_run, parse_target};

/// What is approved.
#[derive(Debug, Clone, Args)]
pub(crate) struct ApproveArgs {
    /// The gate (`ENVIRONMENT/GATE`) or the step; without it, the only one that waits for you
    target: Option<String>,
    /// A remark
    #[arg(short = 'm', long, value_name = "TEXT")]
    note: Option<String>,
    /// Only show what the yes would do
    #[arg(long)]
    dry: bool,
    #[command(flatten)]
    which: WhichRun,
    #[command(flatten)]
    onward: Onward,
}

/// What is rejected.
#[derive(Debug, Clone, Args)]
pub(crate) struct RejectArgs {
    /// The gate (`ENVIRONMENT/GATE`) or the step; without it, the only one that waits for you
    target: Option<String>,
    /// Why
    #[arg(long, value_name = "REASON")]
    why: String,
    #[command(flatten)]
    which: WhichRun,
    #[command(flatten)]
    onward: Onward,
}

/// What is voted on.
#[derive(Debug, Clone, Args)]
pub(crate) struct VoteArgs {
    /// The gate (`ENVIRONMENT/GATE`) or the step; without it, the only vote that is open
    #[arg(value_name = "TARGET|VOTE", allow_negative_numbers = true)]
    first: String,
    /// `+1`, `0` or `-1`
    #[arg(value_name = "VOTE", allow_negative_numbers = true)]
    second: Option<String>,
    /// A remark; a -1 that stops the release needs one
    #[arg(short = 'm', long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    which: WhichRun,
    #[command(flatten)]
    onward: Onward,
}

/// Who fills a role.
#[derive(Debug, Clone, Args)]
pub(crate) struct AssignArgs {
    /// The role
    role: String,
    /// Who fills it from now on
    person: String,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    onward: Onward,
}

/// What is taken back.
#[derive(Debug, Clone, Args)]
pub(crate) struct RevokeArgs {
    /// The gate (`ENVIRONMENT/GATE`) or the step
    target: String,
    #[command(flatten)]
    which: WhichRun,
    #[command(flatten)]
    onward: Onward,
}

/// What is done.
#[derive(Debug, Clone, Args)]
pub(crate) struct DoneArgs {
    /// The step; without it, the only one that waits for you
    step: Option<String>,
    /// What shows that it is done: a link, a result, what was seen
    #[arg(short, long, value_name = "TEXT")]
    evidence: Option<String>,
    /// A declared output of the step
    #[arg(short, long = "output", value_name = "NAME=VALUE")]
    outputs: Vec<String>,
    #[command(flatten)]
    which: WhichRun,
    #[command(flatten)]
    onward: Onward,
}

/// What is answered.
#[derive(Debug, Clone, Args)]
pub(crate) struct AnswerArgs {
    /// The question, or the gate that asks it (`ENVIRONMENT/GATE`)
    question: String,
    /// The answer
    #[arg(allow_negative_numbers = true)]
    answer: String,
    #[command(flatten)]
    which: WhichRun,
    #[command(flatten)]
    onward: Onward,
}

/// What is tried again.
#[derive(Debug, Clone, Args)]
pub(crate) struct RetryArgs {
    /// The step; without it, the only one that is stuck
    step: Option<String>,
    #[command(flatten)]
    which: WhichRun,
    #[command(flatten)]
    onward: Onward,
}

/// What is waived.
#[derive(Debug, Clone, Args)]
pub(crate) struct WaiveArgs {
    /// The gate (`ENVIRONMENT/GATE`) or the step
    target: String,
    /// Why; it stays visible for ever
    #[arg(long, value_name = "REASON")]
    why: String,
    /// Only this item of the checklist, which was not run
    #[arg(long, value_name = "ITEM")]
    item: Option<String>,
    /// Until when it counts: a moment such as `2026-03-01T12:00:00Z`, or a time from now such as `4h`
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// What has to be done about it afterwards
    #[arg(long, value_name = "TEXT")]
    follow_up: Option<String>,
    #[command(flatten)]
    which: WhichRun,
    #[command(flatten)]
    onward: Onward,
}

/// What is held.
#[derive(Debug, Clone, Args)]
pub(crate) struct HoldArgs {
    /// Why
    #[arg(long, value_name = "REASON")]
    why: String,
    #[command(flatten)]
    which: WhichRun,
}

/// What goes on.
#[derive(Debug, Clone, Args)]
pub(crate) struct ResumeArgs {
    /// Let others go to this environment again after a rollback, instead of letting a run go on
    #[arg(long, value_name = "NAME", conflicts_with_all = ["release", "run"])]
    environment: Option<String>,
    /// Why the environment is let go; others will ask
    #[arg(long, value_name = "REASON", requires = "environment")]
    why: Option<String>,
    #[command(flatten)]
    which: WhichRun,
    #[command(flatten)]
    onward: Onward,
}

/// What is given up.
#[derive(Debug, Clone, Args)]
pub(crate) struct AbortArgs {
    /// Why
    #[arg(long, value_name = "REASON")]
    why: String,
    #[command(flatten)]
    which: WhichRun,
    #[command(flatten)]
    onward: Onward,
}

/// A release, and who acts on it.
pub(crate) struct Acting {
    opened: Opened,
    progress: std::sync::Arc<Progress>,
    actor: Actor,
    release: ReleaseId,
    /// Whether the release was named.
    named: bool,
    /// Whether the service was: then whoever types stands in no working copy of it, maybe.
    service_named: bool,
    /// The run that was named.
    run: Option<RunId>,
    pub(crate) view: View,
}

impl Acting {
    pub(crate) async fn new(app: &App, which: &Which) -> Result<Self, CliError> {
        let progress = Progress::new(app.output);
        let opened = app.open(app.service()?, Some(progress.observer()))?;
        let (release, view) = opened.release(which.release.as_deref()).await?;
        let actor = app.actor(view.policy.as_deref())?;
        let (named, service_named) = (which.release.is_some(), app.global.service.is_some());
        Ok(Self { opened, progress, actor, release, named, service_named, run: None, view })
    }

    /// The same on one run, if one is named.
    pub(crate) async fn on_run(app: &App, which: &WhichRun) -> Result<Self, CliError> {
        let acting = Self::new(app, &which.of).await?;
        let run = which.run.as_deref().map(|name| parse_run(&acting.view, name)).transpose()?;
        Ok(Self { run, ..acting })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.opened.engine.world.clock.now()
    }

    pub(crate) fn target(
        &self,
        named: Option<&str>,
        what: &str,
        pick: impl Fn(&Action) -> Option<Target>,
    ) -> Result<Target, CliError> {
        choose(&self.view, self.run, &self.actor, self.now(), named, what, pick)
    }

    fn step(
        &self,
        named: Option<&str>,
        what: &str,
        pick: impl Fn(&Action) -> Option<Target>,
    ) -> Result<(RunId, StepId), CliError> {
        match self.target(named, what, pick)? {
            Target::Step(run, step) => Ok((run, step)),
            Target::Gate(environment, gate) => {
                Err(CliError::usage(format!("`{environment}/{gate}` is a gate, not a step")))
            }
        }
    }

    /// What a yes does.
    fn consequence(&self, target: &ApprovalTarget) -> Option<Consequence> {
        let (run, plan) = match target {
            ApprovalTarget::Gate(environment, _) => self.view.heading_to(environment).into_iter().next()?,
            ApprovalTarget::Step(of, _) => self.view.active().find(|(run, _)| run.id == *of)?,
        };
        Some(consequence(&self.view, run, plan, target, self.actor.person(), self.now()))
    }

    /// The run that is meant: the one that was named, or the only one with which this can be done.
    fn run(&self, command: &str, can: impl Fn(&RunStatus) -> bool) -> Result<RunId, CliError> {
        if let Some(run) = self.run {
            return Ok(run);
        }
        let runs: Vec<&Run> = self.view.active().map(|(run, _)| run).collect();
        let fitting: Vec<&Run> = runs.iter().filter(|run| can(&run.status)).copied().collect();
        let meant = if fitting.is_empty() { &runs } else { &fitting };
        match meant.as_slice() {
            [one] => Ok(one.id),
            [] => Err(CliError::refused("no-run", "no run of this release is under way")),
            several => {
                let names = list(several.iter().map(|run| run_name(&self.view, run)));
                let service = self.service_named.then_some(&self.opened.service);
                let typed = Typed { view: &self.view, service, release: self.named };
                let told = |run: &&Run| format!("`{command}{}`", typed.which(Some(run.id)));
                let commands: Vec<String> = several.iter().map(told).collect();
                let why = format!("several runs of this release are under way: {names}");
                Err(CliError::refused("which-run", why).hint(format!("say which: {}", commands.join(" or "))))
            }
        }
    }

    /// Writes it down, then carries the release on. That it was accepted is success, however the release stands then.
    pub(crate) async fn take(&self, app: &App, stimulus: Stimulus, onward: bool) -> Result<Exit, CliError> {
        if !matches!(stimulus, Stimulus::Approve { .. })
            && let Some(told) = sets_in_motion(&self.view, &stimulus, &self.actor, self.now())
        {
            let told = line(&format!("this {told}"));
            app.output.say(format!("{} {}", styled(FAINT, "·"), styled(FAINT, told)));
        }
        self.opened.engine.submit(&self.opened.service, self.release, stimulus, &self.actor).await?;
        if onward {
            self.opened.carry_on_release(app, &self.progress, self.release).await?;
        } else {
            let row = self.opened.row(self.release).await?;
            app.output.data(&row, String::new)?;
        }
        Ok(Exit::Done)
    }
}

fn approvable(action: &Action) -> Option<Target> {
    match action {
        Action::Approve(target) => Some(target.clone().into()),
        _ => None,
    }
}

pub(crate) async fn vote(app: &App, args: &VoteArgs) -> Result<Exit, CliError> {
    let (named, ballot) = match &args.second {
        Some(second) => (Some(args.first.as_str()), second),
        None => (None, &args.first),
    };
    let ballot = match ballot.as_str() {
        "+1" => Ballot::For,
        "0" | "+0" | "-0" => Ballot::Abstain,
        "-1" => Ballot::Against,
        other => {
            let why = format!("`{}` is no vote", crate::output::line(other));
            return Err(CliError::usage(why).hint("a vote is `+1`, `0` or `-1`, after what is voted on"));
        }
    };
    let acting = Acting::on_run(app, &args.which).await?;
    let target = acting.target(named, "a vote", |action| match action {
        Action::Vote(target) => Some(target.clone().into()),
        _ => None,
    })?;
    let stimulus = Stimulus::Vote { target: target.into(), ballot, note: args.note.clone() };
    acting.take(app, stimulus, !args.onward.no_work).await
}

pub(crate) async fn approve(app: &App, args: &ApproveArgs) -> Result<Exit, CliError> {
    let acting = Acting::on_run(app, &args.which).await?;
    let target: ApprovalTarget = acting.target(args.target.as_deref(), "an approval", approvable)?.into();
    let stimulus = Stimulus::Approve { target: target.clone(), note: args.note.clone() };
    // A yes that would be refused does nothing: that is told as it would be.
    decide(acting.view.clone(), &stimulus, &acting.actor, acting.now()).map_err(CliError::from)?;
    let found = acting.consequence(&target);
    if args.dry {
        app.output.data(&found, || found.as_ref().map(|found| format!("{found}\n")).unwrap_or_default())?;
        return Ok(Exit::Done);
    }
    if let Some(found) = found {
        app.output.say(format!("{} {}", styled(FAINT, "·"), styled(FAINT, line(&found.in_a_line()))));
    }
    acting.take(app, stimulus, !args.onward.no_work).await
}

pub(crate) async fn reject(app: &App, args: &RejectArgs) -> Result<Exit, CliError> {
    let acting = Acting::on_run(app, &args.which).await?;
    let target = acting.target(args.target.as_deref(), "an approval", approvable)?;
    let stimulus = Stimulus::Reject { target: target.into(), why: args.why.clone() };
    acting.take(app, stimulus, !args.onward.no_work).await
}

pub(crate) async fn revoke(app: &App, args: &RevokeArgs) -> Result<Exit, CliError> {
    let acting = Acting::on_run(app, &args.which).await?;
    let target = parse_target(&acting.view, acting.run, &args.target)?;
    acting.take(app, Stimulus::Revoke { target: target.into() }, !args.onward.no_work).await
}

pub(crate) async fn done(app: &App, args: &DoneArgs) -> Result<Exit, CliError> {
    let acting = Acting::on_run(app, &args.which).await?;
    let (run, step) = acting.step(args.step.as_deref(), "somebody to do it", |action| match action {
        Action::Done(run, step) => Some(Target::Step(*run, step.clone())),
        _ => None,
    })?;
    let outputs = outputs(&args.outputs)?;
    let stimulus = Stimulus::Done { run, step, evidence: args.evidence.clone(), outputs };
    acting.take(app, stimulus, !args.onward.no_work).await
}

fn outputs(given: &[String]) -> Result<BTreeMap<OutputName, String>, CliError> {
    let parse = |text: &String| {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| CliError::usage(format!("`{}` is not NAME=VALUE", crate::output::line(text))))?;
        Ok((name.parse()?, value.to_owned()))
    };
    given.iter().map(parse).collect()
}

pub(crate) async fn answer(app: &App, args: &AnswerArgs) -> Result<Exit, CliError> {
    let acting = Acting::on_run(app, &args.which).await?;
    let question = match args.question.split_once('/') {
        None => Asked::Question(args.question.parse()?),
        Some((environment, gate)) => {
            let (environment, gate) = (environment.parse()?, gate.parse()?);
            let mut heading = acting.view.heading_to(&environment).into_iter();
            let run = heading.find(|(run, _)| acting.run.is_none_or(|named| run.id == named));
            let run = run.ok_or_else(|| {
                let what =
                    if acting.run.is_some() { "this run does not go" } else { "no run under way goes" };
                CliError::refused("no-gate", format!("{what} to `{environment}`"))
            })?;
            Asked::Gate(environment, gate, run.0.candidate)
        }
    };
    let stimulus = Stimulus::Answer { question, text: args.answer.clone() };
    let taken = acting.take(app, stimulus, !args.onward.no_work).await;
    taken.map_err(|error| match error.code.as_str() {
        "bad-answer" => CliError { message: format!("`{}`: {}", args.question, error.message), ..error },
        _ => error,
    })
}

pub(crate) async fn retry(app: &App, args: &RetryArgs) -> Result<Exit, CliError> {
    let acting = Acting::on_run(app, &args.which).await?;
    let (run, step) = acting.step(args.step.as_deref(), "another try", |action| match action {
        Action::Retry(run, step) => Some(Target::Step(*run, step.clone())),
        _ => None,
    })?;
    acting.take(app, Stimulus::Retry { run, step }, !args.onward.no_work).await
}

pub(crate) async fn waive(app: &App, args: &WaiveArgs) -> Result<Exit, CliError> {
    let acting = Acting::on_run(app, &args.which).await?;
    let target = parse_target(&acting.view, acting.run, &args.target)?;
    let until = args.until.as_deref().map(|text| moment(text, acting.now())).transpose()?;
    let target = match &args.item {
        Some(item) => WaiverTarget::Item(target.into(), item.parse()?),
        None => target.into(),
    };
    let follow_up = args.follow_up.clone();
    let stimulus = Stimulus::Waive { target, why: args.why.clone(), until, follow_up };
    acting.take(app, stimulus, !args.onward.no_work).await
}

pub(crate) async fn assign(app: &App, args: &AssignArgs) -> Result<Exit, CliError> {
    let acting = Acting::new(app, &args.which).await?;
    let stimulus = Stimulus::Assign { role: args.role.parse()?, person: args.person.parse()? };
    acting.take(app, stimulus, !args.onward.no_work).await
}

/// A moment, or a length from another one.
pub(crate) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, CliError> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    // A day is 24 hours here: whoever means a date writes one.
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u16>().ok());
    let days = days.map(|days| SignedDuration::from_hours(24 * i64::from(days)));
    let length = days.map_or_else(|| text.parse::<SignedDuration>(), Ok).map_err(|_| {
        CliError::usage(format!("`{}` is neither a moment nor a length of time", crate::output::line(text)))
            .hint("write `2026-03-01T12:00:00Z` or `4h`")
    })?;
    now.checked_add(length).map_err(|_| CliError::usage("that is too far away"))
}

pub(crate) async fn hold(app: &App, args: &HoldArgs) -> Result<Exit, CliError> {
    let acting = Acting::on_run(app, &args.which).await?;
    let run = acting.run("tollgate hold --why REASON", |status| matches!(status, RunStatus::Active))?;
    acting.take(app, Stimulus::Hold { run, why: args.why.clone() }, false).await
}

pub(crate) async fn resume(app: &App, args: &ResumeArgs) -> Result<Exit, CliError> {
    if let Some(environment) = &args.environment {
        return super::env::release(app, environment, args.why.as_deref(), !args.onward.no_work).await;
    }
    let acting = Acting::on_run(app, &args.which).await?;
    let run = acting.run("tollgate resume", |status| matches!(status, RunStatus::Held { .. }))?;
    acting.take(app, Stimulus::Resume { run }, !args.onward.no_work).await
}

pub(crate) async fn abort(app: &App, args: &AbortArgs) -> Result<Exit, CliError> {
    let acting = Acting::on_run(app, &args.which).await?;
    let run = acting.run("tollgate abort --why REASON", |_| true)?;
    let Acting { opened, release, .. } = &acting;
    let running = opened.engine.commands_under_way(&opened.service, *release, run).await?;
    let exit = acting.take(app, Stimulus::Abort { run, why: args.why.clone() }, false).await?;
    opened.engine.stop_commands(&running).await?;
    let view = opened.engine.view(&opened.service, *release).await?;
    for left in what_is_left(&view.release, run, acting.view.plans.get(&run)) {
        app.output.say(format!("  {}", line(&left)));
    }
    // Others can have waited for what it held, or for it to get there first.
    if !args.onward.no_work && !opened.engine.unfinished(&opened.service).await?.is_empty() {
        opened.carry_on(&acting.progress).await?;
    }
    Ok(exit)
}
