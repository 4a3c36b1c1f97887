//! GFLOP/s of multiply-adds on registers alone: a line for each instruction set and dtype.
//!
//! `cargo bench --bench peak [ISA] [DTYPE]`. benches/machine.py runs it beside the peers.

#![allow(clippy::disallowed_methods, reason = "timings are not part of the numerical contract")]

mod support;

use ironmlp::simd::{Isa, Real};
use support::peak;

fn line<T: Real>(isa: Isa, wanted: &[String]) {
    if wanted.iter().all(|word| word == isa.name() || word == T::NAME) {
        println!("{} {} {:.1}", isa.name(), T::NAME, peak::<T>(isa));
    }
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    for isa in Isa::all() {
        line::<f32>(isa, &wanted);
        line::<f64>(isa, &wanted);
    }
}
