//! The optimizers that there are.

use super::formula::{Formula, Settings};
use super::rules::formulas;
use super::update::{Applied, FormulaWork};
use super::{
    Adagrad, Adam, AdamW, Amsgrad, Clock, DampenedSgd, Lion, NAdam, RAdam, RmsProp, Sgd,
    VelocitySgd,
};
use crate::simd::{Real, Simd};

/// From the list of optimizers to [`Optimizer`] and [`Rule`], which are one of them.
macro_rules! registry {
    ($($Name:ident,)+) => {
        /// An optimizer with its settings.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each is documented where it is")]
        pub enum Optimizer {
            $($Name($Name),)+
        }

        /// The formula of one update of a parameter.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each is documented where it is")]
        pub enum Rule<T: Real> {
            $($Name(<$Name as Settings>::Formula<T>),)+
        }

        impl Optimizer {
            /// How many arrays of a parameter's size it keeps between updates.
            #[must_use]
            pub fn moments(&self) -> usize {
                match self {
                    $(Self::$Name(settings) => settings.moments(),)+
                }
            }

            /// Counts one more update; call before its rules are asked for.
            pub fn tick(&self, clock: &mut Clock) {
                clock.steps += 1;
                match self {
                    $(Self::$Name(settings) => settings.advance(clock),)+
                }
            }

            /// The rules of the update that the clock has counted, for a layer with the factor
            /// `lr_scale` on the learning rate; `decays`: whether its weight and its bias decay.
            #[inline]
            #[must_use]
            pub fn rules<T: Real>(
                &self,
                learning_rate: f64,
                lr_scale: f64,
                decays: [bool; 2],
                clock: &Clock,
            ) -> Rules<T> {
                match self {
                    $(Self::$Name(settings) => {
                        // Each is made of numbers: a copy of one would wait until it was stored.
                        let [weight, bias] = formulas(settings, learning_rate, lr_scale, decays, clock);
                        Rules { weight: Rule::$Name(weight), bias: Rule::$Name(bias) }
                    })+
                }
            }
        }

        impl<T: Real> Rule<T> {
            /// How many moments it reads and writes.
            #[must_use]
            pub fn moments(&self) -> usize {
                match *self {
                    $(Self::$Name(formula) => formula.moments(),)+
                }
            }

            /// Does some work with the rule's formula, by a call.
            #[inline(always)]
            pub fn apply<S: Simd, W: FormulaWork<T>>(&self, work: W) {
                match *self {
                    $(Self::$Name(formula) => S::call(Applied::<T, _, W>::new(formula, work)),)+
                }
            }
        }
    };
}

/// The rules of one update of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules<T: Real> {
    /// Of its weight.
    pub weight: Rule<T>,
    /// Of its bias.
    pub bias: Rule<T>,
}

impl<T: Real> Rule<T> {
    /// The learning rate, if the rule is SGD without momentum and weight decay: the one that kernels
    /// update by in the registers where they have summed a gradient.
    #[inline(always)]
    #[must_use]
    pub fn plain_sgd(&self) -> Option<T> {
        match self {
            Self::Sgd(formula) => formula.plain(),
            _ => None,
        }
    }
}

registry! {
    Sgd,
    DampenedSgd,
    VelocitySgd,
    Adam,
    Amsgrad,
    AdamW,
    NAdam,
    RAdam,
    RmsProp,
    Adagrad,
    Lion,
}
