//! One file a command.

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod calendar;
pub(crate) mod changelog;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod env;
pub(crate) mod freeze;
mod freeze_several;
pub(crate) mod inbox;
pub(crate) mod init;
pub(crate) mod log;
pub(crate) mod people;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod promote;
pub(crate) mod respin;
pub(crate) mod risk;
pub(crate) mod rollback;
pub(crate) mod simulate;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod tick;
pub(crate) mod trains;
pub(crate) mod version;
pub(crate) mod watch;
pub(crate) mod why;
pub(crate) mod work;

use crate::app::App;
use crate::args::Command;
use crate::error::CliError;
use crate::exit::Exit;

/// Carries a command out.
pub(crate) async fn run(app: &App, command: Command) -> Result<Exit, CliError> {
    match command {
        Command::Init(args) => init::run(app, &args),
        Command::Check(args) => check::run(app, &args).await,
        Command::Version(args) => version::run(app, &args).await,
        Command::Changelog(args) => changelog::run(app, &args).await,
        Command::Plan(args) => plan::run(app, &args).await,
        Command::Simulate(args) => simulate::run(app, &args),
        Command::Start(args) => start::run(app, &args).await,
        Command::Status(args) => status::run(app, &args).await,
        Command::Why(args) => why::run(app, &args).await,
        Command::Inbox(args) => inbox::run(app, &args).await,
        Command::Watch(args) => watch::run(app, &args).await,
        Command::Log(args) => log::run(app, &args).await,
        Command::Approve(args) => people::approve(app, &args).await,
        Command::Tick(args) => tick::run(app, &args).await,
        Command::Assign(args) => people::assign(app, &args).await,
        Command::Vote(args) => people::vote(app, &args).await,
        Command::Reject(args) => people::reject(app, &args).await,
        Command::Revoke(args) => people::revoke(app, &args).await,
        Command::Done(args) => people::done(app, &args).await,
        Command::Answer(args) => people::answer(app, &args).await,
        Command::Retry(args) => people::retry(app, &args).await,
        Command::Risk(args) => risk::run(app, &args).await,
        Command::Waive(args) => people::waive(app, &args).await,
        Command::Hold(args) => people::hold(app, &args).await,
        Command::Resume(args) => people::resume(app, &args).await,
        Command::Abort(args) => people::abort(app, &args).await,
        Command::Respin(args) => respin::run(app, &args).await,
        Command::Rollback(args) => rollback::run(app, &args).await,
        Command::Promote(args) => promote::run(app, &args).await,
        Command::Freeze(args) => freeze::freeze(app, &args).await,
        Command::Thaw(args) => freeze::thaw(app, &args).await,
        Command::Trains(args) => trains::list(app, &args).await,
        Command::Train(args) => trains::run(app, &args).await,
        Command::Calendar(args) => calendar::run(app, &args).await,
        Command::Env(args) => env::run(app, &args).await,
        Command::Policy(args) => policy::run(app, &args).await,
        Command::Audit(args) => audit::run(app, &args).await,
        Command::Backup(args) => backup::backup(app, &args).await,
        Command::Restore(args) => backup::restore(app, &args).await,
        Command::Work(args) => work::run(app, &args).await,
        Command::Demo(args) => demo::run(app, &args).await,
        Command::DemoService(args) => demo::service::run(&args).await,
        Command::Completions(args) => completions::run(app, &args),
    }
}
