//! Why a load cannot be driven at all.

use std::net::SocketAddr;
use thiserror::Error;

/// Why a load cannot be driven at all. What happens to single requests is data, not an error.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The base URL is unusable.
    #[error("cannot use the URL `{url}`: {why}")]
    BadUrl {
        /// As it was given.
        url: String,
        /// What is wrong with it, and the way out.
        why: &'static str,
    },
    /// The name does not resolve.
    #[error("cannot find the host `{host}`: {cause}; check the name, or give its address")]
    Resolve {
        /// The name.
        host: String,
        /// The resolver's words.
        cause: String,
    },
    /// The name resolves to nothing.
    #[error("the host `{host}` has no address; give its address instead")]
    NoAddress {
        /// The name.
        host: String,
    },
    /// Nobody answers there.
    #[error(
        "cannot reach {url} at {address}: {cause}; start the server first, or check --api-base"
    )]
    Unreachable {
        /// The base URL.
        url: String,
        /// The address tried last.
        address: SocketAddr,
        /// The system's words.
        cause: String,
    },
    /// An extra root certificate is unusable.
    #[error("cannot use the certificate authority: {cause}; give a PEM file")]
    BadCertificate {
        /// The TLS library's words.
        cause: String,
    },
    /// A header is unusable.
    #[error("cannot send the header `{name}`: {why}")]
    BadHeader {
        /// Its name.
        name: String,
        /// What is wrong with it; never its value, which may be a key.
        why: &'static str,
    },
    /// More files are needed than the system allows.
    #[error(
        "{needed} connections need {needed_files} open files, and the limit is {limit}; \
         raise it with `ulimit -n {needed_files}`, or ask for fewer"
    )]
    FileDescriptors {
        /// Connections asked for.
        needed: u64,
        /// Files that they need, with some to spare for everything else.
        needed_files: u64,
        /// The hard limit.
        limit: u64,
    },
    /// A prompt that the plan asks for cannot be made.
    #[error("cannot make the prompt of request {id}: {why}")]
    Prompt {
        /// [`trace::PlannedRequest::id`].
        id: u64,
        /// The words of what makes prompts.
        why: String,
    },
    /// A thread or a runtime could not be started.
    #[error("cannot start {what}: {cause}")]
    Start {
        /// What.
        what: &'static str,
        /// The system's words.
        cause: String,
    },
}
