//! Small tokenizers with the habits of real ones.

#![allow(dead_code, reason = "each test file takes what it needs")]

use std::collections::HashMap;
use workload::{Content, Tokenizer};

/// The longest piece of the vocabulary first, whatever it spans; bytes where none fits.
#[derive(Debug)]
pub(crate) struct Greedy {
    ids: HashMap<String, u32>,
    pieces: Vec<String>,
    longest: usize,
    /// As `SentencePiece` does: a space before the text, which `decode` takes away again.
    prefix_space: bool,
    /// Upper case is lost, and so are line breaks.
    lower_case: bool,
}

impl Greedy {
    /// Pieces are cut out of built-in prose by a simple generator, across words and sentences.
    pub(crate) fn new(mut seed: u64, count: usize, prefix_space: bool, lower_case: bool) -> Self {
        let text: String = Content::Prose.pieces(9, 0).take(60).collect();
        let text: Vec<char> = text.chars().collect();
        let mut pieces: Vec<String> = Vec::new();
        for _ in 0..count {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let below = |limit: usize, bits: u32| usize::try_from(seed >> bits).unwrap() % limit;
            let begin = below(text.len(), 33);
            let length = 1 + below(12, 20);
            pieces.push(
                text[begin..(begin + length).min(text.len())]
                    .iter()
                    .collect(),
            );
        }
        pieces.sort();
        pieces.dedup();
        let ids = pieces.iter().cloned().zip(256..).collect();
        Self {
            ids,
            longest: 12,
            pieces,
            prefix_space,
            lower_case,
        }
    }
}

impl Tokenizer for Greedy {
    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let mut text = text.to_owned();
        if self.lower_case {
            text = text.to_lowercase().replace('\n', " ");
        }
        if self.prefix_space && !text.is_empty() {
            text.insert(0, ' ');
        }
        let (mut tokens, mut rest) = (Vec::new(), text.as_str());
        while let Some(first) = rest.chars().next() {
            let ends = rest.char_indices().map(|(at, char)| at + char.len_utf8());
            let ends: Vec<usize> = ends.take(self.longest).collect();
            let fits = ends
                .iter()
                .rev()
                .find_map(|&end| self.ids.get(&rest[..end]).map(|id| (*id, end)));
            let end = if let Some((id, end)) = fits {
                tokens.push(id);
                end
            } else {
                let mut bytes = [0; 4];
                tokens.extend(first.encode_utf8(&mut bytes).bytes().map(u32::from));
                first.len_utf8()
            };
            rest = &rest[end..];
        }
        Ok(tokens)
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        let mut bytes = Vec::new();
        for &token in tokens {
            match u8::try_from(token) {
                Ok(byte) => bytes.push(byte),
                Err(_) => bytes.extend(self.pieces[token as usize - 256].bytes()),
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(match text.strip_prefix(' ') {
            Some(rest) if self.prefix_space => rest.to_owned(),
            _ => text,
        })
    }
}

/// Byte pairs merged in the order of their ranks, without cutting the text into words first: what
/// is appended can change the tokens before it.
#[derive(Debug)]
pub(crate) struct BytePairs {
    ranks: HashMap<(u32, u32), u32>,
    bytes: Vec<Vec<u8>>,
    /// Merges stop at line breaks and before capitals, as the words of real vocabularies do.
    words: bool,
}

impl BytePairs {
    /// Merges are learned from built-in prose, the most frequent pair first.
    pub(crate) fn new(seed: u64, merges: usize, words: bool) -> Self {
        let text: String = Content::Prose.pieces(seed, 1).take(25).collect();
        let mut this = Self {
            ranks: HashMap::new(),
            bytes: (0..=255).map(|byte| vec![byte]).collect(),
            words,
        };
        let mut parts: Vec<Vec<u32>> = this
            .split(&text)
            .iter()
            .map(|part| part.bytes().map(u32::from).collect())
            .collect();
        for id in (256..).take(merges) {
            let mut counts: HashMap<(u32, u32), u32> = HashMap::new();
            for pair in parts.iter().flat_map(|part| part.windows(2)) {
                *counts.entry((pair[0], pair[1])).or_default() += 1;
            }
            let Some((&pair, _)) = counts.iter().max_by_key(|(pair, count)| (**count, **pair))
            else {
                break;
            };
            this.ranks.insert(pair, id);
            let joined = [
                this.bytes[pair.0 as usize].clone(),
                this.bytes[pair.1 as usize].clone(),
            ];
            this.bytes.push(joined.concat());
            for part in &mut parts {
                merge(part, pair, id);
            }
        }
        this
    }

    fn split<'t>(&self, text: &'t str) -> Vec<&'t str> {
        if !self.words {
            return vec![text];
        }
        let mut cuts: Vec<usize> = text
            .char_indices()
            .zip(text.chars().skip(1))
            .filter(|((_, left), right)| {
                *left == '\n' && *right != '\n'
                    || left.is_alphanumeric() && !right.is_alphanumeric()
            })
            .map(|((at, left), _)| at + left.len_utf8())
            .collect();
        cuts.insert(0, 0);
        cuts.push(text.len());
        cuts.windows(2)
            .map(|pair| &text[pair[0]..pair[1]])
            .collect()
    }
}

fn merge(part: &mut Vec<u32>, pair: (u32, u32), id: u32) {
    let (mut kept, mut at) = (0, 0);
    while at < part.len() {
        if at + 1 < part.len() && (part[at], part[at + 1]) == pair {
            part[kept] = id;
            at += 2;
        } else {
            part[kept] = part[at];
            at += 1;
        }
        kept += 1;
    }
    part.truncate(kept);
}

impl Tokenizer for BytePairs {
    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let mut tokens = Vec::new();
        for part in self.split(text) {
            let mut part: Vec<u32> = part.bytes().map(u32::from).collect();
            while let Some((id, pair)) = part
                .windows(2)
                .filter_map(|pair| {
                    let pair = (pair[0], pair[1]);
                    self.ranks.get(&pair).map(|id| (*id, pair))
                })
                .min()
            {
                merge(&mut part, pair, id);
            }
            tokens.extend(part);
        }
        Ok(tokens)
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        let bytes: Vec<u8> = tokens
            .iter()
            .flat_map(|&token| self.bytes[token as usize].iter().copied())
            .collect();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Each group of so many words is `tokens` tokens.
pub(crate) struct Words {
    pub(crate) group: usize,
    pub(crate) tokens: usize,
}

impl Tokenizer for Words {
    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let words = text.split_whitespace().count();
        Ok(vec![0; words.div_ceil(self.group) * self.tokens])
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        Ok(vec!["word"; tokens.len() / self.tokens * self.group].join(" "))
    }
}
