//! What servers say of what went wrong.

use crate::error::excerpt;
use crate::tape::Tape;
use crate::value::{Document, Value};

/// Characters of a server's message that are kept.
pub(crate) const MESSAGE_CHARS_MAX: usize = 500;

/// Characters of a body that is not a known error shape.
pub(crate) const BODY_CHARS_MAX: usize = 200;

/// The words of an error: a text, the `message` of an object, or its JSON where it has none.
pub(crate) fn message_of(error: &Value<'_, '_>) -> String {
    let text = error.get("message").unwrap_or(*error);
    let words = text.string();
    excerpt(words.as_deref().unwrap_or(text.raw()), MESSAGE_CHARS_MAX)
}

/// What the body of a failed response tells a person: the message in one of the shapes
/// `{"error": {"message": …}}`, `{"error": …}`, `{"detail": …}` and `{"message": …}`, else the
/// first 200 characters; absent where the body is blank.
pub fn error_message(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let mut tape = Tape::default();
    if let Ok(document) = Document::read(&mut tape, &text) {
        let root = document.root();
        let named = ["error", "detail", "message"]
            .into_iter()
            .find_map(|name| root.get(name));
        if let Some(error) = named.filter(|error| !error.is_null()) {
            return Some(message_of(&error));
        }
    }
    let text = text.trim();
    (!text.is_empty()).then(|| excerpt(text, BODY_CHARS_MAX))
}
