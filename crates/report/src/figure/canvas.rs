//! A sheet to draw on, in pixels.

use super::labels::{Pixel, Rect};
use super::palette::{Look, Shape};
use crate::ReportError;
use epaint_default_fonts::UBUNTU_LIGHT;
use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, DashedPathElement, PathElement, Polygon, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle, WHITE, register_font,
};

/// Where the compiled-in font is not installed, a viewer of the SVG takes the next in the list.
const FONT: &str = "Ubuntu Light, Ubuntu, Helvetica, Arial, sans-serif";
/// plotters writes `font-size = size / 1.24`.
const PLOTTERS_SIZE: f64 = 1.24;

/// A white sheet to draw on in pixels; becomes SVG.
pub(super) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

impl<'a> Canvas<'a> {
    pub(super) fn new(out: &'a mut String, size: (u32, u32)) -> Result<Self, ReportError> {
        register_font(FONT, FontStyle::Normal, UBUNTU_LIGHT)
            .map_err(|_| ReportError::figure("its font cannot be read"))?;
        let area = SVGBackend::with_string(out, size).into_drawing_area();
        area.fill(&WHITE).map_err(ReportError::figure)?;
        Ok(Self { area })
    }

    /// Ends the document.
    pub(super) fn finish(self) -> Result<(), ReportError> {
        self.area.present().map_err(ReportError::figure)
    }

    pub(super) fn line(
        &self,
        points: &[Pixel],
        color: RGBColor,
        width: u32,
    ) -> Result<(), ReportError> {
        self.area
            .draw(&PathElement::new(grid(points), stroke(color, width)))
            .map_err(ReportError::figure)
    }

    pub(super) fn dashed(
        &self,
        points: &[Pixel],
        color: RGBColor,
        width: u32,
    ) -> Result<(), ReportError> {
        let style = stroke(color, width);
        self.area
            .draw(&DashedPathElement::new(grid(points), 10, 7, style))
            .map_err(ReportError::figure)
    }

    /// A rectangle of one colour.
    pub(super) fn fill(&self, area: Rect, color: RGBColor) -> Result<(), ReportError> {
        let corners = [
            (area.left, area.top),
            (area.right, area.top),
            (area.right, area.bottom),
            (area.left, area.bottom),
        ];
        self.area
            .draw(&Polygon::new(grid(&corners), color.filled()))
            .map_err(ReportError::figure)
    }

    /// A filled shape, mostly transparent.
    pub(super) fn band(&self, points: &[Pixel], color: RGBColor) -> Result<(), ReportError> {
        self.area
            .draw(&Polygon::new(grid(points), color.mix(0.14).filled()))
            .map_err(ReportError::figure)
    }

    /// A marker with a white rim; white within where it is hollow.
    pub(super) fn marker(
        &self,
        at: Pixel,
        radius: f64,
        look: Look,
        hollow: bool,
    ) -> Result<(), ReportError> {
        self.shape(at, radius + 2.0, look.shape, WHITE)?;
        self.shape(at, radius, look.shape, look.color)?;
        if hollow {
            self.shape(at, radius - 2.5, look.shape, WHITE)
        } else {
            Ok(())
        }
    }

    /// Two strokes through a marker.
    pub(super) fn cross(
        &self,
        (x, y): Pixel,
        radius: f64,
        color: RGBColor,
    ) -> Result<(), ReportError> {
        for rise in [radius, -radius] {
            self.line(&[(x - radius, y - rise), (x + radius, y + rise)], color, 3)?;
        }
        Ok(())
    }

    fn shape(
        &self,
        (x, y): Pixel,
        radius: f64,
        shape: Shape,
        color: RGBColor,
    ) -> Result<(), ReportError> {
        let corners: &[Pixel] = match shape {
            Shape::Circle => {
                let circle = Circle::new(pixel((x, y)), pixel((radius, 0.0)).0, color.filled());
                return self.area.draw(&circle).map_err(ReportError::figure);
            }
            Shape::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            Shape::Triangle => &[(0.0, -1.2), (1.15, 0.9), (-1.15, 0.9)],
            Shape::Diamond => &[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
            Shape::TriangleDown => &[(0.0, 1.2), (1.15, -0.9), (-1.15, -0.9)],
        };
        let corners: Vec<_> = corners
            .iter()
            .map(|(dx, dy)| (x + dx * radius, y + dy * radius))
            .collect();
        self.area
            .draw(&Polygon::new(grid(&corners), color.filled()))
            .map_err(ReportError::figure)
    }

    /// One line of text; `from` says which side of it stands at `x`, its middle stands at `y`.
    pub(super) fn text(
        &self,
        text: &str,
        (x, y): Pixel,
        size: f64,
        color: RGBColor,
        from: HPos,
    ) -> Result<(), ReportError> {
        let style = TextStyle::from(font(size))
            .pos(Pos::new(from, VPos::Center))
            .color(&color);
        self.area
            .draw(&Text::new(text.to_owned(), pixel((x, y)), style))
            .map_err(ReportError::figure)
    }

    /// How wide `text` is; a tenth too much, which leaves room for another font.
    pub(super) fn width(text: &str, size: f64) -> f64 {
        font(size)
            .box_size(text)
            .map_or(0.0, |(width, _)| f64::from(width))
    }

    /// `text`, cut to `limit` pixels; `…` stands for what was cut.
    pub(super) fn clip(text: &str, size: f64, limit: f64) -> String {
        if Self::width(text, size) <= limit {
            return text.to_owned();
        }
        let ends = text.char_indices().map(|(end, _)| end).collect::<Vec<_>>();
        let fits = |end: &usize| Self::width(&format!("{}…", &text[..*end]), size) <= limit;
        let kept = ends.partition_point(fits).saturating_sub(1);
        format!("{}…", text[..ends[kept]].trim_end())
    }
}

fn font(size: f64) -> FontDesc<'static> {
    FontDesc::new(
        FontFamily::Name(FONT),
        size * PLOTTERS_SIZE,
        FontStyle::Normal,
    )
}

fn stroke(color: RGBColor, width: u32) -> ShapeStyle {
    color.stroke_width(width)
}

fn grid(points: &[Pixel]) -> Vec<(i32, i32)> {
    points.iter().copied().map(pixel).collect()
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, far outside the image"
)]
fn pixel((x, y): Pixel) -> (i32, i32) {
    (x.round() as i32, y.round() as i32)
}
