//! Fields that could not be read, and were passed over.

use crate::error::excerpt;
use crate::value::Value;

/// A field that could not be read, and was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it stands: `usage.prompt_tokens`.
    pub field: String,
    /// Its JSON as it was sent, cut where it is long.
    pub value: String,
}

/// Fields of other names that are kept.
const FIELDS_MAX: usize = 8;

/// Characters of a value that are kept.
const VALUE_CHARS_MAX: usize = 100;

/// Collects what was left out of an answer: the first of each name.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeftOuts(Vec<LeftOut>);

/// The name of a field, after those that it is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'p> {
    within: Option<&'p Path<'p>>,
    name: &'p str,
}

impl<'p> Path<'p> {
    /// A field of the answer itself.
    pub(crate) const fn of(name: &'p str) -> Self {
        Path { within: None, name }
    }

    /// A field of this one.
    pub(crate) const fn field(&'p self, name: &'p str) -> Self {
        Path {
            within: Some(self),
            name,
        }
    }

    fn words(&self) -> String {
        match self.within {
            Some(within) => format!("{}.{}", within.words(), self.name),
            None => self.name.to_owned(),
        }
    }
}

impl LeftOuts {
    /// Notes a value that is none of its field's kind; null is no value.
    pub(crate) fn note(&mut self, path: &Path<'_>, value: &Value<'_, '_>) {
        if !value.is_null() && self.0.len() < FIELDS_MAX {
            self.keep(path, value);
        }
    }

    #[cold]
    fn keep(&mut self, path: &Path<'_>, value: &Value<'_, '_>) {
        let field = path.words();
        if self.0.iter().any(|left_out| left_out.field == field) {
            return;
        }
        self.0.push(LeftOut {
            field,
            value: excerpt(value.raw(), VALUE_CHARS_MAX),
        });
    }

    pub(crate) fn finish(self) -> Vec<LeftOut> {
        self.0
    }
}
