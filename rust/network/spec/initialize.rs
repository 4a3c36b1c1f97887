//! Initial values; docs/random.md says how the numbers are drawn.

use super::model::Spec;
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::random::{Purpose, Stream, normal, uniform};
use crate::network::nodes::{Init, Weighted};
use crate::network::tuning::DRAWN;
use crate::runtime::{memory, watch};
use crate::simd::Isa;

/// The initial parameters: for each layer with parameters its weight, row-major, and, if it has one,
/// its bias.
///
/// # Errors
/// `Error::Memory` if there is no room for them, `Error::Interrupted`.
pub fn parameters<T: Elementary>(spec: &Spec, seed: u64, isa: Isa) -> Result<Vec<Vec<T>>> {
    let mut tensors = Vec::new();
    for layer in spec.weighted() {
        let stream = |purpose| Stream::new(seed, purpose, layer.layer as u32);
        let size = layer.outputs.saturating_mul(layer.inputs);
        tensors.push(tensor(isa, size, &layer, false, stream(Purpose::Weight))?);
        if layer.bias {
            tensors.push(tensor(isa, layer.outputs, &layer, true, stream(Purpose::Bias))?);
        }
    }
    Ok(tensors)
}

fn tensor<T: Elementary>(
    isa: Isa,
    size: usize,
    layer: &Weighted,
    bias: bool,
    stream: Stream,
) -> Result<Vec<T>> {
    // A convolution's fan_in and fan_out count its taps; groups lessen what one output sees, and in
    // PyTorch's count not what one input reaches.
    let (inputs, outputs) = (layer.inputs as f64, layer.fan_out as f64);
    let mut words = stream.words();
    let mut target = memory::vector(size)?;
    target.resize(size, T::ZERO);
    watch::pieces(size, DRAWN, |piece| {
        let (words, target) = (&mut words, &mut target[piece]);
        match layer.init {
            Init::TorchLinear => uniform(words, 1.0 / inputs.sqrt(), target),
            Init::Normal => normal(isa, words, 1.0, target),
            Init::GlorotUniform if !bias => {
                uniform(words, (6.0 / (inputs + outputs)).sqrt(), target);
            }
            Init::HeNormal if !bias => normal(isa, words, (2.0 / inputs).sqrt(), target),
            Init::Constant(value) if !bias => target.fill(T::from_f64(value)),
            Init::GlorotUniform | Init::HeNormal | Init::Zeros | Init::Constant(_) => {}
        }
        Ok(())
    })?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::kernels::loss::Loss;
    use crate::kernels::optimizer::{Optimizer, Options, Sgd};
    use crate::network::{Input, Layer, Linear, Reduction};
    use crate::runtime::watch::watched;

    fn spec(units: usize, init: Init) -> Spec {
        let (bias, trainable, lr_scale) = (true, true, 1.0);
        let linear =
            Linear { in_features: units, out_features: units, bias, init, trainable, lr_scale };
        Spec {
            layers: vec![Layer::Linear(linear)],
            loss: Some((Loss::Mse, Reduction::Mean)),
            optimizer: Optimizer::Sgd(Sgd { momentum: 0.0, weight_decay: 0.0, nesterov: false }),
            options: Options::default(),
            input: Input::default(),
        }
    }

    #[test]
    fn pieces_have_the_numbers_of_the_whole() {
        let isa = Isa::PORTABLE;
        // More than one piece, and no whole number of them.
        let units = 300;
        assert!(units * units > DRAWN && !(units * units).is_multiple_of(DRAWN));
        let stream = Stream::new(5, Purpose::Weight, 0);
        let mut all = vec![0.0f32; units * units];
        normal(isa, &mut stream.words(), 1.0, &mut all);
        assert_eq!(parameters::<f32>(&spec(units, Init::Normal), 5, isa).unwrap()[0], all);
        uniform(&mut stream.words(), 1.0 / (units as f64).sqrt(), &mut all);
        assert_eq!(parameters::<f32>(&spec(units, Init::TorchLinear), 5, isa).unwrap()[0], all);
    }

    #[test]
    fn making_many_ends_early_if_it_should() {
        let made = || parameters::<f64>(&spec(3000, Init::Normal), 2, Isa::PORTABLE);
        assert_eq!(watched(|| true, made), Err(Error::Interrupted));
    }
}
