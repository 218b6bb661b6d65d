//! Chance from one seed.

/// A stream of pseudo-random numbers (SplitMix64): the same seed gives the same stream, on every machine and for ever.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// A stream. Streams of different names from one seed have nothing to do with each other.
    pub fn new(seed: u64, name: &str) -> Self {
        let mixed = name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut chance = Self(mixed);
        chance.next();
        chance
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 when there is none.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() % end as u64) as usize }
    }

    /// A number from `from` to `to`, both included.
    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        let span = to.saturating_sub(from).unsigned_abs() + 1;
        from.saturating_add_unsigned(self.next() % span)
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, percent: u32) -> bool {
        self.next() % 100 < u64::from(percent)
    }

    /// True so many times in a thousand.
    pub fn permille(&mut self, permille: u32) -> bool {
        self.next() % 1_000 < u64::from(permille)
    }

    /// One of these; `None` when there are none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_stream() {
        let (mut one, mut same, mut other) =
            (Chance::new(7, "world"), Chance::new(7, "world"), Chance::new(7, "people"));
        let numbers: Vec<u64> = (0..5).map(|_| one.next()).collect();
        assert_eq!(numbers, (0..5).map(|_| same.next()).collect::<Vec<_>>());
        assert_ne!(numbers, (0..5).map(|_| other.next()).collect::<Vec<_>>());
        assert!((0..100).all(|_| (3..=5).contains(&one.between(3, 5))));
        assert_eq!(one.pick::<u8>(&[]), None);
    }
}
