//! Matrix products by instruction set: GFLOP/s and the share of the multiply-add peak.
//!
//! `cargo bench --bench gemm`. The peak is measured in the same run.

#![allow(clippy::disallowed_methods, reason = "timings are not part of the numerical contract")]

mod support;

use ironmlp::kernels::gemm::Product;
use ironmlp::kernels::panels::{Panels, Span};
use ironmlp::kernels::weight::{Block, GradientBlock};
use ironmlp::runtime::Arena;
use ironmlp::simd::{Isa, LANES, Real};
use support::{peak, seconds};

/// A matrix of zeros, aligned as those of a step are: unaligned registers cost a fifth.
fn matrix<T: Real>(rows: usize, cols: usize) -> (Arena<T>, Panels<T>) {
    let stride = Panels::<T>::padded_stride(rows, size_of::<T>());
    let arena = Arena::zeroed(Panels::<T>::buffer_len(cols, stride)).expect("memory");
    // SAFETY: the buffer is `buffer_len` long, and the caller keeps it.
    let panels = unsafe { Panels::from_raw(arena.as_ptr(), rows, cols, stride) };
    (arena, panels)
}

fn bench<T: Real>(isa: Isa) {
    let peak = peak::<T>(isa);
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
        let (_a, a) = matrix::<T>(m, k);
        let (_b, b) = matrix::<T>(k, n);
        let (_c, c) = matrix::<T>(m, n);
        let (_g, g) = matrix::<T>(k.next_multiple_of(LANES), n.next_multiple_of(LANES));
        let product = isa.entry::<Product<T>>();
        let forward = seconds(|| product.call(Product { a, b, c, bias: Span::empty() }));
        let gradient = isa.entry::<GradientBlock<T>>();
        let panels = n.div_ceil(LANES);
        let backward = seconds(|| {
            for output in (0..panels).step_by(2) {
                let outputs = if panels - output < 2 { 1 } else { 2 };
                for input in 0..k.div_ceil(LANES) {
                    let block = Block { input, output, outputs };
                    let (input, grad) = (a, c);
                    gradient.call(GradientBlock { input, grad, block, weight: g, bias: None });
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
