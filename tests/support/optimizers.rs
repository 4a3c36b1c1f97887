//! The optimizers' formulas for one element, written once more, with the bits that they must have.

use std::ops::{Add, Div, Mul, Neg, Sub};

use ironmlp::kernels::optimizer::{
    Adagrad, Adam, AdamW, Amsgrad, Clock, DampenedSgd, Lion, MOMENTS, NAdam, Optimizer, RAdam,
    RmsProp, Sgd, VelocitySgd,
};
use ironmlp::simd::Real;

/// A number with the operations of the language.
pub trait Number:
    Real
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    fn root(self) -> Self;

    fn flushed(self) -> Self {
        if self < Self::FLUSH && -self < Self::FLUSH { Self::ZERO } else { self }
    }
}

impl Number for f32 {
    fn root(self) -> Self {
        self.sqrt()
    }
}

impl Number for f64 {
    fn root(self) -> Self {
        self.sqrt()
    }
}

/// An optimizer, its learning rate, and how many updates there were before.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub optimizer: Optimizer,
    pub rate: f64,
    pub before: i32,
}

impl Case {
    pub fn clock(&self) -> Clock {
        let mut clock = Clock::default();
        (0..self.before).for_each(|_| self.optimizer.tick(&mut clock));
        clock
    }

    /// The formula of update t for one element, written once more.
    pub fn naive<N: Number>(&self, t: i32, w: &mut N, g: N, moments: &mut [N; MOMENTS]) {
        let number = N::from_f64;
        let l2 = |decay: f64, w: N| if decay == 0.0 { g } else { number(decay).fma(w, g) };
        match self.optimizer {
            Optimizer::Sgd(Sgd { momentum, weight_decay, nesterov }) => {
                let g = l2(weight_decay, *w);
                let mut step = g;
                if momentum != 0.0 {
                    let velocity = number(momentum).fma(moments[0], g);
                    step = if nesterov { number(momentum).fma(velocity, g) } else { velocity };
                    moments[0] = velocity.flushed();
                }
                *w = (-number(self.rate)).fma(step, *w).flushed();
            }
            Optimizer::Adam(Adam { betas, eps, weight_decay, eps_hat }) => {
                let g = l2(weight_decay, *w);
                *w = if eps_hat {
                    let [m, v] = averages(betas, g, moments);
                    self.by_eps_hat(t, betas, eps, *w, [m, v])
                } else {
                    self.adams(t, betas, eps, *w, g, moments)
                };
            }
            Optimizer::AdamW(AdamW { betas, eps, weight_decay }) => {
                let decayed = (-number(self.rate * weight_decay)).fma(*w, *w);
                *w = self.adams(t, betas, eps, decayed, g, moments);
            }
            Optimizer::DampenedSgd(DampenedSgd { momentum, dampening, weight_decay }) => {
                let g = l2(weight_decay, *w);
                let share = if t == 1 { g } else { number(1.0 - dampening) * g };
                let velocity = number(momentum).fma(moments[0], share);
                moments[0] = velocity.flushed();
                *w = (-number(self.rate)).fma(velocity, *w).flushed();
            }
            Optimizer::VelocitySgd(VelocitySgd { momentum, weight_decay, nesterov }) => {
                let moved = -(number(self.rate)) * l2(weight_decay, *w);
                let velocity = number(momentum).fma(moments[0], moved);
                moments[0] = velocity.flushed();
                let ahead = number(momentum).fma(velocity, moved);
                *w = (*w + if nesterov { ahead } else { velocity }).flushed();
            }
            Optimizer::Amsgrad(Amsgrad { adam: Adam { betas, eps, weight_decay, eps_hat } }) => {
                let [m, v] = averages(betas, l2(weight_decay, *w), moments);
                let largest = if moments[2] > v { moments[2] } else { v };
                moments[2] = largest.flushed();
                if eps_hat {
                    *w = self.by_eps_hat(t, betas, eps, *w, [m, largest]);
                    return;
                }
                let root = largest.root() / number((1.0 - power(betas.1, t)).sqrt());
                let size = number(self.rate / (1.0 - power(betas.0, t)));
                *w = (-size).fma(m / (root + at_least_flush(eps)), *w).flushed();
            }
            Optimizer::NAdam(settings) => {
                let NAdam { betas: (b1, b2), eps, weight_decay, shrinking } = settings;
                let g = l2(weight_decay, *w);
                let [m, v] = averages((b1, b2), g, moments);
                let momentum = |t: i32| b1 * (1.0 - power(shrinking, t) / 2.0);
                let product = (1..=t).fold(1.0, |product, t| product * momentum(t));
                let (now, next) = (momentum(t), momentum(t + 1));
                let ahead = number(self.rate * next / (1.0 - product * next));
                let step = ahead.fma(m, number(self.rate * (1.0 - now) / (1.0 - product)) * g);
                let root = v.root() / number((1.0 - power(b2, t)).sqrt());
                *w = (*w - step / (root + at_least_flush(eps))).flushed();
            }
            Optimizer::RAdam(RAdam { betas: (b1, b2), eps, weight_decay }) => {
                let [m, v] = averages((b1, b2), l2(weight_decay, *w), moments);
                let longest = 2.0 / (1.0 - b2) - 1.0;
                let length = longest - 2.0 * f64::from(t) * power(b2, t) / (1.0 - power(b2, t));
                let part = |n: f64| (n - 4.0) * (n - 2.0) / n;
                let size = self.rate / (1.0 - power(b1, t));
                *w = if length > 5.0 {
                    let r = (part(length) / part(longest)).sqrt();
                    let size = number(size * (r * (1.0 - power(b2, t)).sqrt()));
                    (-size).fma(m / (v.root() + at_least_flush(eps)), *w).flushed()
                } else {
                    (-number(size)).fma(m, *w).flushed()
                };
            }
            Optimizer::RmsProp(RmsProp { alpha, eps, weight_decay, momentum, centered }) => {
                let g = l2(weight_decay, *w);
                let mut v = number(alpha).fma(moments[0], number(1.0 - alpha) * g * g);
                moments[0] = v.flushed();
                if centered {
                    let a = number(1.0 - alpha).fma(g - moments[1], moments[1]);
                    moments[1] = a.flushed();
                    let left = (-a).fma(a, v);
                    v = if left < N::ZERO { N::ZERO } else { left };
                }
                let mut step = g / (v.root() + at_least_flush(eps));
                if momentum != 0.0 {
                    let velocity = &mut moments[1 + usize::from(centered)];
                    step = number(momentum).fma(*velocity, step);
                    *velocity = step.flushed();
                }
                *w = (-number(self.rate)).fma(step, *w).flushed();
            }
            Optimizer::Adagrad(Adagrad { lr_decay, weight_decay, eps }) => {
                let g = l2(weight_decay, *w);
                let v = moments[0] + g * g;
                moments[0] = v.flushed();
                let rate = number(self.rate / (1.0 + f64::from(t - 1) * lr_decay));
                *w = (-rate).fma(g / (v.root() + at_least_flush(eps)), *w).flushed();
            }
            Optimizer::Lion(Lion { betas: (b1, b2), weight_decay }) => {
                let mixed = |beta: f64| number(beta).fma(moments[0], number(1.0 - beta) * g);
                let sign = match mixed(b1) {
                    x if x > N::ZERO => N::ONE,
                    x if x < N::ZERO => -N::ONE,
                    x => x,
                };
                let step = number(weight_decay).fma(*w, sign);
                *w = (-number(self.rate)).fma(step, *w).flushed();
                moments[0] = mixed(b2).flushed();
            }
        }
    }

    /// The step from `w` towards m for the variance v, whose root has its correction on the step.
    fn by_eps_hat<N: Number>(
        &self,
        t: i32,
        (b1, b2): (f64, f64),
        eps: f64,
        w: N,
        [m, v]: [N; 2],
    ) -> N {
        let rate = self.rate * (1.0 - power(b2, t)).sqrt() / (1.0 - power(b1, t));
        (-N::from_f64(rate)).fma(m / (v.root() + at_least_flush(eps)), w).flushed()
    }

    /// Adam's step from `w`, as it is stored.
    fn adams<N: Number>(
        &self,
        t: i32,
        (b1, b2): (f64, f64),
        eps: f64,
        w: N,
        g: N,
        moments: &mut [N; MOMENTS],
    ) -> N {
        let number = N::from_f64;
        let [m, v] = averages((b1, b2), g, moments);
        let denominator = v.root() / number((1.0 - power(b2, t)).sqrt()) + at_least_flush(eps);
        let size = number(self.rate / (1.0 - power(b1, t)));
        (-size).fma(m / denominator, w).flushed()
    }
}

/// Adam's m and v; moments become what is stored of them.
fn averages<N: Number>((b1, b2): (f64, f64), g: N, moments: &mut [N; MOMENTS]) -> [N; 2] {
    let number = N::from_f64;
    let m = number(1.0 - b1).fma(g - moments[0], moments[0]);
    let v = number(b2).fma(moments[1], number(1.0 - b2) * g * g);
    (moments[0], moments[1]) = (m.flushed(), v.flushed());
    [m, v]
}

fn at_least_flush<N: Number>(eps: f64) -> N {
    let eps = N::from_f64(eps);
    if eps < N::FLUSH { N::FLUSH } else { eps }
}

/// x^t as a running product.
fn power(x: f64, t: i32) -> f64 {
    (0..t).fold(1.0, |power, _| power * x)
}
