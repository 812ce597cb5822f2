//! What the tests of this crate share: GGUF files made on the spot, and copies of the models in `data`.
#![allow(dead_code, reason = "each test file uses a part")]

use models::{DType, LoadOptions, open_safetensors};
use std::path::{Path, PathBuf};

pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// Small enough for hundreds of loads.
pub(crate) fn options(dtype: DType) -> LoadOptions {
    LoadOptions {
        dtype,
        threads: 1,
        kv_blocks: Some(64),
        kv_bytes: 0,
        kv_bytes_max: 1 << 40,
        context_tokens: None,
    }
}

/// A value of a header: its type's number, and its bytes.
#[derive(Clone)]
pub(crate) struct Field(pub(crate) u32, pub(crate) Vec<u8>);

impl Field {
    pub(crate) fn u32(value: u32) -> Self {
        Field(4, value.to_le_bytes().to_vec())
    }

    pub(crate) fn f32(value: f32) -> Self {
        Field(6, value.to_le_bytes().to_vec())
    }

    pub(crate) fn text(value: &str) -> Self {
        Field(8, text(value))
    }

    pub(crate) fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let values: Vec<&str> = values.into_iter().collect();
        let mut bytes = 8u32.to_le_bytes().to_vec();
        bytes.extend((values.len() as u64).to_le_bytes());
        bytes.extend(values.into_iter().flat_map(text));
        Field(9, bytes)
    }

    /// A list that only claims its length.
    pub(crate) fn claim(kind: u32, count: u64) -> Self {
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend(count.to_le_bytes());
        Field(9, bytes)
    }
}

fn text(value: &str) -> Vec<u8> {
    let mut bytes = (value.len() as u64).to_le_bytes().to_vec();
    bytes.extend(value.as_bytes());
    bytes
}

/// A tensor of a GGUF file. `shape` has the outermost dimension first; the file has it last.
#[derive(Clone)]
pub(crate) struct GgufTensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<u64>,
    pub(crate) kind: u32,
    pub(crate) bytes: Vec<u8>,
    /// Where the tensor claims to lie, in place of where it does.
    pub(crate) offset: Option<u64>,
}

/// A GGUF file in memory.
#[derive(Clone, Default)]
pub(crate) struct Gguf {
    pub(crate) fields: Vec<(String, Field)>,
    pub(crate) tensors: Vec<GgufTensor>,
    /// In place of the true numbers.
    pub(crate) claimed: Option<(u64, u64)>,
}

impl Gguf {
    pub(crate) fn set(&mut self, key: &str, field: Field) -> &mut Self {
        match self.fields.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = field,
            None => self.fields.push((key.to_owned(), field)),
        }
        self
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.fields.retain(|(name, _)| name != key);
    }

    pub(crate) fn tensor(&mut self, name: &str) -> &mut GgufTensor {
        let found = self.tensors.iter_mut().find(|tensor| tensor.name == name);
        found.unwrap()
    }

    /// The header alone, and the whole file.
    pub(crate) fn bytes(&self) -> (usize, Vec<u8>) {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        let counts = (self.tensors.len() as u64, self.fields.len() as u64);
        let (tensors, fields) = self.claimed.unwrap_or(counts);
        out.extend(tensors.to_le_bytes());
        out.extend(fields.to_le_bytes());
        for (key, Field(kind, value)) in &self.fields {
            out.extend(text(key));
            out.extend(kind.to_le_bytes());
            out.extend(value);
        }
        let mut at = 0;
        for tensor in &self.tensors {
            out.extend(text(&tensor.name));
            out.extend(u32::try_from(tensor.shape.len()).unwrap().to_le_bytes());
            out.extend(
                tensor
                    .shape
                    .iter()
                    .rev()
                    .flat_map(|size| size.to_le_bytes()),
            );
            out.extend(tensor.kind.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(at).to_le_bytes());
            at += (tensor.bytes.len() as u64).next_multiple_of(32);
        }
        let header = out.len();
        for tensor in &self.tensors {
            out.resize(out.len().next_multiple_of(32), 0);
            out.extend(&tensor.bytes);
        }
        (header, out)
    }
}

/// Every tensor of a model in safetensors: name, shape, numbers.
pub(crate) fn tensors(folder: &str) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let weights = open_safetensors(&data(folder)).unwrap();
    let names: Vec<String> = weights.names().map(str::to_owned).collect();
    let read = |name: String| {
        let tensor = weights.tensor(&name).unwrap();
        (name, tensor.shape.clone(), tensor.into_f32())
    };
    names.into_iter().map(read).collect()
}

/// The tiny Llama of `data` as llama.cpp's converter writes it: other names, and in each head of q and k the rows of a
/// pair side by side.
pub(crate) fn tiny_llama() -> Gguf {
    let mut gguf = Gguf::default();
    for (key, value) in [
        ("block_count", 3),
        ("context_length", 256),
        ("embedding_length", 64),
        ("feed_forward_length", 96),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
        ("rope.dimension_count", 16),
    ] {
        gguf.set(&format!("llama.{key}"), Field::u32(value));
    }
    gguf.set("general.architecture", Field::text("llama"))
        .set("llama.rope.freq_base", Field::f32(10_000.0))
        .set("llama.attention.layer_norm_rms_epsilon", Field::f32(1e-6));
    vocabulary(&mut gguf);
    for (name, shape, values) in tensors("llama-tiny") {
        let heads = match name.rsplit('.').nth(1) {
            Some("q_proj") => 4,
            Some("k_proj") => 2,
            _ => 0,
        };
        let values = if heads == 0 {
            values
        } else {
            side_by_side(&values, heads, shape[1])
        };
        gguf.tensors.push(GgufTensor {
            name: llama_name(&name),
            shape: shape.iter().map(|size| *size as u64).collect(),
            kind: 0,
            bytes: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            offset: None,
        });
    }
    gguf
}

/// A token for each byte, as the models of `data` have them.
fn vocabulary(gguf: &mut Gguf) {
    let json = std::fs::read(data("llama-tiny/vocab.json")).unwrap();
    let vocab: std::collections::HashMap<String, u32> = serde_json::from_slice(&json).unwrap();
    let mut tokens: Vec<(&String, &u32)> = vocab.iter().collect();
    tokens.sort_by_key(|(_, id)| **id);
    gguf.set("tokenizer.ggml.model", Field::text("gpt2"))
        .set("tokenizer.ggml.pre", Field::text("gpt-2"))
        .set(
            "tokenizer.ggml.tokens",
            Field::texts(tokens.iter().map(|(token, _)| token.as_str())),
        )
        .set("tokenizer.ggml.merges", Field::texts([]))
        .set("tokenizer.ggml.eos_token_id", Field::u32(256));
}

fn llama_name(name: &str) -> String {
    let short = name.replace("model.", "").replace("layers.", "blk.");
    [
        ("embed_tokens", "token_embd"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ]
    .iter()
    .fold(
        if short == "norm.weight" {
            "output_norm.weight".to_owned()
        } else {
            short
        },
        |name, (from, to)| name.replace(from, to),
    )
}

/// Rows `0..half` and `half..` of each head, alternating.
fn side_by_side(values: &[f32], heads: usize, inputs: usize) -> Vec<f32> {
    let rows: Vec<&[f32]> = values.chunks_exact(inputs).collect();
    let half = rows.len() / heads / 2;
    let heads = rows.chunks_exact(2 * half);
    let pairs = heads.flat_map(|head| {
        let (first, second) = head.split_at(half);
        first.iter().zip(second).flat_map(|(a, b)| [*a, *b])
    });
    pairs.flatten().copied().collect()
}

/// A copy of a model of `data` in a folder of its own, to be damaged.
pub(crate) fn copy(folder: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_all(&data(folder), copy.path());
    copy
}

fn copy_all(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy_all(&entry.path(), &to);
        } else if entry.file_name() != "golden.json" {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Replaces the header of a folder's weights and keeps their numbers.
pub(crate) fn rename_tensors(folder: &Path, change: impl FnOnce(&str) -> String) {
    let path = folder.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let size = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let header = change(std::str::from_utf8(&bytes[8..8 + size]).unwrap());
    let length = (header.len() as u64).to_le_bytes();
    let all = [&length, header.as_bytes(), &bytes[8 + size..]].concat();
    std::fs::write(&path, all).unwrap();
}
