//! The same bytes in other pieces, as a network cuts them.

use crate::mutation::Dice;

/// Pieces at most, where they are drawn: more says nothing new.
const PIECES_MAX: usize = 16;

/// Ways to cut `bytes`: into single ones, and at places that follow from the bytes themselves.
pub(crate) fn splits(bytes: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let singles = bytes.chunks(1).collect();
    let mut dice = Dice::of(bytes);
    let drawn = (0..2).map(move |_| {
        let (mut pieces, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() && pieces.len() < PIECES_MAX {
            let (piece, after) = rest.split_at(dice.below(rest.len() + 1));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        pieces
    });
    std::iter::once(singles).chain(drawn)
}
