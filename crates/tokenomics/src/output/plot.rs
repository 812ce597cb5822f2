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

/// Writes a figure in the format that the image's extension asks for.
pub(crate) fn write_figure(
    svg: Result<String, ReportError>,
    format: ImageFormat,
    image: &Path,
) -> Result<(), Failure> {
    let svg = svg.map_err(Failure::failed)?;
    let bytes = match format {
        ImageFormat::Png => figure::png(&svg).map_err(Failure::failed)?,
        ImageFormat::Svg => svg.into_bytes(),
    };
    write_atomically(image, &bytes)
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
        EmbeddingFile::parse(bytes).and_then(|file| figure::embedding_svg(&file))
    } else {
        ResultFile::parse(bytes).and_then(|file| figure::svg(&[(String::new(), file)]))
    };
    if let Err(ReportError::NothingToDraw { .. }) = drawn {
        return Ok(None);
    }
    write_figure(drawn, ImageFormat::Png, &paths.plot)?;
    Ok(Some(paths.plot.clone()))
}
