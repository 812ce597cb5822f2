//! Result files to images.

use crate::failure::Failure;
use crate::output::files::{Paths, write_atomically};
use report::{ReportError, ResultFile, figure};
use std::path::{Path, PathBuf};

/// Draws labelled result files; the image's extension says how.
pub(crate) fn plot(files: &[(String, ResultFile)], image: &Path) -> Result<(), Failure> {
    let extension = image.extension().unwrap_or_default().to_ascii_lowercase();
    let bytes = match extension.to_str() {
        Some("png") => figure::png(files),
        Some("svg") => figure::svg(files).map(String::into_bytes),
        _ => {
            return Err(Failure::usage(format!(
                "the image must end in .png or .svg, got `{}`; it comes last",
                image.display()
            )));
        }
    };
    write_atomically(image, &bytes.map_err(Failure::failed)?)
}

/// The plot of a run beside its result file; nothing where there is nothing to draw.
pub(crate) fn plot_summary(json: &str, paths: &Paths) -> Result<Option<PathBuf>, Failure> {
    let file = ResultFile::parse(json.as_bytes()).map_err(Failure::failed)?;
    match figure::png(&[(String::new(), file)]) {
        Ok(png) => {
            write_atomically(&paths.plot, &png)?;
            Ok(Some(paths.plot.clone()))
        }
        Err(ReportError::NothingToDraw { .. }) => Ok(None),
        Err(error) => Err(Failure::failed(error)),
    }
}
