//! SVG to PNG.

use crate::ReportError;
use epaint_default_fonts::UBUNTU_LIGHT;
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree};

/// A figure of this module as PNG: on white, with the compiled-in font only.
///
/// # Errors
/// It is no SVG, or too large for the memory.
pub fn png(svg: &str) -> Result<Vec<u8>, ReportError> {
    let mut options = Options::default();
    options.fontdb_mut().load_font_data(UBUNTU_LIGHT.to_vec());
    let tree = Tree::from_str(svg, &options).map_err(ReportError::figure)?;
    let size = tree.size().to_int_size();
    let mut image = Pixmap::new(size.width(), size.height())
        .ok_or_else(|| ReportError::figure("there is no memory for its pixels"))?;
    image.fill(Color::WHITE);
    resvg::render(&tree, Transform::identity(), &mut image.as_mut());
    image.encode_png().map_err(ReportError::figure)
}
