//! Weight files: what tensors there are, and each of them when it is asked for.

mod gguf;
mod metadata;
mod safetensors;
mod split;
mod types;

pub use gguf::{GgufFile, open_gguf};
pub use metadata::Metadata;
#[cfg(test)]
pub(crate) use metadata::Value;
pub use safetensors::open_safetensors;
pub(crate) use split::split_of;

use crate::ModelsError;
use kernels::Quantized;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use types::TensorType;

/// A tensor as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Outermost dimension first; a linear layer is `[outputs, inputs]`.
    pub shape: Vec<usize>,
    /// Its numbers, row-major.
    pub data: TensorData,
}

/// The numbers of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum TensorData {
    /// In 32 bits, from whatever floating point the file has.
    F32(Vec<f32>),
    /// As the file has them.
    Quantized(Quantized),
}

impl Tensor {
    /// Its numbers in 32 bits.
    pub fn into_f32(self) -> Vec<f32> {
        match self.data {
            TensorData::F32(values) => values,
            TensorData::Quantized(quantized) => quantized.dequantize(),
        }
    }
}

/// Where a tensor lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Which of the files.
    file: usize,
    /// From the file's beginning.
    offset: u64,
    bytes: usize,
    kind: TensorType,
    shape: Vec<usize>,
}

/// The tensors of a model, read when they are asked for.
pub struct Weights {
    files: Vec<(PathBuf, File)>,
    entries: BTreeMap<String, Entry>,
}

impl Weights {
    /// Names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The shape of a tensor, outermost dimension first.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.entries.get(name).map(|entry| entry.shape.as_slice())
    }

    /// Whether any of them is quantised.
    pub(crate) fn is_quantised(&self) -> bool {
        self.entries.values().any(|entry| entry.kind.is_quantised())
    }

    /// Where they come from, for errors.
    pub fn path(&self) -> &std::path::Path {
        self.files
            .first()
            .map_or(std::path::Path::new(""), |(path, _)| path)
    }

    /// Reads a tensor.
    pub fn tensor(&self, name: &str) -> Result<Tensor, ModelsError> {
        let entry = self.entries.get(name).ok_or_else(|| {
            ModelsError::file(
                self.path(),
                format!("has no tensor `{name}`, which its architecture needs"),
            )
        })?;
        let (path, file) = &self.files[entry.file];
        let mut bytes = vec![0; entry.bytes];
        file.read_exact_at(&mut bytes, entry.offset)
            .map_err(|error| ModelsError::read(path, error))?;
        let data = entry
            .kind
            .decode(&bytes, &entry.shape)
            .map_err(|what| ModelsError::file(path, format!("tensor `{name}` {what}")))?;
        Ok(Tensor {
            shape: entry.shape.clone(),
            data,
        })
    }
}
