//! What one CPU can do: vectors of lanes, and the instruction set chosen at run time.
//!
//! - `vector.rs`: [`Real`] and [`Vector`], the operations that every kernel is written in; [`Kernel`] and
//!   [`Simd`]. `real.rs`: f32 and f64, with their registers.
//! - `wide.rs`: [`Wide`], several registers that act as one longer vector.
//! - `portable.rs`, `avx2.rs`, `avx512.rs`: the instruction sets, each with the one function that enables
//!   it; `turn.rs`: their transposes.
//! - `dispatch.rs`: [`Isa`], the proof that the host runs an instruction set.
//! - `units.rs`: how wide the units behind the registers are.
//! - `environment.rs`: the floating-point environment (MXCSR) of a call.
//!
//! A kernel is a struct that implements [`Kernel`]; its `#[inline(always)]` body is generic over
//! [`Simd`] and is compiled once for each instruction set. [`Simd::Lanes`] is always 16 lanes wide
//! (AVX2: two registers of f32, four of f64; AVX-512: one and two), so that an order of summation
//! written with it cannot depend on the width of a register. [`Narrow`] is the one exception.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dispatch;
pub(crate) mod environment;
mod portable;
mod real;
#[cfg(target_arch = "x86_64")]
mod turn;
mod units;
mod vector;
mod wide;

pub use dispatch::{Entry, Isa};
pub use environment::FloatEnvironment;
pub use units::halve_registers;
pub use vector::{Kernel, LANES, Narrow, Real, Simd, Vector};
pub use wide::Wide;
