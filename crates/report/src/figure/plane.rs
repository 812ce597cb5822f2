//! A plot with a number on both axes: over time, or over throughput.

use super::canvas::Canvas;
use super::chart::{LINE, THIN_LINE, TICK_GAP};
use super::labels::{Pixel, Rect};
use super::palette::{self, size};
use super::scale::{LinearScale, LogScale, YScale};
use crate::ReportError;
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

/// Height of a plot's title.
const TITLE_HEIGHT: f64 = 52.0;
/// Of the labels of the horizontal axis, and of its name under them.
const TICKS_HEIGHT: f64 = 40.0;
const NAME_HEIGHT: f64 = 38.0;

/// How a series is drawn, and named in the title's key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) color: RGBColor,
    pub(super) dashed: bool,
}

/// The vertical axis.
pub(super) enum Rise {
    /// From zero.
    Linear(YScale),
    /// By powers of ten, where values differ by more than that.
    Log(LogScale),
}

impl Rise {
    /// Linear, unless the largest of positive `values` is more than thirty times the smallest.
    pub(super) fn of_latencies(values: impl Iterator<Item = f64> + Clone) -> Self {
        const TIMES: f64 = 30.0;
        let positive = values.filter(|value| *value > 0.0 && value.is_finite());
        let low = positive.clone().fold(f64::INFINITY, f64::min);
        let high = positive.fold(0.0, f64::max);
        if high > TIMES * low {
            Self::Log(LogScale::new(low, high))
        } else {
            Self::Linear(YScale::new(high))
        }
    }

    fn share(&self, value: f64) -> f64 {
        match self {
            Self::Linear(scale) => scale.share(value),
            Self::Log(scale) => scale.share(value),
        }
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        match self {
            Self::Linear(scale) => scale.ticks().collect(),
            Self::Log(scale) => scale.ticks(),
        }
    }

    /// How wide the labels are.
    pub(super) fn tick_width(&self) -> f64 {
        let ticks = self.ticks();
        let widths = ticks
            .iter()
            .map(|(_, label)| Canvas::width(label, size::TICK));
        widths.fold(0.0, f64::max)
    }
}

/// A plot between its axes.
pub(super) struct Plane<'a, 'svg> {
    canvas: &'a Canvas<'svg>,
    x: &'a LinearScale,
    y: Rise,
    plot: Rect,
}

impl<'a, 'svg> Plane<'a, 'svg> {
    /// Within `slot`, the plot as far from its left edge as the widest labels of all plots beside it take.
    pub(super) fn new(
        canvas: &'a Canvas<'svg>,
        x: &'a LinearScale,
        y: Rise,
        slot: Rect,
        tick_width: f64,
    ) -> Self {
        let plot = Rect {
            left: slot.left + tick_width + TICK_GAP,
            top: slot.top + TITLE_HEIGHT,
            right: slot.right,
            bottom: slot.bottom - TICKS_HEIGHT,
        };
        Self { canvas, x, y, plot }
    }

    /// The height that is left to a plot with a title, ticks and a name of its axis.
    pub(super) const fn room_for_name() -> f64 {
        NAME_HEIGHT
    }

    fn at(&self, x: f64, y: f64) -> Pixel {
        (self.x_of(x), self.y_of(y))
    }

    pub(super) fn x_of(&self, x: f64) -> f64 {
        self.plot.left + self.x.share(x) * self.plot.width()
    }

    fn y_of(&self, y: f64) -> f64 {
        self.plot.bottom - self.y.share(y) * self.plot.height()
    }

    pub(super) const fn plot(&self) -> Rect {
        self.plot
    }

    /// Fills from one place of the horizontal axis to another; at least two pixels.
    pub(super) fn shade(&self, from: f64, to: f64, color: RGBColor) -> Result<(), ReportError> {
        let (left, right) = (self.x_of(from), self.x_of(to));
        let area = Rect {
            left,
            right: right.max(left + 2.0),
            ..self.plot
        };
        self.canvas.fill(area, color)
    }

    /// Title to the left, the key of the series to the right.
    pub(super) fn title(&self, title: &str, key: &[Series]) -> Result<(), ReportError> {
        let y = self.plot.top - TITLE_HEIGHT + size::PANEL / 2.0;
        let left = self.plot.left;
        self.canvas
            .text(title, (left, y), size::PANEL, palette::TEXT, HPos::Left)?;
        let mut x = self.plot.right;
        for series in key.iter().rev() {
            self.canvas
                .text(series.name, (x, y), size::TICK, palette::MUTED, HPos::Right)?;
            x -= Canvas::width(series.name, size::TICK) + 4.0;
            self.stroke(&[(x - 44.0, y), (x, y)], *series)?;
            x -= 72.0;
        }
        Ok(())
    }

    /// Grid lines and labels of both axes; `name` stands under the horizontal one.
    pub(super) fn axes(&self, name: Option<&str>) -> Result<(), ReportError> {
        let Rect {
            left,
            right,
            bottom,
            ..
        } = self.plot;
        for (value, label) in self.y.ticks() {
            let y = self.y_of(value);
            self.canvas
                .line(&[(left, y), (right, y)], palette::GRID, 1)?;
            let at = (left - TICK_GAP, y);
            self.canvas
                .text(&label, at, size::TICK, palette::MUTED, HPos::Right)?;
        }
        self.canvas
            .line(&[(left, bottom), (right, bottom)], palette::AXIS, 2)?;
        for (value, label) in self.x.ticks() {
            let x = self.x_of(value);
            self.canvas
                .line(&[(x, bottom), (x, bottom + 7.0)], palette::AXIS, 2)?;
            let at = (x, bottom + 24.0);
            self.canvas
                .text(&label, at, size::TICK, palette::MUTED, HPos::Center)?;
        }
        let Some(name) = name else { return Ok(()) };
        let middle = (
            f64::midpoint(left, right),
            bottom + TICKS_HEIGHT + NAME_HEIGHT / 2.0,
        );
        self.canvas
            .text(name, middle, size::TICK, palette::MUTED, HPos::Center)
    }

    /// Through these places, in their order.
    pub(super) fn line(&self, values: &[(f64, f64)], series: Series) -> Result<(), ReportError> {
        let path: Vec<Pixel> = values.iter().map(|&(x, y)| self.at(x, y)).collect();
        match path[..] {
            [] => Ok(()),
            // A single value has a line of its own length.
            [(x, y)] => self.stroke(&[(x - 4.0, y), (x + 4.0, y)], series),
            _ => self.stroke(&path, series),
        }
    }

    fn stroke(&self, path: &[Pixel], series: Series) -> Result<(), ReportError> {
        if series.dashed {
            self.canvas.dashed(path, series.color, THIN_LINE)
        } else {
            self.canvas.line(path, series.color, LINE)
        }
    }

    /// A level over the whole width, with words under its left end.
    pub(super) fn level(&self, value: f64, words: &str) -> Result<(), ReportError> {
        let Rect { left, right, .. } = self.plot;
        let y = self.y_of(value);
        self.canvas
            .dashed(&[(left, y), (right, y)], palette::MUTED, 2)?;
        self.canvas.text(
            words,
            (left + 6.0, y + 18.0),
            size::TICK,
            palette::MUTED,
            HPos::Left,
        )
    }

    /// A vertical whisker and its marker.
    pub(super) fn whisker(
        &self,
        x: f64,
        value: f64,
        (low, high): (f64, f64),
        color: RGBColor,
        hollow: bool,
    ) -> Result<(), ReportError> {
        self.canvas
            .line(&[self.at(x, low), self.at(x, high)], color, 2)?;
        let look = palette::Look {
            color,
            shape: palette::Shape::Circle,
        };
        self.canvas.marker(self.at(x, value), 7.0, look, hollow)
    }

    /// A cross on the horizontal axis.
    pub(super) fn cross(&self, x: f64, color: RGBColor) -> Result<(), ReportError> {
        self.canvas
            .cross((self.x_of(x), self.plot.bottom - 9.0), 6.0, color)
    }
}
