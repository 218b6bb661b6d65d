//! Carrying releases on in this process, with what happens shown as it happens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use tollgate_core::event::{Entry, Event, ReleaseEvent};
use tollgate_core::explain::explain;
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::ids::ReleaseId;
use tollgate_engine::{Idle, Observer, ReleaseRow, WorkEnd};

use crate::app::{App, Opened};
use crate::describe::{command, describe};
use crate::error::CliError;
use crate::exit::{Exit, of_status};
use crate::output::{FAINT, HEAD, NAME, Output, WAITS, plain, styled};
use crate::when;

/// What is due within this time is waited for.
const HORIZON: SignedDuration = SignedDuration::from_secs(60);

/// Shows what happens: a line an event, and on a terminal a last line that moves.
pub(crate) struct Progress {
    output: Output,
    bar: Mutex<Option<ProgressBar>>,
}

impl Progress {
    pub(crate) fn new(output: Output) -> Arc<Self> {
        Arc::new(Self { output, bar: Mutex::new(None) })
    }

    /// The engine's observer.
    pub(crate) fn observer(self: &Arc<Self>) -> Observer {
        let progress = self.clone();
        Arc::new(move |entries: &[Entry]| entries.iter().for_each(|entry| progress.show(entry)))
    }

    pub(crate) fn show(&self, entry: &Entry) {
        let described = describe(entry);
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        if !described.detail {
            match bar.as_ref() {
                Some(bar) => bar.suspend(|| self.output.say(described.line())),
                None => self.output.say(described.line()),
            }
        }
        if !self.output.live {
            return;
        }
        if let Event::Release(event) = &entry.event {
            match event {
                ReleaseEvent::EffectLeased { step, .. } | ReleaseEvent::StepOpened { step, .. } => {
                    let bar = bar.get_or_insert_with(spinner);
                    bar.set_message(step.to_string());
                    bar.reset_elapsed();
                }
                ReleaseEvent::RunFinished { .. } => {
                    if let Some(bar) = bar.take() {
                        bar.finish_and_clear();
                    }
                }
                _ => {}
            }
        }
    }

    /// Takes the moving line away.
    pub(crate) fn end(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

impl Opened {
    /// Carries everything on until nothing is due within a minute.
    pub(crate) async fn carry_on(&self, app: &App, progress: &Progress) -> Result<WorkEnd, CliError> {
        let work = self.engine.work(Idle::Within(HORIZON));
        let end = tokio::select! {
            end = work => end,
            _ = tokio::signal::ctrl_c() => {
                progress.end();
                app.output.say("stopped here; nothing is lost. Go on with `tollgate work`, or any other command");
                return Err(CliError::new(Exit::Error, "interrupted", "interrupted"));
            }
        };
        progress.end();
        Ok(end?)
    }

    /// Carries a release on, then says how it stands and how it goes on. Gives the exit code that tells it apart.
    pub(crate) async fn carry_on_release(
        &self,
        app: &App,
        progress: &Progress,
        release: ReleaseId,
    ) -> Result<Exit, CliError> {
        let end = self.carry_on(app, progress).await?;
        if end == WorkEnd::Elsewhere {
            app.output.say(styled(
                FAINT,
                "another `tollgate` carries this state on; follow it with `tollgate watch`",
            ));
        }
        self.tell(app, release, end).await
    }

    /// Says how a release stands.
    pub(crate) async fn tell(&self, app: &App, release: ReleaseId, end: WorkEnd) -> Result<Exit, CliError> {
        let row = self.row(release).await?;
        let exit = of_status(&row.status);
        if app.output.json {
            app.output.data(&row, String::new)?;
            return Ok(exit);
        }
        let view = self.engine.view(&self.service, release).await?;
        let now = self.engine.world.clock.now();
        app.output.say(summary_line(&row));
        for holding in explain(&view, now).iter().filter(|holding| holding.hold.on != WaitsOn::World) {
            app.output.say(format!(
                "  {} {}",
                styled(WAITS, "●"),
                plain(&holding.hold.why).replace('\n', "\n    ")
            ));
            let who = who(&holding.hold.who, holding.hold.anybody);
            let doable: Vec<String> =
                holding.hold.how.iter().filter(first_choice).filter_map(command).collect();
            if !doable.is_empty() {
                app.output.say(format!("    {}{}", styled(FAINT, who), styled(NAME, doable.join("  or  "))));
            }
        }
        if let (WorkEnd::Idle(Some(next)), true) = (end, exit != Exit::Done) {
            let when = when_line(next, now);
            app.output.say(styled(FAINT, format!("next look {when}: `tollgate work` keeps it going")));
        }
        Ok(exit)
    }

    /// The row of a release.
    pub(crate) async fn row(&self, release: ReleaseId) -> Result<ReleaseRow, CliError> {
        let row = self.engine.release_row(&self.service, release).await?;
        row.ok_or_else(|| CliError::refused("no-release", "there is no such release"))
    }
}

/// What somebody would do first about a hold; waivers and aborting are for `tollgate why`.
fn first_choice(action: &&Action) -> bool {
    !matches!(action, Action::Waive(_) | Action::Abort(_))
}

/// Who can act, in front of what they can do.
pub(crate) fn who(people: &[tollgate_core::ids::PersonName], anybody: bool) -> String {
    if anybody {
        return String::new();
    }
    let names: Vec<String> = people.iter().map(ToString::to_string).collect();
    if names.is_empty() { "nobody can: ".into() } else { format!("{}: ", names.join(", ")) }
}

fn when_line(next: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", when::ago(next, now), when::at(next))
}

/// A release in one line.
pub(crate) fn summary_line(row: &ReleaseRow) -> String {
    let style = crate::commands::status::style_of(&row.status);
    let name = styled(HEAD, format!("{} {}", row.service, row.version));
    let at = if row.at.is_empty() { String::new() } else { format!(" at {}", plain(&row.at)) };
    let steps = format!("{} of {} steps", row.progress.0, row.progress.1);
    format!("{name}  {}{at}  {}", styled(style, &row.status), styled(FAINT, steps))
}
