//! The continuous-batching engine: values in, values out. Time enters as [`trace::Nanos`], randomness as seeds.

mod block_pool;
mod cost_model;
mod drive;
mod encoder;
mod engine;
mod event;
mod gauges;
mod model;
mod output;
mod params;
mod plan;
mod prefix_cache;
mod request;
mod sampling;
mod scheduler;
mod sequence;
mod slab;
mod text_queue;

pub use block_pool::{BlockPool, KvBlock, PrefixHits};
pub use cost_model::{CostModel, StepCost};
pub use drive::{DriveMode, Host, Submission, drive};
pub use encoder::{Encoder, TextBatch};
pub use engine::Engine;
pub use event::{EngineEvent, FinishReason, TokenLogprob, TokenLogprobs};
pub use gauges::{Gauges, StepFacts};
pub use model::{Logits, Model, ModelError};
pub use output::{Sample, StepOutput};
pub use params::SamplingParams;
pub use plan::{BlockCopy, BlockId, Chunk, StepPlan};
pub use prefix_cache::PrefixNode;
pub use request::{EngineRequest, Refusal, RequestId, SchedulerConfig};
pub use sampling::Sampler;
pub use scheduler::{Sampling, Scheduler};
pub use text_queue::{BatchLimits, TextId, TextQueue, TextRefusal};
pub use trace::Nanos;

/// Index into a model's vocabulary.
pub type TokenId = u32;

/// Tokens of one KV block.
pub const BLOCK_TOKENS: usize = 16;
