//! The tests of the core, one program: the kernels, generic over type and instruction set, are
//! compiled for each program that calls them.

#![allow(clippy::disallowed_methods, reason = "oracles use the standard library")]

mod activation;
mod allocations;
mod batch_norm;
mod batch_normalization;
mod channel_normalization;
mod convolution;
mod elementary;
mod elementwise;
mod gather;
mod gemm;
mod loss;
mod loss_functional;
mod network;
mod nodes;
mod normalization;
mod optimizer;
mod own_loss;
mod pooling;
mod prelu;
mod quotient;
mod random;
mod reduce;
mod runtime;
mod schedule;
mod simd;
mod stages;
mod stages_batch_norm;
mod standard;
mod support;
mod tables;
mod terms;
mod validation;
