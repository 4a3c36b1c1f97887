//! Matrix products by instruction set: GFLOP/s and the share of the multiply-add peak.
//!
//! `cargo bench --bench gemm`. The peak is measured in the same run: 24 independent chains.

#![allow(clippy::disallowed_methods, reason = "timings are not part of the numerical contract")]

use std::hint::black_box;
use std::time::Instant;

use ironmlp::kernels::gemm::{Product, WeightGradient};
use ironmlp::kernels::panels::{Panels, Span};
use ironmlp::simd::{Isa, Kernel, LANES, Real, Simd, Vector};

/// Multiply-adds on registers alone.
struct Peak<T>(T, usize);

impl<T: Real> Kernel for Peak<T> {
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

struct Lanes<T>(std::marker::PhantomData<T>);

impl<T: Real> Kernel for Lanes<T> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self) -> usize {
        S::Register::<T>::LANES
    }
}

/// Seconds of one call: the least of several windows of about 20 ms.
fn seconds(mut call: impl FnMut()) -> f64 {
    call();
    let start = Instant::now();
    call();
    let calls = (0.02 / start.elapsed().as_secs_f64()).ceil().max(1.0);
    (0..7)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..calls as usize {
                call();
            }
            start.elapsed().as_secs_f64() / calls
        })
        .fold(f64::INFINITY, f64::min)
}

fn matrix<T: Real>(rows: usize, cols: usize) -> (Vec<T>, usize) {
    let stride = Panels::<T>::padded_stride(rows, size_of::<T>());
    (vec![T::from_f64(0.001); Panels::<T>::buffer_len(cols, stride)], stride)
}

fn bench<T: Real>(isa: Isa) {
    let lanes = isa.run(Lanes::<T>(std::marker::PhantomData));
    let rounds = 100_000;
    let peak_seconds = seconds(|| {
        black_box(isa.run(Peak(black_box(T::from_f64(1e-3)), rounds)));
    });
    let peak = 2.0 * (12 * lanes * rounds) as f64 / peak_seconds / 1e9;
    println!("{} {}: peak {peak:.1} GFLOP/s", isa.name(), T::NAME);
    for (m, k, n) in [
        (4, 2, 3),
        (32, 30, 64),
        (32, 64, 64),
        (128, 100, 10),
        (128, 784, 128),
        (128, 512, 256),
        (128, 1024, 1024),
    ] {
        let (mut a, a_stride) = matrix::<T>(m, k);
        let (mut b, b_stride) = matrix::<T>(k, n);
        let (mut c, c_stride) = matrix::<T>(m, n);
        let (mut g, g_stride) = matrix::<T>(k.next_multiple_of(LANES), n.next_multiple_of(LANES));
        // SAFETY: the vectors are `buffer_len` long and outlive the calls.
        let (a, b, c, g) = unsafe {
            (
                Panels::from_raw(a.as_mut_ptr(), m, k, a_stride),
                Panels::from_raw(b.as_mut_ptr(), k, n, b_stride),
                Panels::from_raw(c.as_mut_ptr(), m, n, c_stride),
                Panels::from_raw(
                    g.as_mut_ptr(),
                    k.next_multiple_of(LANES),
                    n.next_multiple_of(LANES),
                    g_stride,
                ),
            )
        };
        let product = isa.entry::<Product<T>>();
        let forward = seconds(|| product.call(Product { a, b, c, bias: Span::empty() }));
        let gradient = isa.entry::<WeightGradient<T>>();
        let panels = n.div_ceil(LANES);
        let backward = seconds(|| {
            for output in (0..panels).step_by(2) {
                let outputs = if panels - output < 2 { 1 } else { 2 };
                for input in 0..k.div_ceil(LANES) {
                    let start = input * LANES;
                    // SAFETY: panels `output..output + outputs` of `g`.
                    let target = unsafe {
                        Panels::from_raw(g.row(output, start), LANES, outputs * LANES, g.stride())
                    };
                    gradient.call(WeightGradient { a, d: c, input, output, outputs, target });
                }
            }
        });
        let flops = 2.0 * (m * k * n) as f64 / 1e9;
        println!(
            "  {m:4} x {k:4} x {n:4}: product {:8.3} us {:4.0} %, weight gradient {:8.3} us {:4.0} %",
            forward * 1e6,
            100.0 * flops / forward / peak,
            backward * 1e6,
            100.0 * flops / backward / peak
        );
    }
}

fn main() {
    for isa in Isa::all() {
        bench::<f32>(isa);
        bench::<f64>(isa);
    }
}
