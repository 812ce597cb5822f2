//! Records to columns, and back.

use crate::StoreError;
use crate::arrays::{primitive, typed};
use crate::event_column::{self, EventColumns};
use crate::response_column::{self, Added, AddedColumns};
use arrow_array::{
    Array, ArrayRef, BooleanArray, RecordBatch, StringArray, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use std::sync::{Arc, LazyLock};
use trace::{Nanos, Outcome, PlannedTokens, Record, RunId, Turn, Usage, Vectors};

/// The columns of a file: a row per record, stamps in nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = vec![
        Field::new("run_point", DataType::UInt32, false),
        Field::new("run_index", DataType::UInt32, false),
        Field::new("warmup", DataType::Boolean, false),
        Field::new("id", DataType::UInt64, false),
        Field::new("due_ns", DataType::UInt64, false),
        Field::new("issued_ns", DataType::UInt64, false),
        Field::new("connected_ns", DataType::UInt64, true),
        Field::new("sent_ns", DataType::UInt64, true),
        Field::new("first_byte_ns", DataType::UInt64, true),
        Field::new("done_ns", DataType::UInt64, false),
        Field::new("done_read_ns", DataType::UInt64, false),
        Field::new("stream", DataType::Boolean, false),
        Field::new("usage_reported", DataType::Boolean, false),
        Field::new("prompt_tokens", DataType::UInt64, true),
        Field::new("completion_tokens", DataType::UInt64, true),
        Field::new("cached_tokens", DataType::UInt64, true),
        Field::new("reasoning_tokens", DataType::UInt64, true),
        Field::new("class", DataType::UInt32, false),
        Field::new("session", DataType::UInt64, true),
        Field::new("turn", DataType::UInt64, true),
        Field::new("planned_tokens", DataType::UInt64, true),
        Field::new("planned_tokens_exact", DataType::Boolean, true),
        Field::new("max_tokens", DataType::UInt64, true),
        Field::new("vectors", DataType::UInt64, true),
        Field::new("dimensions", DataType::UInt64, true),
        Field::new("decoding_ns", DataType::UInt64, true),
        Field::new("finish_reason", DataType::Utf8, true),
        Field::new("outcome", DataType::Utf8, false),
        Field::new("detail", DataType::Utf8, true),
        Field::new("status", DataType::UInt16, true),
        Field::new("retry_after_seconds", DataType::UInt64, true),
        Field::new("gateway_overhead_ns", DataType::UInt64, true),
        Field::new("body_bytes", DataType::UInt64, false),
    ];
    fields.extend(response_column::fields());
    fields.extend(event_column::fields());
    Arc::new(Schema::new(fields))
});

/// Whether files of earlier versions may lack that column: what is in none of them was not kept.
fn was_added(name: &str) -> bool {
    name == "max_tokens" || response_column::names().any(|added| added == name)
}

/// The columns, other than the events', whose values grow from row to row, or nearly.
pub(crate) const ASCENDING: [&str; 8] = [
    "id",
    "due_ns",
    "issued_ns",
    "connected_ns",
    "sent_ns",
    "first_byte_ns",
    "done_ns",
    "done_read_ns",
];

/// One row per record, in the columns of [`SCHEMA`].
pub(crate) fn to_batch(records: &[Record]) -> Result<RecordBatch, ArrowError> {
    let rows = || records.iter();
    let flags = |flag: fn(&Record) -> bool| -> ArrayRef {
        Arc::new(rows().map(|row| Some(flag(row))).collect::<BooleanArray>())
    };
    let counts = |count: fn(&Record) -> u32| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(rows().map(count)))
    };
    let numbers = |number: fn(&Record) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(rows().map(number)))
    };
    let options = |number: fn(&Record) -> Option<u64>| -> ArrayRef {
        Arc::new(rows().map(number).collect::<UInt64Array>())
    };
    let texts = |text: fn(&Record) -> Option<&str>| -> ArrayRef {
        Arc::new(rows().map(text).collect::<StringArray>())
    };
    let mut arrays = vec![
        counts(|row| row.run.point),
        counts(|row| row.run.run),
        flags(|row| row.run.warmup),
        numbers(|row| row.id),
        numbers(|row| row.due.0),
        numbers(|row| row.issued.0),
        options(|row| row.connected.map(|stamp| stamp.0)),
        options(|row| row.sent.map(|stamp| stamp.0)),
        options(|row| row.first_byte.map(|stamp| stamp.0)),
        numbers(|row| row.done.0),
        numbers(|row| row.done_read.0),
        flags(|row| row.stream),
        flags(|row| row.usage.is_some()),
        options(|row| row.usage?.prompt_tokens),
        options(|row| row.usage?.completion_tokens),
        options(|row| row.usage?.cached_tokens),
        options(|row| row.usage?.reasoning_tokens),
        counts(|row| row.class),
        options(|row| Some(row.turn?.session)),
        options(|row| Some(row.turn?.number.into())),
        options(|row| Some(row.planned_tokens?.count.into())),
        Arc::new(
            rows()
                .map(|row| Some(row.planned_tokens?.exact))
                .collect::<BooleanArray>(),
        ),
        options(|row| row.max_tokens.map(u64::from)),
        options(|row| Some(row.vectors?.count.into())),
        options(|row| Some(row.vectors?.dimensions?.into())),
        options(|row| Some(row.vectors?.decoding.0)),
        texts(|row| row.finish_reason.as_deref()),
        texts(|row| Some(row.outcome.name())),
        texts(|row| row.detail.as_deref()),
        Arc::new(rows().map(|row| row.status).collect::<UInt16Array>()),
        options(|row| row.retry_after_seconds),
        options(|row| row.gateway_overhead.map(|span| span.0)),
        numbers(|row| row.body_bytes),
    ];
    arrays.extend(response_column::to_arrays(records));
    arrays.extend(event_column::to_arrays(records));
    RecordBatch::try_new(Arc::clone(&SCHEMA), arrays)
}

/// The records of a batch whose columns are those of [`SCHEMA`].
pub(crate) fn from_batch(batch: &RecordBatch) -> Result<Vec<Record>, StoreError> {
    let flags = |name| typed::<BooleanArray>(batch, name);
    let counts = |name| typed::<UInt32Array>(batch, name);
    let numbers = |name| typed::<UInt64Array>(batch, name);
    let texts = |name| typed::<StringArray>(batch, name);

    let (point, run, warmup) = (counts("run_point")?, counts("run_index")?, flags("warmup")?);
    let (id, due, issued) = (numbers("id")?, numbers("due_ns")?, numbers("issued_ns")?);
    let (connected, sent) = (numbers("connected_ns")?, numbers("sent_ns")?);
    let first_byte = numbers("first_byte_ns")?;
    let (done, done_read) = (numbers("done_ns")?, numbers("done_read_ns")?);
    let (stream, usage_reported) = (flags("stream")?, flags("usage_reported")?);
    let (prompt, completion) = (numbers("prompt_tokens")?, numbers("completion_tokens")?);
    let (cached, reasoning) = (numbers("cached_tokens")?, numbers("reasoning_tokens")?);
    let (finish_reason, outcome) = (texts("finish_reason")?, texts("outcome")?);
    let (detail, status) = (texts("detail")?, typed::<UInt16Array>(batch, "status")?);
    let (retry_after, body_bytes) = (numbers("retry_after_seconds")?, numbers("body_bytes")?);
    let gateway_overhead = numbers("gateway_overhead_ns")?;
    let (planned, exact) = (numbers("planned_tokens")?, flags("planned_tokens_exact")?);
    let max_tokens = numbers("max_tokens").ok();
    let (vectors, dimensions) = (numbers("vectors")?, numbers("dimensions")?);
    let decoding = numbers("decoding_ns")?;
    let (class, session, turn) = (counts("class")?, numbers("session")?, numbers("turn")?);
    let events = EventColumns::of(batch)?;
    let added = AddedColumns::of(batch);

    let usage = |row, total_tokens| Usage {
        prompt_tokens: primitive(prompt, row),
        completion_tokens: primitive(completion, row),
        cached_tokens: primitive(cached, row),
        reasoning_tokens: primitive(reasoning, row),
        total_tokens,
    };
    let vectors_of = |row| -> Option<Vectors> {
        Some(Vectors {
            count: whole(primitive(vectors, row)?),
            dimensions: primitive(dimensions, row).map(whole),
            decoding: Nanos(primitive(decoding, row)?),
        })
    };
    let turn_of = |row| -> Option<Turn> {
        Some(Turn {
            session: primitive(session, row)?,
            number: whole(primitive(turn, row)?),
        })
    };
    let planned_of = |row| -> Option<PlannedTokens> {
        Some(PlannedTokens {
            count: whole(primitive(planned, row)?),
            exact: exact.is_valid(row) && exact.value(row),
        })
    };
    let record = |row| {
        let Added {
            reissued,
            released,
            total_tokens,
            response,
            prompt_text,
        } = added.row(row)?;
        Ok(Record {
            run: RunId {
                point: point.value(row),
                run: run.value(row),
                warmup: warmup.value(row),
            },
            id: id.value(row),
            due: Nanos(due.value(row)),
            issued: Nanos(issued.value(row)),
            reissued,
            connected: primitive(connected, row).map(Nanos),
            sent: primitive(sent, row).map(Nanos),
            first_byte: primitive(first_byte, row).map(Nanos),
            done: Nanos(done.value(row)),
            done_read: Nanos(done_read.value(row)),
            released,
            stream: stream.value(row),
            events: events.row(row)?,
            usage: usage_reported.value(row).then(|| usage(row, total_tokens)),
            planned_tokens: planned_of(row),
            max_tokens: max_tokens
                .and_then(|column| primitive(column, row))
                .map(whole),
            class: class.value(row),
            turn: turn_of(row),
            vectors: vectors_of(row),
            finish_reason: text(finish_reason, row),
            outcome: outcome_of(outcome.value(row))?,
            detail: text(detail, row),
            status: primitive(status, row),
            retry_after_seconds: primitive(retry_after, row),
            gateway_overhead: primitive(gateway_overhead, row).map(Nanos),
            body_bytes: body_bytes.value(row),
            response,
            prompt_text,
        })
    };
    (0..batch.num_rows()).map(record).collect()
}

/// The bytes of free text in a batch.
pub(crate) fn text_bytes(batch: &RecordBatch) -> Result<u64, StoreError> {
    let known = ["finish_reason", "detail"]
        .into_iter()
        .try_fold(0, |sum, name| {
            let column = typed::<StringArray>(batch, name)?;
            Ok::<_, StoreError>(sum + column.value_data().len() as u64)
        })?;
    Ok(known + response_column::text_bytes(batch))
}

/// Checks that every column of [`SCHEMA`] is there, in its type; others are ignored.
pub(crate) fn check_schema(found: &Schema) -> Result<(), StoreError> {
    for expected in SCHEMA.fields() {
        let refuse = |found: String| {
            Err(StoreError::Column {
                name: expected.name().clone(),
                found,
                expected: describe(expected),
            })
        };
        match found.field_with_name(expected.name()) {
            Ok(field) if describe(field) != describe(expected) => return refuse(describe(field)),
            Ok(_) => {}
            Err(_) if was_added(expected.name()) => {}
            Err(_) => return refuse("absent".to_owned()),
        }
    }
    Ok(())
}

fn describe(field: &Field) -> String {
    let optional = if field.is_nullable() { "optional " } else { "" };
    match field.data_type() {
        DataType::List(element) => format!("{optional}list of {}", describe(element)),
        other => format!("{optional}{other}"),
    }
}

/// What was written from 32 bits; a foreign file's larger number is the largest.
fn whole(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn text(column: &StringArray, row: usize) -> Option<String> {
    column.is_valid(row).then(|| column.value(row).to_owned())
}

fn outcome_of(name: &str) -> Result<Outcome, StoreError> {
    Outcome::from_name(name).ok_or_else(|| StoreError::Cell {
        name: "outcome",
        what: format!("holds `{}`, which is no outcome", name.escape_default()),
    })
}

#[cfg(test)]
mod tests {
    use super::{SCHEMA, check_schema};
    use arrow_schema::{DataType, Field, Schema};
    use trace::Record;

    /// Our schema with `field` in the place of the one of its name, or without that where there is none.
    fn altered(name: &str, field: Option<&Field>) -> Schema {
        let fields = SCHEMA.fields().iter().filter_map(|ours| {
            if ours.name() == name {
                field.cloned()
            } else {
                Some(ours.as_ref().clone())
            }
        });
        Schema::new(fields.collect::<Vec<_>>())
    }

    fn refusal(name: &str, field: Option<&Field>) -> String {
        let error = check_schema(&altered(name, field)).unwrap_err();
        error.to_string()
    }

    #[test]
    fn a_column_that_is_absent_or_of_another_type_is_named() {
        assert!(refusal("outcome", None).contains("`outcome` of the Parquet file is absent"));
        let signed = Field::new("due_ns", DataType::Int64, false);
        assert!(refusal("due_ns", Some(&signed)).contains("is Int64, and should be UInt64"));
        let optional = Field::new("id", DataType::UInt64, true);
        assert!(refusal("id", Some(&optional)).contains("is optional UInt64"));
    }

    #[test]
    fn records_from_before_a_column_was_added_are_read_without_it() {
        use super::{from_batch, to_batch};
        let record = crate::example::record(7);
        let limited = Record {
            max_tokens: Some(9),
            ..record.clone()
        };
        let batch = to_batch(std::slice::from_ref(&limited)).unwrap();
        assert_eq!(from_batch(&batch).unwrap(), [limited]);
        let mut older = batch;
        for name in crate::response_column::names().chain(["max_tokens"]) {
            older.remove_column(older.schema().index_of(name).unwrap());
        }
        assert!(check_schema(&older.schema()).is_ok());
        assert_eq!(from_batch(&older).unwrap(), [record]);
    }

    #[test]
    fn a_column_more_is_no_harm() {
        let mut fields: Vec<_> = SCHEMA.fields().iter().cloned().collect();
        fields.push(Field::new("label", DataType::Utf8, true).into());
        assert!(check_schema(&Schema::new(fields)).is_ok());
    }
}
