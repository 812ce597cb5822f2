//! Rows of activations as a matmul takes them: as signed bytes with one scale for 32 of them, or interleaved.

/// `value ≈ scale · code`; codes in −127..=127.
#[derive(Default)]
pub(crate) struct Activations {
    /// `[rows × inputs]`.
    pub(crate) codes: Vec<i8>,
    /// `[rows × inputs / 32]`.
    pub(crate) scales: Vec<f32>,
    /// Sum of the codes of each block.
    pub(crate) sums: Vec<i32>,
    /// In 32 bits, `[tile][inputs][rows of the tile]`: what a step of a matmul reads lies side by side.
    pub(crate) interleaved: Vec<f32>,
}
