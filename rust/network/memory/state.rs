//! What training changes: parameters, moments, counters.

use std::sync::Arc;

use super::layout::{Layout, transpose};
use super::rate::{LearningRate, Scheduled};
use super::running::{Running, Statistics};
use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::kernels::optimizer::{Clock, Method, Optimizer, Rules};
use crate::network::spec::{Spec, initial_parameters};
use crate::network::standard::Standards;
use crate::runtime::{Arena, memory};
use crate::simd::Isa;

/// The state of one model.
#[derive(Debug)]
pub struct State<T: Elementary> {
    /// Where everything lies.
    pub layout: Layout,
    /// Parameters.
    pub parameters: Arena<T>,
    /// The weights once more, as the input gradients read them.
    pub backward: Arena<T>,
    /// What the optimizer keeps of each parameter.
    pub moments: Vec<Arena<T>>,
    /// The average of the parameters, if the network's method keeps one.
    pub average: Option<Arena<T>>,
    /// The statistics that normalizations over batches keep.
    pub running: Running<T>,
    /// The learning rate; with a schedule that of the last update.
    pub learning_rate: f64,
    /// Where the rates of updates come from, unless it is the same for all.
    pub scheduled: Option<Box<Scheduled>>,
    /// The rate in the beginning, and after each `reset`, unless a schedule says another.
    first_rate: f64,
    /// The seed of initial values, shuffles and dropout.
    pub seed: u64,
    /// Finished epochs.
    pub epoch: u64,
    /// Updates applied, and what the optimizer makes of their number (N6).
    pub clock: Clock,
    /// What X and y are standardized by, once that is learned.
    pub standards: Option<Arc<Standards>>,
}

impl<T: Elementary> State<T> {
    /// A model with initial values from `seed`.
    ///
    /// # Errors
    /// `Error::Memory` if parameters and moments exceed what the machine has.
    pub fn new(spec: &Spec, learning_rate: f64, seed: u64, isa: Isa) -> Result<Self> {
        memory::room(spec.layers.len())?;
        let layout = Layout::new::<T>(spec)?;
        let moments = spec.optimizer.moments();
        let averages = usize::from(spec.options.ema.is_some());
        // One more than are kept: initial values, like all that cross the boundary, are a copy.
        memory::check_large(layout.bytes::<T>(2 + moments + averages))?;
        let mut state = Self {
            parameters: layout.buffer()?,
            backward: layout.backward_buffer()?,
            moments: (0..moments).map(|_| layout.buffer()).collect::<Result<_>>()?,
            average: spec.options.ema.map(|_| layout.buffer()).transpose()?,
            running: Running::new(&layout.running)?,
            layout,
            learning_rate,
            scheduled: None,
            first_rate: learning_rate,
            seed,
            epoch: 0,
            clock: Clock::default(),
            standards: None,
        };
        state.reset(seed, &initial_parameters(spec, seed, isa)?, isa);
        Ok(state)
    }

    /// Starts anew: initial values, which are made from `seed`, moments and counters zero, the first learning
    /// rate, nothing learned of X, of y and of batches.
    pub fn reset(&mut self, seed: u64, parameters: &[Vec<T>], isa: Isa) {
        self.seed = seed;
        self.epoch = 0;
        self.reset_optimizer();
        self.standards = None;
        self.running.reset(&self.layout.running);
        self.set_parameters(parameters, isa);
    }

    /// Replaces all parameters, from which an average starts anew; tensors as in [`Layout::export`].
    pub fn set_parameters(&mut self, tensors: &[Vec<T>], isa: Isa) {
        self.layout.import(tensors, &self.parameters);
        self.parameters_changed(isa);
    }

    /// Begins an average anew, and makes second copies.
    fn parameters_changed(&mut self, isa: Isa) {
        if let Some(average) = &mut self.average {
            average.copy_from(&self.parameters);
        }
        self.refresh_backward(isa);
    }

    /// The same from a list as [`Layout::export_packed`] gives it.
    pub fn set_packed(&mut self, list: &[T], isa: Isa) {
        self.layout.import_packed(list, &self.parameters);
        self.parameters_changed(isa);
    }

    /// The same from a copy of the parameters' buffer.
    ///
    /// # Panics
    /// If it has another length.
    pub fn set_buffer(&mut self, parameters: &Arena<T>, isa: Isa) {
        self.parameters.copy_from(parameters);
        self.parameters_changed(isa);
    }

    /// Back to the optimizer's beginning, with the parameters and the epochs that there are.
    pub fn reset_optimizer(&mut self) {
        self.clock = Clock::default();
        if let Some(scheduled) = &mut self.scheduled {
            scheduled.reset();
        }
        self.learning_rate = self.first_rate;
        self.learning_rate = self.next_rate().unwrap_or(self.first_rate);
        self.moments.iter_mut().for_each(Arena::clear);
    }

    /// Makes the second copy of the weights from the first.
    fn refresh_backward(&mut self, isa: Isa) {
        for linear in self.layout.layers.iter().filter(|layer| layer.copied) {
            let source = linear.weight(&self.parameters);
            let target = linear.backward_weight(&self.backward);
            transpose(isa, source, target);
        }
    }

    /// Whether it is the state of a network with this fingerprint.
    pub(in crate::network) fn is_of(&self, fingerprint: u64) -> bool {
        let fits = |buffer: &Arena<T>| self.layout.fits(buffer, &self.backward);
        self.layout.fingerprint == fingerprint
            && fits(&self.parameters)
            && self.moments.iter().chain(&self.average).all(fits)
            && self.running.fits(&self.layout.running)
    }

    /// Takes its learning rates from here on, as if the model had been made with them; `keep_factor` keeps
    /// the factor on those before.
    pub fn follow(&mut self, rate: &LearningRate, keep_factor: bool, isa: Isa) {
        let before = self.scheduled.take().filter(|_| keep_factor);
        let factor = before.map_or(1.0, |before| before.factor);
        self.scheduled = Scheduled::new(rate, factor, isa).map(Box::new);
        if let LearningRate::Constant(rate) = *rate {
            self.learning_rate = rate;
        }
        self.first_rate = self.next_rate().unwrap_or(self.learning_rate);
    }

    /// The learning rate of the next update; none if it is not in the table that it is to come from.
    #[must_use]
    pub fn next_rate(&self) -> Option<f64> {
        match &self.scheduled {
            None => Some(self.learning_rate),
            Some(scheduled) => scheduled.rate(self.epoch, self.clock.steps),
        }
    }

    /// Makes this the learning rate of the next update, with a schedule by a factor on all that follow.
    ///
    /// # Errors
    /// `Error::Value` if the schedule's rate is 0.
    pub fn set_next_rate(&mut self, rate: f64) -> Result<()> {
        match &mut self.scheduled {
            None => self.learning_rate = rate,
            Some(scheduled) => scheduled.set(rate, self.epoch, self.clock.steps)?,
        }
        Ok(())
    }

    /// Puts the learning rates of the updates from number `first` on, 0 is the model's first, into the table
    /// that they come from.
    pub fn tabulate(&mut self, first: u64, rates: Vec<f64>) {
        if let Some(scheduled) = &mut self.scheduled {
            scheduled.tabulate(first, rates);
        }
    }

    /// Counts one more update; call before the rules of that update are asked for.
    pub fn begin_update(&mut self, optimizer: &Optimizer) {
        if let Some(scheduled) = &mut self.scheduled
            && let Some(rate) = scheduled.advance(self.epoch, self.clock.steps)
        {
            self.learning_rate = rate;
        }
        optimizer.tick(&mut self.clock);
    }

    /// The rules of a layer with this factor on the learning rate, and a weight that is a matrix or not, for
    /// the update that `begin_update` counted.
    #[must_use]
    pub fn rules(&self, method: &Method, layer: (f64, bool)) -> Rules<T> {
        method.rules(self.learning_rate, layer, &self.clock)
    }

    /// Moves the running statistics towards those of a batch that has trained.
    pub(in crate::network) fn track(&mut self, batch: &Statistics) {
        self.running.track(&self.layout.running, batch);
    }

    /// The same after a pass that no update follows, which leaves them as they are if it fails.
    ///
    /// # Errors
    /// `Error::Overflow` if they would not be finite, `Error::Memory` if there is no room to look.
    pub fn track_finite(&mut self, batch: &Statistics) -> Result<()> {
        let mut moved = self.running.duplicate()?;
        moved.track(&self.layout.running, batch);
        moved.check_finite(&self.layout.running).map_err(|name| {
            let tensor = format!("'{name}'");
            Error::Overflow { tensor, epoch: self.epoch, batch: 0 }
        })?;
        self.running = moved;
        Ok(())
    }

    /// A copy with memory of its own.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub fn duplicate(&self, isa: Isa) -> Result<Self> {
        memory::room(self.layout.layers.len())?;
        let buffers = 2 + self.moments.len() + usize::from(self.average.is_some());
        memory::check_large(self.layout.bytes::<T>(buffers))?;
        let mut copy = Self {
            layout: self.layout.clone(),
            parameters: self.layout.buffer()?,
            backward: self.layout.backward_buffer()?,
            moments: self.moments.iter().map(|_| self.layout.buffer()).collect::<Result<_>>()?,
            average: self.average.as_ref().map(|_| self.layout.buffer()).transpose()?,
            scheduled: match &self.scheduled {
                None => None,
                Some(scheduled) => Some(Box::new(scheduled.duplicate()?)),
            },
            running: self.running.duplicate()?,
            standards: self.standards.clone(),
            ..*self
        };
        copy.parameters.copy_from(&self.parameters);
        copy.refresh_backward(isa);
        let moments = copy.moments.iter_mut().zip(&self.moments);
        for (to, from) in moments.chain(copy.average.iter_mut().zip(&self.average)) {
            to.copy_from(from);
        }
        Ok(copy)
    }

    /// A state for forward passes, whose parameters are to be the average, if there is one: see
    /// [`Self::take_average`].
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub fn averaged(&self) -> Result<Option<Self>> {
        if self.average.is_none() {
            return Ok(None);
        }
        memory::check_large(self.layout.bytes::<T>(1))?;
        Ok(Some(Self {
            layout: self.layout.clone(),
            parameters: self.layout.buffer()?,
            backward: self.layout.backward_buffer()?,
            moments: Vec::new(),
            average: None,
            scheduled: None,
            running: self.running.duplicate()?,
            standards: self.standards.clone(),
            ..*self
        }))
    }

    /// Takes over the average of another state of the network as parameters, and its running statistics; no
    /// second copies are made, which forward passes do not read.
    pub fn take_average(&mut self, state: &Self) {
        if let Some(average) = &state.average {
            self.parameters.copy_from(average);
        }
        self.running.values.copy_from(&state.running.values);
    }

    /// Replaces moments, counters and, if it is given, the average; tensors as [`Layout::export`] gives them.
    ///
    /// # Errors
    /// `Error::Value` if the number of moments is not the optimizer's, or if it keeps no average.
    pub fn set_optimizer_state(
        &mut self,
        moments: &[Vec<Vec<T>>],
        average: Option<&[Vec<T>]>,
        clock: Clock,
        epoch: u64,
    ) -> Result<()> {
        if moments.len() != self.moments.len() {
            return Err(Error::Value(format!(
                "the optimizer state has {} moments, the optimizer keeps {}",
                moments.len(),
                self.moments.len()
            )));
        }
        if average.is_some() && self.average.is_none() {
            let message = "the optimizer state has an average, the optimizer has no ema";
            return Err(Error::Value(message.into()));
        }
        for (from, to) in moments.iter().zip(&self.moments) {
            self.layout.import(from, to);
        }
        if let (Some(from), Some(to)) = (average, &self.average) {
            self.layout.import(from, to);
        }
        self.clock = clock;
        self.epoch = epoch;
        Ok(())
    }
}
