//! Models that somebody made to do harm: each ends in a sentence that names the file, within the memory that its bytes
//! justify: the allocator ends the process where a case goes beyond the limit.
#![allow(
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    reason = "tables of cases, and values made on the spot"
)]

mod common;
#[path = "common/watch.rs"]
mod watch;

use common::{Field, Gguf, copy, options, rename_tensors, tiny_llama};
use models::{DType, ModelSpec, ModelText, load_any};
use std::path::Path;
use watch::{Limited, assert_sentence, watched};

#[global_allocator]
static ALLOCATOR: Limited = Limited::new(std::alloc::System, 1_000 << 20);

/// The error of a model, be it of its weights or of its way with texts alone.
fn error_of(name: &'static str, path: &Path) -> String {
    let spec = ModelSpec::Path(path.to_owned());
    let error = watched(name, move || {
        let _text = ModelText::open(&spec).map(drop);
        load_any(&spec, &options(DType::Auto)).map(drop)
    });
    let error = error
        .err()
        .unwrap_or_else(|| panic!("{name}: taken"))
        .to_string();
    assert_sentence(name, &error);
    error
}

fn gguf(name: &'static str, change: impl FnOnce(&mut Gguf), words: &str) {
    let mut gguf = tiny_llama();
    change(&mut gguf);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.gguf");
    std::fs::write(&path, gguf.bytes().1).unwrap();
    let error = error_of(name, &path);
    assert!(error.contains(words), "{name}: {error}");
}

fn folder(of: &str, name: &'static str, change: impl FnOnce(&Path), words: &str) {
    let folder = copy(of);
    change(folder.path());
    let error = error_of(name, folder.path());
    assert!(error.contains(words), "{name}: {error}");
}

fn list(kind: u32, count: u64, bytes: Vec<u8>) -> Field {
    let Field(number, mut field) = Field::claim(kind, count);
    field.extend(bytes);
    Field(number, field)
}

#[test]
fn bad_input_63_gguf_headers_that_lie_are_refused() {
    let set = |key: &'static str, field: Field| move |gguf: &mut Gguf| _ = gguf.set(key, field);
    let name = "general.name";
    gguf(
        "a list of lists",
        set(name, list(9, 1, vec![9; 4_000])),
        "list of lists",
    );
    gguf(
        "a list of 2^62 bytes",
        set(name, Field::claim(0, 1 << 62)),
        "have no room",
    );
    gguf(
        "a list of 2^61 texts",
        set(name, Field::claim(8, 1 << 61)),
        "have no room",
    );
    gguf(
        "a text of 2^63 bytes",
        set(name, Field(8, (1u64 << 63).to_le_bytes().to_vec())),
        "have no room",
    );
    gguf(
        "more bytes than a header has",
        set(name, list(0, 129 << 20, vec![0; 129 << 20])),
        "at most 134217728",
    );
    gguf(
        "a type that is none",
        set(name, Field(99, vec![0; 8])),
        "has type 99",
    );
    gguf(
        "a key of another type",
        set("llama.block_count", Field::texts(["a"; 9])),
        "whole number",
    );
    gguf(
        "a key below zero",
        set(
            "llama.block_count",
            Field(5, (-1i32).to_le_bytes().to_vec()),
        ),
        "whole number",
    );
    gguf(
        "2^32 layers",
        set("llama.block_count", Field::u32(u32::MAX)),
        "between 1 and 1024",
    );
    gguf(
        "1024 layers",
        set("llama.block_count", Field::u32(1024)),
        "has no tensor",
    );
    gguf(
        "2^20 values",
        set("llama.embedding_length", Field::u32(1 << 20)),
        "turns only a part of each head",
    );
    gguf(
        "heads that do not divide",
        set("llama.attention.head_count", Field::u32(7)),
        "turns only a part of each head",
    );
    gguf(
        "an alignment of 0",
        set("general.alignment", Field::u32(0)),
        "alignment of 0",
    );
    gguf(
        "an alignment of 2^63",
        set(
            "general.alignment",
            Field(10, (1u64 << 62).to_le_bytes().to_vec()),
        ),
        "alignment of",
    );
    gguf(
        "a base of NaN",
        set("llama.rope.freq_base", Field::f32(f32::NAN)),
        "must be a number",
    );
    gguf(
        "a base of 0",
        set("llama.rope.freq_base", Field::f32(0.0)),
        "must be a number",
    );
    gguf(
        "a base without end",
        set("llama.rope.freq_base", Field::f32(f32::INFINITY)),
        "must be a number",
    );
    gguf(
        "an epsilon of NaN",
        set(
            "llama.attention.layer_norm_rms_epsilon",
            Field::f32(f32::NAN),
        ),
        "must be a number",
    );
    gguf(
        "99,999 parts",
        set("split.count", Field(4, 99_999u32.to_le_bytes().to_vec())),
        "parts of a model",
    );
    gguf(
        "a long name",
        |gguf| gguf.tensors[0].name = "x".repeat(1 << 20),
        "",
    );
    gguf(
        "a product that overflows",
        |gguf| gguf.tensors[0].shape = vec![1 << 40, 1 << 40],
        "impossible shape",
    );
    gguf(
        "a type of tensor that is none",
        |gguf| gguf.tensors[0].kind = 1 << 31,
        "has type",
    );
    gguf(
        "an offset beyond",
        |gguf| gguf.tensors[0].offset = Some(1 << 50),
        "beyond the file's end",
    );
    gguf(
        "the same key twice",
        |gguf| gguf.fields.push(gguf.fields[0].clone()),
        "twice",
    );
    gguf(
        "2^40 tensors",
        |gguf| gguf.claimed = Some((1 << 40, 1)),
        "have no room",
    );
}

/// A folder's header in place of its own, and the numbers behind it.
fn header(folder: &Path, header: &str) {
    let path = folder.join("model.safetensors");
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(path, [&length[..], header.as_bytes(), &[0; 4096]].concat()).unwrap();
}

#[test]
fn bad_input_63_headers_of_safetensors_that_lie_are_refused() {
    let of = |name, header_text: &str, words: &str| {
        folder("llama-tiny", name, |path| header(path, header_text), words);
    };
    let tensor = |shape: &str, offsets: &str| {
        format!(r#"{{"x":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    of("no header", "", "no JSON object");
    of("deep", &"[".repeat(1 << 20), "no JSON object");
    of(
        "deep in a tensor",
        &format!("{{\"x\":{}", "{\"a\":".repeat(1 << 18)),
        "no JSON object",
    );
    of(
        "deep in what is not read",
        &format!("{{\"__metadata__\":{}", "[".repeat(1 << 18)),
        "no JSON object",
    );
    of(
        "a shape of 30 million sides",
        &tensor(&format!("[{}1]", "1,".repeat(30 << 20)), "[0,4]"),
        "model.safetensors",
    );
    of(
        "30 million values that are none",
        &format!("{{\"x\":[{}1]}}", "1,".repeat(30 << 20)),
        "tensor `x`",
    );
    of(
        "sides that overflow",
        &tensor("[4294967296,4294967296,4294967296]", "[0,4]"),
        "impossible shape",
    );
    of(
        "a side of 2^64",
        &tensor("[18446744073709551616]", "[0,4]"),
        "tensor `x`",
    );
    of("a side of a half", &tensor("[0.5]", "[0,4]"), "tensor `x`");
    of(
        "offsets that go back",
        &tensor("[1]", "[8,4]"),
        "its offsets are 8 and 4",
    );
    of(
        "offsets beyond",
        &tensor("[1]", "[1000000,1000004]"),
        "beyond the",
    );
    of("three offsets", &tensor("[1]", "[0,4,8]"), "tensor `x`");
    of("a number for a tensor", "{\"x\":7}", "tensor `x`");
    of(
        "a name of a megabyte",
        &format!("{{\"{}\":7}}", "x".repeat(1 << 20)),
        "xxx",
    );
    let many: Vec<String> = (0..500_000)
        .map(|id| format!(r#""{id}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#))
        .collect();
    of(
        "500,000 tensors",
        &format!("{{{}}}", many.join(",")),
        "has no tensor",
    );
    folder(
        "llama-tiny",
        "the same numbers under two names",
        |path| {
            rename_tensors(path, |header| {
                header.replacen(
                    '{',
                    r#"{"y":{"dtype":"F32","shape":[64],"data_offsets":[0,256]},"#,
                    1,
                )
            });
        },
        "overlap",
    );
}

fn index(folder: &Path, names: &[&str]) {
    let map: serde_json::Map<String, serde_json::Value> = names
        .iter()
        .enumerate()
        .map(|(id, name)| (id.to_string(), (*name).into()))
        .collect();
    let index = serde_json::json!({ "weight_map": map });
    std::fs::write(
        folder.join("model.safetensors.index.json"),
        index.to_string(),
    )
    .unwrap();
}

fn put(folder: &Path, name: &str, from: &str, to: &str) {
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn bad_input_64_files_beside_the_weights_are_held_against_them() {
    let config = |name, from: &'static str, to: &str, words: &str| {
        folder(
            "llama-tiny",
            name,
            |path| put(path, "config.json", from, to),
            words,
        );
    };
    config(
        "layers 10^9",
        "\"num_hidden_layers\": 3",
        "\"num_hidden_layers\": 1000000000",
        "between 1 and 1024",
    );
    config(
        "layers 1024",
        "\"num_hidden_layers\": 3",
        "\"num_hidden_layers\": 1024",
        "has no tensor",
    );
    config(
        "vocab 2^60",
        "\"vocab_size\": 300",
        "\"vocab_size\": 1152921504606846976",
        "between 1 and 16777216",
    );
    config(
        "vocab 2^24",
        "\"vocab_size\": 300",
        "\"vocab_size\": 16777216",
        "follows from the configuration",
    );
    config(
        "hidden 2^20",
        "\"hidden_size\": 64",
        "\"hidden_size\": 1048576",
        "follows from the configuration",
    );
    config(
        "hidden 2",
        "\"hidden_size\": 64",
        "\"hidden_size\": 2",
        "at least 8",
    );
    config(
        "head 2^20",
        "\"head_dim\": 16",
        "\"head_dim\": 1048576",
        "follows from the configuration",
    );
    config(
        "heads -1",
        "\"num_attention_heads\": 4",
        "\"num_attention_heads\": -1",
        "whole number",
    );
    config(
        "deep",
        "\"num_attention_heads\": 4",
        &format!("\"x\": {}", "[".repeat(1 << 20)),
        "is no JSON",
    );
    config(
        "17 megabytes",
        "\"num_attention_heads\": 4",
        &format!("\"x\": \"{}\"", "x".repeat(17 << 20)),
        "at most 16777216 are read",
    );
    config(
        "a million ends",
        "\"vocab_size\": 300",
        &format!(
            "\"vocab_size\": 300, \"eos_token_id\": {:?}",
            (0..1_000_000).collect::<Vec<u32>>()
        ),
        "names 1000000 tokens as `eos_token_id`",
    );
    config(
        "a factor of nothing",
        "\"vocab_size\": 300",
        "\"vocab_size\": 300, \"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 1e-300}",
        "rope",
    );
    let generation = |name, text: String, words: &str| {
        folder(
            "llama-tiny",
            name,
            |path| std::fs::write(path.join("generation_config.json"), text).unwrap(),
            words,
        );
    };
    generation(
        "a million ends more",
        format!(
            "{{\"eos_token_id\": {:?}}}",
            (0..1_000_000).collect::<Vec<u32>>()
        ),
        "eos_token_id",
    );
    let template = |name, bytes: Vec<u8>, words: &str| {
        folder(
            "llama-tiny",
            name,
            |path| std::fs::write(path.join("chat_template.jinja"), bytes).unwrap(),
            words,
        );
    };
    template(
        "a template of 17 megabytes",
        vec![b'x'; 17 << 20],
        "at most 16777216 are read",
    );
    template(
        "a template of 2 megabytes",
        vec![b'x'; 2 << 20],
        "at most 1048576 are parsed",
    );
    template("a template that is no text", vec![0xff; 9], "is not text");
    let indexed = |name, names: &[&str], words: &str| {
        folder("llama-tiny", name, |path| index(path, names), words);
    };
    indexed(
        "outside",
        &["../model.safetensors"],
        "nothing outside the folder is opened",
    );
    indexed(
        "round about",
        &["x/../model.safetensors"],
        "nothing outside the folder is opened",
    );
    indexed("itself", &["model.safetensors.index.json"], "index.json");
    indexed(
        "the same file again",
        &["model.safetensors", "./model.safetensors"],
        "nothing outside the folder is opened",
    );
    indexed("the folder", &["."], "nothing outside the folder is opened");
    folder(
        "llama-tiny",
        "an index without names",
        |path| {
            std::fs::write(
                path.join("model.safetensors.index.json"),
                "{\"weight_map\":[]}",
            )
            .unwrap();
        },
        "no index of weights",
    );
    folder(
        "llama-tiny",
        "no file but a folder",
        |path| {
            std::fs::remove_file(path.join("model.safetensors")).unwrap();
            std::fs::create_dir(path.join("model.safetensors")).unwrap();
        },
        "no regular file",
    );
    folder(
        "llama-tiny",
        "no file but a device",
        |path| {
            std::fs::remove_file(path.join("config.json")).unwrap();
            std::os::unix::fs::symlink("/dev/zero", path.join("config.json")).unwrap();
        },
        "no regular file",
    );
    let bert = |name, file: &'static str, text: String, words: &str| {
        folder(
            "bert-tiny",
            name,
            |path| std::fs::write(path.join(file), text).unwrap(),
            words,
        );
    };
    let modules = |count| {
        format!(
            "[{}]",
            vec![r#"{"type":"a.Pooling","path":"1_Pooling"}"#; count].join(",")
        )
    };
    bert(
        "100,000 modules",
        "modules.json",
        modules(100_000),
        "at most 16 are read",
    );
    bert(
        "modules outside",
        "modules.json",
        r#"[{"type":"Pooling","path":"../x"}]"#.to_owned(),
        "nothing outside",
    );
    bert(
        "modules deep",
        "modules.json",
        "[".repeat(1 << 20),
        "is no JSON",
    );
    bert(
        "a length of 0",
        "sentence_bert_config.json",
        "{\"max_seq_length\": 0}".to_owned(),
        "between 1 and",
    );
    folder(
        "bert-tiny",
        "a million cuts",
        |path| {
            put(
                path,
                "config.json",
                "{",
                &format!("{{\"matryoshka_dimensions\": {:?},", vec![1; 1_000_000]),
            );
        },
        "at most 1024 of them",
    );
}
