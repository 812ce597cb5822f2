use super::{Pooled, Pooling, answer};
use crate::MockConfig;
use crate::vectors::Vectors;
use serde_json::Value;
use std::time::Duration;

fn ask(config: &MockConfig, pooling: Pooling, body: &str) -> Result<Pooled, String> {
    let mut vectors = Vectors::default();
    answer(config, &mut vectors, pooling, body.as_bytes(), 4, 9)
}

fn json(config: &MockConfig, pooling: Pooling, body: &str) -> Value {
    let pooled = ask(config, pooling, body).unwrap_or_else(|reason| panic!("{reason}"));
    serde_json::from_slice(&pooled.body).unwrap()
}

#[test]
fn every_input_gets_its_vector_in_order_and_its_words_are_counted() {
    let config = MockConfig::default();
    let body = r#"{"model":"m","input":["a b","c","a b"]}"#;
    let answer = json(&config, Pooling::Embeddings, body);
    assert_eq!(answer["model"], "m");
    assert_eq!(answer["usage"]["prompt_tokens"], 5);
    let data = answer["data"].as_array().unwrap();
    assert_eq!(data.len(), 3);
    assert_eq!(data[1]["index"], 1);
    assert_eq!(data[0]["embedding"], data[2]["embedding"]);
    assert_eq!(data[0]["embedding"].as_array().unwrap().len(), 384);
}

#[test]
fn the_request_decides_on_dimensions_and_format() {
    let config = MockConfig {
        embedding_dimensions: 8,
        ..MockConfig::default()
    };
    let vector = |body| json(&config, Pooling::Embeddings, body)["data"][0]["embedding"].clone();
    assert_eq!(vector(r#"{"input":"a"}"#).as_array().unwrap().len(), 8);
    let asked = vector(r#"{"input":"a","dimensions":3}"#);
    assert_eq!(asked.as_array().unwrap().len(), 3);
    let text = vector(r#"{"input":[1,2],"dimensions":3,"encoding_format":"base64"}"#);
    assert_eq!(text.as_str().unwrap().len(), 16, "12 bytes");
}

#[test]
fn what_cannot_be_answered_is_refused_with_the_limit() {
    let config = MockConfig::default();
    let many = format!(
        r#"{{"input":[{}"a"],"dimensions":16384}}"#,
        r#""a","#.repeat(1_024)
    );
    for (body, reason) in [
        (r#"{"input":"a","dimensions":0}"#, "1 to 16384"),
        (r#"{"input":"a","dimensions":16385}"#, "1 to 16384"),
        (&many, "send fewer inputs"),
        ("{}", "`input` is missing"),
    ] {
        let refused = ask(&config, Pooling::Embeddings, body).err().unwrap();
        assert!(refused.contains(reason), "{refused}");
    }
}

#[test]
fn an_embedding_takes_the_time_to_first_token_and_its_words() {
    let config = MockConfig {
        ttft: Duration::from_millis(7).into(),
        prefill: Duration::from_micros(500),
        ..MockConfig::default()
    };
    let pooled = ask(&config, Pooling::Embeddings, r#"{"input":["a b","c"]}"#);
    assert_eq!(pooled.ok().map(|pooled| pooled.at), Some(8_500_000));
}

#[test]
fn scores_are_those_of_the_pairs() {
    let config = MockConfig::default();
    let score = |body: &str| {
        let answer = json(&config, Pooling::Score, body);
        let data = answer["data"].as_array().unwrap().clone();
        data.iter()
            .map(|one| one["score"].as_f64().unwrap().to_bits())
            .collect::<Vec<_>>()
    };
    let both = score(r#"{"text_1":"q","text_2":["a","b"]}"#);
    assert_eq!(both.len(), 2);
    assert_eq!(both[1], score(r#"{"text_1":"q","text_2":"b"}"#)[0]);
}

#[test]
fn a_ranking_is_sorted_cut_and_agrees_with_the_scores() {
    let config = MockConfig::default();
    let body = r#"{"query":"q","documents":["a","b","c","d"],"top_n":3}"#;
    let answer = json(&config, Pooling::Rerank, body);
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    let score = |one: &Value| one["relevance_score"].as_f64().unwrap();
    assert!(results.is_sorted_by(|a, b| score(a) >= score(b)));
    let best = results[0]["document"]["text"].as_str().unwrap();
    let body = format!(r#"{{"text_1":"q","text_2":"{best}"}}"#);
    let alone = json(&config, Pooling::Score, &body);
    assert_eq!(alone["data"][0]["score"], results[0]["relevance_score"]);
    assert_eq!(answer["usage"]["total_tokens"], 8);
}
