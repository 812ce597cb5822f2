//! Wire types of the OpenAI API: request bodies, server-sent events, and what counts as a token event.
//!
//! Both sides are here. A client renders a request ([`RequestTemplate`]) and reads what comes back
//! ([`StreamDecoder`], [`Completion`]); a provider reads a request ([`RequestView`]) and writes
//! frames and bodies ([`FrameStyle`], [`completion_body`]). Nothing here does any input or output.

mod answer;
mod answer_facts;
mod answer_so_far;
mod api_error;
mod body;
mod body_form;
mod calls;
mod choice;
mod chunk;
mod chunk_template;
mod embedding_reply;
mod embedding_request;
mod endpoint;
mod error;
mod error_words;
mod event;
mod fields;
mod finish_reason;
mod frame;
mod json;
mod json_tree;
mod left_out;
mod message;
mod messages;
mod models;
mod patch;
mod pooling;
mod pooling_body;
mod pooling_view;
mod reply;
mod request;
mod request_view;
mod response;
mod responses_event;
mod responses_frame;
mod score;
mod server_request;
mod sse;
mod stream;
mod tape;
mod text_counts;
mod usage;
mod usage_so_far;
mod value;

pub use answer::Answer;
pub use answer_facts::AnswerFacts;
pub use api_error::ApiError;
pub use body::{ChoiceBody, completion_body, error_body, model_body, models_body};
pub use body_form::{BodyForm, is_object};
pub use embedding_reply::EmbeddingReply;
pub use embedding_request::{
    EmbeddingInput, EmbeddingLimits, EmbeddingRequest, VectorEncoding, VectorSizes,
};
pub use endpoint::Endpoint;
pub use error::{RequestError, StreamError, excerpt};
pub use error_words::error_message;
pub use event::{EventKind, StreamEvent};
pub use fields::Fields;
pub use frame::{DONE, FrameStyle, error_frame};
pub use json_tree::{DEPTH_MAX, Json, JsonError};
pub use left_out::LeftOut;
pub use messages::{Message, MessageContent, messages};
pub use models::model_ids;
pub use patch::merge_patch;
pub use pooling::{PooledReply, PoolingOptions, PoolingTask, PoolingTemplate};
pub use pooling_body::{PoolingStyle, base64_vector, float_vector};
pub use pooling_view::{EmbeddingView, PoolingInput, RerankView, ScoreView};
pub use reply::{LogprobEntry, Piece, ReplyWriter, TokenCounts};
pub use request::{ChatMessage, RequestOptions, RequestTemplate, completion_prompt};
pub use request_view::RequestView;
pub use response::Completion;
pub use score::{RerankRequest, ScoreRequest, rerank_body, score_body};
pub use server_request::{
    Prompt, RequestLimits, ServerRequest, StreamUsage, parse_body, token_ids,
};
pub use sse::{LINE_BYTES_MAX, SseDecoder, SseEvent};
pub use stream::{STREAM_EVENTS_MAX, StreamDecoder, StreamEnd};
pub use text_counts::TextCounts;
pub use usage::Usage;
