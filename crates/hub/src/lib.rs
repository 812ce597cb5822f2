//! The id of a model or a data set to local files: cache, mirror, token.
//!
//! The cache is laid out as `huggingface_hub` lays out its own, so that either finds what the other fetched:
//!
//! ```text
//! datasets--org--name/refs/main             the commit that the branch `main` was at
//! datasets--org--name/snapshots/<commit>/…  the files
//! datasets--org--name/listings/<commit>     their names (ours: tells a whole snapshot from a part of one)
//! ```
//!
//! The environment is read only through the function that [`HubConfig::from_env`] is given.

mod cache;
mod client;
mod config;
mod download;
mod error;
mod hub;
mod listing;
mod repo;
mod token;

pub use config::HubConfig;
pub use download::Progress;
pub use error::HubError;
pub use hub::Hub;
pub use repo::{Repo, RepoKind};
pub use token::Token;
