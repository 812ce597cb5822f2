//! The only place that writes files and prints.

mod files;
mod plot;
mod print;
mod recorder;

pub(crate) use files::{Paths, write_atomically};
pub(crate) use plot::{ImageFormat, plot, plot_summary};
pub(crate) use print::{Progress, print, print_summary, say};
pub(crate) use recorder::{Recorder, Sink};
