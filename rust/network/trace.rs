//! One step with every tensor by name.

use super::batch::{Batch, Head};
use super::images::Home;
use super::op::view;
use super::plan::{Plan, Traced};
use super::state::State;
use super::workspace::Workspace;
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::flatten::Flatten;
use crate::kernels::gemm::unpack;
use crate::kernels::images::{ImageShape, Images, PixelOrder, block_rows};
use crate::kernels::panels::Panels;
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
    /// Forward, loss and backward of a batch that fits into one slab, without dropout; the plan's
    /// purpose is `Trace`.
    ///
    /// Tensors come in the order in which they are computed. A layer's `grad_output` is the gradient
    /// of the loss with respect to that layer's output.
    ///
    /// # Errors
    /// As [`Plan::gradients`].
    pub fn trace(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
    ) -> Result<(Vec<Tensor<T>>, f64)> {
        assert!(batch.rows <= self.slab_rows, "a trace has one slab");
        let loss = self.gradients(threads, state, workspace, batch, Head::Loss, false)?;
        memory::room(self.layer_outputs.len())?;
        let mut tensors = Vec::new();
        for (layer, &tensor) in self.layer_outputs.iter().enumerate() {
            tensors.push(self.traced(format!("{layer}.output"), tensor, workspace, batch.rows)?);
        }
        let reduced = T::from_f64(loss.reduced);
        tensors.push(Tensor { name: "loss".into(), shape: Vec::new(), values: vec![reduced] });
        let mut gradients = state.layout.export(workspace.gradient())?;
        let mut ends = Vec::new();
        let mut at = 0;
        for weighted in &state.layout.layers {
            ends.push((weighted.layer, at, weighted.bias));
            at += 1 + usize::from(weighted.bias);
        }
        let shapes = state.layout.shapes();
        for (layer, &tensor) in self.layer_grads.iter().enumerate().rev() {
            let name = format!("{layer}.grad_output");
            tensors.push(self.traced(name, tensor, workspace, batch.rows)?);
            let Some(&(_, at, bias)) = ends.iter().find(|&&(index, ..)| index == layer) else {
                continue;
            };
            let names = if bias { &["weight", "bias"][..] } else { &["weight"] };
            for (offset, name) in names.iter().enumerate() {
                tensors.push(Tensor {
                    name: format!("{layer}.{name}.grad"),
                    shape: shapes[at + offset].clone(),
                    values: std::mem::take(&mut gradients[at + offset]),
                });
            }
        }
        Ok((tensors, loss.reduced))
    }

    fn traced(
        &self,
        name: String,
        tensor: Traced,
        workspace: &Workspace<T>,
        rows: usize,
    ) -> Result<Tensor<T>> {
        Ok(match tensor {
            Traced::Rows(buffer) => {
                let panels = workspace.buffer(buffer).slice(0, rows);
                Tensor { name, shape: vec![rows, panels.cols()], values: matrix(panels)? }
            }
            Traced::Images(buffer) => {
                let ImageShape { channels, height, width } = buffer.shape;
                let Home::Batch(id) = buffer.home else { unreachable!("a trace keeps all images") };
                let features = buffer.shape.features();
                let mut values = memory::filled(T::ZERO, rows * features)?;
                let sixteen = Arena::zeroed(features.next_multiple_of(LANES) * LANES)?;
                for (block, part) in values.chunks_mut(LANES * features).enumerate() {
                    let images = Images::new(workspace.buffer(id), block, buffer.shape);
                    let rows = block_rows(block, rows);
                    let target = view(&sixteen, 0, rows, features, rows * LANES);
                    let order = PixelOrder::ChannelsFirst;
                    self.isa.run(Flatten { images, rows: target, order });
                    unpack(target, part, features, 1);
                }
                Tensor { name, shape: vec![rows, channels, height, width], values }
            }
        })
    }

    /// The gradient with respect to X of the batch whose gradients were computed last, row-major;
    /// `None` if the plan does not compute it.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for the copy.
    pub fn input_grad(&self, workspace: &Workspace<T>, rows: usize) -> Result<Option<Vec<T>>> {
        let Some(buffer) = self.input_grad else { return Ok(None) };
        let mut values = matrix(workspace.buffer(buffer).slice(0, rows))?;
        if let Some(scale) = self.scale {
            for value in &mut values {
                // The quotient of two f32, rounded to f64 and then to f32, is the nearest f32.
                *value = T::from_f64(value.to_f64() / scale.to_f64());
            }
        }
        Ok(Some(values))
    }
}

/// Row-major elements.
fn matrix<T: Elementary>(panels: Panels<T>) -> Result<Vec<T>> {
    let (rows, cols) = (panels.rows(), panels.cols());
    let mut values = memory::filled(T::ZERO, rows * cols)?;
    unpack(panels, &mut values, cols, 1);
    Ok(values)
}
