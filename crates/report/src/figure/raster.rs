use crate::ReportError;
use epaint_default_fonts::{HACK_REGULAR, UBUNTU_LIGHT};
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree};

/// Rasterises a figure on white, with the compiled-in fonts only; the second has the signs and
/// scripts that the first lacks.
pub(super) fn png(svg: &str) -> Result<Vec<u8>, ReportError> {
    let mut options = Options::default();
    for font in [UBUNTU_LIGHT, HACK_REGULAR] {
        options.fontdb_mut().load_font_data(font.to_vec());
    }
    let tree = Tree::from_str(svg, &options).map_err(|error| ReportError::Figure {
        problem: error.to_string(),
    })?;
    let size = tree.size().to_int_size();
    let mut image =
        Pixmap::new(size.width(), size.height()).ok_or_else(|| ReportError::Figure {
            problem: "there is no memory for its pixels".to_owned(),
        })?;
    image.fill(Color::WHITE);
    resvg::render(&tree, Transform::identity(), &mut image.as_mut());
    image.encode_png().map_err(|error| ReportError::Figure {
        problem: error.to_string(),
    })
}
