//! Whether a state is finite: a step whose loss is may have left parameters or moments that are not.

use std::sync::atomic::{AtomicBool, Ordering};

use super::state::State;
use super::view::whole;
use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::kernels::finite::AllFinite;
use crate::network::tuning::{SEARCH_TILE, SEARCHED};
use crate::runtime::pool::ThreadPool;
use crate::runtime::{Arena, Team};
use crate::simd::Isa;

impl<T: Elementary> State<T> {
    /// Refuses parameters, moments, averages and running statistics that are not finite, as found at a batch of
    /// an epoch.
    ///
    /// # Errors
    /// `Error::Overflow` names the first such tensor; `Error::Internal` if a tile panicked,
    /// `Error::Memory` if there is no room to look for its name.
    pub fn check_finite(&self, isa: Isa, threads: usize, epoch: u64, batch: u64) -> Result<()> {
        let buffers = std::iter::once(&self.parameters).chain(&self.moments).chain(&self.average);
        for (index, buffer) in buffers.enumerate() {
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
                    _ if index > self.moments.len() => format!("the average of '{name}'"),
                    _ => format!("moment {} of '{name}'", index - 1),
                };
                return Err(Error::Overflow { tensor, epoch, batch });
            }
        }
        let running = self.running.check_finite(&self.layout.running);
        running.map_err(|name| Error::Overflow { tensor: format!("'{name}'"), epoch, batch })
    }
}

fn is_finite<T: Elementary>(buffer: &Arena<T>, isa: Isa, threads: usize) -> Result<bool> {
    let values = whole(buffer);
    let len = values.len();
    if len <= SEARCH_TILE {
        return Ok(isa.run(AllFinite { values }));
    }
    let wrong = AtomicBool::new(false);
    let team = Team::for_cost(threads, SEARCHED * len as f64);
    ThreadPool::run(team, len.div_ceil(SEARCH_TILE), &|tile| {
        let values = values.slice(tile * SEARCH_TILE, len.min((tile + 1) * SEARCH_TILE));
        if !isa.run(AllFinite { values }) {
            wrong.store(true, Ordering::Relaxed);
        }
    })?;
    Ok(!wrong.into_inner())
}
