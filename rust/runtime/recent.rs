//! What was used lately, in so many bytes.

/// Values under keys, the least recently used first; several may have one key.
///
/// Values that make room for others are given back, so that the caller can let go of a lock before
/// they are dropped.
#[derive(Debug)]
pub struct Recent<K, V> {
    entries: Vec<Used<K, V>>,
    bytes: usize,
}

#[derive(Debug)]
struct Used<K, V> {
    key: K,
    value: V,
    bytes: usize,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { entries: Vec::new(), bytes: 0 }
    }
}

impl<K, V> Recent<K, V> {
    /// The last used value that fits, which counts as used again.
    pub fn find(&mut self, fits: impl Fn(&K, &V) -> bool) -> Option<&V> {
        let index = self.position(fits)?;
        self.entries[index..].rotate_left(1);
        self.entries.last().map(|entry| &entry.value)
    }

    /// Takes out the last used value that fits.
    pub fn take(&mut self, fits: impl Fn(&K, &V) -> bool) -> Option<V> {
        let Used { value, bytes, .. } = {
            let index = self.position(fits)?;
            self.entries.remove(index)
        };
        self.bytes -= bytes;
        Some(value)
    }

    fn position(&self, fits: impl Fn(&K, &V) -> bool) -> Option<usize> {
        self.entries.iter().rposition(|entry| fits(&entry.key, &entry.value))
    }

    /// Keeps a value of so many bytes, and of the others those used last, up to `most_bytes` and
    /// `most` values together. Gives the rest back.
    #[must_use = "dropping takes time, which a lock need not be held for"]
    pub fn keep(&mut self, (key, value): (K, V), bytes: usize, limits: Limits) -> Vec<V> {
        if self.entries.try_reserve(1).is_err() {
            return vec![value];
        }
        self.bytes += bytes;
        self.entries.push(Used { key, value, bytes });
        let (mut left, mut gone) = (self.bytes, 0);
        while self.entries.len() - gone > 1
            && (left > limits.bytes || self.entries.len() - gone > limits.values)
        {
            left -= self.entries[gone].bytes;
            gone += 1;
        }
        self.bytes = left;
        self.entries.drain(..gone).map(|entry| entry.value).collect()
    }

    /// Takes out all values under some keys.
    #[must_use = "dropping takes time, which a lock need not be held for"]
    pub fn take_all(&mut self, of: impl Fn(&K) -> bool) -> Vec<V> {
        let taken: Vec<_> = self.entries.extract_if(.., |entry| of(&entry.key)).collect();
        self.bytes -= taken.iter().map(|entry| entry.bytes).sum::<usize>();
        taken.into_iter().map(|entry| entry.value).collect()
    }
}

/// How much is kept; the value that is kept last always is.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of all values together.
    pub bytes: usize,
    /// How many values.
    pub values: usize,
}

#[cfg(test)]
mod tests {
    use super::{Limits, Recent};

    const LIMITS: Limits = Limits { bytes: 100, values: 3 };

    #[test]
    fn the_least_recently_used_go_first() {
        let mut recent = Recent::default();
        for key in 0..3 {
            assert!(recent.keep((key, 10 * key), 20, LIMITS).is_empty());
        }
        assert_eq!(recent.find(|&key, _| key == 0), Some(&0));
        assert_eq!(recent.keep((3, 30), 20, LIMITS), [10]);
        // 70 bytes are room for 30 others.
        assert_eq!(recent.keep((4, 40), 70, LIMITS), [20, 0]);
        assert_eq!(recent.find(|&key, _| key == 1), None);
        assert_eq!(recent.take(|&key, _| key == 4), Some(40));
        assert_eq!(recent.bytes, 20);
    }

    #[test]
    fn the_last_one_is_kept_whatever_its_size() {
        let mut recent = Recent::default();
        assert!(recent.keep((0, 0), 10, LIMITS).is_empty());
        assert_eq!(recent.keep((1, 1), 1000, LIMITS), [0]);
        assert_eq!(recent.keep((2, 2), 10, LIMITS), [1]);
        assert_eq!(recent.bytes, 10);
    }

    #[test]
    fn several_values_have_one_key_and_go_together() {
        let mut recent = Recent::default();
        for (key, value) in [(0, 1), (1, 2), (0, 3)] {
            assert!(recent.keep((key, value), 10, LIMITS).is_empty());
        }
        assert_eq!(recent.take(|&key, _| key == 0), Some(3));
        assert!(recent.keep((0, 4), 10, LIMITS).is_empty());
        assert_eq!(recent.take_all(|&key| key == 0), [1, 4]);
        assert_eq!((recent.bytes, recent.entries.len()), (10, 1));
    }
}
