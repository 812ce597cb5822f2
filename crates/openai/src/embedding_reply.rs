//! The reply to a request for vectors.

use crate::json::push_json;
use crate::{VectorEncoding, base64_vector};
use std::io::Write;

/// What a reply says beside its vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddingReply<'a> {
    /// The reply's id.
    pub id: &'a str,
    /// Unix time in seconds.
    pub created: u64,
    /// The model's name.
    pub model: &'a str,
    /// How vectors are written.
    pub encoding: VectorEncoding,
    /// Tokens of all texts.
    pub prompt_tokens: usize,
}

impl EmbeddingReply<'_> {
    /// The body, with vectors of `dimensions` finite numbers, one after the other. Numbers have as few digits as tell them
    /// from their neighbours.
    pub fn body(&self, vectors: &[f32], dimensions: usize) -> Vec<u8> {
        // A number near 1/√384 has a sign, "0.0", 8 digits and a comma.
        let mut out = Vec::with_capacity(300 + self.model.len() + vectors.len() * 14);
        out.extend_from_slice(br#"{"id":"#);
        push_json(&mut out, self.id);
        out.extend_from_slice(br#","object":"list","created":"#);
        push_json(&mut out, &self.created);
        out.extend_from_slice(br#","model":"#);
        push_json(&mut out, self.model);
        out.extend_from_slice(br#","data":["#);
        for (index, vector) in vectors.chunks_exact(dimensions.max(1)).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            // A `Vec` takes all that is written to it.
            let _ = write!(
                out,
                r#"{comma}{{"object":"embedding","index":{index},"embedding":"#
            );
            match self.encoding {
                VectorEncoding::Float => push_json(&mut out, vector),
                VectorEncoding::Base64 => out.extend_from_slice(&base64_vector(vector)),
            }
            out.push(b'}');
        }
        let tokens = self.prompt_tokens;
        let _ = write!(
            out,
            r#"],"usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}"#
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::EmbeddingReply;
    use crate::VectorEncoding;
    use proptest::prelude::*;

    fn body(encoding: VectorEncoding, vectors: &[f32], dimensions: usize) -> String {
        let reply = EmbeddingReply {
            id: "embd-1",
            created: 7,
            model: "a \"model\"",
            encoding,
            prompt_tokens: 5,
        };
        String::from_utf8(reply.body(vectors, dimensions)).unwrap()
    }

    #[test]
    fn replies_have_the_shape_of_openai() {
        assert_eq!(
            body(VectorEncoding::Float, &[0.1, -1.0, 3e-10, 0.0], 2),
            r#"{"id":"embd-1","object":"list","created":7,"model":"a \"model\"","data":[{"object":"embedding","index":0,"embedding":[0.1,-1.0]},{"object":"embedding","index":1,"embedding":[3e-10,0.0]}],"usage":{"prompt_tokens":5,"total_tokens":5}}"#
        );
        // Python: base64.b64encode(struct.pack("<3f", 0.1, -1, 2)).
        let base64 = body(VectorEncoding::Base64, &[0.1, -1.0, 2.0], 3);
        assert!(
            base64.contains(r#""embedding":"zczMPQAAgL8AAABA""#),
            "{base64}"
        );
    }

    proptest! {
        #[test]
        fn numbers_come_back_to_the_last_bit(bits in prop::collection::vec(any::<u32>(), 1..20)) {
            let numbers: Vec<f32> = bits.into_iter().map(f32::from_bits).filter(|x| x.is_finite()).collect();
            let body = body(VectorEncoding::Float, &numbers, numbers.len());
            let json: serde_json::Value = serde_json::from_str(&body).unwrap();
            let data = json["data"].as_array().unwrap();
            for (index, number) in numbers.iter().enumerate() {
                #[allow(clippy::cast_possible_truncation, reason = "it was 32 bits before")]
                let back = data[0]["embedding"][index].as_f64().unwrap() as f32;
                prop_assert_eq!(back.to_bits(), number.to_bits());
            }
        }
    }
}
