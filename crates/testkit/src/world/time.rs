//! The time and chance of a simulated world.

use jiff::Timestamp;
use tollgate_engine::ports::{Clock, Ids};
use uuid::Uuid;

use super::SimWorld;

/// A clock that only the simulation moves.
#[derive(Debug, Clone)]
pub struct VirtualClock(pub SimWorld);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// Ids that are the same for the same seed.
#[derive(Debug, Clone)]
pub struct SeededIds(pub SimWorld);

impl SeededIds {
    fn bytes(&self) -> [u8; 16] {
        let mut state = self.0.state();
        state.ids = state.ids.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let (number, seed) = (state.ids, state.ids.rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9));
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        bytes
    }
}

impl Ids for SeededIds {
    fn uuid(&self) -> Uuid {
        let millis = self.0.now().as_millisecond().max(0) as u64;
        let bytes = self.bytes();
        let mut random = [0; 10];
        random.copy_from_slice(&bytes[6..]);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    fn salt(&self) -> [u8; 16] {
        self.bytes()
    }
}
