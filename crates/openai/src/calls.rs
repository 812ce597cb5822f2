//! Which pieces of an answer belong to the same call of a tool.

use crate::message::Call;

/// More calls than any answer has.
const CALLS_MAX: usize = 256;

/// The calls of an answer so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Vec<Known>);

#[derive(Clone, Debug)]
struct Known {
    choice: u32,
    index: u64,
    id: String,
}

impl Calls {
    /// The place of the call, in the order of the answer, that a piece begins or goes on with; absent where it says
    /// nothing, or where there are too many.
    ///
    /// Its index says which call it is. But some servers give every call the index 0 and an id of its own, and
    /// others every piece another id, of which only the first has a name; some send no index at all.
    pub(crate) fn place(&mut self, choice: u32, call: &Call<'_>) -> Option<usize> {
        let begins = !call.name.is_empty();
        let of_choice = |known: &Known| known.choice == choice;
        let place = match call.index {
            Some(index) => {
                let is_it = |known: &Known| of_choice(known) && known.index == index;
                self.0.iter().rposition(is_it)
            }
            None if begins && call.id.is_empty() => None,
            None => self.0.iter().rposition(of_choice),
        };
        let is_other = |known: &Known| begins && !call.id.is_empty() && *call.id != *known.id;
        if let Some(place) = place.filter(|&place| !is_other(&self.0[place])) {
            return Some(place);
        }
        if self.0.len() >= CALLS_MAX || (call.bytes() == 0 && call.id.is_empty()) {
            return None;
        }
        let next = self.0.iter().filter(|known| of_choice(known)).count() as u64;
        self.0.push(Known {
            choice,
            index: call.index.unwrap_or(next),
            id: call.id.to_string(),
        });
        Some(self.0.len() - 1)
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Calls};

    /// The places of pieces: of an index, an id and a name each.
    fn places(pieces: &[(Option<u64>, &'static str, &'static str)]) -> Vec<Option<usize>> {
        let mut calls = Calls::default();
        let call = |&(index, id, name): &(Option<u64>, &'static str, &'static str)| Call {
            index,
            id: id.into(),
            name: name.into(),
            arguments: "x".into(),
        };
        pieces
            .iter()
            .map(|piece| calls.place(0, &call(piece)))
            .collect()
    }

    #[test]
    fn pieces_find_their_call() {
        let (first, second) = (Some(0), Some(1));
        let by_index = [
            (Some(0), "a", "f"),
            (Some(0), "", ""),
            (Some(1), "b", "g"),
            (Some(0), "", ""),
        ];
        assert_eq!(places(&by_index), [first, first, second, first]);
        let index_0_for_all = [
            (Some(0), "a", "f"),
            (Some(0), "b", "f"),
            (Some(0), "b", "f"),
        ];
        assert_eq!(places(&index_0_for_all), [first, second, second]);
        let an_id_for_every_piece = [(Some(0), "a", "f"), (Some(0), "b", ""), (Some(0), "c", "")];
        assert_eq!(places(&an_id_for_every_piece), [first, first, first]);
        let no_index = [
            (None, "", "f"),
            (None, "", ""),
            (None, "", "g"),
            (None, "", ""),
        ];
        assert_eq!(places(&no_index), [first, first, second, second]);
    }

    #[test]
    fn a_piece_that_says_nothing_begins_no_call() {
        assert_eq!(Calls::default().place(0, &Call::default()), None);
    }
}
