//! Prompts, data sets and arrivals: (configuration, seed) to a plan.
//!
//! ```text
//! bytes of a data set → rows ─┐
//!                             ├→ PromptSource ─┐
//! built-in maths problems ────┘                ├→ build_plan → trace::Plan
//! Arrival → due times ─────────────────────────┘
//!
//! LengthScenario, Mix, SessionConfig → what each request is to be, by seed and number
//! Content + Tokenizer → TokenBudget → a text of exactly so many tokens
//! bytes of a trace → Trace → HashedPrompts → texts that share what the requests shared
//! bytes of a named data set → Dataset: system messages, turns, reference answers, limits
//! ```
//!
//! What is long is made on demand: lengths, due times and classes of a million requests are numbers,
//! and the text of a request follows from its number whenever it is wanted. Lengths, classes,
//! sessions, texts and arrivals of one seed are drawn independently, so that one can change and leave
//! the others as they are.
//!
//! Never reads a file, a clock or the environment: the same configuration and seed give the same
//! plan. (Random due times come out of logarithms, in which the mathematics libraries of two
//! platforms may differ in the last bit; everything else is the same on every machine.)

pub mod aime;
mod arrival;
pub mod code;
mod content;
mod dataset;
mod datasets;
mod description;
mod draw;
mod error;
mod exact;
mod fingerprint;
mod lengths;
pub mod math;
mod mix;
mod plan;
mod printable;
pub mod prose;
mod sampling;
mod seed;
mod sessions;
mod text_source;
mod texts;
mod traces;
mod traffic;
mod variants;

pub use arrival::{
    arrival_for, due_times, expected_arrivals, parse_bursts, parse_on_off, parse_ramp, parse_span,
    parse_steps,
};
pub use content::Content;
pub use dataset::{Format, PROMPT_BYTES_MAX, parse_rows};
pub use datasets::{
    Dataset, DatasetColumns, DatasetFormat, DatasetReader, DatasetRow, DatasetTurn, parse_dataset,
    read_dataset,
};
pub use description::{Counts, WorkloadDescription, describe};
pub use error::WorkloadError;
pub use exact::{PromptTokenizer, TokenBudget, Tokenizer};
pub use fingerprint::workload_hash;
pub use lengths::{Bounds, LengthScenario, Lengths, Spread, TOKENS_MAX};
pub use mix::{Class, Mix};
pub use plan::{REQUESTS_MAX, WorkloadConfig, build_plan};
pub use sampling::PromptSource;
pub use seed::seed_for;
pub use sessions::{PrefixGroups, SessionConfig, TURNS_MAX, ThinkTime, TurnCount};
pub use text_source::{TextSource, Texts};
pub use texts::{TextLength, WORDS_MAX, text};
pub use traces::{
    BlockCache, HashedPrompts, TimeUnit, Trace, TraceFormat, TraceReader, TraceRow, detect_trace,
    parse_trace,
};
pub use traffic::{ChatSource, Traffic, TrafficClass};
pub use variants::{
    AdapterSpread, Adapters, IMAGE_SIDE_MAX, IMAGES_MAX, ImageSize, NoiseImages, Variants,
};
