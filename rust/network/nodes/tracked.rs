//! What nodes that keep statistics of their batches have in common.

/// A mean and a variance for each channel, which move towards those of each batch that trains.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracked {
    /// Index in the network's layers.
    pub layer: usize,
    /// Columns, or channels of images.
    pub channels: usize,
    /// The share of the newest batch, from 0 to 1; of none all batches have the same.
    pub momentum: Option<f64>,
}
