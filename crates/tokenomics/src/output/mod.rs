//! The only place that writes files and prints.

mod claim;
mod config;
mod export;
mod files;
mod place;
mod plot;
mod print;
mod recorder;
mod save;

pub(crate) use claim::Claim;
pub(crate) use config::OutputConfig;
pub(crate) use export::{export, to_job_page};
pub(crate) use files::{Paths, write_atomically};
pub(crate) use plot::{ImageFormat, write_figure, write_png};
pub(crate) use print::{Progress, deliver, print, print_summary, say, stdout_style, style_for};
pub(crate) use recorder::{Recorder, Sink, has_records, unfinished};
pub(crate) use save::{save, save_files};
