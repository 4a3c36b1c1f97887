//! Philox4x64-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
//! 2011): ten rounds turn a counter and a key into four words.

/// What random numbers are for: the upper half of a key's second word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A layer's initial weight.
    Weight = 1,
    /// A layer's initial bias.
    Bias = 2,
    /// The order of the rows.
    Shuffle = 3,
    /// A layer's dropout masks.
    Dropout = 4,
    /// Which rows validate.
    Split = 5,
}

/// The random words of one seed, purpose, layer, row and step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: [u64; 2],
    row: u64,
    step: u64,
}

impl Stream {
    /// The stream of a layer (by its index in the network) at row 0, step 0.
    #[inline(always)]
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, layer: u32) -> Self {
        Self { key: [seed, (purpose as u64) << 32 | u64::from(layer)], row: 0, step: 0 }
    }

    /// The stream of another row and step.
    #[inline(always)]
    #[must_use]
    pub fn at(self, row: u64, step: u64) -> Self {
        Self { row, step, ..self }
    }

    /// Words `4 * index` to `4 * index + 3`.
    ///
    /// The counter starts at 1, as that of NumPy's `Philox` does.
    #[inline(always)]
    #[must_use]
    pub fn block(self, index: u64) -> [u64; 4] {
        const MULTIPLIERS: [u64; 2] = [0xd2e7_470e_e14c_6c93, 0xca5a_8263_9512_1157];
        const WEYL: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xbb67_ae85_84ca_a73b];
        let [mut c0, mut c1, mut c2, mut c3] = [index + 1, self.row, self.step, 0];
        let [mut k0, mut k1] = self.key;
        for _ in 0..10 {
            let a = u128::from(MULTIPLIERS[0]) * u128::from(c0);
            let b = u128::from(MULTIPLIERS[1]) * u128::from(c2);
            c0 = (b >> 64) as u64 ^ c1 ^ k0;
            c2 = (a >> 64) as u64 ^ c3 ^ k1;
            c1 = b as u64;
            c3 = a as u64;
            k0 = k0.wrapping_add(WEYL[0]);
            k1 = k1.wrapping_add(WEYL[1]);
        }
        [c0, c1, c2, c3]
    }

    /// The words one by one.
    #[inline]
    #[must_use]
    pub fn words(self) -> Words {
        Words { stream: self, next: 0, block: [0; 4] }
    }
}

/// The words of a stream, without end.
#[derive(Clone, Debug)]
pub struct Words {
    stream: Stream,
    next: u64,
    block: [u64; 4],
}

impl Iterator for Words {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        let within = (self.next % 4) as usize;
        if within == 0 {
            self.block = self.stream.block(self.next / 4);
        }
        self.next += 1;
        Some(self.block[within])
    }
}
