//! The penalty on the squares of weights.

use super::layers::TinyLayer;
use crate::kernels::optimizer::Options;
use crate::kernels::panels::Span;
use crate::kernels::weight::{ParameterSums, penalty_entry};
use crate::simd::{Kernel, LANES, Real, Simd};

/// Makes the entries of a penalty (N3), as larger networks do beside their updates; those of layers that are
/// not trainable, and of biases, stay.
pub struct TinyPenalty<'a, T> {
    /// All layers.
    pub layers: &'a [TinyLayer],
    /// Parameters.
    pub parameters: Span<T>,
    /// All entries.
    pub entries: Span<f64>,
    /// What the penalty is.
    pub options: &'a Options,
}

impl<T: Real> Kernel for TinyPenalty<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { layers, parameters, entries, options } = self;
        let mut entry = 0;
        for layer in layers {
            if layer.trainable {
                let w = parameters.slice(layer.weight, layer.weight + layer.inputs * LANES);
                entries.set(entry, penalty_entry::<T, S>(options, w, layer.outputs));
            }
            entry += ParameterSums::count(layer.inputs, layer.outputs);
        }
    }
}
