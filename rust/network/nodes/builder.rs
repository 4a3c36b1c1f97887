//! What nodes put their ops and buffers into.
//!
//! A node that works element by element writes over its input if nothing reads that later: a sum, the way
//! back, or the weight phase. So does the way back with gradients.

use crate::kernels::activation::Activation;
use crate::network::memory::{BufferId, Buffers};
use crate::network::op::{RowOp, Task, WeightOp, WeightSource};
use crate::simd::LANES;

/// Where a node stands.
pub(in crate::network) struct Place {
    /// Its number.
    pub node: usize,
    /// Its number among those with parameters, if it has any.
    pub weighted: usize,
    /// Its number among those that keep statistics of their batches, if it does.
    pub tracked: usize,
    /// Whether it takes images as they are, with a sample in each lane.
    pub reads_images: bool,
    /// Whether some node below wants the gradient.
    pub wanted_below: bool,
    /// Whether the state has a second copy of its weight, which is up to date.
    pub second_copy: bool,
    /// Whether updates keep that copy.
    pub keep_backward: bool,
}

/// What the forward pass through a node leaves for the way back.
#[derive(Clone, Copy)]
pub(in crate::network) struct Trail {
    pub input: BufferId,
    pub output: BufferId,
    /// Buffers of the node's own.
    pub own: [Option<BufferId>; 2],
}

/// A gradient on its way back.
#[derive(Clone, Copy)]
pub(in crate::network) struct Gradient {
    pub at: BufferId,
    /// Whether the store of it has flushed subnormals (N5).
    pub flushed: bool,
}

/// Ops on rows, their buffers, and what is known of these on the way.
pub(in crate::network) struct Builder {
    task: Task,
    /// Rows of a buffer, and bytes of an element.
    rows: usize,
    size: usize,
    pub buffers: Buffers,
    pub forward: Vec<RowOp>,
    pub backward: Vec<RowOp>,
    pub weights: Vec<WeightOp>,
    /// Copies of weights: which of the layers with parameters, and where to.
    pub copies: Vec<(usize, BufferId)>,
    /// Which buffers the way back or the weight phase reads.
    saved: Vec<bool>,
    /// Sums to come, and what they read besides their input.
    held: Vec<(usize, BufferId)>,
    /// Gradients that skip nodes, and the first of these.
    skipping: Vec<(usize, BufferId)>,
}

impl Builder {
    /// For so many rows of elements of `size` bytes.
    pub(in crate::network) fn new(task: Task, rows: usize, size: usize) -> Self {
        Self {
            task,
            rows,
            size,
            buffers: Buffers::default(),
            forward: Vec::new(),
            backward: Vec::new(),
            weights: Vec::new(),
            copies: Vec::new(),
            saved: Vec::new(),
            held: Vec::new(),
            skipping: Vec::new(),
        }
    }

    /// A buffer of the batch's rows.
    pub(in crate::network) fn buffer(&mut self, cols: usize) -> BufferId {
        self.matrix(self.rows, cols)
    }

    /// A buffer of any size.
    pub(super) fn matrix(&mut self, rows: usize, cols: usize) -> BufferId {
        self.buffers.add_of_size(rows, cols, self.size)
    }

    /// A buffer with a row of the batch in each lane.
    pub(super) fn lanes(&mut self, rows: usize) -> BufferId {
        self.matrix(rows, self.rows.next_multiple_of(LANES))
    }

    /// The way back reads a buffer.
    pub(super) fn save(&mut self, buffer: BufferId) {
        if self.task == Task::Forward {
            return;
        }
        if self.saved.len() <= buffer.0 {
            self.saved.resize(buffer.0 + 1, false);
        }
        self.saved[buffer.0] = true;
    }

    /// A sum reads what is here now.
    pub(in crate::network) fn hold(&mut self, sum: usize, buffer: BufferId) {
        self.held.push((sum, buffer));
    }

    /// What was held for a sum.
    pub(super) fn skipped(&self, sum: usize) -> BufferId {
        let of_sum = self.held.iter().find(|held| held.0 == sum);
        of_sum.expect("what a sum reads is held where its nodes begin").1
    }

    /// Whether something reads a buffer after the op that comes next, or shows it.
    fn is_read(&self, buffer: BufferId) -> bool {
        self.task == Task::Trace || self.saved.get(buffer.0).is_some_and(|&saved| saved)
    }

    /// A buffer for what a node makes of `input`: the same one unless something else reads it.
    pub(super) fn place(&mut self, place: &Place, input: BufferId) -> BufferId {
        let held = self.held.iter().any(|&(sum, held)| held == input && sum > place.node);
        self.over(input, held)
    }

    /// A buffer for what is computed from a gradient: the same one unless something else reads it.
    pub(super) fn place_gradient(&mut self, grad: BufferId) -> BufferId {
        let skips = self.skipping.iter().any(|&(_, skipping)| skipping == grad);
        self.over(grad, skips)
    }

    fn over(&mut self, buffer: BufferId, kept: bool) -> BufferId {
        if kept || self.is_read(buffer) {
            return self.buffer(self.buffers.cols(buffer));
        }
        buffer
    }

    /// The gradient with subnormals flushed.
    pub(super) fn flushed(&mut self, Gradient { at, flushed }: Gradient) -> Gradient {
        if !flushed {
            let activation = Activation::Identity;
            let op = RowOp::ActivationGradient { activation, saved: at, grad: at, target: at };
            self.backward.push(op);
        }
        Gradient { at, flushed: true }
    }

    /// The parameters of a node get a gradient, made from that at its output.
    pub(super) fn weigh(
        &mut self,
        place: &Place,
        trainable: bool,
        grad: BufferId,
        source: impl FnOnce() -> WeightSource,
    ) {
        if trainable || self.task != Task::Train {
            let (index, keep_backward) = (place.weighted, place.keep_backward);
            self.weights.push(WeightOp { index, source: source(), keep_backward });
            self.save(grad);
        }
    }

    /// A gradient goes past all nodes down to `from`.
    pub(super) fn skip(&mut self, from: usize, grad: BufferId) {
        self.skipping.push((from, grad));
    }

    /// The gradient at the input of a node, with those added that have skipped it.
    pub(in crate::network) fn joined(&mut self, node: usize, mut grad: Gradient) -> Gradient {
        while let Some(&(from, skipped)) = self.skipping.last()
            && from == node
        {
            self.skipping.pop();
            let sum = self.place_gradient(grad.at);
            self.backward.push(RowOp::Add { a: grad.at, b: skipped, sum, flush: true });
            grad = Gradient { at: sum, flushed: true };
        }
        grad
    }
}
