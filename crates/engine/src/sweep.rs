//! Files that were packed and that nobody can ask for any more, removed when acts begin to be carried out.
//!
//! They are removed when a release comes to its end, and after a publication. A process that is killed just then leaves them, and so
//! does a run that is given up between the keeping of its files and the report of it: no event tells of them.

use std::collections::BTreeSet;

use tollgate_core::act::Act;
use tollgate_core::event::{Entry, Event, ReleaseEvent};
use tollgate_core::journal::Hash;

use crate::{Engine, EngineError};

impl Engine {
    /// Removes what is kept for no act of a release that goes on. Whoever asks holds the work lock, so that nothing is being packed.
    ///
    /// # Errors
    ///
    /// When the journal cannot be read, also because a newer version wrote some of it: then nothing is removed.
    pub async fn sweep(&self) -> Result<(), EngineError> {
        let depot = &self.world.depot;
        let mut left: BTreeSet<Hash> = depot.keys().await?.into_iter().collect();
        if left.is_empty() {
            return Ok(());
        }
        'streams: for stream in self.unfinished_streams(None).await? {
            // Whatever was wanted once can be asked for again, as long as the release goes on.
            for record in self.store.records(&stream, 1, usize::MAX).await? {
                let entry = Entry::decode(&stream, &record.event)
                    .map_err(|source| EngineError::Decode { stream: stream.clone(), source })?;
                if let Event::Release(ReleaseEvent::EffectWanted { act, .. }) = &entry.event {
                    match act {
                        Act::Pack(pack) => drop(left.remove(&pack.key())),
                        Act::Publish(publish) => drop(left.remove(&publish.key())),
                        _ => {}
                    }
                    if left.is_empty() {
                        // Everything is kept: nothing is left to decide about.
                        break 'streams;
                    }
                }
            }
        }
        for key in left {
            depot.forget(&key).await?;
            tracing::info!(%key, "files that were packed for what is over were removed");
        }
        Ok(())
    }
}
