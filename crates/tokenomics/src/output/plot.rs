//! Result files to images.

use crate::failure::Failure;
use crate::output::files::{Paths, write_atomically};
use report::{EmbeddingFile, ReportError, ResultFile, figure};
use stats::Summary;
use std::path::{Path, PathBuf};

/// How an image is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageFormat {
    Png,
    Svg,
}

impl ImageFormat {
    /// By the image's extension.
    pub(crate) fn of(image: &Path) -> Result<Self, Failure> {
        let extension = image.extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("png") => Ok(ImageFormat::Png),
            Some("svg") => Ok(ImageFormat::Svg),
            _ => Err(Failure::usage(format!(
                "the image must end in .png or .svg, got `{}`; it comes last",
                image.display()
            ))),
        }
    }
}

/// Draws labelled result files.
pub(crate) fn plot(
    files: &[(String, ResultFile)],
    format: ImageFormat,
    image: &Path,
) -> Result<(), Failure> {
    let bytes = match format {
        ImageFormat::Png => figure::png(files),
        ImageFormat::Svg => figure::svg(files).map(String::into_bytes),
    };
    write_atomically(image, &bytes.map_err(Failure::failed)?)
}

/// Draws the result file of an embedding benchmark.
pub(crate) fn plot_embedding(
    file: &EmbeddingFile,
    format: ImageFormat,
    image: &Path,
) -> Result<(), Failure> {
    let bytes = match format {
        ImageFormat::Png => figure::embedding_png(file),
        ImageFormat::Svg => figure::embedding_svg(file).map(String::into_bytes),
    };
    write_atomically(image, &bytes.map_err(Failure::failed)?)
}

/// The plot of a run beside its result file; nothing where there is nothing to draw.
pub(crate) fn plot_summary(
    summary: &Summary,
    json: &str,
    paths: &Paths,
) -> Result<Option<PathBuf>, Failure> {
    if summary.points.is_empty() {
        // It was interrupted before the first run.
        return Ok(None);
    }
    let bytes = json.as_bytes();
    let drawn = if EmbeddingFile::is_one(bytes) {
        EmbeddingFile::parse(bytes).and_then(|file| figure::embedding_png(&file))
    } else {
        ResultFile::parse(bytes).and_then(|file| figure::png(&[(String::new(), file)]))
    };
    match drawn {
        Ok(png) => {
            write_atomically(&paths.plot, &png)?;
            Ok(Some(paths.plot.clone()))
        }
        Err(ReportError::NothingToDraw { .. }) => Ok(None),
        Err(error) => Err(Failure::failed(error)),
    }
}
