//! Time and chance as the machine gives them: the one place of this crate that asks for them.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tollgate_engine::ports::{Clock, Ids};
use uuid::Uuid;

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the engine's clock has to read the time somewhere")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Ids and salts from the machine's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl Ids for RandomIds {
    #[expect(clippy::disallowed_methods, reason = "the engine's ids have to be made somewhere")]
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }

    /// # Panics
    ///
    /// When the machine has no random numbers: a salt that can be guessed would quietly break what it protects.
    fn salt(&self) -> [u8; 16] {
        let mut salt = [0; 16];
        if let Err(error) = getrandom::fill(&mut salt) {
            panic!("the machine gives no random numbers: {error}");
        }
        salt
    }
}

/// Measures how long something takes, untouched by changes of the clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    #[expect(
        clippy::disallowed_methods,
        reason = "a supervisor measures its child without an engine around it"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it has been running.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_salts_differ_and_have_the_right_form() {
        let (one, two) = (RandomIds.uuid(), RandomIds.uuid());
        assert_ne!(one, two);
        assert_eq!(one.get_version_num(), 7);
        assert!(one < two, "version 7 ids of one process are in order");
        assert_ne!(RandomIds.salt(), RandomIds.salt());
        assert!(SystemClock.now() > Timestamp::UNIX_EPOCH);
    }
}
