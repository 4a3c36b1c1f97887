//! What the layers that work on rows do in a step: ops on buffers, forward and back.

use crate::kernels::elementary::Elementary;
use crate::network::memory::{BufferId, Buffers, State, Workspace, transpose};
use crate::network::op::RowOp;
use crate::network::segments::Segments;
use crate::simd::Isa;

/// The ops of the row phase.
pub(in crate::network) struct RowProgram {
    pub forward: Vec<RowOp>,
    pub backward: Vec<RowOp>,
    /// Copies of weights to make before a backward pass: Linear layer and buffer.
    pub copies: Vec<(usize, BufferId)>,
    pub input: BufferId,
    pub output: BufferId,
    pub targets: BufferId,
    pub output_grad: BufferId,
    /// The gradient with respect to X, if it is wanted.
    pub input_grad: Option<BufferId>,
}

impl RowProgram {
    /// How its ops fall into segments; `gather` if they begin with the rows of X, `forced` if all layers
    /// go by columns where threads share them.
    pub(in crate::network) fn segments(
        &self,
        gather: bool,
        buffers: &Buffers,
        forced: bool,
    ) -> Segments {
        Segments::new(gather, (&self.forward, &self.backward), buffers, forced)
    }

    /// Bytes of its lists.
    pub(in crate::network) fn bytes(&self) -> usize {
        size_of_val(&self.forward[..]) + size_of_val(&self.backward[..])
    }

    /// Makes the copies of weights that the state does not keep.
    pub(in crate::network) fn copy_weights<T: Elementary>(
        &self,
        isa: Isa,
        state: &State<T>,
        workspace: &Workspace<T>,
    ) {
        for &(index, copy) in &self.copies {
            let source = state.layout.layers[index].weight(&state.parameters);
            transpose(isa, source, workspace.buffer(copy));
        }
    }
}
