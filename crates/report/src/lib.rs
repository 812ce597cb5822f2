//! Summary to table, JSON, CSV, Markdown, SVG, PNG and HTML.
//!
//! Values in, bytes out: nothing here opens a file, prints, or looks at the terminal. Text that came
//! from a server passes through [`escape`] on its way to each of them.

mod assertions;
mod axis;
mod capacity;
mod capacity_file;
mod certificate;
mod comparison;
mod continuous;
mod csv;
mod definitions;
mod embedding_file;
mod error;
pub mod escape;
mod export;
pub mod figure;
mod foreign;
mod grid;
mod html;
mod json;
mod latency;
mod markdown;
mod number;
mod result_file;
mod style;
mod table;
mod versus;
mod width;

#[cfg(test)]
mod example;

pub use self::axis::Axis;
pub use self::comparison::{comparison_csv, comparison_json, comparison_markdown, comparison_text};
pub use self::continuous::{continuous_json, continuous_text};
pub use self::csv::csv;
pub use self::embedding_file::{EmbeddingFile, EmbeddingPoint, EmbeddingSeries};
pub use self::error::ReportError;
pub use self::json::{RESULT_SCHEMA_VERSION, results_json};
pub use self::markdown::markdown;
pub use self::result_file::{MeanAndStd, MedianAndP99, ResultFile, ResultPoint};
pub use self::style::Style;
pub use self::table::{point_line, text};
pub use capacity::{capacity_json, capacity_probe_line, capacity_text};
pub use capacity_file::CapacityFile;
pub use certificate::{certificate_json, certificate_text};
pub use export::{Direction, aiperf, github_benchmark, junit, openmetrics, step_summary, vllm};
pub use foreign::{ForeignResult, foreign_json, foreign_text};
pub use html::html;
pub use versus::Versus;
