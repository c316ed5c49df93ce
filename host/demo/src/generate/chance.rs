//! Chance that is the same on every machine and with every version of every crate.

/// A sequence of numbers: SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Debug)]
pub(super) struct Chance {
    state: u64,
}

impl Chance {
    pub(super) fn new(state: u64) -> Self {
        Self { state }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number below `bound`; 0 if that is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // The upper half of a product spreads evenly but for a part in 2^64 of `bound`.
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// True so many times out of a thousand.
    pub(super) fn permille(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }

    /// One of them; the slice must not be empty.
    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    /// A duration in nanoseconds, log-normal: half of them are below `median_us` microseconds, and the tail is the
    /// longer the larger `spread` is (0.2 is steady, 1.0 is wild).
    pub(super) fn duration_ns(&mut self, median_us: f64, spread: f64) -> u64 {
        // The sum of four even numbers is nearly normal; its variance is a third.
        let bits = self.next();
        let sum: u64 = (0..4).map(|part| bits >> (16 * part) & 0xffff).sum();
        let normal = (sum as f64 / 65_536.0 - 2.0) * 1.732_050_8;
        (median_us * 1_000.0 * (normal * spread).exp()) as u64
    }
}

/// A bijection of the 64-bit numbers that looks like chance; only 0 becomes 0.
pub(super) fn mix(mut number: u64) -> u64 {
    number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}
