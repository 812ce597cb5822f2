//! What is fuzzed: every reader of bytes that somebody else made, as a plain function of them.
//!
//! A target panics where something that must hold does not: not only "it does not panic", but that any split of the
//! bytes gives the same events, that what was read and written again reads the same, that counts stay within the bytes.
//! Two drivers call the targets. `tests/corpus.rs` runs each over its files in `fuzz/corpus` and a few thousand fixed
//! mutations of them, on stable Rust, with all other tests; libFuzzer looks for new ones (`cargo xtask fuzz`).
//!
//! A new target is a function, a line in [`TARGETS`], a program in `fuzz/src/bin` (a copy of its neighbour), and a file or
//! two in its corpus.

mod answers;
mod exercise;
mod framing;
mod models_files;
mod mutation;
mod recordings;
mod records;
mod requests;
mod results;
mod scratch;
mod split;

pub use exercise::{corpus, exercise};
pub use mutation::Mutations;

/// A reader, and how it is exercised.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// That of its corpus, and of its program under libFuzzer.
    pub name: &'static str,
    /// Reads the bytes, and panics where something does not hold.
    pub run: fn(&[u8]),
    /// How many mutations of its corpus the ordinary tests try: as many as take half a second.
    pub mutations: usize,
}

/// All of them, by name.
pub const TARGETS: &[Target] = &[
    target("answer", answers::answer, 3_000),
    target("config", models_files::config, 3_000),
    target("dataset", recordings::dataset, 1_000),
    target("gguf", models_files::gguf, 2_000),
    target("http_request", framing::http_request, 3_000),
    target("http_response", framing::http_response, 3_000),
    target("json", requests::json, 3_000),
    target("metrics", framing::metrics, 3_000),
    target("mock_files", recordings::mock_files, 3_000),
    target("parquet_table", records::parquet_table, 1_000),
    target("records", records::records, 500),
    target("request", requests::request, 3_000),
    target("results", results::results, 500),
    target("safetensors", models_files::safetensors, 2_000),
    target("sse", framing::sse, 3_000),
    target("stream", answers::stream, 2_000),
    target("summary", results::summary, 50),
    target("template", models_files::template, 300),
    target("tokenizer", models_files::tokenizer, 500),
    target("trace", recordings::trace, 2_000),
];

const fn target(name: &'static str, run: fn(&[u8]), mutations: usize) -> Target {
    Target {
        name,
        run,
        mutations,
    }
}

/// The function of that name, found while the program is compiled: what else there is stays out of it.
///
/// # Panics
/// There is none of that name.
pub const fn named(name: &str) -> fn(&[u8]) {
    let mut index = 0;
    while index < TARGETS.len() {
        if is_same(TARGETS[index].name.as_bytes(), name.as_bytes()) {
            return TARGETS[index].run;
        }
        index += 1;
    }
    panic!("no target has that name")
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}
