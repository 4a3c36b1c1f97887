//! Steps whose loss the caller computes: to the outputs, and then on from their gradient.

use super::batch::{Batch, Head, Reach};
use super::memory::{State, Workspace};
use super::plan::Plan;
use super::row_phase::Pass;
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::gemm::unpack;
use crate::kernels::loss::Divisor;

impl<T: Elementary> Plan<T> {
    /// As [`Plan::forward`], where a step is to follow: whether what the way back reads stays in the
    /// workspace, for [`Head::Kept`] with the same threads, state and batch. It does unless the batch has
    /// several slabs, or images that take too much memory.
    ///
    /// # Errors
    /// As [`Plan::forward`], and `Error::Memory` if there is no room for the images.
    ///
    /// # Panics
    /// As [`Plan::forward`].
    pub fn forward_kept(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        training: bool,
        out: &mut [T],
    ) -> Result<bool> {
        let (rows, cols) = (batch.rows, self.outputs());
        if rows > self.slab_rows || !self.row_phase.can_keep(threads, rows) {
            self.forward(threads, state, workspace, batch, training, out)?;
            return Ok(false);
        }
        self.check(state, workspace);
        if training {
            self.row_phase.check_values(rows)?;
        }
        assert_eq!(Some(out.len()), rows.checked_mul(cols));
        let (head, reach, divisor) = (Head::Nothing, Reach::Kept, Divisor::ONE);
        self.row_phase.reserve(threads, state, workspace, (reach, training), rows)?;
        let pass = Pass { state, workspace, batch, head, reach, training, divisor };
        self.row_phase.run(threads, &pass, 0, rows)?;
        unpack(workspace.buffer(self.row_phase.output()).slice(0, rows), out, cols, 1);
        Ok(true)
    }

    /// One update from the caller's gradient at the outputs of a batch, with dropout; the penalty on weights.
    ///
    /// # Errors
    /// As [`Plan::train`].
    pub fn train_from(
        &self,
        threads: usize,
        state: &mut State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        head: Head<'_, T>,
    ) -> Result<f64> {
        self.check(state, workspace);
        self.train_on(threads, state, workspace, batch, head, None).map(|loss| loss.penalty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::activation::Activation;
    use crate::kernels::convolution::Stencil;
    use crate::kernels::images::ImageShape;
    use crate::kernels::optimizer::{Optimizer, Options, Sgd};
    use crate::network::op::Task;
    use crate::network::{Conv2d, Init, Input, Layer, Linear, Spec};
    use crate::simd::Isa;

    /// A plan for square images that a convolution makes 20 of.
    fn plan(side: usize) -> Plan<f32> {
        let stencil = Stencil { kernel: 3, stride: 1, padding: 1, dilation: 1 };
        let (init, trainable, lr_scale, bias) = (Init::TorchLinear, true, 1.0, true);
        let (in_channels, out_channels, groups) = (1, 20, 1);
        let (rows, cols) = (stencil, stencil);
        let conv = Conv2d {
            in_channels,
            out_channels,
            rows,
            cols,
            groups,
            bias,
            init,
            trainable,
            lr_scale,
        };
        let (in_features, out_features) = (20 * side * side, 1);
        let linear = Linear { in_features, out_features, bias, init, trainable, lr_scale };
        let activation = Layer::Activation(Activation::Sigmoid);
        let spec = Spec {
            layers: vec![Layer::Conv2d(conv), activation, Layer::Flatten, Layer::Linear(linear)],
            loss: None,
            optimizer: Optimizer::Sgd(Sgd { momentum: 0.0, weight_decay: 0.0, nesterov: false }),
            options: Options::default(),
            input: Input::default(),
        };
        let image = ImageShape { channels: 1, height: side, width: side };
        Plan::of_images(&spec, image, Task::Train, 64, Isa::PORTABLE).unwrap()
    }

    #[test]
    fn images_that_take_too_much_memory_are_not_kept() {
        let (small, large) = (plan(20), plan(400));
        for threads in [1, 4] {
            assert!(small.row_phase.can_keep(threads, 64));
            assert!(!large.row_phase.can_keep(threads, 64));
        }
    }
}
