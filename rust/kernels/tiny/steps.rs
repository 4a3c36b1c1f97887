//! Steps on the rows of one chunk, one after the other.

use super::rows::Rows;
use super::update::{Sums, TinyUpdate};
use crate::kernels::elementary::Elementary;
use crate::kernels::optimizer::Rules;
use crate::simd::{Kernel, Simd};

/// What comes after the losses of a step.
pub enum Then {
    /// Nothing, of this and the following steps.
    Stop,
    /// Sums over rows: others are to follow.
    Sums,
    /// Sums, and an update.
    Update,
}

/// Steps on the same rows. An epoch that is one batch of one chunk is a step of this, whose rows are
/// loaded once for many epochs, and whose objects are made once (xor: 1.3x).
pub struct Steps<'a, 'f, T: Elementary> {
    /// The rows.
    pub rows: Rows<'a, T>,
    /// The update of the layers.
    pub update: TinyUpdate<'a, T>,
    /// Whether sums over rows begin at +0, or go on from what the gradient holds.
    pub fresh: bool,
    /// Called when the losses of a step are there; puts the rules of its update where they are read, since
    /// a copy of what was stored by halves would wait.
    pub then: &'f mut dyn FnMut(&mut Rules<T>) -> Then,
    /// Steps.
    pub times: usize,
}

impl<T: Elementary> Kernel for Steps<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { rows, mut update, fresh, then, times } = self;
        let step = rows.step;
        let TinyUpdate { layers, gradient, .. } = update;
        let loaded = rows.load::<S>();
        for _ in 0..times {
            loaded.pass::<S>();
            let update = match then(&mut update.rules) {
                Then::Stop => return,
                Then::Sums => None,
                Then::Update => Some(&update),
            };
            Sums { step, layers, gradient, fresh, update }.run::<S>();
        }
    }
}
