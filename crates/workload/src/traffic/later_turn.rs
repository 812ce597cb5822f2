//! Turns after the first, by their cards.

use super::deck::row;

/// The card of a later turn is that of the first, with the turn's number above it.
pub(super) const TURN_SHIFT: u32 = 48;

/// A turn after the first, by its card.
#[derive(Clone, Copy)]
pub(super) struct LaterTurn {
    /// From 1.
    pub(super) number: usize,
    /// The card of the first turn.
    pub(super) card: u64,
}

/// `None` of a first turn.
pub(super) fn of_card(card: u64) -> Option<LaterTurn> {
    let number = row(card >> TURN_SHIFT);
    (number > 0).then_some(LaterTurn {
        number,
        card: card & ((1 << TURN_SHIFT) - 1),
    })
}
