//! Initial values; docs/random.md says how the numbers are drawn.

use super::spec::{Init, Linear, Spec};
use crate::kernels::elementary::Elementary;
use crate::kernels::random::{Purpose, Stream, normal, uniform};
use crate::simd::Isa;

/// The initial parameters: for each Linear its weight (out, in) and, if it has one, its bias.
#[must_use]
pub fn parameters<T: Elementary>(spec: &Spec, seed: u64, isa: Isa) -> Vec<Vec<T>> {
    let mut tensors = Vec::new();
    for (index, linear) in spec.linears() {
        let mut weight = vec![T::ZERO; linear.out_features * linear.in_features];
        fill(isa, &mut weight, linear, false, Stream::new(seed, Purpose::Weight, index as u32));
        tensors.push(weight);
        if linear.bias {
            let mut bias = vec![T::ZERO; linear.out_features];
            fill(isa, &mut bias, linear, true, Stream::new(seed, Purpose::Bias, index as u32));
            tensors.push(bias);
        }
    }
    tensors
}

fn fill<T: Elementary>(isa: Isa, target: &mut [T], linear: &Linear, bias: bool, stream: Stream) {
    let (inputs, outputs) = (linear.in_features as f64, linear.out_features as f64);
    match linear.init {
        Init::TorchLinear => uniform(stream, 1.0 / inputs.sqrt(), target),
        Init::Normal => normal(isa, stream, 1.0, target),
        Init::GlorotUniform if !bias => uniform(stream, (6.0 / (inputs + outputs)).sqrt(), target),
        Init::HeNormal if !bias => normal(isa, stream, (2.0 / inputs).sqrt(), target),
        Init::GlorotUniform | Init::HeNormal | Init::Zeros => {}
    }
}
