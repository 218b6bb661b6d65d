//! Between the port's values and SQLite's.

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use tollgate_core::ids::EffectId;
use tollgate_core::journal::{BlobId, Hash, StreamId, StreamVersion};
use tollgate_engine::store::storable;

/// A value as a column holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column<T>(pub(crate) T);

impl ToSql for Column<Timestamp> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let nanoseconds = storable(self.0).as_nanosecond();
        Ok(i64::try_from(nanoseconds).unwrap_or(i64::MAX).into())
    }
}
impl FromSql for Column<Timestamp> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let at = Timestamp::from_nanosecond(i128::from(value.as_i64()?));
        at.map(Self).map_err(FromSqlError::other)
    }
}

impl ToSql for Column<Hash> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0.0)))
    }
}
impl FromSql for Column<Hash> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(|bytes| Self(Hash(bytes)))
    }
}

impl ToSql for Column<BlobId> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0.0.0)))
    }
}

impl ToSql for Column<StreamId> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.to_string().into())
    }
}
impl ToSql for Column<&StreamId> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.to_string().into())
    }
}
impl FromSql for Column<StreamId> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(Self).map_err(FromSqlError::other)
    }
}

impl ToSql for Column<EffectId> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.0.as_bytes())))
    }
}
impl FromSql for Column<EffectId> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(|bytes| Self(EffectId(uuid::Uuid::from_bytes(bytes))))
    }
}

/// Counters: 63 bits of them fit, which nothing reaches.
impl ToSql for Column<u64> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let number = i64::try_from(self.0).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        Ok(number.into())
    }
}
impl FromSql for Column<u64> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number).map(Self).map_err(|_| FromSqlError::OutOfRange(number))
    }
}

impl ToSql for Column<StreamVersion> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let number =
            i64::try_from(self.0.0).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        Ok(number.into())
    }
}
impl FromSql for Column<StreamVersion> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Column::<u64>::column_result(value).map(|number| Self(StreamVersion(number.0)))
    }
}

/// A limit, as SQL wants it.
pub(crate) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
