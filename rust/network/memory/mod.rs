//! Where the numbers of a model and of its steps lie.
//!
//! - `layout.rs`: where parameters, gradients and moments lie, and how they look from outside.
//! - `state.rs`: [`State`], what training changes.
//! - `workspace.rs`: [`Workspace`], the memory of one running step.

mod layout;
mod state;
mod workspace;

pub(super) use layout::LayerLayout;
pub use layout::Layout;
pub use state::State;
pub(super) use workspace::Buffers;
pub use workspace::Workspace;
