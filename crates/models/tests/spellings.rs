//! The ways in which files say the same: where a text begins and ends, whether the last layer is tied, in how many files
//! a model comes, and where its chat template lies.

mod common;

use common::{Field, Gguf, copy, data, options, tiny_llama};
use models::{
    ChatContent, ChatMessage, DType, LoadedModel, ModelSpec, ModelText, ModelsError, load,
};
use serde_json::{Value, json};
use std::path::Path;

const BOS: u32 = 256;
const EOS: u32 = 257;
const TURN: u32 = 258;
const THINK: u32 = 259;

/// A folder with a tokenizer of bytes and four more tokens, the last of which is not special.
fn folder(post_processor: &Value, files: &[(&str, Value)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let vocab = std::fs::read(data("llama-tiny/vocab.json")).unwrap();
    let mut vocab: serde_json::Map<String, Value> = serde_json::from_slice(&vocab).unwrap();
    vocab.remove("<|endoftext|>");
    let added: Vec<Value> = [("<s>", BOS), ("</s>", EOS), ("<|turn|>", TURN), ("<think>", THINK)]
        .iter()
        .map(|(name, id)| {
            json!({"id": id, "content": name, "special": *id != THINK, "single_word": false, "lstrip": false,
                   "rstrip": false, "normalized": false})
        })
        .collect();
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let tokenizer = json!({
        "version": "1.0", "added_tokens": added, "pre_tokenizer": bytes, "decoder": bytes,
        "post_processor": post_processor, "model": {"type": "BPE", "vocab": vocab, "merges": []},
    });
    for (name, json) in files.iter().chain([&("tokenizer.json", tokenizer)]) {
        std::fs::write(folder.path().join(name), json.to_string()).unwrap();
    }
    folder
}

fn text_of(folder: &Path) -> ModelText {
    ModelText::open(&ModelSpec::Path(folder.to_owned())).unwrap()
}

/// As Llama 3's file has it.
fn adds_bos() -> Value {
    let single = json!([{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]);
    json!({"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
        {"type": "TemplateProcessing", "single": single, "pair": single,
         "special_tokens": {"<s>": {"id": "<s>", "ids": [BOS], "tokens": ["<s>"]}}},
    ]})
}

#[test]
fn a_prompt_begins_as_the_post_processor_or_else_the_settings_say() {
    let (h, i) = (104, 105);
    let bos = json!({"content": "<s>", "lstrip": false});
    for (post_processor, settings, expected) in [
        (adds_bos(), json!({}), vec![BOS, h, i]),
        // Not twice.
        (
            adds_bos(),
            json!({"bos_token": bos, "add_bos_token": true}),
            vec![BOS, h, i],
        ),
        (
            Value::Null,
            json!({"bos_token": bos, "add_bos_token": true}),
            vec![BOS, h, i],
        ),
        (Value::Null, json!({"bos_token": "<s>"}), vec![h, i]),
        (
            Value::Null,
            json!({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": true, "add_eos_token": true}),
            vec![BOS, h, i, EOS],
        ),
    ] {
        let folder = folder(
            &post_processor,
            &[("tokenizer_config.json", settings.clone())],
        );
        let tokenizer = text_of(folder.path()).tokenizer;
        assert_eq!(
            tokenizer.encode_prompt("hi").unwrap(),
            expected,
            "{settings}"
        );
        // A chat is rendered whole: its template says what it begins with.
        assert_eq!(tokenizer.encode("<s>hi", true).unwrap(), [BOS, h, i]);
    }
}

#[test]
fn an_added_token_is_text_unless_it_is_special() {
    let folder = folder(&Value::Null, &[]);
    let tokenizer = text_of(folder.path()).tokenizer;
    assert_eq!(tokenizer.decode(&[THINK, TURN, 104, EOS]), "<think>h");
}

#[test]
fn a_text_ends_at_every_token_that_a_file_names() {
    let map = ("special_tokens_map.json", json!({"eos_token": "<|turn|>"}));
    let config = |ids: Value| ("config.json", json!({"eos_token_id": ids}));
    let generation = |ids: Value| ("generation_config.json", json!({"eos_token_id": ids}));
    let settings = (
        "tokenizer_config.json",
        json!({"eos_token": {"content": "<|turn|>"}}),
    );
    for (files, expected) in [
        (vec![config(json!(EOS))], vec![EOS]),
        (vec![config(json!([EOS, TURN]))], vec![EOS, TURN]),
        (
            vec![config(json!(EOS)), generation(json!([BOS, EOS]))],
            vec![EOS, BOS],
        ),
        (vec![config(json!(EOS)), settings.clone()], vec![EOS, TURN]),
        (vec![settings], vec![TURN]),
        (vec![config(json!(EOS)), map], vec![EOS, TURN]),
        (
            vec![("config.json", json!({"text_config": {"eos_token_id": EOS}}))],
            vec![EOS],
        ),
    ] {
        let folder = folder(&Value::Null, &files);
        assert_eq!(text_of(folder.path()).eos, expected, "{files:?}");
    }
}

fn gguf_text(gguf: &Gguf) -> ModelText {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    std::fs::write(&path, gguf.bytes().1).unwrap();
    text_of(&path)
}

/// Two more tokens, the first of which is a control token.
fn with_tokens(first: &str, second: &str) -> Gguf {
    let mut gguf = tiny_llama();
    let vocab = std::fs::read(data("llama-tiny/vocab.json")).unwrap();
    let vocab: std::collections::HashMap<String, usize> = serde_json::from_slice(&vocab).unwrap();
    let mut names = vec![String::new(); vocab.len()];
    for (name, id) in vocab {
        names[id] = name;
    }
    names.extend([first.to_owned(), second.to_owned()]);
    let mut types = Field::claim(5, names.len() as u64);
    for id in 0..names.len() {
        let kind: i32 = if (256..=257).contains(&id) { 3 } else { 1 };
        types.1.extend(kind.to_le_bytes());
    }
    gguf.set(
        "tokenizer.ggml.tokens",
        Field::texts(names.iter().map(String::as_str)),
    )
    .set("tokenizer.ggml.token_type", types);
    gguf
}

#[test]
fn a_gguf_files_text_ends_at_its_ids_and_at_the_control_tokens_that_end_turns() {
    assert_eq!(
        gguf_text(&with_tokens("<|eot_id|>", "<|im_end|>")).eos,
        [256, 257]
    );
    let mut gguf = with_tokens("<|x|>", "<|y|>");
    gguf.set("tokenizer.ggml.eot_token_id", Field::u32(257))
        .set("tokenizer.ggml.eom_token_id", Field::u32(258));
    assert_eq!(gguf_text(&gguf).eos, [256, 257, 258]);
}

#[test]
fn a_gguf_files_prompt_begins_as_its_keys_or_else_its_kind_of_vocabulary_says() {
    let truth = |value: bool| Field(7, vec![u8::from(value)]);
    for (pre, key, expected) in [
        ("llama-bpe", None, vec![256, 104]),
        ("falcon3", None, vec![256, 104]),
        ("gpt-2", None, vec![104]),
        ("llama-bpe", Some(("add_bos_token", false)), vec![104]),
        ("gpt-2", Some(("add_bos_token", true)), vec![256, 104]),
        ("gpt-2", Some(("add_eos_token", true)), vec![104, 256]),
    ] {
        let mut gguf = tiny_llama();
        gguf.set("tokenizer.ggml.pre", Field::text(pre))
            .set("tokenizer.ggml.bos_token_id", Field::u32(256));
        if let Some((key, value)) = key {
            gguf.set(&format!("tokenizer.ggml.{key}"), truth(value));
        }
        let tokens = gguf_text(&gguf).tokenizer.encode_prompt("h").unwrap();
        assert_eq!(tokens, expected, "{pre} {key:?}");
    }
}

#[test]
fn a_chat_template_is_found_wherever_a_folder_has_it() {
    let source = |name: &str| format!("{name} {{{{ messages[0].content }}}}");
    let settings = |value: Value| ("tokenizer_config.json", json!({"chat_template": value}));
    let named = json!([{"name": "tool_use", "template": "no"}, {"name": "default", "template": source("list")}]);
    let object = json!({"tool_use": "no", "default": source("object")});
    let processor = (
        "chat_template.json",
        json!({"chat_template": source("processor")}),
    );
    let rendered = |folder: &Path| {
        let said = ChatMessage {
            role: "user".to_owned(),
            content: ChatContent::Text("x".to_owned()),
        };
        text_of(folder)
            .template
            .unwrap()
            .render(&[said], true)
            .unwrap()
    };
    for (files, expected) in [
        (vec![settings(json!(source("text")))], "text x"),
        (vec![settings(named)], "list x"),
        (vec![settings(object)], "object x"),
        (vec![processor], "processor x"),
    ] {
        let folder = folder(&Value::Null, &files);
        assert_eq!(rendered(folder.path()), expected);
        // A file of its own is the newer spelling, and wins.
        std::fs::write(folder.path().join("chat_template.jinja"), source("file")).unwrap();
        assert_eq!(rendered(folder.path()), "file x");
    }
}

fn load_path(path: &Path) -> Result<LoadedModel, ModelsError> {
    load(&ModelSpec::Path(path.to_owned()), &options(DType::F32))
}

fn set_tied(folder: &Path, tied: &Value) {
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config["tie_word_embeddings"] = tied.clone();
    std::fs::write(path, config.to_string()).unwrap();
}

/// A last layer of zeros behind the other tensors.
fn add_head(folder: &Path) {
    let path = folder.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let size = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let (header, numbers) = bytes[8..].split_at(size);
    let mut header: Value = serde_json::from_slice(header).unwrap();
    let (start, head) = (numbers.len(), vec![0; 300 * 64 * 4]);
    header["lm_head.weight"] =
        json!({"dtype": "F32", "shape": [300, 64], "data_offsets": [start, start + head.len()]});
    let header = header.to_string();
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(path, [&length, header.as_bytes(), numbers, &head].concat()).unwrap();
}

#[test]
fn the_last_layer_is_the_embedding_where_the_configuration_says_so_whatever_else_the_file_holds() {
    let parameters = |tied: &Value, head: bool| {
        let folder = copy("llama-tiny");
        set_tied(folder.path(), tied);
        if head {
            add_head(folder.path());
        }
        load_path(folder.path()).map(|loaded| loaded.facts.parameters)
    };
    let tied = parameters(&json!(true), false).unwrap();
    assert_eq!(parameters(&json!(true), true).unwrap(), tied);
    assert_eq!(parameters(&Value::Null, false).unwrap(), tied);
    assert_eq!(parameters(&Value::Null, true).unwrap(), tied + 300 * 64);
    assert_eq!(parameters(&json!(false), true).unwrap(), tied + 300 * 64);
    let error = parameters(&json!(false), false).unwrap_err().to_string();
    assert!(error.contains("no tensor `lm_head.weight`"), "{error}");
    assert!(error.contains("`tie_word_embeddings` false"), "{error}");
}

/// The tiny Llama in two parts, as `gguf-split` writes them.
fn split_in(folder: &Path) -> [std::path::PathBuf; 2] {
    let short = |value: u16| Field(2, value.to_le_bytes().to_vec());
    let mut first = tiny_llama();
    let count = u32::try_from(first.tensors.len()).unwrap();
    let mut second = Gguf {
        tensors: first.tensors.split_off(5),
        ..Gguf::default()
    };
    let paths = [1, 2].map(|number| folder.join(format!("m-{number:05}-of-00002.gguf")));
    for (number, (gguf, path)) in [&mut first, &mut second]
        .into_iter()
        .zip(&paths)
        .enumerate()
    {
        gguf.set("split.no", short(u16::try_from(number).unwrap()))
            .set("split.count", short(2))
            .set("split.tensors.count", Field::u32(count));
        std::fs::write(path, gguf.bytes().1).unwrap();
    }
    paths
}

#[test]
fn a_model_in_several_gguf_files_is_read_from_its_first_or_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.gguf");
    std::fs::write(&whole, tiny_llama().bytes().1).unwrap();
    let expected = load_path(&whole).unwrap().facts;
    std::fs::remove_file(&whole).unwrap();
    let [first, second] = split_in(folder.path());
    assert_eq!(load_path(&first).unwrap().facts, expected);
    assert_eq!(load_path(folder.path()).unwrap().facts, expected);

    let error = |path: &Path| load_path(path).err().unwrap().to_string();
    let words = error(&second);
    assert!(
        words.contains("name the first part, `m-00001-of-00002.gguf`"),
        "{words}"
    );
    let renamed = folder.path().join("other.gguf");
    std::fs::copy(&first, &renamed).unwrap();
    let words = error(&renamed);
    assert!(
        words.contains("does not end in -00001-of-00002.gguf"),
        "{words}"
    );
    std::fs::remove_file(&second).unwrap();
    let words = error(&first);
    assert!(
        words.contains("`m-00002-of-00002.gguf` is not beside it"),
        "{words}"
    );
    assert!(words.contains("gguf-split --merge"), "{words}");
    std::fs::copy(&first, &second).unwrap();
    let words = error(&first);
    assert!(words.contains("as another part has"), "{words}");
}

#[test]
fn a_big_endian_file_is_refused_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    let mut bytes = tiny_llama().bytes().1;
    bytes[4..8].reverse();
    std::fs::write(&path, bytes).unwrap();
    let words = load_path(&path).err().unwrap().to_string();
    assert!(words.contains("is big-endian (GGUF version 3"), "{words}");
}
