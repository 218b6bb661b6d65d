//! Hints that something was committed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::connection::random;

/// Other processes' commits are looked for after a pause between these.
const LOOK_MILLISECONDS: std::ops::Range<u64> = 250..500;

/// The longest wait; the caller looks at everything after it anyway.
const WAIT_MAX: Duration = Duration::from_secs(24 * 3600);

/// Counts commits.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) commits: watch::Sender<u64>,
    /// Up to which commit a caller was told.
    told: AtomicU64,
}

impl Changes {
    /// Waits for the next commit. `look` asks the writer to see whether another process has made one.
    pub(crate) async fn wait(&self, at_most: SignedDuration, look: impl Fn()) {
        let end = Instant::now() + Duration::try_from(at_most).unwrap_or_default().min(WAIT_MAX);
        let mut commits = self.commits.subscribe();
        if self.tell(*commits.borrow_and_update()) {
            return;
        }
        while Instant::now() < end {
            let pause =
                LOOK_MILLISECONDS.start + random() % (LOOK_MILLISECONDS.end - LOOK_MILLISECONDS.start);
            let next = end.min(Instant::now() + Duration::from_millis(pause));
            if timeout_at(next, commits.changed()).await.is_ok() {
                self.tell(*commits.borrow_and_update());
                return;
            }
            look();
        }
    }

    /// Notes that the caller knows of these commits. Whether that is news.
    fn tell(&self, count: u64) -> bool {
        self.told.fetch_max(count, Ordering::Relaxed) < count
    }
}
