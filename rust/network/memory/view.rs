//! The one place where a tile gets its pointers.

use crate::kernels::panels::{Panels, Span};
use crate::runtime::{Arena, Plain};
use crate::simd::LANES;

/// A view into a buffer.
///
/// Every pointer that a kernel works on is made here. That tiles running at the same time write
/// disjoint elements is the plan's doing: the tiles of the row phase own their rows of every buffer
/// of the workspace, or of those that a segment makes their columns, and only read parameters; the
/// tiles of the weight phase own their block of parameters and only read the workspace; and a barrier
/// lies between the phases, and between segments. A view is used only while the `State` or `Workspace` it was
/// made from is borrowed. That kernels get views of the sizes that they need is the plan's doing too:
/// its ops name buffers that it has laid out for them, [`Plan`](crate::network::Plan) refuses states and
/// workspaces of others, and a batch with labels that are no class.
///
/// # Panics
/// If the view would leave the buffer.
#[inline]
pub(in crate::network) fn view<T: Plain>(
    arena: &Arena<T>,
    at: usize,
    rows: usize,
    cols: usize,
    stride: usize,
) -> Panels<T> {
    let end = || match cols.div_ceil(LANES) {
        0 => Some(at),
        panels => {
            let last = (panels - 1).checked_mul(stride)?.checked_add(rows.checked_mul(LANES)?)?;
            at.checked_add(last)
        }
    };
    assert!(end().is_some_and(|end| end <= arena.len()), "a view leaves its buffer");
    // SAFETY: the range is inside the arena, whose elements are all initialised; see above for
    // concurrent access and for how long views live.
    unsafe { Panels::from_raw(arena.as_ptr().wrapping_add(at), rows, cols, stride) }
}

/// All elements of a buffer.
#[inline]
pub(in crate::network) fn whole<T: Plain>(arena: &Arena<T>) -> Span<T> {
    // SAFETY: the arena's elements are all initialised; see `view` for the rest.
    unsafe { Span::from_raw(arena.as_ptr(), arena.len()) }
}
