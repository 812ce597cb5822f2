use sha2::{Digest, Sha256};
use std::fmt::Write;
use trace::{Plan, PlannedRequest, Prompt};

/// SHA-256, in lower-case hexadecimal, of what the plans send and when it is due.
///
/// Equal hashes mean that two invocations had the same prompts, limits and due times in the same
/// order. The bytes hashed are `tokenomics workload 1\n`, then for each plan the number of its
/// requests, then for each request its due time, `max_tokens`, system message and user message; of texts their number, query and
/// texts instead.
/// Numbers are little-endian u64; a text is its length in bytes and its UTF-8; what may be absent
/// has a byte 0 or 1 before it.
pub fn workload_hash(plans: &[&Plan]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"tokenomics workload 1\n");
    for plan in plans {
        update_number(&mut hash, plan.requests.len() as u64);
        for request in &plan.requests {
            update_request(&mut hash, request);
        }
    }
    hash.finalize()
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a String takes any text");
            hex
        })
}

fn update_request(hash: &mut Sha256, request: &PlannedRequest) {
    update_number(hash, request.due.0);
    hash.update([u8::from(request.max_tokens.is_some())]);
    if let Some(max_tokens) = request.max_tokens {
        update_number(hash, max_tokens.into());
    }
    let (before, texts) = match &request.prompt {
        Prompt::Chat { system, user } => (system, std::slice::from_ref(user)),
        Prompt::Texts { query, texts } => {
            update_number(hash, texts.len() as u64);
            (query, &**texts)
        }
    };
    hash.update([u8::from(before.is_some())]);
    for text in before.iter().chain(texts) {
        update_text(hash, text);
    }
}

fn update_number(hash: &mut Sha256, number: u64) {
    hash.update(number.to_le_bytes());
}

fn update_text(hash: &mut Sha256, text: &str) {
    update_number(hash, text.len() as u64);
    hash.update(text);
}
