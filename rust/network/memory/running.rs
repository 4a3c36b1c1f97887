//! Running statistics: the means and variances that a normalization over batches keeps for predictions.
//!
//! They lie as parameters do, in a buffer of their own, since they are none: no gradient, moment, norm or
//! count has them. What a batch has of them lies in the same way, in f64.

use std::ops::Range;

use super::view::view;
use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::kernels::normalization::Population;
use crate::kernels::panels::{Panels, Span};
use crate::network::nodes::Tracked;
use crate::runtime::{Arena, Plain, memory};
use crate::simd::LANES;

/// Where those of one node lie in a buffer.
#[derive(Clone, Debug)]
pub(in crate::network) struct RunningPlace {
    /// The layer's name.
    pub name: String,
    tracked: Tracked,
    at: usize,
}

/// Where all of them lie.
#[derive(Clone, Debug)]
pub struct RunningLayout {
    /// First to last.
    pub(in crate::network) nodes: Vec<RunningPlace>,
    len: usize,
}

/// What a batch in training has of each node.
#[derive(Debug)]
pub struct Statistics {
    /// Means, and variances that are divided by the number of values.
    pub(in crate::network) values: Arena<f64>,
    /// Values of each channel, for each node.
    counts: Vec<usize>,
}

/// What a model keeps of its batches.
#[derive(Debug)]
pub struct Running<T: Elementary> {
    /// Means, and variances that are divided by one less than the number of values.
    pub(in crate::network) values: Arena<T>,
    /// Batches that went in, for each node.
    batches: Vec<u64>,
}

/// What a model keeps for one node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeStatistics<T> {
    /// Of each channel.
    pub mean: Vec<T>,
    /// Of each channel.
    pub variance: Vec<T>,
    /// Batches that went in.
    pub batches: u64,
}

impl RunningPlace {
    /// Channels of the node.
    pub(in crate::network) fn channels(&self) -> usize {
        self.tracked.channels
    }

    /// The means as a matrix of one row.
    pub(in crate::network) fn mean<V: Plain>(&self, buffer: &Arena<V>) -> Panels<V> {
        view(buffer, self.at, 1, self.channels(), LANES)
    }

    /// The variances as a matrix of one row.
    pub(in crate::network) fn variance<V: Plain>(&self, buffer: &Arena<V>) -> Panels<V> {
        let at = self.at + self.channels().next_multiple_of(LANES);
        view(buffer, at, 1, self.channels(), LANES)
    }
}

impl RunningPlace {
    /// What panels `columns` are normalized by: a batch, if there is one, or past ones.
    pub(in crate::network) fn population<T: Elementary>(
        &self,
        batch: Option<&Statistics>,
        past: &Running<T>,
        columns: &Range<usize>,
    ) -> Population<T> {
        match batch {
            Some(batch) => Population::Batch {
                means: numbers(self.mean(&batch.values), columns),
                variances: numbers(self.variance(&batch.values), columns),
            },
            None => Population::Past {
                means: numbers(self.mean(&past.values), columns),
                variances: numbers(self.variance(&past.values), columns),
            },
        }
    }
}

/// Some panels of a matrix of one row.
fn numbers<V>(row: Panels<V>, columns: &Range<usize>) -> Span<V> {
    row.columns(columns.start, columns.end).flat()
}

impl RunningLayout {
    /// For nodes, each with its name.
    ///
    /// # Errors
    /// `Error::Memory` for more channels than an address space holds.
    pub fn new(tracked: impl Iterator<Item = (String, Tracked)>) -> Result<Self> {
        let (mut nodes, mut len) = (Vec::new(), 0usize);
        for (name, tracked) in tracked {
            let end = tracked.channels.checked_next_multiple_of(LANES);
            let end = end.and_then(|half| half.checked_mul(2)?.checked_add(len));
            nodes.push(RunningPlace { name, tracked, at: len });
            len = end.ok_or_else(|| memory::refusal(usize::MAX))?;
        }
        Ok(Self { nodes, len })
    }

    /// A zeroed buffer for two numbers of each channel of each node.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub(super) fn buffer<T: Plain>(&self) -> Result<Arena<T>> {
        Arena::zeroed(self.len)
    }

    /// Whether no node has any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The names of what [`Running::export`] gives, three for each node: "1.running_mean",
    /// "1.running_var" and "1.num_batches_tracked", as PyTorch has them.
    #[must_use]
    pub fn names(&self) -> Vec<[String; 3]> {
        let mut names = Vec::new();
        for RunningPlace { name, .. } in &self.nodes {
            let of = |what| format!("{name}.{what}");
            names.push(["running_mean", "running_var", "num_batches_tracked"].map(of));
        }
        names
    }

    /// The channels of each node.
    #[must_use]
    pub fn channels(&self) -> Vec<usize> {
        let mut channels = Vec::new();
        for node in &self.nodes {
            channels.push(node.channels());
        }
        channels
    }
}

impl Statistics {
    /// Memory for them.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub(in crate::network) fn new(layout: &RunningLayout) -> Result<Self> {
        let counts = memory::filled(0, layout.nodes.len())?;
        Ok(Self { values: layout.buffer()?, counts })
    }

    /// Says how many values each channel of each node has in the batch that comes.
    pub(in crate::network) fn begin(&mut self, counts: impl Iterator<Item = usize>) {
        for (to, count) in self.counts.iter_mut().zip(counts) {
            *to = count;
        }
    }

    /// Values of each channel of a node.
    pub(in crate::network) fn count(&self, node: usize) -> usize {
        self.counts[node]
    }

    /// Bytes of its buffers.
    pub(super) fn bytes(&self) -> usize {
        self.values.len() * size_of::<f64>() + self.counts.len() * size_of::<usize>()
    }
}

impl<T: Elementary> Running<T> {
    /// Those of a model that has seen no batch: means 0, variances 1.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub fn new(layout: &RunningLayout) -> Result<Self> {
        let batches = memory::filled(0, layout.nodes.len())?;
        let mut running = Self { values: layout.buffer()?, batches };
        running.reset(layout);
        Ok(running)
    }

    /// Forgets all batches.
    pub fn reset(&mut self, layout: &RunningLayout) {
        self.values.clear();
        self.batches.fill(0);
        for node in &layout.nodes {
            // The padding too: kernels divide by its roots.
            let variances = node.variance(&self.values).flat();
            (0..variances.len()).for_each(|lane| variances.set(lane, T::ONE));
        }
    }

    /// A copy with memory of its own.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub fn duplicate(&self) -> Result<Self> {
        let batches = memory::copied(&self.batches)?;
        let mut copy = Self { values: Arena::zeroed(self.values.len())?, batches };
        copy.values.copy_from(&self.values);
        Ok(copy)
    }

    /// Whether they lie as a layout says.
    pub(in crate::network) fn fits(&self, layout: &RunningLayout) -> bool {
        self.values.len() == layout.len && self.batches.len() == layout.nodes.len()
    }

    /// Moves them towards those of a batch: (1 - m) r + m s, in f64 and rounded once, with the momentum m,
    /// or one over the number of batches. Variances count one value less than the batch's own.
    pub fn track(&mut self, layout: &RunningLayout, batch: &Statistics) {
        for ((node, batches), &count) in
            layout.nodes.iter().zip(&mut self.batches).zip(&batch.counts)
        {
            *batches = batches.saturating_add(1);
            let share = node.tracked.momentum.unwrap_or(1.0 / *batches as f64);
            let count = count as f64;
            let (means, variances) = (node.mean(&self.values), node.variance(&self.values));
            towards(means, node.mean(&batch.values), share, 1.0);
            towards(variances, node.variance(&batch.values), share, count / (count - 1.0));
        }
    }

    /// Refuses statistics that are not finite.
    ///
    /// # Errors
    /// The name of the first.
    pub fn check_finite(&self, layout: &RunningLayout) -> std::result::Result<(), String> {
        let is_finite = |row: Panels<T>| (0..row.cols()).all(|at| row.flat().get(at).is_finite());
        for (node, [mean, variance, _]) in layout.nodes.iter().zip(layout.names()) {
            for (row, name) in
                [(node.mean(&self.values), mean), (node.variance(&self.values), variance)]
            {
                if !is_finite(row) {
                    return Err(name);
                }
            }
        }
        Ok(())
    }

    /// Copies of them, for each node.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub fn export(&self, layout: &RunningLayout) -> Result<Vec<NodeStatistics<T>>> {
        let mut nodes = Vec::new();
        let copy = |row: Panels<T>| memory::collected((0..row.cols()).map(|at| row.flat().get(at)));
        for (node, &batches) in layout.nodes.iter().zip(&self.batches) {
            let (mean, variance) = (node.mean(&self.values), node.variance(&self.values));
            nodes.push(NodeStatistics { mean: copy(mean)?, variance: copy(variance)?, batches });
        }
        Ok(nodes)
    }

    /// Takes over what [`Self::export`] gave.
    ///
    /// # Errors
    /// `Error::Internal`, and nothing is taken, if that was of another layout.
    pub fn import(&mut self, layout: &RunningLayout, nodes: &[NodeStatistics<T>]) -> Result<()> {
        let fits = |(node, place): (&NodeStatistics<T>, &RunningPlace)| {
            node.mean.len() == place.channels() && node.variance.len() == place.channels()
        };
        if nodes.len() != layout.nodes.len() || !nodes.iter().zip(&layout.nodes).all(fits) {
            return Err(Error::Internal("running statistics of another network".into()));
        }
        for ((node, place), batches) in nodes.iter().zip(&layout.nodes).zip(&mut self.batches) {
            let (means, variances) = (place.mean(&self.values), place.variance(&self.values));
            for (row, values) in [(means, &node.mean), (variances, &node.variance)] {
                values.iter().enumerate().for_each(|(at, &value)| row.flat().set(at, value));
            }
            *batches = node.batches;
        }
        Ok(())
    }
}

/// Moves a row by a share of the way to another, which is multiplied before.
fn towards<T: Elementary>(row: Panels<T>, to: Panels<f64>, share: f64, factor: f64) {
    let (channels, row, to) = (row.cols(), row.flat(), to.flat());
    for at in 0..channels {
        let moved = (1.0 - share) * row.get(at).to_f64() + share * (to.get(at) * factor);
        row.set(at, T::from_f64(moved));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(momentum: Option<f64>) -> RunningLayout {
        let node = |(layer, channels)| (format!("{layer}"), Tracked { layer, channels, momentum });
        RunningLayout::new([(1, 3), (4, 17)].into_iter().map(node)).expect("memory")
    }

    /// A batch of so many values, whose means and variances are told by channel and node.
    fn batch(layout: &RunningLayout, count: usize, shift: f64) -> Statistics {
        let mut batch = Statistics::new(layout).expect("memory");
        batch.begin([count, 3 * count].into_iter());
        for (number, node) in layout.nodes.iter().enumerate() {
            for at in 0..node.channels() {
                let value = (number * 100 + at) as f64 + shift;
                node.mean(&batch.values).flat().set(at, value);
                node.variance(&batch.values).flat().set(at, value + 0.5);
            }
        }
        batch
    }

    #[test]
    fn they_begin_as_those_of_no_batch() {
        let layout = layout(Some(0.1));
        assert!(!layout.is_empty() && RunningLayout::new([].into_iter()).unwrap().is_empty());
        assert_eq!(layout.channels(), [3, 17]);
        assert_eq!(layout.names()[1], ["4.running_mean", "4.running_var", "4.num_batches_tracked"]);
        let running = Running::<f32>::new(&layout).unwrap();
        assert!(running.fits(&layout));
        for (node, channels) in running.export(&layout).unwrap().iter().zip([3, 17]) {
            assert_eq!(
                (node.mean.len(), node.variance.len(), node.batches),
                (channels, channels, 0)
            );
            assert!(node.mean.iter().all(|&x| x == 0.0) && node.variance.iter().all(|&x| x == 1.0));
        }
    }

    #[test]
    fn they_move_by_the_momentum_and_count_batches() {
        let layout = layout(Some(0.3));
        let mut running = Running::<f64>::new(&layout).unwrap();
        let mut expected = [(0.0, 1.0), (0.0, 1.0)];
        for step in 0..5 {
            let (count, shift) = (2 + step, 0.25 * step as f64);
            running.track(&layout, &batch(&layout, count, shift));
            for (number, (mean, variance)) in expected.iter_mut().enumerate() {
                let last = [2, 16][number];
                let value = (number * 100 + last) as f64 + shift;
                let n = [count as f64, 3.0 * count as f64][number];
                *mean = 0.7 * *mean + 0.3 * value;
                *variance = 0.7 * *variance + 0.3 * (value + 0.5) * n / (n - 1.0);
            }
        }
        let found = running.export(&layout).unwrap();
        for ((node, (mean, variance)), last) in found.iter().zip(expected).zip([2, 16]) {
            assert!((node.mean[last] - mean).abs() < 1e-12 * mean.abs());
            assert!((node.variance[last] - variance).abs() < 1e-12 * variance.abs());
            assert_eq!(node.batches, 5);
        }
        // Kernels take roots of the padding as well.
        assert_eq!(layout.nodes[1].variance(&running.values).flat().get(31), 1.0);
    }

    #[test]
    fn without_a_momentum_all_batches_have_the_same_share() {
        let layout = layout(None);
        let mut running = Running::<f32>::new(&layout).unwrap();
        for shift in [0.0, 1.0, 5.0, 2.0] {
            running.track(&layout, &batch(&layout, 2, shift));
        }
        let found = running.export(&layout).unwrap();
        assert!((found[1].mean[16] - 118.0).abs() < 1e-4);
        assert!((found[0].variance[0] - 2.0 * 2.5).abs() < 1e-5);
        // With all of the newest batch nothing else is left, bit for bit.
        let layout = self::layout(Some(1.0));
        running.track(&layout, &batch(&layout, 2, 0.1));
        assert_eq!(running.export(&layout).unwrap()[1].mean[7], 107.1);
    }

    #[test]
    fn copies_are_independent_and_what_is_kept_comes_back() {
        let layout = layout(Some(0.5));
        let mut running = Running::<f64>::new(&layout).unwrap();
        running.track(&layout, &batch(&layout, 4, 0.0));
        let kept = running.export(&layout).unwrap();
        let copy = running.duplicate().unwrap();
        running.track(&layout, &batch(&layout, 4, 1.0));
        assert_ne!(running.export(&layout).unwrap(), kept);
        assert_eq!(copy.export(&layout).unwrap(), kept);
        running.import(&layout, &kept).unwrap();
        assert_eq!(running.export(&layout).unwrap(), kept);
        running.import(&layout, &kept[..1]).unwrap_err();
        running.reset(&layout);
        let fresh = Running::<f64>::new(&layout).unwrap();
        assert_eq!(running.export(&layout).unwrap(), fresh.export(&layout).unwrap());
    }

    #[test]
    fn what_is_not_finite_has_a_name() {
        let layout = layout(Some(0.5));
        let mut running = Running::<f32>::new(&layout).unwrap();
        assert_eq!(running.check_finite(&layout), Ok(()));
        // Larger than any float.
        let batch = batch(&layout, 2, 0.0);
        layout.nodes[1].variance(&batch.values).flat().set(16, 1e60);
        running.track(&layout, &batch);
        assert_eq!(running.check_finite(&layout), Err("4.running_var".into()));
    }
}
