//! Names for functions and values, in the style of each language.

use crate::draw::Draw;

const VERBS: [&str; 32] = [
    "collect", "count", "merge", "split", "rank", "filter", "schedule", "balance", "compress",
    "group", "assign", "rotate", "sample", "scale", "trim", "pack", "match", "route", "score",
    "sum", "select", "shift", "batch", "bound", "check", "clean", "drain", "encode", "fold",
    "index", "join", "limit",
];

const NOUNS: [&str; 40] = [
    "orders",
    "tickets",
    "prices",
    "readings",
    "players",
    "routes",
    "parcels",
    "events",
    "scores",
    "files",
    "frames",
    "tokens",
    "seats",
    "rooms",
    "shipments",
    "invoices",
    "sensors",
    "packets",
    "books",
    "lessons",
    "meters",
    "votes",
    "tasks",
    "queues",
    "pixels",
    "samples",
    "blocks",
    "points",
    "stations",
    "recipes",
    "payments",
    "visits",
    "signals",
    "pages",
    "workers",
    "bottles",
    "letters",
    "levels",
    "batches",
    "windows",
];

/// What a function is about.
pub(super) struct Names {
    verb: &'static str,
    /// A plural.
    pub(super) noun: &'static str,
    number: u64,
}

impl Names {
    pub(super) fn draw(draw: &mut Draw) -> Self {
        Self {
            verb: draw.one_of(&VERBS),
            noun: draw.one_of(&NOUNS),
            number: draw.between(2, 99),
        }
    }

    /// As Python and Rust write it.
    pub(super) fn snake(&self) -> String {
        format!("{}_{}_{}", self.verb, self.noun, self.number)
    }

    /// As JavaScript writes it.
    pub(super) fn camel(&self) -> String {
        let (first, rest) = self.noun.split_at(1);
        let first = first.to_ascii_uppercase();
        format!("{}{first}{rest}{}", self.verb, self.number)
    }
}
