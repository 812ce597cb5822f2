//! Embeddings and scores: functions of the seed and the text, and of nothing else.

use openai::{PoolingInput, base64_vector, float_vector};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};
use std::collections::HashMap;

/// Different vectors that there are. A text has the one that its fingerprint picks, so that
/// rendering, which takes a hundred times as long as sending, is done once for each.
const VECTORS: usize = 64;
/// Rendered vectors that are kept, in bytes. With more they are rendered anew.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How a vector is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct VectorStyle {
    pub(crate) seed: u64,
    pub(crate) dimensions: u32,
    /// Base64 in place of numbers.
    pub(crate) base64: bool,
}

/// Rendered vectors. It only spares work: with or without it the answers are the same.
#[derive(Debug, Default)]
pub(crate) struct Vectors {
    rendered: HashMap<VectorStyle, Vec<Option<Vec<u8>>>>,
    bytes: usize,
}

impl Vectors {
    /// The vectors of `inputs` as JSON, in their order.
    pub(crate) fn of(
        &mut self,
        style: VectorStyle,
        inputs: &[PoolingInput<'_>],
    ) -> impl Iterator<Item = &[u8]> {
        if self.bytes > KEPT_BYTES_MAX {
            self.rendered.clear();
            self.bytes = 0;
        }
        let rendered = self
            .rendered
            .entry(style)
            .or_insert_with(|| vec![None; VECTORS]);
        let mut picks = Vec::with_capacity(inputs.len());
        for input in inputs {
            let pick = pick(style.seed, input);
            let place = &mut rendered[pick];
            if place.is_none() {
                let vector = render(style, pick);
                self.bytes += vector.len();
                *place = Some(vector);
            }
            picks.push(pick);
        }
        picks
            .into_iter()
            .map(|pick| rendered[pick].as_deref().unwrap_or_default())
    }
}

/// Which vector an input has, below [`VECTORS`].
fn pick(seed: u64, input: &PoolingInput<'_>) -> usize {
    let pick = fingerprint(seed, input) % VECTORS as u64;
    usize::try_from(pick).unwrap_or_default()
}

fn render(style: VectorStyle, pick: usize) -> Vec<u8> {
    let values = vector(style.seed, style.dimensions, pick);
    if style.base64 {
        base64_vector(&values)
    } else {
        float_vector(&values)
    }
}

/// A vector of length 1 in any direction. Fewer dimensions are the beginning of more, stretched to
/// length 1 again, as with models that are trained for that.
fn vector(seed: u64, dimensions: u32, pick: usize) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(pick as u64);
    let normals = (0..dimensions).map(|_| StandardNormal.sample(&mut random));
    let normals: Vec<f64> = normals.collect();
    let length = normals
        .iter()
        .map(|value| value * value)
        .sum::<f64>()
        .sqrt();
    #[allow(clippy::cast_possible_truncation, reason = "only precision is lost")]
    normals
        .into_iter()
        .map(|value| (value / length.max(f64::MIN_POSITIVE)) as f32)
        .collect()
}

/// What others are compared with, read once however many they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query(u64);

impl Query {
    pub(crate) fn new(seed: u64, input: &PoolingInput<'_>) -> Self {
        Self(fingerprint(seed, input))
    }

    /// How well it is answered, from 0 to 1.
    pub(crate) fn score(self, by: &PoolingInput<'_>) -> f64 {
        (fingerprint(self.0, by) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A number for a text or for token ids, spread evenly.
fn fingerprint(seed: u64, input: &PoolingInput<'_>) -> u64 {
    match input {
        PoolingInput::Text(text) => {
            let (words, rest) = text.as_bytes().as_chunks();
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            let words = words.iter().chain([&last]);
            let words = words.map(|&bytes| u64::from_le_bytes(bytes));
            words.fold(mix(seed, text.len() as u64), mix)
        }
        PoolingInput::Tokens(ids) => {
            // Another beginning than a text's of the same bytes.
            let ids_seen = ids.iter().map(|&id| u64::from(id));
            ids_seen.fold(mix(!seed, ids.len() as u64), mix)
        }
    }
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014), with `value` put in.
fn mix(state: u64, value: u64) -> u64 {
    let mut mixed = (state ^ value).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::{Query, VectorStyle, Vectors, pick, vector};
    use openai::PoolingInput;
    use std::collections::BTreeSet;

    const STYLE: VectorStyle = VectorStyle {
        seed: 7,
        dimensions: 6,
        base64: false,
    };

    fn text(text: &str) -> PoolingInput<'_> {
        PoolingInput::Text(text.into())
    }

    fn one(style: VectorStyle, input: &PoolingInput<'_>) -> Vec<u8> {
        let mut vectors = Vectors::default();
        let bytes = vectors.of(style, std::slice::from_ref(input)).next();
        bytes.unwrap().to_vec()
    }

    #[test]
    fn equal_texts_have_equal_vectors_and_the_seed_decides_which() {
        let mut vectors = Vectors::default();
        let all: Vec<Vec<u8>> = vectors
            .of(STYLE, &[text("a"), text("b"), text("a")])
            .map(<[u8]>::to_vec)
            .collect();
        assert_eq!(all[0], all[2]);
        assert_eq!(all[0], one(STYLE, &text("a")), "kept or rendered anew");
        let other = VectorStyle { seed: 8, ..STYLE };
        assert_ne!(one(STYLE, &text("a")), one(other, &text("a")));
        assert_eq!(
            one(STYLE, &PoolingInput::Tokens(vec![1, 2])),
            one(STYLE, &PoolingInput::Tokens(vec![1, 2]))
        );
    }

    #[test]
    fn every_vector_is_finite_and_of_length_1() {
        for dimensions in [1, 2, 384, 4_096] {
            for pick in 0..64 {
                let values = vector(3, dimensions, pick);
                assert_eq!(values.len(), dimensions as usize);
                let squares = values.iter().map(|&value| f64::from(value).powi(2));
                let length = squares.sum::<f64>().sqrt();
                assert!((length - 1.0).abs() < 1e-5, "{dimensions}: {length}");
            }
        }
    }

    #[test]
    fn numbers_and_base64_are_the_same_vector() {
        let numbers: Vec<f32> = serde_json::from_slice(&one(STYLE, &text("a"))).unwrap();
        let base64 = VectorStyle {
            base64: true,
            ..STYLE
        };
        assert_eq!(
            one(base64, &text("a")),
            openai::base64_vector(&numbers),
            "not a digit is lost"
        );
    }

    #[test]
    fn texts_are_spread_over_all_vectors_and_scores_between_0_and_1() {
        let texts: Vec<String> = (0..1_000).map(|number| format!("text {number}")).collect();
        let picks: BTreeSet<usize> = texts.iter().map(|one| pick(0, &text(one))).collect();
        assert_eq!(picks.len(), 64);
        let scores: Vec<f64> = texts
            .iter()
            .map(|one| Query::new(1, &text("query")).score(&text(one)))
            .collect();
        assert!(scores.iter().all(|score| (0.0..1.0).contains(score)));
        let mean = scores.iter().sum::<f64>() / 1_000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        let query = |seed| Query::new(seed, &text("query"));
        let again = |seed| query(seed).score(&text("text 3")).to_bits();
        assert_eq!(scores[3].to_bits(), again(1));
        assert_ne!(scores[3].to_bits(), again(2));
    }
}
