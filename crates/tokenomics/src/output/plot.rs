//! Result files to images.

use crate::failure::Failure;
use crate::output::files::{Paths, write_atomically};
use report::{ReportError, figure};
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
pub(crate) fn write_figure(svg: &str, format: ImageFormat, image: &Path) -> Result<(), Failure> {
    match format {
        ImageFormat::Png => write_atomically(image, &figure::png(svg).map_err(Failure::failed)?),
        ImageFormat::Svg => write_atomically(image, svg.as_bytes()),
    }
}

/// Writes a figure as PNG; `None` where there was nothing to draw.
pub(crate) fn write_png(
    drawn: Result<String, ReportError>,
    image: &Path,
) -> Result<Option<PathBuf>, Failure> {
    match drawn {
        Err(ReportError::NothingToDraw { .. }) => Ok(None),
        drawn => {
            write_figure(&drawn.map_err(Failure::failed)?, ImageFormat::Png, image)?;
            Ok(Some(image.to_owned()))
        }
    }
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
    write_png(figure::results_svg(json.as_bytes()), &paths.plot)
}
