//! What SQLite says, in the port's words.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Error, ErrorCode};
use tollgate_engine::store::StoreError;

/// The file, as errors name it.
#[derive(Debug, Clone)]
pub(crate) struct Place(Arc<str>);

impl Place {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.display().to_string().into())
    }

    /// The port's error for SQLite's.
    pub(crate) fn error(&self, error: &Error) -> StoreError {
        let (place, detail) = (self.0.to_string(), error.to_string());
        match error {
            Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DiskFull => StoreError::Full { place },
                // The log's shared memory is a file too, and this is what SQLite says when it cannot grow.
                ErrorCode::SystemIoFailure
                    if failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE =>
                {
                    StoreError::Full { place }
                }
                ErrorCode::ReadOnly => StoreError::ReadOnly { place, detail },
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy { place, detail },
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation => {
                    StoreError::Damaged { place, detail }
                }
                ErrorCode::TooBig => StoreError::Contract(format!("too large for {place}: {detail}")),
                _ => StoreError::Other { place, detail },
            },
            Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..) => StoreError::Damaged { place, detail },
            _ => StoreError::Other { place, detail },
        }
    }

    pub(crate) fn io(&self, error: &std::io::Error) -> StoreError {
        let (place, detail) = (self.0.to_string(), error.to_string());
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::Full { place },
            std::io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { place, detail },
            _ => StoreError::Other { place, detail },
        }
    }

    pub(crate) fn damaged(&self, detail: impl Into<String>) -> StoreError {
        StoreError::Damaged { place: self.0.to_string(), detail: detail.into() }
    }

    pub(crate) fn other(&self, detail: impl Into<String>) -> StoreError {
        StoreError::Other { place: self.0.to_string(), detail: detail.into() }
    }

    pub(crate) fn newer(&self, found: u32) -> StoreError {
        StoreError::Newer { place: self.0.to_string(), found, known: super::schema::SCHEMA }
    }

    pub(crate) fn network(&self, kind: String) -> StoreError {
        StoreError::NetworkFileSystem { place: self.0.to_string(), kind }
    }
}

/// An error on the way through a query: SQLite's, or one of the port.
#[derive(Debug)]
pub(crate) enum Failure {
    /// From SQLite.
    Sqlite(Error),
    /// What is stored does not fit together.
    Damaged(String),
    /// An answer to the caller.
    Refused(StoreError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl Failure {
    /// The port's error.
    pub(crate) fn at(self, place: &Place) -> StoreError {
        match self {
            Self::Sqlite(error) => place.error(&error),
            Self::Damaged(detail) => place.damaged(detail),
            Self::Refused(error) => error,
        }
    }
}
