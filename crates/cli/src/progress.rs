//! What happens, shown as it happens: a line an event, and on a terminal a last line that moves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use tollgate_core::event::{Entry, Event, ReleaseEvent};
use tollgate_core::ids::StepId;
use tollgate_engine::Observer;

use crate::describe::describe;
use crate::output::Output;
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
    /// What goes on, with its beginning, in the order in which it began.
    under_way: Vec<(StepId, Timestamp)>,
    /// How long steps usually take.
    usual: BTreeMap<StepId, SignedDuration>,
    /// The last thing that was shown, for who goes on from there.
    last: Option<Entry>,
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

    /// Says how long steps usually take.
    pub(crate) fn expect(&self, usual: BTreeMap<StepId, SignedDuration>) {
        self.moving().usual = usual;
    }

    /// The last event of a release that was shown.
    pub(crate) fn last(&self) -> Option<Entry> {
        self.moving().last.clone()
    }

    /// Shows an event.
    pub(crate) fn show(&self, entry: &Entry) {
        let described = describe(entry);
        let mut moving = self.moving();
        if !described.detail {
            match &moving.bar {
                Some(bar) => bar.suspend(|| self.output.say(described.line())),
                None => self.output.say(described.line()),
            }
        }
        let Event::Release(event) = &entry.event else { return };
        moving.last = Some(entry.clone());
        if self.output.live && moving.follow(event, entry.at) {
            moving.draw(entry.at);
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
    /// Keeps what goes on up to date; whether it changed.
    fn follow(&mut self, event: &ReleaseEvent, at: Timestamp) -> bool {
        match event {
            ReleaseEvent::EffectLeased { step, .. } | ReleaseEvent::StepOpened { step, .. } => {
                self.under_way.retain(|(other, _)| other != step);
                self.under_way.push((step.clone(), at));
            }
            ReleaseEvent::StepDone { step, .. }
            | ReleaseEvent::StepSkipped { step, .. }
            | ReleaseEvent::StepExpired { step, .. }
            | ReleaseEvent::StepStuck { step, .. }
            | ReleaseEvent::EffectFailed { step, .. } => self.under_way.retain(|(other, _)| other != step),
            ReleaseEvent::RunFinished { .. } => self.under_way.clear(),
            _ => return false,
        }
        true
    }

    /// Draws what began last, since when, and how long it usually takes.
    fn draw(&mut self, now: Timestamp) {
        let Some((step, began)) = self.under_way.last() else {
            if let Some(bar) = self.bar.take() {
                bar.finish_and_clear();
            }
            return;
        };
        let usual = self.usual.get(step).filter(|usual| usual.as_secs() > 0);
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
