//! Files that somebody else made: each is loaded, or refused with a sentence that names it. Nothing panics, and nothing
//! is believed before it is checked.

mod common;

use common::{Field, Gguf, copy, options, tiny_llama};
use engine::{Engine, EngineRequest, SamplingParams, SchedulerConfig};
use models::{DType, LoadedModel, ModelSpec, ModelsError, load};
use proptest::prelude::*;
use std::path::Path;
use trace::Nanos;

fn load_path(path: &Path) -> Result<LoadedModel, ModelsError> {
    load(&ModelSpec::Path(path.to_owned()), &options(DType::Auto))
}

/// The error of a file of those bytes; it names the file.
fn gguf_error(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.gguf");
    std::fs::write(&path, bytes).unwrap();
    let error = load_path(&path).err().expect("taken").to_string();
    assert!(
        error.contains("bad.gguf") || error.contains("tokenizer"),
        "{error}"
    );
    error
}

fn gguf_error_of(change: impl FnOnce(&mut Gguf)) -> String {
    let mut gguf = tiny_llama();
    change(&mut gguf);
    gguf_error(&gguf.bytes().1)
}

/// The error of a copy of the tiny Llama after a change to its folder.
fn folder_error(change: impl FnOnce(&Path)) -> String {
    let folder = copy("llama-tiny");
    change(folder.path());
    let error = load_path(folder.path()).err().expect("taken").to_string();
    let name = folder.path().file_name().unwrap().to_string_lossy();
    assert!(error.contains(&*name), "{error}");
    error
}

/// Loads it; whatever loads must also compute, whatever its numbers are.
fn survives(path: &Path) {
    let Ok(loaded) = load_path(path) else { return };
    let vocab = engine::Model::vocab_size(&loaded.model);
    let limits = SchedulerConfig {
        blocks: usize::MAX,
        sequences_max: 2,
        step_tokens_max: 8,
        queue_max: 8,
        context_tokens: usize::MAX,
        prefix_cache: true,
    };
    let mut engine = Engine::new(loaded.model, limits);
    let last = u32::try_from(vocab - 1).unwrap();
    for temperature in [0.0, 1.0] {
        let params = SamplingParams {
            temperature,
            tokens_max: 2,
            ..SamplingParams::default()
        };
        let prompt = vec![0, last, last / 2];
        let _refused = engine.submit(EngineRequest { prompt, params }, Nanos::ZERO);
    }
    let mut events = Vec::new();
    while engine.step(Nanos::ZERO, &mut events).unwrap() {}
}

#[test]
fn bad_input_34_a_gguf_file_that_is_cut_short_is_refused_wherever_it_ends() {
    let (header, bytes) = tiny_llama().bytes();
    let places = (0..header)
        .step_by(37)
        .chain((header..bytes.len()).step_by(9973));
    for end in places.chain([header - 1, header, bytes.len() - 1]) {
        gguf_error(&bytes[..end]);
    }
}

#[test]
fn bad_input_34_counts_that_no_file_could_hold_are_refused() {
    for claimed in [(u64::MAX, 16), (22, u64::MAX), (1 << 40, 1 << 40)] {
        let error = gguf_error_of(|gguf| gguf.claimed = Some(claimed));
        assert!(error.contains("have no room"), "{error}");
    }
    let error = gguf_error_of(|gguf| {
        gguf.set("general.name", Field(8, u64::MAX.to_le_bytes().to_vec()));
    });
    assert!(error.contains("have no room"), "{error}");
}

#[test]
fn bad_input_34_tensors_outside_the_file_are_refused() {
    for offset in [u64::MAX, u64::MAX - 31, 1 << 62, 1 << 20] {
        let error = gguf_error_of(|gguf| gguf.tensors[3].offset = Some(offset));
        assert!(error.contains("beyond the file's end"), "{error}");
    }
    for (shape, words) in [
        (vec![u64::MAX, u64::MAX], "impossible shape"),
        (vec![1 << 33, 1 << 33], "impossible shape"),
        (vec![1 << 30, 64], "beyond the file's end"),
        (vec![1; 5], "has 5 dimensions"),
        (vec![300, 32], "follows from the configuration"),
        (vec![0, 64], ""),
        (vec![], ""),
    ] {
        let error = gguf_error_of(|gguf| gguf.tensor("token_embd.weight").shape = shape);
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn bad_input_34_types_that_do_not_exist_are_refused() {
    for (kind, words) in [(7, "has type 7"), (u32::MAX, "F32 (0), F16 (1)")] {
        let error = gguf_error_of(|gguf| gguf.tensors[0].kind = kind);
        assert!(error.contains(words), "{error}");
    }
    for (field, words) in [
        (Field(13, vec![0; 8]), "has type 13"),
        (Field(7, vec![2]), "a truth value is 0 or 1, got 2"),
        (
            Field(8, [2u64.to_le_bytes().as_slice(), &[0xff, 0xfe]].concat()),
            "not UTF-8",
        ),
        (Field::claim(9, 1), "list of lists"),
    ] {
        let error = gguf_error_of(|gguf| {
            gguf.set("general.name", field);
        });
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn bad_input_34_a_header_that_contradicts_itself_is_refused() {
    type Change = fn(&mut Gguf);
    let cases: [(Change, &str); 8] = [
        (|gguf| gguf.fields.push(gguf.fields[0].clone()), "twice"),
        (|gguf| gguf.tensors.push(gguf.tensors[0].clone()), "twice"),
        (
            |gguf| _ = gguf.set("general.alignment", Field::u32(3)),
            "alignment of 3",
        ),
        (
            |gguf| _ = gguf.set("llama.attention.head_count", Field::u32(0)),
            "between 1 and",
        ),
        (
            |gguf| _ = gguf.set("llama.attention.head_count", Field::text("4")),
            "whole number",
        ),
        (
            |gguf| _ = gguf.set("general.architecture", Field::text("mamba")),
            "`mamba`; gpt2 and llama",
        ),
        (
            |gguf| gguf.remove("llama.block_count"),
            "has no `llama.block_count`",
        ),
        (|gguf| _ = gguf.tensors.pop(), "has no tensor"),
    ];
    for (change, words) in cases {
        let error = gguf_error_of(change);
        assert!(error.contains(words), "{error}");
    }
    assert!(gguf_error(b"GGML").contains("does not begin with `GGUF`"));
    assert!(gguf_error(b"GGUF\x01\0\0\0").contains("version 1"));
}

#[test]
fn a_context_that_the_cache_cannot_hold_is_cut_to_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.gguf");
    let mut gguf = tiny_llama();
    gguf.set("llama.context_length", Field::u32(1 << 24));
    std::fs::write(&path, gguf.bytes().1).unwrap();
    let loaded = load_path(&path).unwrap();
    assert_eq!(
        engine::Model::context_tokens(&loaded.model),
        64 * engine::BLOCK_TOKENS
    );
}

/// Replaces the header of the weights and keeps their numbers.
fn with_header(folder: &Path, change: impl FnOnce(&str) -> String) {
    let path = folder.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let size = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let header = change(std::str::from_utf8(&bytes[8..8 + size]).unwrap());
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(
        &path,
        [&length, header.as_bytes(), &bytes[8 + size..]].concat(),
    )
    .unwrap();
}

#[test]
fn bad_input_36_a_header_of_an_absurd_length_is_refused() {
    for length in [u64::MAX, 1 << 62, 99_999_999, 10_000_000] {
        let error = folder_error(|folder| {
            let path = folder.join("model.safetensors");
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[..8].copy_from_slice(&length.to_le_bytes());
            std::fs::write(&path, bytes).unwrap();
        });
        assert!(
            error.contains(&format!("claims a header of {length} bytes")),
            "{error}"
        );
    }
    for bytes in [
        &b""[..],
        b"1234567",
        b"\x02\0\0\0\0\0\0\0{",
        b"\x02\0\0\0\0\0\0\0[]",
    ] {
        folder_error(|folder| std::fs::write(folder.join("model.safetensors"), bytes).unwrap());
    }
}

#[test]
fn bad_input_36_tensors_that_overlap_repeat_or_lie_are_refused() {
    let norm = r#""model.norm.weight":{"dtype":"F32","shape":[64],"data_offsets":[0,256]}"#;
    let add = |tensor: &str| {
        let tensor = format!("{{{tensor},");
        folder_error(|folder| with_header(folder, |header| header.replacen('{', &tensor, 1)))
    };
    assert!(add(norm).contains("twice"));
    assert!(add(&norm.replace("model.norm", "other")).contains("overlap"));
    for (from, to, words) in [
        ("[0,256]", "[256,0]", "its offsets are 256 and 0"),
        ("[0,256]", "[0,255]", "needs 256 bytes"),
        ("[0,256]", "[-1,255]", "other"),
        ("[0,256]", "[900000,900256]", "beyond the"),
        (
            "[0,256]",
            "[18446744073709551360,18446744073709551615]",
            "needs 256 bytes",
        ),
        ("[64]", "[4611686018427387904,4]", "impossible shape"),
        ("F32", "F64", "type F64; F32, F16 and BF16"),
        ("F32", "\\u001b[31m", "type"),
    ] {
        let error = add(&norm.replace("model.norm", "other").replace(from, to));
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn bad_input_39_a_malformed_configuration_is_refused() {
    for (from, to, words) in [
        ("{", "{{", "is no JSON"),
        ("\"llama\"", "\"mamba\"", "`mamba`; gpt2 and llama"),
        (
            "\"num_attention_heads\": 4",
            "\"num_attention_heads\": 0",
            "between 1 and",
        ),
        (
            "\"num_attention_heads\": 4",
            "\"num_attention_heads\": 4.5",
            "whole number",
        ),
        (
            "\"num_attention_heads\": 4",
            "\"num_attention_heads\": -4",
            "whole number",
        ),
        (
            "\"num_attention_heads\": 4",
            "\"num_attention_heads\": 1e300",
            "whole number",
        ),
        (
            "\"num_attention_heads\": 4",
            "\"num_attention_heads\": 3",
            "3 query heads on 2",
        ),
        (
            "\"num_attention_heads\": 4",
            "\"other\": 4",
            "has no `num_attention_heads`",
        ),
        ("\"head_dim\": 16", "\"head_dim\": 15", "heads of 15 values"),
        (
            "\"hidden_size\": 64",
            "\"hidden_size\": 65",
            "follows from the configuration",
        ),
        (
            "\"num_hidden_layers\": 3",
            "\"num_hidden_layers\": 4",
            "has no tensor",
        ),
        (
            "\"num_hidden_layers\": 3",
            "\"num_hidden_layers\": 99999999",
            "between 1 and 1024",
        ),
        ("1e-06", "\"tiny\"", "`rms_norm_eps` must be a number"),
        ("1e-06", "-1", "`rms_norm_eps` must be a number"),
        ("\"silu\"", "\"gelu\"", "`hidden_act` must be silu"),
        (
            "\"mlp_bias\": false",
            "\"mlp_bias\": true",
            "`mlp_bias` is true",
        ),
        ("\"default\"", "\"yarn\"", "rope scaling `yarn`"),
        (
            "\"vocab_size\": 300",
            "\"vocab_size\": 200",
            "do not belong together",
        ),
    ] {
        let error = folder_error(|folder| {
            let path = folder.join("config.json");
            let config = std::fs::read_to_string(&path).unwrap();
            assert!(config.contains(from), "{from}");
            std::fs::write(&path, config.replacen(from, to, 1)).unwrap();
        });
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn bad_input_40_weights_outside_the_folder_are_not_opened() {
    for name in [
        "../secret.safetensors",
        "/etc/passwd",
        "a/../../b",
        "..",
        "",
    ] {
        let error = folder_error(|folder| {
            let index = serde_json::json!({"weight_map": {"model.norm.weight": name}});
            std::fs::write(
                folder.join("model.safetensors.index.json"),
                index.to_string(),
            )
            .unwrap();
        });
        assert!(
            error.contains("nothing outside the folder is opened"),
            "{error}"
        );
    }
}

#[test]
fn bad_input_40_weights_that_could_be_programs_are_not_opened() {
    let error = folder_error(|folder| {
        let weights = folder.join("model.safetensors");
        std::fs::rename(weights, folder.join("pytorch_model.bin")).unwrap();
    });
    assert!(
        error.contains("can hold programs and is not opened"),
        "{error}"
    );
    let error = folder_error(|folder| {
        std::fs::remove_file(folder.join("model.safetensors")).unwrap();
    });
    assert!(error.contains("has no model.safetensors"), "{error}");
}

/// Bytes to put in place of others, each at a place in thousandths of the whole.
fn damages() -> impl Strategy<Value = Vec<(u32, u8)>> {
    prop::collection::vec((0..1_000_000u32, any::<u8>()), 1..6)
}

fn damage(bytes: &mut [u8], damages: &[(u32, u8)]) {
    for (place, byte) in damages {
        let at = bytes.len() as u64 * u64::from(*place) / 1_000_000;
        bytes[usize::try_from(at).unwrap()] = *byte;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn bad_input_34_a_damaged_gguf_file_is_refused_or_computes(damages in damages()) {
        let (header, mut bytes) = tiny_llama().bytes();
        damage(&mut bytes[..header], &damages);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged.gguf");
        std::fs::write(&path, bytes).unwrap();
        survives(&path);
    }

    #[test]
    fn bad_input_36_a_damaged_folder_is_refused_or_computes(
        damages in damages(),
        which in prop::sample::select(vec!["model.safetensors", "config.json", "vocab.json", "merges.txt"]),
    ) {
        let folder = copy("llama-tiny");
        let path = folder.path().join(which);
        let mut bytes = std::fs::read(&path).unwrap();
        // Of the weights, the header.
        let end = bytes.len().min(3000);
        damage(&mut bytes[..end], &damages);
        std::fs::write(&path, bytes).unwrap();
        survives(folder.path());
    }

    #[test]
    fn any_numbers_as_weights_compute(damages in prop::collection::vec((0..1_000_000u32, any::<u8>()), 50..500)) {
        let (header, mut bytes) = tiny_llama().bytes();
        damage(&mut bytes[header..], &damages);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("odd.gguf");
        std::fs::write(&path, bytes).unwrap();
        survives(&path);
    }
}
