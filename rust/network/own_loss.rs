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
        assert_eq!(Some(out.len()), rows.checked_mul(cols));
        let (head, reach, divisor) = (Head::Nothing, Reach::Kept, Divisor::ONE);
        self.row_phase.reserve(threads, state, workspace, reach, rows)?;
        let pass = Pass { state, workspace, batch, head, reach, training, divisor };
        self.row_phase.run(threads, &pass, 0, rows)?;
        unpack(workspace.buffer(self.row_phase.output()).slice(0, rows), out, cols, 1);
        Ok(true)
    }

    /// One update from the caller's gradient at the outputs of a batch, with dropout.
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
    ) -> Result<()> {
        self.check(state, workspace);
        self.train_on(threads, state, workspace, batch, head, None).map(|_| ())
    }
}
