//! GGUF, versions 2 and 3: a header of keys and values, a list of tensors, and their numbers.

use super::metadata::Value;
use super::split::other_parts;
use super::types::TensorType;
use super::{Entry, Metadata, Weights};
use crate::{ModelsError, files};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// A header: a byte of it takes up to eight in memory, in lists of numbers. The largest real vocabularies have 30 MB.
const HEADER_BYTES_MAX: u64 = 128 << 20;

/// A GGUF file: what it says of its model, and its tensors.
pub struct GgufFile {
    /// Keys and values.
    pub metadata: Metadata,
    /// Tensors.
    pub weights: Weights,
}

/// Opens a file and reads its header; those of its other parts too where a model is split over several files.
pub fn open_gguf(path: &Path) -> Result<GgufFile, ModelsError> {
    let (metadata, first, file) = header_of(path)?;
    let mut weights = Weights {
        files: vec![(path.to_owned(), file)],
        entries: first,
    };
    for part in other_parts(path, &metadata)? {
        let (_, entries, file) = header_of(&part)?;
        for (name, mut entry) in entries {
            entry.file = weights.files.len();
            if weights.entries.insert(name.clone(), entry).is_some() {
                return Err(ModelsError::file(
                    &part,
                    format!("has the tensor `{name}`, as another part has"),
                ));
            }
        }
        weights.files.push((part, file));
    }
    if let Some(count) = metadata.integer("split.tensors.count")
        && count != weights.entries.len() as u64
    {
        return Err(ModelsError::file(
            path,
            format!(
                "says that all parts have {count} tensors, and they have {}; are all parts of the same model?",
                weights.entries.len()
            ),
        ));
    }
    Ok(GgufFile { metadata, weights })
}

fn header_of(path: &Path) -> Result<(Metadata, BTreeMap<String, Entry>, File), ModelsError> {
    let file = files::open(path)?;
    let length = file
        .metadata()
        .map_err(|error| ModelsError::read(path, error))?
        .len();
    let (metadata, entries) =
        parse(BufReader::new(&file), length).map_err(|what| ModelsError::file(path, what))?;
    Ok((metadata, entries, file))
}

/// Reads a header from `reader`, whose file has `length` bytes. No list is made that the file could not fill.
pub(crate) fn parse(
    reader: impl Read,
    length: u64,
) -> Result<(Metadata, BTreeMap<String, Entry>), String> {
    let mut header = Header {
        reader,
        at: 0,
        length,
    };
    if header.take::<4>()? != *b"GGUF" {
        return Err("is no GGUF file: it does not begin with `GGUF`".to_owned());
    }
    let version = header.u32()?;
    if version.swap_bytes() <= 3 {
        return Err(format!(
            "is big-endian (GGUF version {} in the other order of bytes), which is not read; convert the model again \
             without --bigendian",
            version.swap_bytes()
        ));
    }
    if !(2..=3).contains(&version) {
        return Err(format!(
            "is GGUF version {version}; 2 and 3 can be read: convert the model again with a newer llama.cpp"
        ));
    }
    // The shortest tensor takes 24 bytes, the shortest pair 13.
    let tensors = header.count(24, "tensors")?;
    let pairs = header.count(13, "keys")?;
    let mut metadata = Metadata::default();
    for _ in 0..pairs {
        let key = header.text()?;
        let kind = header.u32()?;
        let value = header
            .value(kind)
            .map_err(|what| format!("key `{key}`: {what}"))?;
        if metadata.0.insert(key.clone(), value).is_some() {
            return Err(format!("has the key `{key}` twice"));
        }
    }
    let mut entries = BTreeMap::new();
    for _ in 0..tensors {
        let (name, entry) = header.tensor()?;
        if entries.insert(name.clone(), entry).is_some() {
            return Err(format!("has the tensor `{name}` twice"));
        }
    }
    let alignment = metadata.integer("general.alignment").unwrap_or(32);
    if !alignment.is_power_of_two() || alignment > 1 << 20 {
        return Err(format!(
            "has an alignment of {alignment}; a power of two up to 1048576 can be read"
        ));
    }
    let data = header.at.next_multiple_of(alignment);
    for (name, entry) in &mut entries {
        let offset = data.checked_add(entry.offset);
        let end = offset.and_then(|offset| offset.checked_add(entry.bytes as u64));
        match (offset, end) {
            (Some(offset), Some(end)) if end <= length => entry.offset = offset,
            _ => {
                return Err(format!(
                    "tensor `{name}` ({} bytes at {}) lies beyond the file's end, {length}; is the file whole?",
                    entry.bytes, entry.offset
                ));
            }
        }
    }
    Ok((metadata, entries))
}

struct Header<R> {
    reader: R,
    at: u64,
    length: u64,
}

impl<R: Read> Header<R> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        self.reader
            .read_exact(bytes)
            .map_err(|error| format!("ends in its header, at byte {}: {error}", self.at))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.take().map(u64::from_le_bytes)
    }

    /// A number of things that take at least `bytes` bytes each.
    fn count(&mut self, bytes: u64, what: &str) -> Result<usize, String> {
        let count = self.u64()?;
        let length = self.length.min(HEADER_BYTES_MAX);
        if count > length.saturating_sub(self.at) / bytes {
            return Err(format!(
                "claims {count} {what}, for which its {} bytes have no room, of which a header has at most \
                 {HEADER_BYTES_MAX}",
                self.length
            ));
        }
        usize::try_from(count).map_err(|_| format!("claims {count} {what}"))
    }

    fn text(&mut self) -> Result<String, String> {
        let mut bytes = vec![0; self.count(1, "bytes of text")?];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes)
            .map_err(|_| format!("has a text that is not UTF-8 before byte {}", self.at))
    }

    fn value(&mut self, kind: u32) -> Result<Value, String> {
        Ok(match kind {
            6 => Value::Float(f64::from(f32::from_le_bytes(self.take()?))),
            12 => Value::Float(f64::from_le_bytes(self.take()?)),
            7 => match self.take::<1>()? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                [other] => return Err(format!("a truth value is 0 or 1, got {other}")),
            },
            8 => Value::Text(self.text()?),
            9 => self.array()?,
            _ => Value::Integer(self.integer(kind)?),
        })
    }

    fn integer(&mut self, kind: u32) -> Result<i64, String> {
        Ok(match kind {
            0 => i64::from(u8::from_le_bytes(self.take()?)),
            1 => i64::from(i8::from_le_bytes(self.take()?)),
            2 => i64::from(u16::from_le_bytes(self.take()?)),
            3 => i64::from(i16::from_le_bytes(self.take()?)),
            4 => i64::from(self.u32()?),
            5 => i64::from(i32::from_le_bytes(self.take()?)),
            10 => {
                let value = self.u64()?;
                i64::try_from(value).map_err(|_| format!("{value} is more than {}", i64::MAX))?
            }
            11 => i64::from_le_bytes(self.take()?),
            other => return Err(format!("has type {other}, which GGUF does not know")),
        })
    }

    fn array(&mut self) -> Result<Value, String> {
        let kind = self.u32()?;
        let bytes = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            8 | 10 | 11 | 12 => 8,
            _ => 4,
        };
        let count = self.count(bytes, "values of a list")?;
        Ok(match kind {
            8 => Value::Texts((0..count).map(|_| self.text()).collect::<Result<_, _>>()?),
            6 => {
                let floats = (0..count).map(|_| self.take().map(f32::from_le_bytes));
                Value::Floats(floats.collect::<Result<_, _>>()?)
            }
            7 => {
                let values = (0..count).map(|_| self.integer(0));
                Value::Integers(values.collect::<Result<_, _>>()?)
            }
            9 => return Err("is a list of lists, which no model has".to_owned()),
            _ => Value::Integers(
                (0..count)
                    .map(|_| self.integer(kind))
                    .collect::<Result<_, _>>()?,
            ),
        })
    }

    fn tensor(&mut self) -> Result<(String, Entry), String> {
        /// Of the format.
        const DIMENSIONS_MAX: u32 = 4;
        let name = self.text()?;
        let dimensions = self.u32()?;
        if dimensions > DIMENSIONS_MAX {
            return Err(format!(
                "tensor `{name}` has {dimensions} dimensions; at most {DIMENSIONS_MAX} can be read"
            ));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let size = self.u64()?;
            shape.push(
                usize::try_from(size)
                    .map_err(|_| format!("tensor `{name}` has a side of {size}"))?,
            );
        }
        shape.reverse();
        let number = self.u32()?;
        let kind = TensorType::of_gguf(number).ok_or_else(|| {
            format!(
                "tensor `{name}` has type {number}; F32 (0), F16 (1), Q4_0 (2), Q4_1 (3), Q8_0 (8) and BF16 (30) \
                 can be read: quantise the model to one of them"
            )
        })?;
        let offset = self.u64()?;
        let bytes = kind
            .bytes(&shape)
            .ok_or_else(|| format!("tensor `{name}` has the impossible shape {shape:?}"))?;
        let entry = Entry {
            file: 0,
            offset,
            bytes,
            kind,
            shape,
        };
        Ok((name, entry))
    }
}
