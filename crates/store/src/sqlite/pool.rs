//! Readers: a few connections, used on threads that may block.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::Semaphore;
use tollgate_engine::store::StoreError;

use super::connection::{Database, Role};
use super::error::Failure;

/// The reading connections of a store.
#[derive(Debug)]
pub(crate) struct Readers {
    database: Arc<Database>,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        let permits = Arc::new(Semaphore::new(database.options.readers.max(1)));
        Self { database, permits, idle: Arc::default() }
    }

    /// Reads in one transaction, so that everything comes from one moment.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = self.database.place.clone();
        let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
            return Err(place.other("the store is closed"));
        };
        let (database, idle) = (Arc::clone(&self.database), Arc::clone(&self.idle));
        let answer = tokio::task::spawn_blocking(move || {
            let popped = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = match popped {
                Some(connection) => connection,
                None => database.connect(Role::Reader)?,
            };
            let answer = in_one_view(&mut connection, query).map_err(|failure| failure.at(&database.place));
            if connection.is_autocommit() {
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            }
            drop(permit);
            answer
        });
        answer.await.unwrap_or_else(|error| Err(place.other(format!("a read ended early: {error}"))))
    }
}

/// Runs a query in one deferred transaction.
pub(crate) fn in_one_view<T>(
    connection: &mut Connection,
    query: impl FnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let answer = query(&transaction)?;
    transaction.commit()?;
    Ok(answer)
}
