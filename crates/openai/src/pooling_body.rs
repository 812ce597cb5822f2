//! Bodies with embeddings, scores and rankings, for a provider.

use crate::json::push_json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What the bodies of one response have in common.
#[derive(Clone, Copy, Debug)]
pub struct PoolingStyle<'a> {
    /// `id` of the response; embeddings have none.
    pub id: &'a str,
    /// `model` that answers.
    pub model: &'a str,
    /// Unix time of the response, in seconds.
    pub created: u64,
    /// Tokens of all inputs.
    pub prompt_tokens: u64,
}

impl PoolingStyle<'_> {
    /// The body of embeddings. `vectors` are JSON already, see [`float_vector`] and
    /// [`base64_vector`], so that one which is known need not be rendered again.
    pub fn embeddings<'v>(&self, vectors: impl Iterator<Item = &'v [u8]>, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"object":"list","data":["#);
        for (index, vector) in vectors.enumerate() {
            separate(out, index);
            out.extend_from_slice(br#"{"object":"embedding","index":"#);
            push_json(out, &index);
            out.extend_from_slice(br#","embedding":"#);
            out.extend_from_slice(vector);
            out.push(b'}');
        }
        out.extend_from_slice(br#"],"model":"#);
        push_json(out, self.model);
        out.push(b',');
        self.push_usage(out);
        out.push(b'}');
    }

    /// The body of scores, in the order of the pairs.
    pub fn scores(&self, scores: &[f64], out: &mut Vec<u8>) {
        self.push_id(out);
        out.extend_from_slice(br#","object":"list","created":"#);
        push_json(out, &self.created);
        out.extend_from_slice(br#","model":"#);
        push_json(out, self.model);
        out.extend_from_slice(br#","data":["#);
        for (index, score) in scores.iter().enumerate() {
            separate(out, index);
            out.extend_from_slice(br#"{"index":"#);
            push_json(out, &index);
            out.extend_from_slice(br#","object":"score","score":"#);
            push_json(out, score);
            out.push(b'}');
        }
        out.extend_from_slice(b"],");
        self.push_usage(out);
        out.push(b'}');
    }

    /// The body of a ranking: index, text and score of each document, in the order given.
    pub fn ranking<'d>(
        &self,
        documents: impl Iterator<Item = (usize, &'d str, f64)>,
        out: &mut Vec<u8>,
    ) {
        self.push_id(out);
        out.extend_from_slice(br#","model":"#);
        push_json(out, self.model);
        out.push(b',');
        self.push_usage(out);
        out.extend_from_slice(br#","results":["#);
        for (place, (index, text, score)) in documents.enumerate() {
            separate(out, place);
            out.extend_from_slice(br#"{"index":"#);
            push_json(out, &index);
            out.extend_from_slice(br#","document":{"text":"#);
            push_json(out, text);
            out.extend_from_slice(br#"},"relevance_score":"#);
            push_json(out, &score);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }

    fn push_id(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"id":"#);
        push_json(out, self.id);
    }

    fn push_usage(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#""usage":{"prompt_tokens":"#);
        push_json(out, &self.prompt_tokens);
        out.extend_from_slice(br#","total_tokens":"#);
        push_json(out, &self.prompt_tokens);
        out.push(b'}');
    }
}

fn separate(out: &mut Vec<u8>, index: usize) {
    if index > 0 {
        out.push(b',');
    }
}

/// A vector as a JSON list of numbers. The numbers must be finite.
pub fn float_vector(values: &[f32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + values.len() * 14);
    push_json(&mut out, values);
    out
}

/// A vector as a JSON string: base64 (RFC 4648, padded) of its numbers as little-endian 32-bit
/// floats, one after another, as OpenAI's API has it.
pub fn base64_vector(values: &[f32]) -> Vec<u8> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    format!("\"{}\"", STANDARD.encode(bytes)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{PoolingStyle, base64_vector, float_vector};

    const STYLE: PoolingStyle = PoolingStyle {
        id: "score-1",
        model: "m\"1",
        created: 5,
        prompt_tokens: 7,
    };

    fn body(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        serde_json::from_slice::<serde_json::Value>(&out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn pooling_bodies_look_like_those_of_vllm() {
        let vectors = [float_vector(&[0.5, -1.0]), base64_vector(&[0.5, -1.0])];
        let bodies = [
            body(|out| STYLE.embeddings(vectors.iter().map(Vec::as_slice), out)),
            body(|out| STYLE.scores(&[0.25, 0.75], out)),
            body(|out| STYLE.ranking([(1, "b \"c\"", 0.75), (0, "a", 0.5)].into_iter(), out)),
        ];
        insta::assert_snapshot!(bodies.join("\n"));
    }

    #[test]
    fn base64_is_that_of_the_rfc_whatever_the_length() {
        // Golden values of Python's base64.b64encode(struct.pack("<…f", …)).
        for (values, expected) in [
            (&[][..], r#""""#),
            (&[1.0], r#""AACAPw==""#),
            (&[1.0, -2.5], r#""AACAPwAAIMA=""#),
            (&[1.0, -2.5, 0.1], r#""AACAPwAAIMDNzMw9""#),
        ] {
            assert_eq!(base64_vector(values), expected.as_bytes());
        }
    }
}
