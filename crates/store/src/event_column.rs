//! The columns of a response's events.

use crate::StoreError;
use crate::arrays::{primitive, typed};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, ListArray, PrimitiveArray, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};
use std::sync::Arc;
use trace::{Event, EventKind, Nanos, Record};

const KIND: &str = "event_kind";
const ARRIVED: &str = "event_arrived_ns";
const READ: &str = "event_read_ns";
const READ_INDEX: &str = "event_read_index";
const TEXT_BYTES: &str = "event_text_bytes";
const TOKENS: &str = "event_tokens";
pub(crate) const CHOICE: &str = "event_choice";

/// The columns whose values grow along a response.
pub(crate) const ASCENDING: [&str; 3] = [ARRIVED, READ, READ_INDEX];

/// The events of a request are parallel lists: a column of a data frame is then an array per request, and
/// `numpy.diff` of one gives the gaps.
pub(crate) fn fields() -> Vec<Field> {
    let list = |name, item: &Arc<Field>| Field::new_list(name, Arc::clone(item), false);
    vec![
        list(KIND, &element(DataType::Utf8, false)),
        list(ARRIVED, &element(DataType::UInt64, false)),
        list(READ, &element(DataType::UInt64, false)),
        list(READ_INDEX, &element(DataType::UInt32, false)),
        list(TEXT_BYTES, &element(DataType::UInt32, false)),
        list(TOKENS, &element(DataType::UInt32, true)),
        list(CHOICE, &element(DataType::UInt32, false)),
    ]
}

/// Parquet's own name for what a list holds, so that the types survive a reader that knows no Arrow.
fn element(data_type: DataType, nullable: bool) -> Arc<Field> {
    Arc::new(Field::new("element", data_type, nullable))
}

/// One list per record and column, in the order of [`fields`].
pub(crate) fn to_arrays(records: &[Record]) -> Vec<ArrayRef> {
    let offsets = OffsetBuffer::from_lengths(records.iter().map(|record| record.events.len()));
    let events = || records.iter().flat_map(|record| &record.events);
    let list = |values: ArrayRef, nullable| -> ArrayRef {
        let field = element(values.data_type().clone(), nullable);
        Arc::new(ListArray::new(field, offsets.clone(), values, None))
    };
    let numbers = |number: fn(&Event) -> u32| -> ArrayRef {
        list(
            Arc::new(UInt32Array::from_iter_values(events().map(number))),
            false,
        )
    };
    let stamps = |stamp: fn(&Event) -> Nanos| -> ArrayRef {
        let values = events().map(|event| stamp(event).0);
        list(Arc::new(UInt64Array::from_iter_values(values)), false)
    };
    let kinds: StringArray = events().map(|event| Some(kind_name(event.kind))).collect();
    let tokens: UInt32Array = events().map(|event| event.tokens).collect();
    vec![
        list(Arc::new(kinds), false),
        stamps(|event| event.arrived),
        stamps(|event| event.read),
        numbers(|event| event.read_index),
        numbers(|event| event.text_bytes),
        list(Arc::new(tokens), true),
        numbers(|event| event.choice),
    ]
}

/// The event columns of a batch.
pub(crate) struct EventColumns<'a> {
    offsets: &'a OffsetBuffer<i32>,
    kind: &'a StringArray,
    arrived: &'a UInt64Array,
    read: &'a UInt64Array,
    read_index: &'a UInt32Array,
    text_bytes: &'a UInt32Array,
    tokens: &'a UInt32Array,
    choice: &'a UInt32Array,
}

impl<'a> EventColumns<'a> {
    /// Finds them; the lists of a record must have one length.
    pub(crate) fn of(batch: &'a RecordBatch) -> Result<Self, StoreError> {
        let offsets = typed::<ListArray>(batch, KIND)?.offsets();
        Ok(Self {
            offsets,
            kind: elements(batch, KIND, offsets)?.as_string(),
            arrived: numbers::<UInt64Type>(batch, ARRIVED, offsets)?,
            read: numbers::<UInt64Type>(batch, READ, offsets)?,
            read_index: numbers::<UInt32Type>(batch, READ_INDEX, offsets)?,
            text_bytes: numbers::<UInt32Type>(batch, TEXT_BYTES, offsets)?,
            tokens: numbers::<UInt32Type>(batch, TOKENS, offsets)?,
            choice: numbers::<UInt32Type>(batch, CHOICE, offsets)?,
        })
    }

    /// The events of one row.
    pub(crate) fn row(&self, row: usize) -> Result<Vec<Event>, StoreError> {
        // Arrow guarantees that offsets ascend from zero or above.
        let bound = |row: usize| usize::try_from(self.offsets[row]).unwrap_or(0);
        (bound(row)..bound(row + 1))
            .map(|index| self.event(index))
            .collect()
    }

    fn event(&self, index: usize) -> Result<Event, StoreError> {
        let kind = self.kind.value(index);
        Ok(Event {
            kind: kind_from_name(kind).ok_or_else(|| StoreError::Cell {
                name: KIND,
                what: format!(
                    "holds `{}`, which is no kind of event",
                    kind.escape_default()
                ),
            })?,
            arrived: Nanos(self.arrived.value(index)),
            read: Nanos(self.read.value(index)),
            read_index: self.read_index.value(index),
            text_bytes: self.text_bytes.value(index),
            tokens: primitive(self.tokens, index),
            choice: self.choice.value(index),
        })
    }
}

fn elements<'a>(
    batch: &'a RecordBatch,
    name: &'static str,
    offsets: &OffsetBuffer<i32>,
) -> Result<&'a ArrayRef, StoreError> {
    let list = typed::<ListArray>(batch, name)?;
    if list.offsets() != offsets {
        return Err(StoreError::Cell {
            name,
            what: format!("has lists of other lengths than `{KIND}`"),
        });
    }
    Ok(list.values())
}

fn numbers<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &'static str,
    offsets: &OffsetBuffer<i32>,
) -> Result<&'a PrimitiveArray<T>, StoreError> {
    Ok(elements(batch, name, offsets)?.as_primitive())
}

const KINDS: [EventKind; 6] = [
    EventKind::Empty,
    EventKind::Content,
    EventKind::Reasoning,
    EventKind::ToolCall,
    EventKind::Usage,
    EventKind::Done,
];

const fn kind_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Empty => "empty",
        EventKind::Content => "content",
        EventKind::Reasoning => "reasoning",
        EventKind::ToolCall => "tool_call",
        EventKind::Usage => "usage",
        EventKind::Done => "done",
    }
}

fn kind_from_name(name: &str) -> Option<EventKind> {
    KINDS.into_iter().find(|kind| kind_name(*kind) == name)
}

#[cfg(test)]
mod tests {
    use super::{KINDS, kind_from_name, kind_name};

    #[test]
    fn a_kind_of_event_has_the_same_name_in_parquet_and_in_json() {
        for kind in KINDS {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind_name(kind));
            assert_eq!(kind_from_name(kind_name(kind)), Some(kind));
        }
    }
}
