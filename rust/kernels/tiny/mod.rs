//! Networks that fit into L1: the passes of a step over up to 16 rows, with samples in lanes.
//!
//! In panels a row's units lie side by side, and a layer of three units uses three lanes of sixteen.
//! Here matrices are turned: rows are units, columns are samples. The forward pass and the input
//! gradients work on turned matrices. The weight gradients are sums over rows, whose order N2
//! fixes, so for them the gradients at the outputs are turned back, and lanes are units again.
//!
//! Every sum is a chain of N1 or N2, so a step gives the bits of the general path.
//!
//! No matrix is larger than 16 x 16, and all have memory of that size, so that they are turned by
//! whole registers: what scalars have just stored, a vector load would wait for.
//!
//! - `rows.rs`: [`Rows`], what the rows of a chunk do independently: X, outputs, losses, gradients.
//! - `update.rs`: sums over the rows of a chunk, [`Update`].
//! - `steps.rs`: [`Steps`], both, one after the other.
//! - `chains.rs`: products; `turn.rs`: transposes.

mod chains;
mod rows;
mod steps;
mod turn;
mod update;

pub use rows::Rows;
pub use steps::{Steps, Then};
pub use update::Update;

use super::activation::Activation;
use super::panels::{Panels, Span};
use crate::simd::{LANES, Real};

/// A Linear layer and the activation that follows it. Numbers are places in a buffer.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// Width of the input, at most 16.
    pub inputs: usize,
    /// Width of the output, at most 16.
    pub outputs: usize,
    /// The identity if none follows.
    pub activation: Activation,
    /// Transposed weight (in, out), in buffers of parameters, gradients and moments.
    pub weight: usize,
    /// The bias, one row; +0 where there is none.
    pub bias: usize,
    /// Whether there is a bias.
    pub has_bias: bool,
    /// Whether updates change the layer.
    pub trainable: bool,
    /// Whether a layer below needs the gradient.
    pub input_grad: bool,
    /// Turned input, in the scratch buffer.
    pub input: usize,
    /// Turned sum before the activation; where that is not needed later, the same as `output`.
    pub sum: usize,
    /// Turned output.
    pub output: usize,
    /// Turned gradient with respect to `sum`, first to `output`.
    pub grad: usize,
    /// The same with rows as rows.
    pub grad_rows: usize,
}

/// Matrices of so few columns are stored and loaded in registers of four lanes, others in whole ones:
/// a load of more than one store has written waits until they have left the core's store buffer.
const FOUR: usize = 4;

/// Elements of a matrix in the scratch buffer.
pub const ROOM: usize = LANES * LANES;

/// What the passes of one step share.
#[derive(Debug)]
pub struct Step<'a, T> {
    /// First to last.
    pub layers: &'a [Layer],
    /// Parameters.
    pub parameters: Span<T>,
    /// Activations and their gradients.
    pub scratch: Span<T>,
    /// Rows of X, at most 16.
    pub count: usize,
}

impl<T> Clone for Step<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Step<'_, T> {}

impl<T: Real> Step<'_, T> {
    /// A turned matrix of the scratch buffer.
    #[inline(always)]
    fn turned(&self, at: usize, units: usize) -> Panels<T> {
        self.scratch.panels(at, (units, self.count), LANES)
    }
}
