//! A network's parameters at some moment.

use super::state::State;
use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::runtime::Arena;
use crate::simd::Isa;

/// A copy of all parameters of a network.
#[derive(Debug)]
pub struct KeptParameters<T: Elementary> {
    /// Of the network: `Spec::fingerprint`.
    fingerprint: u64,
    parameters: Arena<T>,
}

impl<T: Elementary> KeptParameters<T> {
    /// Those of a state.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub fn of(state: &State<T>) -> Result<Self> {
        let mut parameters = state.layout.buffer()?;
        parameters.copy_from(&state.parameters);
        Ok(Self { fingerprint: state.layout.fingerprint, parameters })
    }

    /// Takes those of a state instead.
    ///
    /// # Errors
    /// `Error::Value` if it is another network's.
    pub fn take(&mut self, state: &State<T>) -> Result<()> {
        self.check(state)?;
        self.parameters.copy_from(&state.parameters);
        Ok(())
    }

    /// Gives them to a state.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn restore(&self, state: &mut State<T>, isa: Isa) -> Result<()> {
        self.check(state)?;
        state.set_buffer(&self.parameters, isa);
        Ok(())
    }

    fn check(&self, state: &State<T>) -> Result<()> {
        if state.layout.fingerprint == self.fingerprint {
            return Ok(());
        }
        Err(Error::Value("the snapshot is another network's".into()))
    }
}
