//! Chance that is the same each time.
//!
//! Invariant: the same seed gives the same numbers, so a picture is split the same way each time.

/// Numbers by chance, the same ones each time (Knuth's linear congruential generator).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// From 0 to below `limit`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}
