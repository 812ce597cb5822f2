//! Which card each request takes.

use super::{ChatSource, Traffic, exactly};
use crate::seed::{self, purpose_seed, stream};
use std::collections::HashMap;
use std::sync::Arc;
use trace::{Nanos, PlannedRequest, Prompt};

/// The field of a body that holds what is said.
const MESSAGES: &str = "messages";

/// Deals requests. What a request is follows from its position alone, so that runs may begin
/// anywhere; shuffled orders are kept while they last.
pub(super) struct Deck<'a> {
    traffic: &'a Traffic,
    lengths_seed: u64,
    classes_seed: u64,
    orders: HashMap<(usize, u64), Vec<u32>>,
}

impl<'a> Deck<'a> {
    pub(super) fn new(traffic: &'a Traffic) -> Self {
        Self {
            traffic,
            lengths_seed: purpose_seed(traffic.seed, "lengths"),
            classes_seed: purpose_seed(traffic.seed, "classes"),
            orders: HashMap::new(),
        }
    }

    pub(super) fn request(&mut self, id: u64, position: u64, due: Nanos) -> PlannedRequest {
        let place = self
            .traffic
            .mix
            .as_ref()
            .map_or(0, |mix| mix.draw(&mut stream(self.classes_seed, position)));
        let class = &self.traffic.classes[place];
        let shortest = self.traffic.shortest[place];
        let mut request = PlannedRequest {
            due,
            class: u32::try_from(place).unwrap_or(u32::MAX),
            images: self.traffic.variants.images.map(|_| position),
            max_tokens: class.max_tokens,
            ..PlannedRequest::new(id, Prompt::Card { number: position })
        };
        let mut card = |number| request.prompt = Prompt::Card { number };
        match &class.source {
            ChatSource::Content(_) => {}
            ChatSource::Rows(rows) => {
                let number = self.shuffled(place, rows.len(), position);
                card(number);
                request.max_tokens = rows[row(number)].max_tokens.or(request.max_tokens);
            }
            ChatSource::Replay(rows) => {
                let number = id % rows.len() as u64;
                card(number);
                request.max_tokens = rows[row(number)].max_tokens.or(request.max_tokens);
            }
            ChatSource::Trace(trace) => {
                let number = id % trace.rows.len() as u64;
                card(number);
                let row = &trace.rows[row(number)];
                request.input_tokens = Some(exactly(row.input_tokens.max(shortest)));
                request.max_tokens = Some(row.output_tokens);
            }
        }
        if let Some(scenario) = class.lengths {
            let lengths = scenario.draw(&mut stream(self.lengths_seed, position));
            let input_tokens = lengths
                .input_tokens
                .saturating_add(self.traffic.prefix_tokens());
            request.input_tokens = Some(exactly(input_tokens.max(shortest)));
            request.max_tokens = Some(lengths.output_tokens);
        }
        if let (Some(_), Some(tokens)) = (request.images, &mut request.input_tokens) {
            // What an image costs is the model's.
            tokens.exact = false;
        }
        self.add_changes(&mut request, position);
        self.traffic.add_turns(&mut request, position);
        request
    }

    /// What its body has otherwise. The messages that a row of a data set brings are those of one
    /// request: a conversation says its own.
    fn add_changes(&self, request: &mut PlannedRequest, position: u64) {
        let class = &self.traffic.classes[row(request.class.into())];
        let body = match (class.source.rows(), &request.prompt) {
            (Some(rows), Prompt::Card { number }) => rows[row(*number)].body.as_ref(),
            _ => None,
        };
        let traffic = self.traffic;
        request.changes = traffic.variants.changes(traffic.seed, position, body);
        if traffic.sessions.is_some()
            && let Some(fields) = &mut request.changes
            && fields.contains_key(MESSAGES)
        {
            Arc::make_mut(fields).remove(MESSAGES);
        }
    }

    fn shuffled(&mut self, place: usize, rows: usize, position: u64) -> u64 {
        let (lap, place_in_lap) = (position / rows as u64, position % rows as u64);
        let seed = self.traffic.seed;
        let order = self
            .orders
            .entry((place, lap))
            .or_insert_with(|| seed::lap(rows, seed, lap));
        order[row(place_in_lap)].into()
    }
}

/// A row's number as an index: it is below a length.
pub(super) fn row(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
