//! Inputs that differ a little from those of a corpus: always the same ones, so that a test that fails fails again.

use std::ops::Range;

/// Numbers and words on which readers stumble.
const WORDS: [&[u8]; 22] = [
    b"0",
    b"-1",
    b"1e999",
    b"-0.0",
    b"1e308",
    b"4294967296",
    b"18446744073709551615",
    b"9223372036854775808",
    b"NaN",
    b"null",
    b"true",
    b"\"\"",
    b"[]",
    b"{}",
    b"[[[[[[[[",
    b"\\ud800",
    b"\\u0000",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\xff",
    b"{{{%",
];

/// Words that stand where a number stood, so that what reads the text goes on to what it says.
const NUMBERS: usize = 8;

/// Longer than this no mutation becomes.
const BYTES_MAX: usize = 16 << 10;

/// Numbers that follow from a seed (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016).
pub(crate) struct Dice(u64);

impl Dice {
    /// Drawn from bytes, by FNV-1a.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self(bytes.iter().fold(0xcbf2_9ce4_8422_2325, step).max(1))
    }

    /// Less than `limit`, which is at least 1.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(drawn).unwrap_or(0) % limit
    }
}

/// Endless mutations of a corpus.
pub struct Mutations<'a> {
    corpus: &'a [Vec<u8>],
    dice: Dice,
    next: usize,
}

impl<'a> Mutations<'a> {
    /// Of those files, of which there is at least one; `name` is the seed.
    pub fn new(corpus: &'a [Vec<u8>], name: &str) -> Self {
        Self {
            corpus,
            dice: Dice::of(name.as_bytes()),
            next: 0,
        }
    }

    /// A place in so many bytes, and how many from there on.
    fn range(&mut self, length: usize) -> Range<usize> {
        let start = self.dice.below(length + 1);
        let most = if self.dice.below(4) == 0 { 256 } else { 8 };
        let end = start + self.dice.below(most);
        start..end.min(length)
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let range = self.range(bytes.len());
        match self.dice.below(12) {
            0 if !bytes.is_empty() => {
                let place = self.dice.below(bytes.len());
                bytes[place] ^= 1 << self.dice.below(8);
            }
            1 => {
                bytes.drain(range);
            }
            2 => {
                let again = bytes[range.clone()].to_vec();
                bytes.splice(range.end..range.end, again);
            }
            3 | 4 => {
                let word = WORDS[self.dice.below(WORDS.len())];
                bytes.splice(range, word.iter().copied());
            }
            5 => {
                let other = &self.corpus[self.dice.below(self.corpus.len())];
                let piece = self.range(other.len());
                bytes.splice(range, other[piece].iter().copied());
            }
            6 if bytes.len() >= 8 => {
                let place = self.dice.below(bytes.len() - 7);
                let number = [0, 1, u64::MAX, i64::MAX as u64, 1 << 32, 255][self.dice.below(6)];
                let width = [1, 2, 4, 8][self.dice.below(4)];
                bytes[place..place + width].copy_from_slice(&number.to_le_bytes()[..width]);
            }
            7 if self.dice.below(4) == 0 => bytes.truncate(range.start),
            8..=10 => {
                let number = number_from(bytes, range.start);
                let word = WORDS[self.dice.below(NUMBERS)];
                bytes.splice(number, word.iter().copied());
            }
            11 => {
                let line = line_at(bytes, range.start);
                let again = bytes[line.clone()].to_vec();
                bytes.splice(line.end..line.end, again);
            }
            _ => {}
        }
    }
}

/// The first number from a place on; nothing at the end where there is none.
fn number_from(bytes: &[u8], place: usize) -> Range<usize> {
    let of_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let from = |start: usize, wanted: &dyn Fn(&u8) -> bool| {
        let found = bytes[start..].iter().position(wanted);
        found.map_or(bytes.len(), |place| start + place)
    };
    let start = from(place, &u8::is_ascii_digit);
    let end = from(start, &|byte| !of_number(byte));
    start..end
}

/// The line that a place is in, with its end.
fn line_at(bytes: &[u8], place: usize) -> Range<usize> {
    let start = bytes[..place].iter().rposition(|&byte| byte == b'\n');
    let end = bytes[place..].iter().position(|&byte| byte == b'\n');
    start.map_or(0, |start| start + 1)..end.map_or(bytes.len(), |end| place + end + 1)
}

impl Iterator for Mutations<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut bytes = self.corpus[self.next % self.corpus.len()].clone();
        self.next += 1;
        for _ in 0..=self.dice.below(4) {
            self.change(&mut bytes);
        }
        bytes.truncate(BYTES_MAX);
        Some(bytes)
    }
}
