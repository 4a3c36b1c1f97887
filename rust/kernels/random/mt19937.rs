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
    /// What is given out for each of them.
    tempered: Box<[u32; WORDS]>,
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
        Ok(Self { tempered: Box::new(key.map(temper)), key: Box::new(key), position })
    }

    /// The words and the position.
    #[must_use]
    pub fn state(&self) -> (&[u32; WORDS], usize) {
        (&self.key, self.position)
    }

    fn refill(&mut self) {
        let key = &mut *self.key;
        // The last words are mixed with the first new ones; loops without a remainder go 16 at a time.
        for k in 0..WORDS - AHEAD {
            key[k] = mixed(key[k], key[k + 1], key[k + AHEAD]);
        }
        for k in WORDS - AHEAD..WORDS - 1 {
            key[k] = mixed(key[k], key[k + 1], key[k + AHEAD - WORDS]);
        }
        key[WORDS - 1] = mixed(key[WORDS - 1], key[0], key[AHEAD - 1]);
        *self.tempered = key.map(temper);
        self.position = 0;
    }

    /// Shuffles a list in place, as `RandomState.shuffle`: Fisher and Yates from the back. A place up to i is
    /// the first of the next words that is at most i once its bits above the highest of i are left out.
    ///
    /// A word that is too large swaps element i with itself, which a processor need not guess: up to half of
    /// them are (20,000 rows: 6 ns a row, with a branch 15).
    ///
    /// # Panics
    /// If the list is longer than a `u32` can count.
    pub fn shuffle<E>(&mut self, list: &mut [E]) {
        assert!(u32::try_from(list.len()).is_ok());
        let mut i = list.len().saturating_sub(1);
        while i > 0 {
            let mask = usize::MAX >> i.leading_zeros();
            // The mask is that of places above half of it.
            while i > mask / 2 {
                if self.position == WORDS {
                    self.refill();
                }
                let mut taken = 0;
                for &word in &self.tempered[self.position..] {
                    let place = word as usize & mask;
                    let fits = place <= i;
                    list.swap(i, if fits { place } else { i });
                    i -= usize::from(fits);
                    taken += 1;
                    if i <= mask / 2 {
                        break;
                    }
                }
                self.position += taken;
            }
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

/// A new word from the one that it replaces, the next one, and one far ahead.
fn mixed(word: u32, next: u32, ahead: u32) -> u32 {
    let y = (word & 0x8000_0000) | (next & 0x7fff_ffff);
    ahead ^ (y >> 1) ^ ((y & 1) * 0x9908_b0df)
}

fn temper(word: u32) -> u32 {
    let mut y = word ^ (word >> 11);
    y ^= (y << 7) & 0x9d2c_5680;
    y ^= (y << 15) & 0xefc6_0000;
    y ^ (y >> 18)
}
