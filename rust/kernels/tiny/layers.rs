//! The layers of a network that fits into L1, and where a step has their matrices.

use crate::kernels::activation::Activation;
use crate::kernels::panels::{Panels, Span};
use crate::simd::{LANES, Real};

/// A Linear layer and the activation that follows it. Numbers are places in a buffer.
#[derive(Clone, Copy, Debug)]
pub struct TinyLayer {
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
pub(super) const FOUR: usize = 4;

/// Elements of a matrix in the scratch buffer.
pub const ROOM: usize = LANES * LANES;

/// What the passes of one step share.
#[derive(Debug)]
pub struct Step<'a, T> {
    /// First to last.
    pub layers: &'a [TinyLayer],
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
    pub(super) fn turned(&self, at: usize, units: usize) -> Panels<T> {
        self.scratch.panels(at, (units, self.count), LANES)
    }
}
