//! Conversations: what follows a first request, and what requests share before it.

use super::deck::row;
use super::later_turn::{LaterTurn, TURN_SHIFT};
use super::prompt::row_pieces;
use super::{ChatSource, Traffic, TrafficClass};
use crate::seed::{purpose_seed, stream};
use crate::{PrefixGroups, SessionConfig, TokenBudget, TurnCount, WorkloadError, prose};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use trace::{FollowUp, Message, Nanos, PlannedRequest, PlannedTokens, Prompt, Role};

/// Results of a tool are of so many sentences.
const RESULT_SENTENCES: usize = 3;

impl Traffic {
    /// The same, in conversations.
    pub fn in_sessions(mut self, sessions: SessionConfig) -> Result<Self, WorkloadError> {
        sessions.check()?;
        let has_rows = |class: &TrafficClass| class.source.rows().is_some();
        if sessions.turns == TurnCount::OfRows && !self.classes.iter().all(has_rows) {
            return Err(WorkloadError::NoRows);
        }
        self.sessions = Some(sessions);
        Ok(self)
    }

    /// The same, with a tool offered, and its result brought to so many answers that call it.
    #[must_use]
    pub fn with_tool(mut self, rounds: u32) -> Self {
        self.tool_rounds = rounds;
        self
    }

    /// The same, with system prompts that requests share: each has so many tokens, which come on top
    /// of the lengths of prompts.
    pub fn with_prefixes(mut self, groups: PrefixGroups) -> Result<Self, WorkloadError> {
        let tokenizer = self.counter()?;
        let budget = TokenBudget {
            tokenizer: &**tokenizer,
            total: &|text| Ok(tokenizer.encode(text)?.len()),
            tokens: groups.tokens() as usize,
        };
        let texts = (0..groups.groups()).map(|group| groups.text(group, self.seed, &budget));
        let prefixes = texts.map(|text| text.map(Arc::from));
        self.prefixes = prefixes.collect::<Result<_, _>>()?;
        self.prefix_groups = Some(groups);
        self.measure_shortest()?;
        Ok(self)
    }

    /// What a request shares with others.
    pub(super) fn prefix(&self, request: u64) -> Option<&Arc<str>> {
        let count = self.prefixes.len().max(1) as u64;
        self.prefixes.get(row(request % count))
    }

    pub(super) fn add_turns(&self, request: &mut PlannedRequest, position: u64) {
        if self.tool_rounds > 0 {
            let mut fields = tool();
            fields.extend(
                request
                    .changes
                    .take()
                    .iter()
                    .flat_map(|own| Map::clone(own)),
            );
            request.changes = Some(fields.into());
            request.turns = self.results(position, request.max_tokens);
        }
        let (Some(sessions), Prompt::Card { number: card }) = (&self.sessions, &request.prompt)
        else {
            return;
        };
        let class = &self.classes[row(request.class.into())];
        let rows = class.source.rows();
        let row_turns = rows.map_or(1, |rows| rows[row(*card)].turns.len());
        let thinks = sessions.thinks(self.seed, position, row_turns);
        let mut lengths = stream(purpose_seed(self.seed, "turn lengths"), position);
        let turns = (1..).zip(thinks).map(|(number, think)| {
            let drawn = class.lengths.map(|scenario| scenario.draw(&mut lengths));
            FollowUp {
                think,
                prompt: Prompt::Card {
                    number: card | (number << TURN_SHIFT),
                },
                max_tokens: drawn.map_or(request.max_tokens, |drawn| Some(drawn.output_tokens)),
                input_tokens: drawn.map(|drawn| PlannedTokens {
                    count: drawn.input_tokens,
                    exact: true,
                }),
            }
        });
        request.turns = turns.collect();
    }

    /// What a tool gives back, call by call.
    fn results(&self, position: u64, max_tokens: Option<u32>) -> Arc<[FollowUp]> {
        let sentences = prose::pieces(purpose_seed(self.seed, "tools"), position);
        let mut sentences = sentences.map(|piece| piece.trim().to_owned());
        let result = |_| {
            let text: Vec<String> = sentences.by_ref().take(RESULT_SENTENCES).collect();
            FollowUp {
                think: Nanos::ZERO,
                prompt: Prompt::Chat {
                    messages: [Message::new(Role::Tool, text.join(" "))].into(),
                },
                max_tokens,
                input_tokens: None,
            }
        };
        (0..self.tool_rounds).map(result).collect()
    }

    /// What a user says next: the row's own next message, or another text of the same kind. A given
    /// length is that of the message alone.
    pub(super) fn make_turn(
        &self,
        class: &TrafficClass,
        turn: LaterTurn,
        planned: &PlannedRequest,
    ) -> Result<Prompt, WorkloadError> {
        let LaterTurn { number, card } = turn;
        let later = card | ((number as u64) << TURN_SHIFT);
        let text = match (&class.source, planned.input_tokens) {
            (ChatSource::Content(content), None) => content.prompt(self.seed, later),
            (ChatSource::Content(content), Some(tokens)) => {
                self.message(tokens, content.pieces(self.seed, later))?
            }
            (ChatSource::Rows(rows) | ChatSource::Replay(rows), tokens) => {
                let own = rows[row(card)].turns.get(number);
                let place = (row(card) + number) % rows.len();
                match (tokens, own) {
                    (None, Some(own)) => own.user.to_string(),
                    (None, None) => rows[place]
                        .prompt()
                        .map_or_else(String::new, ToString::to_string),
                    (Some(tokens), _) => {
                        let texts = rows.iter().cycle().skip(place);
                        self.message(tokens, texts.flat_map(row_pieces))?
                    }
                }
            }
            // The turns of a recorded conversation are requests of their own.
            (ChatSource::Trace(_), _) => String::new(),
        };
        Ok(Prompt::user(text))
    }

    fn message(
        &self,
        tokens: PlannedTokens,
        pieces: impl Iterator<Item = String>,
    ) -> Result<String, WorkloadError> {
        let tokenizer = self.counter()?;
        let budget = TokenBudget {
            tokenizer: &**tokenizer,
            total: &|text| Ok(tokenizer.encode(text)?.len()),
            tokens: tokens.count as usize,
        };
        budget.fill("", pieces)
    }
}

/// The fields of a request that offers a tool.
fn tool() -> Map<String, Value> {
    let tool = json!({
        "type": "function",
        "function": {
            "name": "look_up",
            "description": "Looks something up in the company's documents.",
            "parameters": {
                "type": "object",
                "properties": { "query": { "type": "string", "description": "What to look for." } },
                "required": ["query"],
            },
        },
    });
    Map::from_iter([("tools".to_owned(), json!([tool]))])
}
