//! Initial values; docs/random.md says how the numbers are drawn.

use super::spec::{Init, Spec, Weighted};
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::random::{Purpose, Stream, normal, uniform};
use crate::runtime::memory;
use crate::simd::Isa;

/// The initial parameters: for each layer with parameters its weight, row-major, and, if it has one,
/// its bias.
///
/// # Errors
/// `Error::Memory` if there is no room for them.
pub fn parameters<T: Elementary>(spec: &Spec, seed: u64, isa: Isa) -> Result<Vec<Vec<T>>> {
    let mut tensors = Vec::new();
    for layer in spec.weighted() {
        let index = layer.layer as u32;
        let mut weight = memory::filled(T::ZERO, layer.outputs * layer.inputs)?;
        fill(isa, &mut weight, &layer, false, Stream::new(seed, Purpose::Weight, index));
        tensors.push(weight);
        if layer.bias {
            let mut bias = memory::filled(T::ZERO, layer.outputs)?;
            fill(isa, &mut bias, &layer, true, Stream::new(seed, Purpose::Bias, index));
            tensors.push(bias);
        }
    }
    Ok(tensors)
}

fn fill<T: Elementary>(isa: Isa, target: &mut [T], layer: &Weighted, bias: bool, stream: Stream) {
    // A convolution's fan_in and fan_out count its taps; groups lessen what one output sees, and in
    // PyTorch's count not what one input reaches.
    let (inputs, outputs) = (layer.inputs as f64, layer.fan_out as f64);
    match layer.init {
        Init::TorchLinear => uniform(stream, 1.0 / inputs.sqrt(), target),
        Init::Normal => normal(isa, stream, 1.0, target),
        Init::GlorotUniform if !bias => uniform(stream, (6.0 / (inputs + outputs)).sqrt(), target),
        Init::HeNormal if !bias => normal(isa, stream, (2.0 / inputs).sqrt(), target),
        Init::GlorotUniform | Init::HeNormal | Init::Zeros => {}
    }
}
