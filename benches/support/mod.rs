//! What the kernel benches share: windows of time, and the multiply-add peak of this core.

use std::hint::black_box;
use std::time::Instant;

use ironmlp::simd::{Isa, Kernel, LANES, Real, Simd, Vector};

/// Seconds of one call: the least of several windows of about 20 ms.
pub fn seconds(mut call: impl FnMut()) -> f64 {
    call();
    let start = Instant::now();
    call();
    let calls = (0.02 / start.elapsed().as_secs_f64()).ceil().max(1.0);
    (0..9)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..calls as usize {
                call();
            }
            start.elapsed().as_secs_f64() / calls
        })
        .fold(f64::INFINITY, f64::min)
}

/// GFLOP/s of multiply-adds on registers alone: 12 independent chains.
pub fn peak<T: Real>(isa: Isa) -> f64 {
    let lanes = isa.run(Width::<T>(std::marker::PhantomData));
    let rounds = 100_000;
    let seconds = seconds(|| {
        black_box(isa.run(Chains(black_box(T::from_f64(1e-3)), rounds)));
    });
    2.0 * (12 * lanes * rounds) as f64 / seconds / 1e9
}

struct Chains<T>(T, usize);

impl<T: Real> Kernel for Chains<T> {
    type Output = T;

    #[inline(always)]
    fn run<S: Simd>(self) -> T {
        let x = S::Register::<T>::splat(self.0);
        let mut acc = [x; 12];
        for _ in 0..self.1 {
            for chain in &mut acc {
                *chain = chain.fma(x, x);
            }
        }
        let mut sum = acc[0];
        for chain in &acc[1..] {
            sum = sum.add(*chain);
        }
        let mut out = [T::ZERO; LANES];
        // SAFETY: a register holds at most LANES values.
        unsafe { sum.store(out.as_mut_ptr()) };
        out[0]
    }
}

struct Width<T>(std::marker::PhantomData<T>);

impl<T: Real> Kernel for Width<T> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self) -> usize {
        S::Register::<T>::LANES
    }
}
