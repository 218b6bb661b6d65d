//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::app::variable;
use crate::commands;

/// Makes a team's release procedure run: from the cut to production, over days if need be.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, max_term_width = 100, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes:\n  0 done    1 error    2 not understood    3 refused    4 failed or stuck\n  \
    10 waits for a person    11 waits for a time or the world    130 interrupted"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Act as if started in this folder
    #[arg(short = 'C', long, global = true, value_name = "FOLDER", help_heading = "Everywhere")]
    pub(crate) directory: Option<PathBuf>,
    /// The procedure file, where it is not `tollgate.yaml` here or above
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub(crate) file: Option<PathBuf>,
    /// The service, where there is no procedure file (`TOLLGATE_SERVICE`)
    #[arg(long, global = true, value_name = "NAME", help_heading = "Everywhere")]
    pub(crate) service: Option<String>,
    /// Where the state is kept, instead of the XDG state folder (`TOLLGATE_STATE`)
    #[arg(long, global = true, value_name = "FOLDER", help_heading = "Everywhere")]
    pub(crate) state: Option<PathBuf>,
    /// Who you are, where your account does not tell; that you said so is on record (`TOLLGATE_AS`)
    #[arg(long = "as", global = true, value_name = "PERSON", help_heading = "Everywhere")]
    pub(crate) actor: Option<String>,
    /// Print one JSON document
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,
    /// Print nothing but data and errors
    #[arg(short, long, global = true, help_heading = "Everywhere")]
    pub(crate) quiet: bool,
    /// When to use colours: `auto`, `always` or `never`
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true,
        help_heading = "Everywhere"
    )]
    pub(crate) color: Colour,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Global {
    /// What was not typed, from the environment. An empty variable says nothing.
    pub(crate) fn or_variables(mut self) -> Self {
        self.state = self.state.or_else(|| variable("TOLLGATE_STATE").map(PathBuf::from));
        self.actor = self.actor.or_else(|| variable("TOLLGATE_AS"));
        self.service = self.service.or_else(|| variable("TOLLGATE_SERVICE"));
        self
    }
}

impl Colour {
    pub(crate) fn apply(self) {
        let choice = match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// A release, by its version or tag.
#[derive(Debug, Clone, Args)]
pub(crate) struct Which {
    /// The release, by version or tag; without it, the one that is under way
    #[arg(short, long, value_name = "VERSION")]
    pub(crate) release: Option<String>,
}

/// A release, and one of its runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhichRun {
    #[command(flatten)]
    pub(crate) of: Which,
    /// The run, where several of the release are under way: its procedure, such as `rollback`
    #[arg(long, value_name = "PROCEDURE")]
    pub(crate) run: Option<String>,
}

/// Whether to carry on afterwards.
#[derive(Debug, Clone, Args)]
pub(crate) struct Onward {
    /// Only write it down; do not carry the release on
    #[arg(long)]
    pub(crate) no_work: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a procedure file to start from
    Init(commands::init::InitArgs),
    /// Check the procedure file
    Check(commands::check::CheckArgs),
    /// Show the next version, and why
    Version(commands::version::VersionArgs),
    /// Show the changelog of what is not released yet
    Changelog(commands::changelog::ChangelogArgs),
    /// Show what a release would do, step by step
    Plan(commands::plan::PlanArgs),
    /// Try the procedure out on a virtual clock: a good day, or scenarios
    Simulate(commands::simulate::SimulateArgs),
    /// Start a release
    Start(commands::start::StartArgs),
    /// Show how releases stand
    Status(commands::status::StatusArgs),
    /// Show what holds a release, who can act, and how
    Why(commands::why::WhyArgs),
    /// Show all that waits for you, over all services
    Inbox(commands::inbox::InboxArgs),
    /// Follow a release until it waits or ends
    Watch(commands::watch::WatchArgs),
    /// Show what happened to a release
    Log(commands::log::LogArgs),
    /// Approve a gate or a step
    Approve(commands::people::ApproveArgs),
    /// Say no to a gate or a step
    Reject(commands::people::RejectArgs),
    /// Vote on a gate or a step, or change your vote
    Vote(commands::people::VoteArgs),
    /// Answer items of a checklist; without any, show it
    Tick(commands::tick::TickArgs),
    /// Say who fills a role in a release
    Assign(commands::people::AssignArgs),
    /// Take back your own yes or no
    Revoke(commands::people::RevokeArgs),
    /// Say that a manual step is done
    Done(commands::people::DoneArgs),
    /// Answer a question
    Answer(commands::people::AnswerArgs),
    /// Try a step again that failed or expired
    Retry(commands::people::RetryArgs),
    /// Let one gate or step pass once
    Waive(commands::people::WaiveArgs),
    /// Show how risky a release is, or say that it is more or less so
    Risk(commands::risk::RiskArgs),
    /// Stop a run from going on
    Hold(commands::people::HoldArgs),
    /// Let a held run go on, or others go to an environment again after a rollback
    Resume(commands::people::ResumeArgs),
    /// Give a run up
    Abort(commands::people::AbortArgs),
    /// Go on with another candidate of a release: new content, a new tag, everything checked anew
    Respin(commands::respin::RespinArgs),
    /// Move a release that was cut before into an environment
    Promote(commands::promote::PromoteArgs),
    /// Bring an environment back to what was verified there before
    Rollback(commands::rollback::RollbackArgs),
    /// Stop what goes to environments for a while, or show what is stopped
    Freeze(commands::freeze::FreezeArgs),
    /// Agree to lift a freeze before its end
    Thaw(commands::freeze::ThawArgs),
    /// Show what starts by itself, and when
    Trains(commands::trains::TrainsArgs),
    /// Leave departures of a train out, start a missed one, or tell its day
    Train(commands::trains::TrainArgs),
    /// Show what is to come, or write it as a calendar that people subscribe to
    Calendar(commands::calendar::CalendarArgs),
    /// Show what is where, or tell it
    Env(commands::env::EnvArgs),
    /// Show the rules in force, or put others in force
    Policy(commands::policy::PolicyArgs),
    /// Prove that the journal is what was written
    Audit(commands::audit::AuditArgs),
    /// Write a copy of the state, while in use
    Backup(commands::backup::BackupArgs),
    /// Put a copy of the state in place
    Restore(commands::backup::RestoreArgs),
    /// Carry releases on until stopped
    Work(commands::work::WorkArgs),
    /// Play a whole release on this machine: a repository, services, mail, two people
    Demo(commands::demo::DemoArgs),
    /// The service that the demo releases
    #[command(hide = true)]
    DemoService(commands::demo::service::ServiceArgs),
    /// Print completions for a shell
    Completions(commands::completions::CompletionsArgs),
}
