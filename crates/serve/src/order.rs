//! What engine threads are told.

/// What an engine thread is told. The channel has no bound of its own: each request that was let in
/// sends two at most, and the door counts requests.
pub(crate) enum Command<S> {
    /// A request.
    Submit(Box<S>),
    /// The client of this key went away.
    Abort(u64),
    /// The server ends.
    Order(Order),
}

/// What the server itself tells an engine thread, whatever its model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// All answers end now, with an error event.
    CutAll,
    /// The thread ends now.
    Stop,
}

/// The engine is gone: what health says from then on.
pub(crate) const PANICKED: &str =
    "the engine has panicked and computes nothing any more; restart the server";
