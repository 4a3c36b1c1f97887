//! The Mersenne Twister (Matsumoto and Nishimura, ACM TOMACS 8, 1998), and the order in which NumPy's
//! `RandomState.shuffle` leaves a list: what programs written for scikit-learn expect of a `random_state`.

use crate::error::{Error, Result};
use crate::runtime::memory;

/// Words of a state.
pub const WORDS: usize = 624;
/// From a word to the one that it is mixed with.
const AHEAD: usize = 397;

/// A generator: its words, and how many of them have been given out.
#[derive(Clone, Debug)]
pub struct Mt19937 {
    key: Box<[u32; WORDS]>,
    position: usize,
}

impl Mt19937 {
    /// That of a state, as NumPy's `get_state` gives it.
    ///
    /// # Errors
    /// `Error::Value` unless there are 624 words and the position is at most that.
    pub fn new(key: &[u32], position: usize) -> Result<Self> {
        let Ok(key) = <[u32; WORDS]>::try_from(key) else {
            let count = key.len();
            return Err(Error::Value(format!("key has {count} words, MT19937 has {WORDS}")));
        };
        if position > WORDS {
            return Err(Error::Value(format!("pos is {position}, it must be from 0 to {WORDS}")));
        }
        Ok(Self { key: Box::new(key), position })
    }

    /// The words and the position.
    #[must_use]
    pub fn state(&self) -> (&[u32; WORDS], usize) {
        (&self.key, self.position)
    }

    /// The next 32 bits.
    fn next(&mut self) -> u32 {
        if self.position == WORDS {
            self.refill();
        }
        let mut y = self.key[self.position];
        self.position += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn refill(&mut self) {
        let key = &mut *self.key;
        for k in 0..WORDS {
            let y = (key[k] & 0x8000_0000) | (key[(k + 1) % WORDS] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            key[k] = key[(k + AHEAD) % WORDS] ^ (y >> 1) ^ odd;
        }
        self.position = 0;
    }

    /// A number from 0 to `most`: the first of the next words that is not above it, all its bits above
    /// the highest of `most` left out.
    fn up_to(&mut self, most: u32) -> u32 {
        let mask = u32::MAX.checked_shr(most.leading_zeros()).unwrap_or(0);
        loop {
            let value = self.next() & mask;
            if value <= most {
                return value;
            }
        }
    }

    /// Shuffles a list in place, as `RandomState.shuffle`: Fisher and Yates from the back.
    ///
    /// # Panics
    /// If the list is longer than a `u32` can count.
    pub fn shuffle<E>(&mut self, list: &mut [E]) {
        assert!(u32::try_from(list.len()).is_ok());
        for i in (1..list.len()).rev() {
            let j = self.up_to(i as u32);
            list.swap(i, j as usize);
        }
    }

    /// Shuffles a list as `sklearn.utils.shuffle` does: by a permutation of its places.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for that.
    ///
    /// # Panics
    /// As [`Self::shuffle`].
    pub fn shuffle_by_places(&mut self, list: &mut [u32]) -> Result<()> {
        let mut places = memory::vector(list.len())?;
        places.extend(0..list.len() as u32);
        self.shuffle(&mut places);
        for place in &mut places {
            *place = list[*place as usize];
        }
        list.copy_from_slice(&places);
        Ok(())
    }
}
