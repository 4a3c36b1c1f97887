//! Rows in random order: that of an epoch, and that in which a split takes rows.

use super::{Purpose, Stream};

/// Fills `order` with the numbers from 0 up, in the random order of an epoch.
///
/// # Panics
/// If `order` is longer than a `u32` can count.
pub fn permutation(seed: u64, epoch: u64, order: &mut [u32]) {
    shuffle(Stream::new(seed, Purpose::Shuffle, 0).at(0, epoch), order);
}

/// As [`permutation`], in the order of a split into training and validation.
///
/// # Panics
/// As [`permutation`].
pub fn split_order(seed: u64, order: &mut [u32]) {
    shuffle(Stream::new(seed, Purpose::Split, 0), order);
}

/// Fisher and Yates from the back: for i from n - 1 down to 1, elements i and j are swapped,
/// j = (word (i + 1)) >> 64, words taken in order. Against a j of exactly equal probabilities this
/// is off by at most n 2^-64.
fn shuffle(stream: Stream, order: &mut [u32]) {
    assert!(u32::try_from(order.len()).is_ok());
    for (i, element) in order.iter_mut().enumerate() {
        *element = i as u32;
    }
    for (i, word) in (1..order.len()).rev().zip(stream.words()) {
        let j = (u128::from(word) * (i as u128 + 1)) >> 64;
        order.swap(i, j as usize);
    }
}
