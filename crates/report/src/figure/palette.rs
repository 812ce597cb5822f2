//! Colours, sizes and shapes.

use plotters::style::RGBColor;

/// Titles and labels.
pub(super) const TEXT: RGBColor = RGBColor(34, 34, 34);
/// What explains: ticks, axis names, keys.
pub(super) const MUTED: RGBColor = RGBColor(85, 85, 85);
/// The base line.
pub(super) const AXIS: RGBColor = RGBColor(120, 120, 120);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(228, 228, 228);
/// A measurement that is invalid.
pub(super) const INVALID: RGBColor = RGBColor(178, 24, 24);
/// A measurement that is suspect.
pub(super) const SUSPECT: RGBColor = RGBColor(153, 92, 0);

/// Behind a second in which the machine disturbed the client.
pub(super) const DISTURBED: RGBColor = RGBColor(252, 222, 178);
/// Behind a warm-up run.
pub(super) const WARMUP: RGBColor = RGBColor(238, 238, 238);
/// Behind the interval of an answer.
pub(super) const ANSWER: RGBColor = RGBColor(205, 229, 244);

/// Sizes of text in pixels.
pub(super) mod size {
    pub(crate) const TITLE: f64 = 36.0;
    pub(crate) const LEGEND: f64 = 25.0;
    pub(crate) const PANEL: f64 = 28.0;
    pub(crate) const TICK: f64 = 22.0;
    pub(crate) const VALUE: f64 = 21.0;
}

/// Distinct to the colour-blind (Okabe and Ito, "Color Universal Design"), without the yellow,
/// which is too pale on white; darkened where text in it would be hard to read.
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 138, 101),
    RGBColor(176, 84, 140),
    RGBColor(40, 150, 205),
    RGBColor(196, 134, 0),
    RGBColor(51, 51, 51),
];

const SHAPES: [Shape; 5] = [
    Shape::Circle,
    Shape::Square,
    Shape::Triangle,
    Shape::Diamond,
    Shape::TriangleDown,
];

/// The shape of a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
    TriangleDown,
}

/// How a file looks in every panel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) color: RGBColor,
    pub(super) shape: Shape,
}

impl Look {
    /// The same, most of the way to white: for what a sample does not carry.
    pub(super) fn pale(self) -> Self {
        let RGBColor(red, green, blue) = self.color;
        let paler = |channel: u8| 255 - (255 - channel) / 5 * 2;
        Self {
            color: RGBColor(paler(red), paler(green), paler(blue)),
            ..self
        }
    }
}

/// The look of the file at `index`; 35 differ.
pub(super) const fn look(index: usize) -> Look {
    Look {
        color: COLORS[index % COLORS.len()],
        shape: SHAPES[index % SHAPES.len()],
    }
}
