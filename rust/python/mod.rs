//! The extension module `ironmlp._core`.
