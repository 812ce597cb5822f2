//! Requests that a server of ours reads.

use openai::{
    EmbeddingLimits, EmbeddingRequest, EmbeddingView, Endpoint, Json, Prompt, RequestLimits,
    RequestView, RerankRequest, RerankView, ScoreRequest, ScoreView, ServerRequest, VectorSizes,
};

/// Whatever our strict reader takes, serde takes too, and the other way round but for what it is stricter about.
pub(crate) fn json(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let ours = Json::parse(text);
    let theirs = serde_json::from_str::<serde_json::Value>(text);
    if let Ok(ours) = &ours
        && is_plain(ours)
    {
        let theirs = theirs.unwrap_or_else(|error| panic!("serde refuses it: {error}"));
        assert!(is_same(ours, &theirs), "{ours:?} is not {theirs:?}");
    }
}

/// Without the words that no JSON has, numbers beyond every type, and halves of characters.
fn is_plain(json: &Json<'_>) -> bool {
    match json {
        Json::Number(text) => text.parse::<f64>().is_ok_and(f64::is_finite),
        Json::String(text) => !text.contains('\u{fffd}'),
        Json::Array(list) => list.iter().all(is_plain),
        Json::Object(fields) => fields
            .iter()
            .all(|(key, value)| !key.contains('\u{fffd}') && is_plain(value)),
        Json::Null | Json::Bool(_) => true,
    }
}

fn is_same(ours: &Json<'_>, theirs: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(ours), Value::Bool(theirs)) => ours == theirs,
        (Json::Number(text), Value::Number(theirs)) => {
            // serde's own reading may be off by a unit in the last place.
            let (ours, theirs) = (text.parse().unwrap_or(f64::NAN), theirs.as_f64());
            theirs.is_some_and(|theirs| (ours - theirs).abs() <= f64::EPSILON * theirs.abs())
        }
        (Json::String(ours), Value::String(theirs)) => ours == theirs,
        (Json::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(one, other)| is_same(one, other))
        }
        (Json::Object(ours), Value::Object(theirs)) => {
            let same = |(key, value): &(_, Json<'_>)| {
                let key: &str = &std::borrow::Cow::clone(key);
                theirs.get(key).is_some_and(|theirs| is_same(value, theirs))
            };
            ours.len() == theirs.len() && ours.iter().all(same)
        }
        _ => false,
    }
}

const LIMITS: RequestLimits = RequestLimits {
    vocab_size: 1_000,
    context_tokens: 512,
    n_max: 4,
};

/// What a server takes is within its limits, and a refusal is a body that can be sent.
pub(crate) fn request(bytes: &[u8]) {
    for endpoint in [
        Endpoint::ChatCompletions,
        Endpoint::Completions,
        Endpoint::Responses,
    ] {
        if let Ok(view) = RequestView::parse(bytes, endpoint) {
            assert!(view.prompt_words <= bytes.len() as u64);
            assert!(view.prompts as usize <= bytes.len());
        }
        match ServerRequest::parse(bytes, endpoint, &LIMITS) {
            Ok(request) => check(&request),
            Err(refusal) => {
                let body: serde_json::Value = serde_json::from_slice(&refusal.body()).unwrap();
                assert!(body["error"]["message"].is_string());
            }
        }
    }
    let limits = EmbeddingLimits {
        vocab_size: 1_000,
        text_tokens_max: 512,
        texts_max: 8,
        dimensions: 384,
        sizes: VectorSizes::Whole,
    };
    if let Ok(request) = EmbeddingRequest::parse(bytes, &limits) {
        assert!((1..=8).contains(&request.inputs.len()) && request.dimensions == 384);
    }
    let _any = ScoreRequest::parse(bytes, &limits);
    if let Ok(request) = RerankRequest::parse(bytes, &limits) {
        assert!(request.documents.len() <= 8 && request.top_n <= request.documents.len());
    }
    if let Ok(view) = EmbeddingView::parse(bytes) {
        assert!(!view.inputs.is_empty() && view.inputs.len() <= bytes.len());
    }
    let _any = (ScoreView::parse(bytes), RerankView::parse(bytes));
}

fn check(request: &ServerRequest) {
    assert!((1..=LIMITS.n_max).contains(&request.n));
    let known = |id: &u32| (*id as usize) < LIMITS.vocab_size;
    assert!(request.stop_tokens.iter().all(known));
    assert!(
        request
            .logit_bias
            .iter()
            .all(|(id, bias)| known(id) && bias.is_finite())
    );
    assert!((0.0..=2.0).contains(&request.temperature));
    assert!(request.top_p > 0.0 && request.top_p <= 1.0);
    assert!(request.stop.iter().all(|stop| !stop.is_empty()));
    assert!(
        request
            .tokens_max
            .is_none_or(|(_, most)| request.tokens_min <= most)
    );
    match &request.prompt {
        Prompt::Messages(messages) => assert!(!messages.is_empty()),
        Prompt::Text(text) => assert!(!text.is_empty()),
        Prompt::Tokens(ids) => assert!(!ids.is_empty() && ids.iter().all(known)),
    }
}
