//! What happens, shown as it happens: a line an event, and on a terminal a last line that moves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use tollgate_core::event::{Entry, Event, ReleaseEvent};
use tollgate_core::ids::{ReleaseId, StepId};
use tollgate_core::journal::StreamId;
use tollgate_engine::{Observer, ReleaseRow};

use crate::describe::{Weight, describe};
use crate::output::{FAINT, HEAD, Output, styled};
use crate::when;

/// Shows what happens.
pub(crate) struct Progress {
    output: Output,
    moving: Mutex<Moving>,
}

/// The last line.
#[derive(Default)]
struct Moving {
    bar: Option<ProgressBar>,
    /// What goes on, in the order in which it began.
    under_way: Vec<UnderWay>,
    /// How long steps usually take.
    usual: BTreeMap<StepId, SignedDuration>,
    /// The release whose state is told at the end.
    told: Option<StreamId>,
    /// The releases that are under way.
    versions: BTreeMap<ReleaseId, String>,
    /// The last thing that was shown, for who goes on from there.
    last: Option<Entry>,
}

/// A step that goes on.
struct UnderWay {
    step: StepId,
    began: Timestamp,
    /// Whether something is done or looked at, not only waited for.
    acts: bool,
}

impl Progress {
    pub(crate) fn new(output: Output) -> Arc<Self> {
        Arc::new(Self { output, moving: Mutex::default() })
    }

    /// Whether there is a terminal to move a line on.
    pub(crate) fn is_live(&self) -> bool {
        self.output.live
    }

    /// The engine's observer.
    pub(crate) fn observer(self: &Arc<Self>) -> Observer {
        let progress = self.clone();
        Arc::new(move |entries: &[Entry]| entries.iter().for_each(|entry| progress.show(entry)))
    }

    /// Says which releases are under way: with several, every line says which it is about.
    pub(crate) fn know(&self, rows: &[ReleaseRow]) {
        self.moving().versions = rows.iter().map(|row| (row.release, row.version.clone())).collect();
    }

    /// Says that the state of a release is told at the end, with what is stuck and why.
    pub(crate) fn told(&self, release: StreamId) {
        self.moving().told = Some(release);
    }

    /// Says how long steps usually take.
    pub(crate) fn expect(&self, usual: BTreeMap<StepId, SignedDuration>) {
        self.moving().usual = usual;
    }

    /// The last event of a release that was shown.
    pub(crate) fn last(&self) -> Option<Entry> {
        self.moving().last.clone()
    }

    /// Shows an event of this process.
    pub(crate) fn show(&self, entry: &Entry) {
        self.show_from(entry, Weight::News);
    }

    /// Shows an event of a release whose environments are not shown.
    pub(crate) fn show_alone(&self, entry: &Entry) {
        self.show_from(entry, Weight::Doubled);
    }

    fn show_from(&self, entry: &Entry, least: Weight) {
        let described = describe(entry);
        let mut moving = self.moving();
        if described.weight >= least && !moving.is_told(entry) {
            let line = moving.name(entry).map(|name| format!("{name} {}", described.line()));
            let line = line.unwrap_or_else(|| described.line());
            self.write(&moving, &line);
        }
        let Event::Release(event) = &entry.event else { return };
        moving.last = Some(entry.clone());
        if self.output.live && moving.follow(event, entry.at) {
            moving.draw(entry.at);
        }
    }

    /// Makes a remark.
    pub(crate) fn say(&self, text: &str) {
        self.write(&self.moving(), &styled(FAINT, text));
    }

    /// Writes a line above the one that moves.
    fn write(&self, moving: &Moving, line: &str) {
        match &moving.bar {
            Some(bar) => bar.suspend(|| self.output.say(line)),
            None => self.output.say(line),
        }
    }

    /// Takes the moving line away.
    pub(crate) fn end(&self) {
        let mut moving = self.moving();
        moving.under_way.clear();
        if let Some(bar) = moving.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn moving(&self) -> MutexGuard<'_, Moving> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Moving {
    /// Whether it is told at the end.
    fn is_told(&self, entry: &Entry) -> bool {
        let stuck = matches!(&entry.event, Event::Release(ReleaseEvent::StepStuck { .. }));
        stuck && self.told.as_ref() == Some(&entry.stream)
    }

    /// Which release an event is about, where that is not clear.
    fn name(&mut self, entry: &Entry) -> Option<String> {
        let StreamId::Release(_, release) = &entry.stream else { return None };
        if let Event::Release(ReleaseEvent::Opened { version, .. }) = &entry.event {
            self.versions.insert(*release, version.clone());
        }
        let version = self.versions.get(release).filter(|_| self.versions.len() > 1)?;
        Some(styled(HEAD, version))
    }

    /// Keeps what goes on up to date; whether it changed.
    fn follow(&mut self, event: &ReleaseEvent, at: Timestamp) -> bool {
        match event {
            ReleaseEvent::EffectLeased { step, .. } | ReleaseEvent::StepOpened { step, .. } => {
                // What is opened waits for people, gates or time, but for a version to answer.
                let acts =
                    matches!(event, ReleaseEvent::EffectLeased { .. }) || step.as_str().ends_with("/live");
                self.under_way.retain(|other| other.step != *step);
                self.under_way.push(UnderWay { step: step.clone(), began: at, acts });
            }
            ReleaseEvent::StepDone { step, .. }
            | ReleaseEvent::StepSkipped { step, .. }
            | ReleaseEvent::StepKept { step, .. }
            | ReleaseEvent::StepExpired { step, .. }
            | ReleaseEvent::StepStuck { step, .. }
            | ReleaseEvent::EffectFailed { step, .. } => self.under_way.retain(|other| other.step != *step),
            ReleaseEvent::RunFinished { .. } => self.under_way.clear(),
            _ => return false,
        }
        true
    }

    /// Draws what began last, since when, and how long it usually takes.
    fn draw(&mut self, now: Timestamp) {
        let Some(UnderWay { step, began, acts }) = self.under_way.last() else {
            if let Some(bar) = self.bar.take() {
                bar.finish_and_clear();
            }
            return;
        };
        // How long people take is no promise for the next time.
        let usual = self.usual.get(step).filter(|usual| *acts && usual.as_secs() > 0);
        let usual = usual.map(|usual| format!(" (usually {})", when::length(*usual)));
        let others = match self.under_way.len() - 1 {
            0 => String::new(),
            others => format!(", and {others} more"),
        };
        let since = Duration::try_from(now.duration_since(*began)).unwrap_or_default();
        let bar = self.bar.take().unwrap_or_else(spinner).with_elapsed(since);
        bar.set_prefix(step.to_string());
        bar.set_message(format!("{}{others}", usual.unwrap_or_default()));
        self.bar = Some(bar);
    }
}

/// A line that moves calmly: a spinner, the step, since when.
fn spinner() -> ProgressBar {
    let took = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let took = SignedDuration::try_from(state.elapsed()).unwrap_or_default();
        // Nothing is left to do if the text cannot be written.
        let _ = if took.as_secs() > 0 { write!(out, "  {}", when::length(took)) } else { Ok(()) };
    };
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {prefix}{took:.dim}{msg:.dim}") {
        bar.set_style(style.with_key("took", took));
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
