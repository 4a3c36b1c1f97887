//! One step with every tensor by name.
//!
//! A batch goes through in slabs, whatever its size: what is looked at is copied after each slab.

use std::ops::Range;

use super::image::Home;
use super::memory::{Buffers, Layout, Workspace, view};
use super::op::Traced;
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::flatten::FlattenImages;
use crate::kernels::gemm::unpack;
use crate::kernels::images::{ImageShape, Images, PixelOrder, block_rows};
use crate::runtime::{Arena, memory};
use crate::simd::{Isa, LANES};

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

/// The tensors between the layers of a plan that is for `Task::Trace`.
pub(super) struct Traces {
    /// The layers' names.
    pub names: Vec<String>,
    /// The output of each layer.
    pub outputs: Vec<Traced>,
    /// The gradient with respect to the output of each layer.
    pub grads: Vec<Traced>,
}

impl Traces {
    /// Features of the largest images among them.
    fn most_features(&self) -> usize {
        let features = |&tensor: &Traced| match tensor {
            Traced::Rows(_) => 0,
            Traced::Images(buffer) => buffer.shape.features(),
        };
        self.outputs.iter().chain(&self.grads).map(features).max().unwrap_or(0)
    }
}

/// Copies of all tensors of one batch, in the making.
pub(super) struct Recorder<'a, T: Elementary> {
    traces: &'a Traces,
    isa: Isa,
    outputs: Vec<Tensor<T>>,
    grads: Vec<Tensor<T>>,
    /// Room for the features of 16 images.
    sixteen: Arena<T>,
    /// Of the batch.
    rows: usize,
}

impl<'a, T: Elementary> Recorder<'a, T> {
    /// Makes room for the tensors of a batch of so many rows.
    pub(super) fn new(
        traces: &'a Traces,
        buffers: &Buffers,
        isa: Isa,
        rows: usize,
    ) -> Result<Self> {
        memory::room(traces.outputs.len())?;
        let empty = |what: &str, kinds: &[Traced]| -> Result<Vec<Tensor<T>>> {
            let mut tensors = memory::vector(kinds.len())?;
            for (layer, &kind) in traces.names.iter().zip(kinds) {
                tensors.push(empty(format!("{layer}.{what}"), kind, buffers, rows)?);
            }
            Ok(tensors)
        };
        let outputs = empty("output", &traces.outputs)?;
        let grads = empty("grad_output", &traces.grads)?;
        let sixteen = Arena::zeroed(traces.most_features().next_multiple_of(LANES) * LANES)?;
        Ok(Self { traces, isa, outputs, grads, sixteen, rows })
    }

    /// Copies what a slab has left, which has these rows of the batch.
    pub(super) fn see(&mut self, slab: &Workspace<T>, seen: Range<usize>) {
        let Self { traces, isa, sixteen, rows, .. } = self;
        let outputs = traces.outputs.iter().zip(&mut self.outputs);
        for (&kind, tensor) in outputs.chain(traces.grads.iter().zip(&mut self.grads)) {
            let features = tensor.values.len() / *rows;
            let values = &mut tensor.values[seen.start * features..seen.end * features];
            copy_out(*isa, kind, slab, sixteen, values, seen.len());
        }
    }

    /// All tensors in the order in which they are computed, with the reduced loss and the gradients, which
    /// lie by `layout`.
    pub(super) fn finish(
        self,
        loss: f64,
        layout: &Layout,
        gradient: &Arena<T>,
    ) -> Result<Vec<Tensor<T>>> {
        let mut tensors = self.outputs;
        let loss = T::from_f64(loss);
        tensors.push(Tensor { name: "loss".into(), shape: Vec::new(), values: vec![loss] });
        let gradients = layout.export(gradient)?;
        let (names, shapes) = (layout.names(), layout.shapes());
        let mut named = memory::vector(names.len())?;
        for ((name, shape), values) in names.into_iter().zip(shapes).zip(gradients) {
            named.push(Tensor { name: format!("{name}.grad"), shape, values });
        }
        for (layer, grad) in self.traces.names.iter().zip(self.grads).rev() {
            tensors.push(grad);
            let own = |tensor: &mut Tensor<T>| {
                let rest = tensor.name.strip_prefix(&layer[..]);
                matches!(rest, Some(".weight.grad" | ".bias.grad"))
            };
            tensors.extend(named.extract_if(.., own));
        }
        Ok(tensors)
    }
}

/// A tensor of all rows, to be filled.
fn empty<T: Elementary>(
    name: String,
    tensor: Traced,
    buffers: &Buffers,
    rows: usize,
) -> Result<Tensor<T>> {
    let shape = match tensor {
        Traced::Rows(buffer) => vec![rows, buffers.cols(buffer)],
        Traced::Images(buffer) => {
            let ImageShape { channels, height, width } = buffer.shape;
            vec![rows, channels, height, width]
        }
    };
    let features = shape[1..].iter().product::<usize>();
    let values = memory::filled(T::ZERO, rows.saturating_mul(features))?;
    Ok(Tensor { name, shape, values })
}

/// A slab's `rows` rows of a tensor, row-major; `memory` takes the features of 16 images.
fn copy_out<T: Elementary>(
    isa: Isa,
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
                isa.run(FlattenImages { images, rows: target, order });
                unpack(target, values, features, 1);
            }
        }
    }
}
