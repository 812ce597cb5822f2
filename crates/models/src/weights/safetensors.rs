//! safetensors: a header in JSON, and the numbers behind it; in one file or in several with an index.

use super::types::TensorType;
use super::{Entry, Weights};
use crate::ModelsError;
use crate::contained::cut;
use crate::files::{self, SETTINGS_BYTES_MAX};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// The format's own limit for a header.
const HEADER_BYTES_MAX: u64 = 100_000_000;

/// Opens a `.safetensors` file, or the one or several of a folder.
pub fn open_safetensors(path: &Path) -> Result<Weights, ModelsError> {
    let files = if path.is_dir() {
        files_of(path)?
    } else {
        vec![path.to_owned()]
    };
    let mut weights = Weights {
        files: Vec::new(),
        entries: BTreeMap::new(),
    };
    for path in files {
        let mut file = files::open(&path)?;
        let length = file
            .metadata()
            .map_err(|error| ModelsError::read(&path, error))?
            .len();
        let entries = parse(&mut file, length).map_err(|what| ModelsError::file(&path, what))?;
        for (name, mut entry) in entries {
            entry.file = weights.files.len();
            if weights.entries.insert(name.clone(), entry).is_some() {
                return Err(ModelsError::file(
                    &path,
                    format!("has the tensor `{name}`, as another file has"),
                ));
            }
        }
        weights.files.push((path, file));
    }
    Ok(weights)
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>, ModelsError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let index_path = folder.join("model.safetensors.index.json");
    if !index_path.exists() {
        let one = folder.join("model.safetensors");
        if one.exists() {
            return Ok(vec![one]);
        }
        if folder.join("pytorch_model.bin").exists() {
            return Err(ModelsError::file(
                folder,
                "has its weights only in pytorch_model.bin, which can hold programs and is not opened; \
                 save them as safetensors",
            ));
        }
        return Err(ModelsError::file(
            folder,
            "has no model.safetensors and no .gguf file",
        ));
    }
    let bytes = files::read(&index_path, SETTINGS_BYTES_MAX)?;
    let index: Index = serde_json::from_slice(&bytes).map_err(|error| {
        ModelsError::file(&index_path, format!("is no index of weights: {error}"))
    })?;
    let mut names: Vec<String> = index.weight_map.into_values().collect();
    names.sort();
    names.dedup();
    for name in &names {
        let mut parts = Path::new(name).components();
        let is_plain = matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        );
        if !is_plain {
            return Err(ModelsError::file(
                &index_path,
                format!(
                    "names `{name}`, which is no file beside it; nothing outside the folder is opened"
                ),
            ));
        }
    }
    Ok(names.iter().map(|name| folder.join(name)).collect())
}

/// Whole numbers are no weights: what torch keeps beside them, such as the positions 0, 1, 2, … of a BERT. Nobody asks for
/// them, so they are not read.
const COUNTS: [&str; 3] = ["I64", "I32", "BOOL"];

#[derive(Deserialize)]
struct Description {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

/// Every tensor of a header, in the order of the file. Nothing else is kept of it: values of any kind take many times
/// the memory of their text.
struct Header(Vec<(String, Description)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut pairs = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    let description = map.next_value().map_err(|error| {
                        Error::custom(format!("tensor `{}`: {error}", cut(&name)))
                    })?;
                    pairs.push((name, description));
                }
                Ok(Header(pairs))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// Reads a header from `reader`, whose file has `length` bytes.
pub(crate) fn parse(
    reader: &mut impl Read,
    length: u64,
) -> Result<BTreeMap<String, Entry>, String> {
    let cut = |error: std::io::Error| format!("ends in its header: {error}");
    let mut size = [0; 8];
    reader.read_exact(&mut size).map_err(cut)?;
    let size = u64::from_le_bytes(size);
    let most = length.saturating_sub(8).min(HEADER_BYTES_MAX);
    if size > most {
        return Err(format!(
            "claims a header of {size} bytes; at most {most} are possible here"
        ));
    }
    let mut json = vec![0; usize::try_from(size).map_err(|error| error.to_string())?];
    reader.read_exact(&mut json).map_err(cut)?;
    let Header(pairs) = serde_json::from_slice(&json)
        .map_err(|error| format!("has a header that is no JSON object of tensors: {error}"))?;
    let data = 8 + size;
    let mut entries = BTreeMap::new();
    for (name, description) in pairs {
        if COUNTS.contains(&description.dtype.as_str()) {
            continue;
        }
        let entry = entry(&name, description, data, length)?;
        if entries.insert(name.clone(), entry).is_some() {
            return Err(format!("has the tensor `{name}` twice"));
        }
    }
    let mut places: Vec<(u64, u64, &String)> = entries
        .iter()
        .map(|(name, entry)| (entry.offset, entry.offset + entry.bytes as u64, name))
        .collect();
    places.sort();
    if let Some(pair) = places.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        return Err(format!(
            "the tensors `{}` and `{}` overlap",
            pair[0].2, pair[1].2
        ));
    }
    Ok(entries)
}

fn entry(name: &str, description: Description, data: u64, length: u64) -> Result<Entry, String> {
    let Description {
        dtype,
        shape,
        data_offsets: [start, end],
    } = description;
    let kind = TensorType::of_safetensors(&dtype).ok_or_else(|| {
        format!("tensor `{name}` has type {dtype}; F32, F16 and BF16 can be read")
    })?;
    let bytes = kind
        .bytes(&shape)
        .ok_or_else(|| format!("tensor `{name}` has the impossible shape {shape:?}"))?;
    if end.checked_sub(start) != Some(bytes as u64) {
        return Err(format!(
            "tensor `{name}` of shape {shape:?} needs {bytes} bytes, and its offsets are {start} and {end}"
        ));
    }
    if end > length - data {
        return Err(format!(
            "tensor `{name}` ends at byte {end}, beyond the {} that follow the header; is the file whole?",
            length - data
        ));
    }
    Ok(Entry {
        file: 0,
        offset: data + start,
        bytes,
        kind,
        shape,
    })
}
