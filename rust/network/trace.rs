//! One step with every tensor by name.

use super::batch::{Batch, Head};
use super::plan::Plan;
use super::state::State;
use super::workspace::Workspace;
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::gemm::unpack;
use crate::kernels::panels::Panels;

/// A tensor of a trace: its name, its shape, its elements row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Traced<T> {
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
    ) -> Result<(Vec<Traced<T>>, f64)> {
        assert!(batch.rows <= self.slab_rows, "a trace has one slab");
        let loss = self.gradients(threads, state, workspace, batch, Head::Loss, false)?;
        let mut tensors = Vec::new();
        let matrix = |name: String, panels: Panels<T>| {
            let (rows, cols) = (panels.rows(), panels.cols());
            let mut values = vec![T::ZERO; rows * cols];
            unpack(panels, &mut values, cols, 1);
            Traced { name, shape: vec![rows, cols], values }
        };
        for (layer, &buffer) in self.layer_outputs.iter().enumerate() {
            let panels = workspace.buffer(buffer).slice(0, batch.rows);
            tensors.push(matrix(format!("{layer}.output"), panels));
        }
        let reduced = T::from_f64(loss.reduced);
        tensors.push(Traced { name: "loss".into(), shape: Vec::new(), values: vec![reduced] });
        let gradients = state.layout.export(workspace.gradient());
        let mut ends = Vec::new();
        let mut at = 0;
        for linear in &state.layout.linears {
            ends.push((linear.layer, at, linear.bias));
            at += 1 + usize::from(linear.bias);
        }
        for (layer, &buffer) in self.layer_grads.iter().enumerate().rev() {
            let panels = workspace.buffer(buffer).slice(0, batch.rows);
            tensors.push(matrix(format!("{layer}.grad_output"), panels));
            let Some(&(_, at, bias)) = ends.iter().find(|(index, ..)| *index == layer) else {
                continue;
            };
            let shapes = state.layout.shapes();
            let names = if bias { &["weight", "bias"][..] } else { &["weight"] };
            for (offset, name) in names.iter().enumerate() {
                tensors.push(Traced {
                    name: format!("{layer}.{name}.grad"),
                    shape: shapes[at + offset].clone(),
                    values: gradients[at + offset].clone(),
                });
            }
        }
        Ok((tensors, loss.reduced))
    }

    /// The gradient with respect to X of the batch whose gradients were computed last, row-major;
    /// `None` if the plan does not compute it.
    #[must_use]
    pub fn input_grad(&self, workspace: &Workspace<T>, rows: usize) -> Option<Vec<T>> {
        let panels = workspace.buffer(self.input_grad?).slice(0, rows);
        let cols = panels.cols();
        let mut values = vec![T::ZERO; rows * cols];
        unpack(panels, &mut values, cols, 1);
        Some(values)
    }
}
