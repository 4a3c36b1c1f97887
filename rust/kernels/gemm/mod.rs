//! Matrix products on panels.
//!
//! - `tile.rs`: the register tile, one chain of fused multiply-adds for each element.
//! - `product.rs`: C = bias + A B by rows of A: the forward pass and the input gradient.
//! - `turned.rs`: the same with A turned; `ahead.rs`: what both fetch beside their work.
//! - `gradient.rs`: G = A^T D summed over the rows of a batch: the weight gradient. `sums.rs`: its sums over
//!   one block of rows; `tree.rs`: over more rows than a block has.
//! - `pack.rs`: row-major memory to panels and back, and 16 x 16 transposes.
//! - `matmul.rs`: the product of two row-major matrices.
//!
//! Every element of a product is one chain acc = fma(a_k, b_k, acc) with k ascending (N1), so
//! blocking, tile shapes and instruction sets give the same bits.

mod ahead;
mod gradient;
mod matmul;
mod pack;
mod product;
mod sums;
pub(super) mod tile;
mod tree;
mod turned;

pub use gradient::ColumnSums;
pub use matmul::matmul;
pub(super) use pack::turn;
pub use pack::{Transpose, pack, unpack};
pub use product::Product;
pub use sums::{Finish, WeightGradient};
pub use turned::TurnedProduct;
