//! Draws one chart.

use super::canvas::Canvas;
use super::labels::{Label, Pixel, Placer, Rect, Side};
use super::palette::{self, Look, look, size};
use super::panel::{Kind, Mark, Panel};
use super::scale::{XScale, YScale};
use crate::number::significant;
use crate::width;
use crate::{ReportError, escape};
use plotters::style::text_anchor::HPos;

/// Height of a panel's title, and of what stands under its plot.
const TITLE_HEIGHT: f64 = 56.0;
const FOOT_HEIGHT: f64 = 84.0;
/// From a label of the vertical axis to the plot.
pub(super) const TICK_GAP: f64 = 12.0;
const MARKER: f64 = 8.0;
const SMALL_MARKER: f64 = 6.5;
/// Half a side of the cross through the marker of an invalid point.
const CROSS: f64 = 13.0;
pub(super) const LINE: u32 = 4;
pub(super) const THIN_LINE: u32 = 3;
/// How far a label may stand from its point: the farther, the easier it is taken for another's.
const NEAR: f64 = 30.0;
const FAR: f64 = 42.0;

/// How wide the labels of the vertical axis are.
pub(super) fn tick_width(panel: &Panel) -> f64 {
    let scale = YScale::new(panel.highest());
    let labels = scale.ticks();
    labels
        .map(|(_, label)| Canvas::width(&label, size::TICK))
        .fold(0.0, f64::max)
}

/// Draws a panel into its slot, its plot `indent` pixels from the left edge.
pub(super) fn draw(
    canvas: &Canvas,
    panel: &Panel,
    slot: Rect,
    indent: f64,
    axis_label: &str,
) -> Result<(), ReportError> {
    let chart = Chart::new(canvas, panel, slot, indent);
    chart.title(slot)?;
    chart.grid(axis_label, slot)?;
    for (index, marks) in panel.series.iter().enumerate() {
        chart.band(marks, look(index))?;
    }
    for (index, marks) in panel.series.iter().enumerate() {
        chart.lines(marks, look(index))?;
    }
    chart.values()
}

/// A panel, its scales, and the rectangle between its axes.
struct Chart<'a, 'svg> {
    canvas: &'a Canvas<'svg>,
    panel: &'a Panel,
    x: XScale,
    y: YScale,
    plot: Rect,
}

impl<'a, 'svg> Chart<'a, 'svg> {
    fn new(canvas: &'a Canvas<'svg>, panel: &'a Panel, slot: Rect, indent: f64) -> Self {
        let positions = panel.positions.iter().map(|(position, _)| *position);
        let x = XScale::new(positions.collect());
        let y = YScale::new(panel.highest());
        let plot = Rect {
            left: slot.left + indent,
            top: slot.top + TITLE_HEIGHT,
            right: slot.right,
            bottom: slot.bottom - FOOT_HEIGHT,
        };
        Self {
            canvas,
            panel,
            x,
            y,
            plot,
        }
    }

    fn at(&self, position: f64, value: f64) -> Pixel {
        (
            self.plot.left + self.x.share(position) * self.plot.width(),
            self.plot.bottom - self.y.share(value) * self.plot.height(),
        )
    }

    fn path(&self, marks: &[Mark], value: fn(&Mark) -> f64) -> Vec<Pixel> {
        marks
            .iter()
            .map(|mark| self.at(mark.position, value(mark)))
            .collect()
    }

    /// The title to the left, the key of lines and band to the right.
    fn title(&self, slot: Rect) -> Result<(), ReportError> {
        let y = slot.top + size::PANEL / 2.0;
        let left = (slot.left, y);
        self.canvas.text(
            self.panel.title,
            left,
            size::PANEL,
            palette::TEXT,
            HPos::Left,
        )?;
        let entries: &[(&str, bool)] = match self.panel.kind {
            Kind::MeanAndStd => &[("mean ± std", false)],
            Kind::MedianAndP99 => &[("p99", true), ("p50", false)],
        };
        let alone = self.panel.series.len() == 1;
        let color = if alone { look(0).color } else { palette::MUTED };
        let mut x = slot.right;
        for (name, dashed) in entries {
            self.canvas
                .text(name, (x, y), size::TICK, palette::MUTED, HPos::Right)?;
            x -= Canvas::width(name, size::TICK) + 4.0;
            let sample = [(x - 44.0, y), (x, y)];
            if *dashed {
                self.canvas.dashed(&sample, color, THIN_LINE)?;
            } else {
                let [(left, _), (right, _)] = sample;
                let corners = [(left, -11.0), (right, -11.0), (right, 11.0), (left, 11.0)];
                if self.panel.kind == Kind::MeanAndStd {
                    self.canvas
                        .band(&corners.map(|(x, dy)| (x, y + dy)), color)?;
                }
                self.canvas.line(&sample, color, LINE)?;
            }
            x -= 72.0;
        }
        Ok(())
    }

    fn grid(&self, axis_label: &str, slot: Rect) -> Result<(), ReportError> {
        let Rect {
            left,
            right,
            bottom,
            ..
        } = self.plot;
        for (value, label) in self.y.ticks() {
            let y = bottom - self.y.share(value) * self.plot.height();
            let (color, width) = if value == 0.0 {
                (palette::AXIS, 2)
            } else {
                (palette::GRID, 1)
            };
            self.canvas.line(&[(left, y), (right, y)], color, width)?;
            let at = (left - TICK_GAP, y);
            self.canvas
                .text(&label, at, size::TICK, palette::MUTED, HPos::Right)?;
        }
        let mut free_from = f64::MIN;
        for (position, label) in &self.panel.positions {
            let (x, _) = self.at(*position, 0.0);
            self.canvas
                .line(&[(x, bottom), (x, bottom + 7.0)], palette::AXIS, 2)?;
            let label = width::clip(&escape::terminal(label), 10);
            let half = Canvas::width(&label, size::TICK) / 2.0;
            if x - half >= free_from {
                let at = (x, bottom + 24.0);
                self.canvas
                    .text(&label, at, size::TICK, palette::MUTED, HPos::Center)?;
                free_from = x + half + 8.0;
            }
        }
        let middle = (f64::midpoint(left, right), slot.bottom - 20.0);
        self.canvas
            .text(axis_label, middle, size::TICK, palette::MUTED, HPos::Center)
    }

    /// A band needs two points; one has a whisker instead.
    fn band(&self, marks: &[Mark], look: Look) -> Result<(), ReportError> {
        if let [mark] = marks {
            let (x, low) = self.at(mark.position, mark.low);
            let (_, high) = self.at(mark.position, mark.high);
            self.canvas
                .line(&[(x, low), (x, high)], look.color, THIN_LINE)?;
            // The ends of a latency's whisker have markers.
            if self.panel.kind == Kind::MeanAndStd {
                for y in [low, high] {
                    self.canvas
                        .line(&[(x - 12.0, y), (x + 12.0, y)], look.color, THIN_LINE)?;
                }
            }
            return Ok(());
        }
        let mut outline = self.path(marks, |mark| mark.high);
        outline.extend(self.path(marks, |mark| mark.low).into_iter().rev());
        if outline.is_empty() {
            Ok(())
        } else {
            self.canvas.band(&outline, look.color)
        }
    }

    fn lines(&self, marks: &[Mark], look: Look) -> Result<(), ReportError> {
        let values = self.path(marks, |mark| mark.value);
        if self.panel.kind == Kind::MedianAndP99 {
            let highs = self.path(marks, |mark| mark.high);
            if highs.len() > 1 {
                self.canvas.dashed(&highs, look.color, THIN_LINE)?;
            }
            for (mark, at) in marks.iter().zip(highs) {
                let look = if mark.carried[1] { look } else { look.pale() };
                self.canvas.marker(at, SMALL_MARKER, look, true)?;
            }
        }
        if values.len() > 1 {
            self.canvas.line(&values, look.color, LINE)?;
        }
        for (mark, at) in marks.iter().zip(values) {
            let look = if mark.carried[0] { look } else { look.pale() };
            self.canvas.marker(at, MARKER, look, false)?;
            if mark.invalid {
                self.canvas.cross(at, CROSS, palette::INVALID)?;
            }
        }
        Ok(())
    }

    /// The numbers at the points; where files crowd each other, some are left out.
    fn values(&self) -> Result<(), ReportError> {
        let mut placer = self.placer();
        let value = |mark: &Mark| Some((mark.value, mark.carried[0]));
        if self.panel.kind == Kind::MeanAndStd {
            return self.labels(&mut placer, value, Side::Above, FAR);
        }
        self.labels(&mut placer, value, Side::Below, NEAR)?;
        let distinct = |mark: &Mark| {
            (significant(mark.high) != significant(mark.value))
                .then_some((mark.high, mark.carried[1]))
        };
        self.labels(&mut placer, distinct, Side::Above, FAR)
    }

    /// Knows all that labels have to keep off.
    fn placer(&self) -> Placer {
        let mut placer = Placer::new(self.plot);
        for (series, marks) in self.panel.series.iter().enumerate() {
            let values = self.path(marks, |mark| mark.value);
            let highs = self.path(marks, |mark| mark.high);
            let lows = self.path(marks, |mark| mark.low);
            placer.keep_off_line(&values, series);
            for (mark, at) in marks.iter().zip(values) {
                let radius = if mark.invalid { CROSS } else { MARKER };
                placer.keep_off_marker(at, radius, series);
            }
            if let ([low], [high]) = (&lows[..], &highs[..]) {
                placer.keep_off_line(&[*low, *high], series);
            }
            if self.panel.kind == Kind::MedianAndP99 {
                placer.keep_off_line(&highs, series);
                for at in highs {
                    placer.keep_off_marker(at, SMALL_MARKER, series);
                }
            }
        }
        placer
    }

    fn labels(
        &self,
        placer: &mut Placer,
        value: fn(&Mark) -> Option<(f64, bool)>,
        side: Side,
        reach: f64,
    ) -> Result<(), ReportError> {
        for (series, marks) in self.panel.series.iter().enumerate() {
            for mark in marks {
                let Some((value, carried)) = value(mark) else {
                    continue;
                };
                let mark_of_doubt = if carried { "" } else { "~" };
                let text = format!("{mark_of_doubt}{}", significant(value));
                let width = Canvas::width(&text, size::VALUE);
                let at = self.at(mark.position, value);
                let label = Label {
                    at,
                    width,
                    height: size::VALUE,
                    side,
                    reach,
                    series,
                };
                if let Some(place) = placer.place(&label) {
                    let color = look(series).color;
                    self.canvas
                        .text(&text, place.middle(), size::VALUE, color, HPos::Center)?;
                }
            }
        }
        Ok(())
    }
}
