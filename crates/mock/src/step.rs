//! Single writes.

/// One write, when it is due in nanoseconds from the start of the request's service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) at: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) marks: Marks,
}

/// What a write completes, for the truth log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The role chunk.
    pub(crate) role: bool,
    /// Content events.
    pub(crate) events: u32,
    /// Tokens, in events or in a whole body.
    pub(crate) tokens: u32,
}

/// A [`Step`] by reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StepView<'a> {
    pub(crate) at: u64,
    pub(crate) bytes: &'a [u8],
    pub(crate) marks: Marks,
}
