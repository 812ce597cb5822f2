//! Why files could not be had.

use std::io;
use std::path::PathBuf;

/// Why files could not be had. Text from a server is escaped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// Not an id.
    #[error(
        "`{}` is not the id of a repository: an id is `name` or `owner/name`, of letters, digits, `.`, `_` and `-`, at most 96 characters, without `..` or `--`",
        id.escape_debug()
    )]
    Id {
        /// What was given.
        id: String,
    },

    /// Not the name of a branch, a tag or a commit.
    #[error(
        "`{}` is not a revision of a repository: that is a branch, a tag or a commit, of letters, digits, `.`, `_`, `-` and `/`, at most 96 characters",
        revision.escape_debug()
    )]
    Revision {
        /// What was given.
        revision: String,
    },

    /// Not the URL of a hub.
    #[error(
        "`{}` is no endpoint: it should look like `https://huggingface.co`, with `http` or `https` and without a user name; set HF_ENDPOINT to another",
        endpoint.escape_debug()
    )]
    Endpoint {
        /// What was given.
        endpoint: String,
    },

    /// A token that cannot be sent. It is not shown.
    #[error(
        "the token from {from} holds a blank, a line break or another character that no header can carry; set HF_TOKEN to the token alone"
    )]
    Token {
        /// `HF_TOKEN`, or the path of a file.
        from: String,
    },

    /// Nowhere to keep files.
    #[error("there is no place for the cache: set HF_HUB_CACHE, HF_HOME or HOME")]
    NoHome,

    /// A file of the cache cannot be read or written.
    #[error("`{}` cannot be read or written: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },

    /// The network was ruled out.
    #[error(
        "`{id}` is not in the cache at `{}`, and HF_HUB_OFFLINE is set; unset it, or set HF_HUB_CACHE to a cache that has it",
        cache.display()
    )]
    Offline {
        /// The repository.
        id: String,
        /// Where it was looked for.
        cache: PathBuf,
    },

    /// No connection, or it broke before a response.
    #[error(
        "{origin} cannot be reached ({cause}); check the network, or set HF_ENDPOINT to a mirror that can be"
    )]
    Unreachable {
        /// Scheme, host and port.
        origin: String,
        /// The system's words.
        cause: String,
    },

    /// 401 or 403.
    #[error(
        "{origin} refuses `{id}` (status {status}): it is private or gated, or it does not exist; set HF_TOKEN to a token of an account that may read it"
    )]
    Refused {
        /// Scheme, host and port.
        origin: String,
        /// The repository.
        id: String,
        /// The HTTP status.
        status: u16,
    },

    /// 404.
    #[error("{origin} has no `{what}` of {kind} `{id}` (status 404); check the id")]
    NotFound {
        /// Scheme, host and port.
        origin: String,
        /// A file, or `main`.
        what: String,
        /// `model` or `data set`.
        kind: &'static str,
        /// The repository.
        id: String,
    },

    /// Any other status.
    #[error("{origin} answered with status {status} where `{id}` was asked for; try again later")]
    Status {
        /// Scheme, host and port.
        origin: String,
        /// The repository.
        id: String,
        /// The HTTP status.
        status: u16,
    },

    /// A redirect that is not followed.
    #[error("{origin} redirects {what}, which is not followed")]
    Redirect {
        /// Scheme, host and port.
        origin: String,
        /// Where to, or how often.
        what: String,
    },

    /// The list of files is not what it should be.
    #[error("{origin} answered for `{id}` with a list of files that cannot be read: {what}")]
    Listing {
        /// Scheme, host and port.
        origin: String,
        /// The repository.
        id: String,
        /// What is wrong.
        what: String,
    },

    /// A name that would leave the cache.
    #[error(
        "`{id}` lists a file named `{}`, which would leave its folder; nothing of it was fetched",
        name.escape_debug()
    )]
    UnsafeName {
        /// The repository.
        id: String,
        /// The name.
        name: String,
    },

    /// The repository has no file of the kind asked for.
    #[error("`{id}` has no file of the kind asked for; it has {files}")]
    NoMatch {
        /// The repository.
        id: String,
        /// Some of the files it has.
        files: String,
    },

    /// A body ended early.
    #[error(
        "the download of `{file}` stopped after {received} of {expected} bytes ({cause}); start again to go on from there"
    )]
    Interrupted {
        /// The file.
        file: String,
        /// Bytes kept.
        received: u64,
        /// Bytes announced, or `unknown`.
        expected: String,
        /// The system's words.
        cause: String,
    },
}

impl HubError {
    /// For `map_err` on what is done with `path`.
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
