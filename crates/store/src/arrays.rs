//! Columns of a batch, whatever is in them.

use crate::StoreError;
use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{Array, PrimitiveArray, RecordBatch};

/// A column by its name and type.
pub(crate) fn typed<'a, A: Array + 'static>(
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a A, StoreError> {
    let column = batch.column_by_name(name);
    column
        .and_then(|column| column.as_any().downcast_ref::<A>())
        .ok_or_else(|| StoreError::Cell {
            name,
            what: "is absent or has another type than its schema says".to_owned(),
        })
}

/// A number that may be absent.
pub(crate) fn primitive<T: ArrowPrimitiveType>(
    column: &PrimitiveArray<T>,
    row: usize,
) -> Option<T::Native> {
    column.is_valid(row).then(|| column.value(row))
}
