//! What an optimizer counts from update to update.

/// The number of updates, and up to three numbers that go on with each: running products, 1 at first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    /// Updates applied.
    pub steps: u64,
    /// What the optimizer makes of them; those that it does not use stay 1.
    pub scalars: [f64; 3],
}

impl Default for Clock {
    fn default() -> Self {
        Self { steps: 0, scalars: [1.0; 3] }
    }
}
