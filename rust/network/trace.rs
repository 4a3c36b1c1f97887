//! One step with every tensor by name, and with the gradient at X.
//!
//! A batch goes through in slabs, whatever its size: what is looked at is copied after each slab.

use super::batch::{Batch, Head, StepLoss};
use super::image::Home;
use super::memory::{State, Workspace, view};
use super::plan::Plan;
use super::traced::Traced;
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::flatten::Flatten;
use crate::kernels::gemm::unpack;
use crate::kernels::images::{ImageShape, Images, PixelOrder, block_rows};
use crate::runtime::{Arena, memory};
use crate::simd::LANES;

/// A tensor of a trace: its name, its shape, its elements row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor<T> {
    /// "2.output", "loss", "2.grad_output", "2.weight.grad", "2.bias.grad".
    pub name: String,
    /// No dimensions for the loss.
    pub shape: Vec<usize>,
    /// Elements; the loss is the only f64 of an f32 network, and comes rounded.
    pub values: Vec<T>,
}

impl<T: Elementary> Plan<T> {
    /// Forward, loss and backward of a batch, without dropout; the plan's purpose is `Trace`.
    ///
    /// Tensors come in the order in which they are computed. A layer's `grad_output` is the gradient
    /// of the loss with respect to that layer's output.
    ///
    /// # Errors
    /// As [`Plan::gradients`], and `Error::Memory` if there is no room for the tensors.
    pub fn trace(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
    ) -> Result<(Vec<Tensor<T>>, f64)> {
        memory::room(self.layer_outputs.len())?;
        let names = &self.names;
        let empty = |what: &str, kinds: &[Traced]| -> Result<Vec<Tensor<T>>> {
            let mut tensors = memory::vector(kinds.len())?;
            for (layer, &kind) in names.iter().zip(kinds) {
                tensors.push(self.empty(format!("{layer}.{what}"), kind, batch.rows)?);
            }
            Ok(tensors)
        };
        let mut tensors = empty("output", &self.layer_outputs)?;
        let mut grads = empty("grad_output", &self.layer_grads)?;
        let sixteen = Arena::zeroed(self.most_features().next_multiple_of(LANES) * LANES)?;
        let head = (Head::Loss, false);
        let loss =
            self.gradients_by_slab(threads, state, workspace, batch, head, &mut |slab, seen| {
                let outputs = self.layer_outputs.iter().zip(&mut tensors);
                for (&kind, tensor) in outputs.chain(self.layer_grads.iter().zip(&mut grads)) {
                    let features = tensor.values.len() / batch.rows;
                    let values = &mut tensor.values[seen.start * features..seen.end * features];
                    self.copy_out(kind, slab, &sixteen, values, seen.len());
                }
                Ok(())
            })?;
        let reduced = T::from_f64(loss.reduced);
        tensors.push(Tensor { name: "loss".into(), shape: Vec::new(), values: vec![reduced] });
        let gradients = state.layout.export(workspace.gradient())?;
        let (keys, shapes) = (state.layout.names(), state.layout.shapes());
        let mut named = memory::vector(keys.len())?;
        for ((name, shape), values) in keys.into_iter().zip(shapes).zip(gradients) {
            named.push(Tensor { name: format!("{name}.grad"), shape, values });
        }
        for (layer, grad) in names.iter().zip(grads).rev() {
            tensors.push(grad);
            let own = |tensor: &mut Tensor<T>| {
                let name = tensor.name.strip_prefix(&layer[..]);
                matches!(name, Some(".weight.grad" | ".bias.grad"))
            };
            tensors.extend(named.extract_if(.., own));
        }
        Ok((tensors, loss.reduced))
    }

    /// A tensor of all rows, to be filled.
    fn empty(&self, name: String, tensor: Traced, rows: usize) -> Result<Tensor<T>> {
        let shape = match tensor {
            Traced::Rows(buffer) => vec![rows, self.buffers.cols(buffer)],
            Traced::Images(buffer) => {
                let ImageShape { channels, height, width } = buffer.shape;
                vec![rows, channels, height, width]
            }
        };
        let features = shape[1..].iter().product::<usize>();
        let values = memory::filled(T::ZERO, rows.saturating_mul(features))?;
        Ok(Tensor { name, shape, values })
    }

    /// Features of the largest images that are shown.
    fn most_features(&self) -> usize {
        let features = |&tensor: &Traced| match tensor {
            Traced::Rows(_) => 0,
            Traced::Images(buffer) => buffer.shape.features(),
        };
        self.layer_outputs.iter().chain(&self.layer_grads).map(features).max().unwrap_or(0)
    }

    /// A slab's `rows` rows of a tensor, row-major; `memory` takes the features of 16 images.
    fn copy_out(
        &self,
        tensor: Traced,
        workspace: &Workspace<T>,
        memory: &Arena<T>,
        values: &mut [T],
        rows: usize,
    ) {
        match tensor {
            Traced::Rows(buffer) => {
                let panels = workspace.buffer(buffer).slice(0, rows);
                unpack(panels, values, panels.cols(), 1);
            }
            Traced::Images(buffer) => {
                let Home::Batch(id) = buffer.home else { unreachable!("a trace keeps all images") };
                let features = buffer.shape.features();
                for (block, values) in values.chunks_mut(features * LANES).enumerate() {
                    let images = Images::new(workspace.buffer(id), block, buffer.shape);
                    let rows = block_rows(block, rows);
                    let target = view(memory, 0, rows, features, rows * LANES);
                    let order = PixelOrder::ChannelsFirst;
                    self.isa.run(Flatten { images, rows: target, order });
                    unpack(target, values, features, 1);
                }
            }
        }
    }

    /// As [`Plan::gradients`], with the gradient with respect to X, row-major, into `by_input`.
    ///
    /// # Errors
    /// As [`Plan::gradients`].
    ///
    /// # Panics
    /// If the plan does not compute it, or if it has another length.
    pub fn gradients_by_input(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        (head, training): (Head<'_, T>, bool),
        by_input: &mut [T],
    ) -> Result<StepLoss> {
        let buffer = self.input_grad.expect("a plan for the gradient with respect to X");
        let cols = self.buffers.cols(buffer);
        assert!(Some(by_input.len()) == batch.rows.checked_mul(cols));
        let head = (head, training);
        self.gradients_by_slab(threads, state, workspace, batch, head, &mut |slab, rows| {
            let values = &mut by_input[rows.start * cols..rows.end * cols];
            unpack(slab.buffer(buffer).slice(0, rows.len()), values, cols, 1);
            if let Some(scale) = self.scale {
                for value in values {
                    // The quotient of two f32, rounded to f64 and then to f32, is the nearest f32.
                    *value = T::from_f64(value.to_f64() / scale.to_f64());
                }
            }
            Ok(())
        })
    }
}
