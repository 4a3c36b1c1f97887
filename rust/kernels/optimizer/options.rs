//! What every optimizer takes besides its own settings.

use super::{Clock, Optimizer, Rules, Terms};
use crate::simd::Real;

/// The options; those of [`Options::default`] change nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The largest norm of all gradients together.
    pub clip_norm: Option<f64>,
    /// The largest magnitude of an element of a gradient.
    pub clip_value: Option<f64>,
    /// Penalty on the magnitudes of weights.
    pub l1: f64,
    /// Penalty on the squares of weights, halved.
    pub l2: f64,
    /// Whether an optimizer's weight decay is also for biases and for the factors of normalizations.
    pub decay_bias: bool,
    /// What an average of the parameters keeps of itself in an update.
    pub ema: Option<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { clip_norm: None, clip_value: None, l1: 0.0, l2: 0.0, decay_bias: true, ema: None }
    }
}

impl Options {
    /// Whether the weight and the bias of a layer decay; `matrix`: that the weight multiplies inputs, and is
    /// no factor of a normalization.
    #[inline]
    #[must_use]
    pub fn decays(&self, matrix: bool) -> [bool; 2] {
        [self.decay_bias || matrix, self.decay_bias]
    }

    /// Whether there is a penalty on weights.
    #[inline]
    #[must_use]
    pub fn penalize(&self) -> bool {
        self.l1 != 0.0 || self.l2 != 0.0
    }

    /// Whether nothing is done to gradients, but for the penalty on squares if there is one.
    #[inline]
    #[must_use]
    pub fn adds_squares_alone(&self) -> bool {
        self.l1 == 0.0 && self.clip_norm.is_none() && self.clip_value.is_none()
    }

    /// What an update moves an average of the way to the parameters, if one is kept.
    #[inline]
    #[must_use]
    pub fn rest<T: Real>(&self) -> Option<T> {
        self.ema.map(|ema| T::from_f64(1.0 - ema))
    }

    /// The penalty on weights of these sums of magnitudes and squares.
    #[inline]
    #[must_use]
    pub fn penalty(&self, magnitudes: f64, squares: f64) -> f64 {
        self.l1.fma(magnitudes, 0.5 * self.l2 * squares)
    }

    /// The terms of the gradients of weights that are matrices and of all other parameters: penalties, of a
    /// batch whose rows weigh `weight`, if that is given, and the limit of each element, if it is wanted.
    #[must_use]
    pub fn terms<T: Real>(
        &self,
        weight: Option<BatchWeight>,
        limit: bool,
    ) -> [Option<Terms<T>>; 2] {
        let limit = self.clip_value.filter(|_| limit).map(T::from_f64);
        let [l1, l2] = [self.l1, self.l2].map(|factor| match weight {
            Some(weight) => T::from_f64(weight.share(factor)),
            None => T::ZERO,
        });
        let some = |terms: Terms<T>| {
            let none = terms.limit.is_none() && terms.l1 == T::ZERO && terms.l2 == T::ZERO;
            (!none).then_some(terms)
        };
        let other = Terms { l1: T::ZERO, l2: T::ZERO, limit };
        [some(Terms { l1, l2, limit }), some(other)]
    }

    /// The factor on gradients whose squares have this sum, as `torch.nn.utils.clip_grad_norm_`.
    #[inline]
    #[must_use]
    pub fn factor(&self, squares: f64) -> Option<f64> {
        self.clip_norm.map(|most| {
            let factor = most / (squares.sqrt() + 1e-6);
            if factor < 1.0 { factor } else { 1.0 }
        })
    }
}

/// The sum of the weights of a batch's rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchWeight {
    /// The sum in units.
    pub sum: f64,
    /// The unit, a power of two.
    pub unit: f64,
}

impl BatchWeight {
    /// What a penalty is for such a batch; 0 where all its rows have zero weight.
    #[inline]
    #[must_use]
    pub fn share(self, penalty: f64) -> f64 {
        if self.sum == 0.0 { 0.0 } else { penalty / self.sum / self.unit }
    }
}

/// An optimizer with its options: how the parameters of a network are updated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Method {
    /// The formula.
    pub optimizer: Optimizer,
    /// What is done besides.
    pub options: Options,
}

impl Method {
    /// The rules of the update that the clock has counted, for a layer with the factor `lr_scale` on the
    /// learning rate, whose weight is a `matrix` or not.
    #[inline]
    #[must_use]
    pub fn rules<T: Real>(
        &self,
        learning_rate: f64,
        (lr_scale, matrix): (f64, bool),
        clock: &Clock,
    ) -> Rules<T> {
        self.optimizer.rules(learning_rate, lr_scale, self.options.decays(matrix), clock)
    }
}
