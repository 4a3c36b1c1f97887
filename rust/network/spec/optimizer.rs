//! The optimizers.

/// The update of parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent as `torch.optim.SGD`.
    Sgd {
        /// Factor on the velocity of the step before.
        momentum: f64,
        /// L2 penalty.
        weight_decay: f64,
        /// Whether the gradient looks ahead along the velocity.
        nesterov: bool,
    },
    /// Adam (Kingma and Ba, 2015) as `torch.optim.Adam`.
    Adam {
        /// Decay of the first and of the second moment.
        betas: (f64, f64),
        /// Added to the denominator.
        eps: f64,
        /// L2 penalty.
        weight_decay: f64,
    },
}

impl Optimizer {
    /// Buffers of the parameters' size that it keeps between steps.
    #[must_use]
    pub fn moments(&self) -> usize {
        match self {
            Self::Sgd { momentum, .. } => usize::from(*momentum != 0.0),
            Self::Adam { .. } => 2,
        }
    }
}
