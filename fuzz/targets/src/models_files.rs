//! The files of a model.

use crate::scratch::with_file;
use models::{
    ChatContent, ChatMessage, ChatTemplate, Detokenizer, EncoderConfig, ModelConfig, ModelSpec,
    ModelText, Tokenizer, Weights,
};
use std::path::Path;
use std::sync::Arc;

/// A template that parses renders the same twice, within its limit.
pub(crate) fn template(bytes: &[u8]) {
    const OUTPUT_BYTES_MAX: usize = 8 << 20;
    let Ok(source) = std::str::from_utf8(bytes) else {
        return;
    };
    let specials = [("bos_token", "<s>"), ("eos_token", "</s>")];
    let Ok(template) = ChatTemplate::parse(source, &specials) else {
        return;
    };
    let message = |role: &str, content| ChatMessage {
        role: role.to_owned(),
        content,
    };
    let chat = [
        message("system", ChatContent::Text("Be brief.".to_owned())),
        message(
            "user",
            ChatContent::Parts(vec!["Why?".to_owned(), " {{ 7 }}".to_owned()]),
        ),
    ];
    let first = template
        .render(&chat, true)
        .map_err(|error| error.to_string());
    let again = template
        .render(&chat, true)
        .map_err(|error| error.to_string());
    assert!(
        first
            .as_ref()
            .is_ok_and(|text| text.len() <= OUTPUT_BYTES_MAX)
            || first.is_err()
    );
    // A template may ask for the time.
    assert!(
        first == again || source.contains("strftime_now"),
        "{first:?} is not {again:?}"
    );
}

const TEXTS: [&str; 3] = [
    "How far is it?",
    " <s> é\u{301}\u{1f469}\u{200d}\n\t123",
    "",
];

/// Ids of a text are in the vocabulary, and what they give back piece by piece is what they give at once.
pub(crate) fn tokenizer(bytes: &[u8]) {
    with_file("tokenizer.json", bytes, |folder| {
        if let Ok(tokenizer) = Tokenizer::from_file(&folder.join("tokenizer.json")) {
            encode(&Arc::new(tokenizer));
        }
        let _any = ModelText::open(&ModelSpec::Path(folder.join("tokenizer.json")));
    });
}

fn encode(tokenizer: &Arc<Tokenizer>) {
    for text in TEXTS {
        for special in [true, false] {
            let Ok(ids) = tokenizer.encode(text, special) else {
                continue;
            };
            assert!(
                ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size()),
                "{ids:?}"
            );
            let whole = tokenizer.decode(&ids);
            let mut pieces = Detokenizer::new(Arc::clone(tokenizer));
            let mut text = String::new();
            for &id in &ids {
                text.push_str(pieces.push(id));
            }
            text.push_str(pieces.finish());
            // Some decoders take a space from the beginning of a whole text: a piece does not know that it is one.
            assert_eq!(text.trim_start(), whole.trim_start());
        }
    }
}

/// The header of a GGUF file, and all that is read of it.
pub(crate) fn gguf(bytes: &[u8]) {
    with_file("model.gguf", bytes, |folder| {
        let path = folder.join("model.gguf");
        let Ok(file) = models::open_gguf(&path) else {
            return;
        };
        read(&file.weights, bytes.len());
        let _any = ModelConfig::from_gguf(&path, &file.metadata, 1_000);
        if let Ok(text) = ModelText::open(&ModelSpec::Path(path.clone())) {
            encode(&text.tokenizer);
        }
    });
}

/// The header of a file in safetensors, and its numbers.
pub(crate) fn safetensors(bytes: &[u8]) {
    with_file("model.safetensors", bytes, |folder| {
        if let Ok(weights) = models::open_safetensors(folder) {
            read(&weights, bytes.len());
        }
    });
}

/// Each tensor has the numbers that its shape says; a byte of a file holds at most four of them.
fn read(weights: &Weights, file_bytes: usize) {
    let names: Vec<String> = weights.names().map(str::to_owned).collect();
    for name in names {
        let Ok(tensor) = weights.tensor(&name) else {
            continue;
        };
        let numbers: usize = tensor.shape.iter().product();
        assert!(numbers <= 4 * file_bytes, "`{name}` has {numbers} numbers");
        assert_eq!(tensor.into_f32().len(), numbers);
    }
}

/// `config.json`, of models and of encoders: what is taken can be multiplied without an overflow.
pub(crate) fn config(bytes: &[u8]) {
    if let Ok(config) = ModelConfig::from_json(Path::new("config.json"), bytes) {
        assert!(config.heads > 0 && config.kv_heads > 0 && config.head_dim > 0);
        assert_eq!(config.heads % config.kv_heads, 0);
        let width = config.heads.checked_mul(config.head_dim);
        assert!(
            width
                .and_then(|width| width.checked_mul(config.vocab))
                .is_some()
        );
    }
    with_file("config.json", bytes, |folder| {
        let _any = EncoderConfig::from_folder(folder);
    });
}
