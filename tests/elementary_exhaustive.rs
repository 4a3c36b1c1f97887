//! Every f32 there is, through every elementary function, on every instruction set of the host.
//!
//! Minutes long, so not part of the usual run:
//! `cargo test --release --test elementary_exhaustive -- --ignored --nocapture`.
//! The f64 reference comes from the C library; portable code calls the C library's `fmaf` for each
//! operation on x86-64 and would take hours, so it runs every 251st argument there.
//! `ELEMENTARY_STRIDE=n` takes every n-th argument of all, `ELEMENTARY_ONLY=Tanh` one function.

#[path = "support/elementary.rs"]
mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use ironmlp::simd::Isa;
use support::{Function, apply};

const BLOCK: usize = 4096;
const PORTABLE_STRIDE: u64 = 251;

/// The worst argument that a thread has seen, and how many values differed between ISAs.
#[derive(Clone, Copy, Default)]
struct Worst {
    error: f64,
    at: f32,
    got: f32,
    differences: u64,
}

fn worst_of(a: Worst, b: Worst) -> Worst {
    let differences = a.differences + b.differences;
    Worst { differences, ..if b.error > a.error { b } else { a } }
}

/// Errors of `isas[0]`, and bit differences of all the others from it.
fn scan(function: Function, isas: &[Isa], stride: u64) -> Worst {
    let arguments = (1u64 << 32).div_ceil(stride);
    let blocks = arguments.div_ceil(BLOCK as u64);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let work = || {
            let mut worst = Worst::default();
            let (mut x, mut y, mut z) = ([0f32; BLOCK], [0f32; BLOCK], [0f32; BLOCK]);
            loop {
                let block = next.fetch_add(1, Ordering::Relaxed);
                if block >= blocks {
                    return worst;
                }
                for (i, x) in x.iter_mut().enumerate() {
                    let index = block * BLOCK as u64 + i as u64;
                    *x = f32::from_bits((index % arguments * stride) as u32);
                }
                apply(isas[0], function, &x, &mut y);
                for (&at, &got) in x.iter().zip(&y) {
                    let error = function.error32(at, got);
                    if error > worst.error {
                        worst = Worst { error, at, got, ..worst };
                    }
                }
                for &isa in &isas[1..] {
                    apply(isa, function, &x, &mut z);
                    worst.differences += y
                        .iter()
                        .zip(&z)
                        .filter(|(a, b)| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan()))
                        .count() as u64;
                }
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|w| w.join().expect("a worker ends"))
            .fold(Worst::default(), worst_of)
    })
}

#[test]
#[ignore = "minutes long: all 2^32 arguments"]
fn every_f32() {
    let stride = std::env::var("ELEMENTARY_STRIDE").map_or(1, |s| s.parse().expect("a number"));
    let only = std::env::var("ELEMENTARY_ONLY").ok();
    let mut fast = Isa::all();
    fast.reverse();
    if fast.len() > 1 {
        fast.pop();
    }
    let all: Vec<_> = fast.iter().copied().chain([Isa::PORTABLE]).collect();
    let names = |isas: &[Isa]| isas.iter().map(|i| i.name()).collect::<Vec<_>>().join(", ");
    println!("| function | largest error | bound | at | value there |");
    println!("|---|---|---|---|---|");
    let (mut failures, mut differences) = (Vec::new(), 0);
    for function in Function::ALL {
        if only.as_ref().is_some_and(|only| *only != format!("{function:?}")) {
            continue;
        }
        let worst = scan(function, &fast, stride);
        let portable = scan(function, &all, stride.max(1) * PORTABLE_STRIDE);
        let unequal = worst.differences + portable.differences;
        differences += unequal;
        println!(
            "| {function:?} | {:.4} {unit} | {} {unit} | {:e} ({:#010x}) | {:e} |",
            worst.error,
            function.bound32(),
            worst.at,
            worst.at.to_bits(),
            worst.got,
            unit = if function.absolute() { "eps abs(x)" } else { "ULP" },
        );
        if worst.error > function.bound32() || unequal > 0 {
            failures.push(function);
        }
    }
    println!("every argument (stride {stride}) on {}", names(&fast));
    println!("every {PORTABLE_STRIDE}th of them on {}", names(&all));
    println!("bit differences between instruction sets: {differences}");
    assert!(failures.is_empty(), "beyond the bound or unequal between ISAs: {failures:?}");
}
