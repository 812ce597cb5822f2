//! The arithmetic of the models: packed matrices, paged attention, and the threads that compute them.
//!
//! [`Kernels`] chooses vector instructions by what the processor has and keeps its threads alive between steps. Every
//! kernel gives a row the same result, to the last bit, whatever other rows are computed with it: text must not depend
//! on who else is being served. [`mod@reference`] has the plain versions that the fast ones are tested against.
//!
//! This is the only crate that uses `unsafe`: for vector instructions, and for memory that threads share.

mod activations;
mod attention;
mod bidirectional;
mod elementwise;
mod filling;
mod half_precision;
mod isa;
mod kernels;
mod kv_cache;
mod lanes;
mod matmul;
mod matrix;
mod quantized;
pub mod reference;
mod rope;
mod team;

pub use attention::{AttentionShape, KvChunk};
pub use isa::Isa;
pub use kernels::Kernels;
pub use kv_cache::{KvCache, KvType};
pub use matrix::Matrix;
pub use quantized::{BLOCK, Bits, Offset, Quantized};
pub use rope::{Pairing, RopeTable};
