//! Whether a state is finite: a step whose loss is may have left parameters or moments that are not.

use std::sync::atomic::{AtomicBool, Ordering};

use super::memory::{State, whole};
use super::plan::Plan;
use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::kernels::finite::AllFinite;
use crate::runtime::pool::Pool;
use crate::runtime::{Arena, Team};
use crate::simd::Isa;

/// Elements of a tile of the search: 1 MB of f32, about 50 us.
const TILE: usize = 1 << 18;
/// Nanoseconds of one element of it: 20 GB/s of f32.
const ELEMENT: f64 = 0.2;

impl<T: Elementary> State<T> {
    /// Refuses parameters and moments that are not finite, as found at a batch of an epoch.
    ///
    /// # Errors
    /// `Error::Overflow` names the first such tensor; `Error::Internal` if a tile panicked,
    /// `Error::Memory` if there is no room to look for its name.
    pub fn check_finite(&self, isa: Isa, threads: usize, epoch: u64, batch: u64) -> Result<()> {
        for (index, buffer) in std::iter::once(&self.parameters).chain(&self.moments).enumerate() {
            if is_finite(buffer, isa, threads)? {
                continue;
            }
            // What lies beside the tensors is nobody's value.
            let tensors = self.layout.export(buffer)?;
            let wrong = tensors.iter().position(|tensor| tensor.iter().any(|x| !x.is_finite()));
            if let Some(wrong) = wrong {
                let name = &self.layout.names()[wrong];
                let tensor = match index {
                    0 => format!("'{name}'"),
                    _ => format!("moment {} of '{name}'", index - 1),
                };
                return Err(Error::Overflow { tensor, epoch, batch });
            }
        }
        Ok(())
    }
}

impl<T: Elementary> Plan<T> {
    /// [`State::check_finite`].
    ///
    /// # Errors
    /// As there.
    pub fn check_finite(
        &self,
        threads: usize,
        state: &State<T>,
        epoch: u64,
        batch: u64,
    ) -> Result<()> {
        state.check_finite(self.isa, threads, epoch, batch)
    }
}

fn is_finite<T: Elementary>(buffer: &Arena<T>, isa: Isa, threads: usize) -> Result<bool> {
    let values = whole(buffer);
    let len = values.len();
    if len <= TILE {
        return Ok(isa.run(AllFinite { values }));
    }
    let wrong = AtomicBool::new(false);
    let team = Team::for_cost(threads, ELEMENT * len as f64);
    Pool::run(team, len.div_ceil(TILE), &|tile| {
        let values = values.slice(tile * TILE, len.min((tile + 1) * TILE));
        if !isa.run(AllFinite { values }) {
            wrong.store(true, Ordering::Relaxed);
        }
    })?;
    Ok(!wrong.into_inner())
}
