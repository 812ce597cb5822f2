//! What can be wrong with an answer that looks whole.

/// A way in which an answer does not fit what was asked, or what it says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// More generated tokens are told than can be, or none beside text: counted by events instead.
    ImpossibleOutput,
    /// More tokens were generated than were allowed, and as many events came.
    BeyondLimit,
    /// Fewer tokens are told than events brought text.
    FewerThanEvents,
    /// A prompt is said to have no tokens, or more than it has room for: left out.
    ImpossibleInput,
    /// More tokens from the cache than the prompt has, or more of reasoning than were generated: left out.
    ImpossiblePart,
    /// The total is not the sum of its parts, and reasoning does not explain it.
    TotalDiffers,
    /// Generated tokens are as many as characters.
    OutputInCharacters,
    /// A field had a value that is none of its kind.
    LeftOut,
    /// A tool was to be called.
    NoToolCalled,
    /// A gateway tried again.
    Retried,
    /// A gateway went on to another model.
    FellBack,
}
