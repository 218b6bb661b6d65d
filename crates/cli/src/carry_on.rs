//! Carrying releases on in this process, or following the one that does.

use jiff::{SignedDuration, Timestamp};
use tollgate_core::event::Entry;
use tollgate_core::explain::explain;
use tollgate_core::gate::WaitsOn;
use tollgate_core::ids::{ProcedureName, ReleaseId};
use tollgate_core::journal::{Record, StreamId};
use tollgate_engine::{Idle, ReleaseRow, WorkEnd};

use crate::actions::Actions;
use crate::app::{App, Opened};
use crate::args::Onward;
use crate::error::CliError;
use crate::exit::{Exit, of_status};
use crate::output::{FAINT, HEAD, WAITS, count, line, plain, styled, wrapped};
use crate::progress::Progress;
use crate::when;

/// What is due within this time is waited for.
const HORIZON: SignedDuration = SignedDuration::from_secs(60);
/// How long nothing is heard before it is looked whether the other process still carries on.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);
/// How many records are read at a time.
const PAGE: usize = 500;

impl Opened {
    /// Carries everything on until nothing is due within a minute.
    pub(crate) async fn carry_on(&self, progress: &Progress) -> Result<WorkEnd, CliError> {
        progress.know(&self.engine.unfinished(&self.service).await?);
        let work = self.engine.work(Idle::Within(HORIZON));
        let end = tokio::select! {
            end = work => end,
            _ = tokio::signal::ctrl_c() => {
                progress.end();
                return Err(interrupted());
            }
        };
        progress.end();
        Ok(end?)
    }

    /// Carries a release on that something was just written down of, unless only that was wanted.
    pub(crate) async fn go_on(
        &self,
        app: &App,
        progress: &Progress,
        release: ReleaseId,
        onward: &Onward,
    ) -> Result<Exit, CliError> {
        if !onward.no_work {
            return self.carry_on_release(app, progress, release).await;
        }
        let row = self.row(release).await?;
        app.output.data(&row, String::new)?;
        Ok(of_status(&row.status))
    }

    /// Carries a release on, or follows another process that does; then says how it stands and how it goes on. Gives the
    /// exit code that tells it apart.
    pub(crate) async fn carry_on_release(
        &self,
        app: &App,
        progress: &Progress,
        release: ReleaseId,
    ) -> Result<Exit, CliError> {
        let stream = StreamId::Release(self.service.clone(), release);
        progress.told(stream.clone());
        self.expect(progress, release).await?;
        let mut follower: Option<Follower> = None;
        let end = loop {
            // Tried again and again: the other process may end, and then there has to be one that goes on.
            let end = self.carry_on(progress).await?;
            if end != WorkEnd::Elsewhere {
                break end;
            }
            if follower.is_none() {
                progress.say("another `tollgate` carries this on; this one follows");
            }
            let follower = follower.get_or_insert_with(|| Follower::after(stream.clone(), progress.last()));
            follower.show_new(self, progress).await?;
            let row = self.row(release).await?;
            if row.status != "running" && !(row.status == "scheduled" && self.is_due_soon().await?) {
                break end;
            }
            tokio::select! {
                () = self.engine.store.changed(LOOK_AGAIN) => {}
                _ = tokio::signal::ctrl_c() => {
                    progress.end();
                    return Err(interrupted());
                }
            }
        };
        progress.end();
        self.tell(app, release, end).await
    }

    async fn is_due_soon(&self) -> Result<bool, CliError> {
        let soon = self.engine.world.clock.now() + HORIZON;
        Ok(self.engine.store.next_due().await?.is_some_and(|next| next <= soon))
    }

    /// Tells how long the steps of a release's procedure usually take, where that is shown.
    pub(crate) async fn expect(&self, progress: &Progress, release: ReleaseId) -> Result<(), CliError> {
        if !progress.is_live() {
            return Ok(());
        }
        let row = self.row(release).await?;
        if let Ok(procedure) = row.procedure.parse::<ProcedureName>() {
            progress.expect(self.engine.past_durations(&self.service, &procedure).await?);
        }
        Ok(())
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
        let actions = Actions { view: &view, name_release: self.several_under_way().await? };
        for holding in explain(&view, now).iter().filter(|holding| holding.hold.on != WaitsOn::World) {
            let why = wrapped(&plain(&holding.hold.why), 4);
            app.output.say(format!("  {} {}", styled(WAITS, "●"), why.trim()));
            for line in actions.lines(holding, false) {
                app.output.say(format!("    {line}"));
            }
        }
        if let (WorkEnd::Idle(Some(next)), true) = (end, exit != Exit::Done) {
            let when = when_line(next, now);
            app.output.say(styled(FAINT, format!("next look {when}: `tollgate work` keeps it going")));
        }
        Ok(exit)
    }

    /// Whether releases have to be named, because several are under way.
    pub(crate) async fn several_under_way(&self) -> Result<bool, CliError> {
        Ok(self.engine.unfinished(&self.service).await?.len() > 1)
    }

    /// The row of a release.
    pub(crate) async fn row(&self, release: ReleaseId) -> Result<ReleaseRow, CliError> {
        let row = self.engine.release_row(&self.service, release).await?;
        row.ok_or_else(|| CliError::refused("no-release", "there is no such release"))
    }
}

fn interrupted() -> CliError {
    CliError::new(Exit::Interrupted, "interrupted", "stopped here; nothing is lost")
        .hint("go on with `tollgate work`, or with any other command")
}

/// Shows what is written down about a release, by whichever process.
pub(crate) struct Follower {
    stream: StreamId,
    next: u64,
    /// What was shown already; it and all before it are passed over.
    shown: Option<Entry>,
}

impl Follower {
    /// From the beginning.
    pub(crate) fn new(stream: StreamId) -> Self {
        Self { stream, next: 1, shown: None }
    }

    /// From what was shown last.
    fn after(stream: StreamId, shown: Option<Entry>) -> Self {
        Self { stream, next: 1, shown }
    }

    /// Shows what is new.
    pub(crate) async fn show_new(&mut self, opened: &Opened, progress: &Progress) -> Result<(), CliError> {
        loop {
            let records = opened.engine.records(&self.stream, self.next, PAGE).await?;
            for record in &records {
                self.next = record.sequence + 1;
                self.show(record, progress);
            }
            if records.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn show(&mut self, record: &Record, progress: &Progress) {
        // What a newer version wrote is left out here; `log` tells of it.
        let Ok(entry) = Entry::decode(&self.stream, &record.event) else { return };
        match &self.shown {
            Some(shown) if entry == *shown => self.shown = None,
            Some(_) => {}
            None => progress.show_alone(&entry),
        }
    }
}

fn when_line(next: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", when::ago(next, now), when::at(next))
}

/// Which candidate of a release it is about, and what that is called; empty for the first one.
pub(crate) fn candidate_of(row: &ReleaseRow) -> String {
    match (row.candidate, &row.now_as) {
        (0 | 1, _) => String::new(),
        (number, None) => format!(" candidate {number}"),
        (number, Some(version)) => format!(" candidate {number}, now as {version}"),
    }
}

/// A release in one line.
pub(crate) fn summary_line(row: &ReleaseRow) -> String {
    let style = crate::commands::status::style_of(&row.status);
    let name = styled(HEAD, format!("{} {}{}", row.service, row.version, candidate_of(row)));
    let at = match row.status.as_str() {
        _ if row.at.is_empty() => String::new(),
        // Here it is a reason, not a step.
        "aborted" | "held" | "done" => format!(": {}", line(&row.at)),
        _ => format!(" at {}", line(&row.at)),
    };
    let steps = format!("{} of {}", row.progress.0, count(row.progress.1, "step"));
    let waivers = match row.waivers {
        0 => String::new(),
        waivers => format!("  {}", styled(WAITS, count(waivers, "waiver"))),
    };
    format!("{name}  {}{at}  {}{waivers}", styled(style, &row.status), styled(FAINT, steps))
}
