//! How large figures are, and where their panels go.

use super::labels::Rect;

/// Of every figure.
pub(super) const WIDTH: u32 = 1600;
/// Height of a figure with one row of panels, and with two.
pub(super) const HEIGHTS: [u32; 2] = [700, 1200];
/// Around it.
pub(super) const MARGIN: f64 = 36.0;
/// Between panels.
const GUTTER: f64 = 56.0;

/// Where each panel goes: one fills the row, more stand two to a row.
pub(super) fn slots(area: Rect, panels: usize) -> impl Iterator<Item = Rect> {
    let columns = panels.min(2);
    let rows = panels.div_ceil(2);
    let width = (area.width() - GUTTER * (columns - 1) as f64) / columns as f64;
    let height = (area.height() - GUTTER / 2.0 * (rows - 1) as f64) / rows as f64;
    (0..panels).map(move |index| {
        let left = area.left + (width + GUTTER) * (index % columns) as f64;
        let top = area.top + (height + GUTTER / 2.0) * (index / columns) as f64;
        Rect {
            left,
            top,
            right: left + width,
            bottom: top + height,
        }
    })
}
