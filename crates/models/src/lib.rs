//! Language models on the CPU: weight files, tokenizers, chat templates, and the networks.

mod chat_template;
mod config;
mod contained;
mod cpu_model;
mod detokenizer;
mod encoder;
mod error;
mod files;
mod load;
mod network;
mod random;
mod tokenizer;
mod weights;

pub use chat_template::{ChatContent, ChatMessage, ChatTemplate};
pub use config::{Architecture, ModelConfig, Rope};
pub use contained::is_contained;
pub use cpu_model::CpuModel;
pub use detokenizer::Detokenizer;
pub use encoder::{CpuEncoder, EncoderConfig, Matryoshka, Pooling};
pub use error::{ModelsError, TextError};
pub use load::{
    DType, LoadOptions, Loaded, LoadedEncoder, LoadedModel, ModelFacts, ModelSpec, ModelText, load,
    load_any,
};
pub use tokenizer::Tokenizer;
pub use weights::{GgufFile, Metadata, Tensor, TensorData, Weights, open_gguf, open_safetensors};
