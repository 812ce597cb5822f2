//! Where labels fit.

/// Distances between a point and its label that are tried, the nearest first.
const DISTANCES: [f64; 4] = [13.0, 20.0, 30.0, 42.0];
/// Free pixels around a label.
const CLEARANCE: f64 = 3.0;

/// A point in pixels from the upper left corner.
pub(super) type Pixel = (f64, f64);

/// An upright rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Rect {
    pub(super) fn around((x, y): Pixel, width: f64, height: f64) -> Self {
        Self {
            left: x - width / 2.0,
            top: y - height / 2.0,
            right: x + width / 2.0,
            bottom: y + height / 2.0,
        }
    }

    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(super) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub(super) fn middle(&self) -> Pixel {
        (
            f64::midpoint(self.left, self.right),
            f64::midpoint(self.top, self.bottom),
        )
    }

    fn contains(&self, other: &Rect) -> bool {
        self.left <= other.left
            && self.top <= other.top
            && self.right >= other.right
            && self.bottom >= other.bottom
    }

    fn overlaps(&self, other: &Rect) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    /// Whether a part of the segment lies inside (clipping by Liang and Barsky).
    fn meets(&self, from: Pixel, to: Pixel) -> bool {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let (mut enters, mut leaves) = (0.0_f64, 1.0_f64);
        for (step, room) in [
            (-dx, from.0 - self.left),
            (dx, self.right - from.0),
            (-dy, from.1 - self.top),
            (dy, self.bottom - from.1),
        ] {
            if step == 0.0 {
                if room < 0.0 {
                    return false;
                }
            } else if step < 0.0 {
                enters = enters.max(room / step);
            } else {
                leaves = leaves.min(room / step);
            }
        }
        enters <= leaves
    }

    fn grown(&self, by: f64) -> Self {
        Self {
            left: self.left - by,
            top: self.top - by,
            right: self.right + by,
            bottom: self.bottom + by,
        }
    }
}

/// On which side of its point a label stands if it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Above,
    Below,
}

/// What a label asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label {
    /// The point that it names.
    pub(super) at: Pixel,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) side: Side,
    /// The farthest it may stand from the point.
    pub(super) reach: f64,
    /// Whose point it is: no line of another series may run between the two.
    pub(super) series: usize,
}

/// Finds places for labels: inside the bounds, on no line, on no marker, on no other label.
pub(super) struct Placer {
    bounds: Rect,
    lines: Vec<Line>,
    markers: Vec<(Rect, usize)>,
    labels: Vec<Rect>,
}

/// A piece of a series' line.
struct Line {
    from: Pixel,
    to: Pixel,
    series: usize,
}

impl Placer {
    pub(super) fn new(bounds: Rect) -> Self {
        Self {
            bounds,
            lines: Vec::new(),
            markers: Vec::new(),
            labels: Vec::new(),
        }
    }

    pub(super) fn keep_off_line(&mut self, points: &[Pixel], series: usize) {
        let segments = points.windows(2).map(|pair| Line {
            from: pair[0],
            to: pair[1],
            series,
        });
        self.lines.extend(segments);
    }

    pub(super) fn keep_off_marker(&mut self, at: Pixel, radius: f64, series: usize) {
        self.markers
            .push((Rect::around(at, 2.0 * radius, 2.0 * radius), series));
    }

    /// The label's place, now taken; `None` where all that are near enough are occupied.
    pub(super) fn place(&mut self, label: &Label) -> Option<Rect> {
        let up = if label.side == Side::Above { -1.0 } else { 1.0 };
        let directions = [
            (0.0, up),
            (-0.6, up),
            (0.6, up),
            (0.0, -up),
            (0.6, -up),
            (-0.6, -up),
            (1.0, 0.0),
            (-1.0, 0.0),
        ];
        let place = DISTANCES
            .iter()
            .take_while(|distance| **distance <= label.reach)
            .flat_map(|distance| directions.map(|direction| (*distance, direction)))
            .map(|(distance, (x, y))| {
                let center = (
                    label.at.0 + x * (label.width / 2.0 + distance),
                    label.at.1 + y * (label.height / 2.0 + distance),
                );
                Rect::around(center, label.width, label.height)
            })
            .find(|place| self.is_free(place) && self.is_next_to(place, label))?;
        self.labels.push(place);
        Some(place)
    }

    fn is_free(&self, place: &Rect) -> bool {
        let wide = place.grown(CLEARANCE);
        self.bounds.contains(place)
            && !self.labels.iter().any(|label| label.overlaps(&wide))
            && !self
                .markers
                .iter()
                .any(|(marker, _)| marker.overlaps(&wide))
            && !self.lines.iter().any(|line| wide.meets(line.from, line.to))
    }

    /// Markers that lie on each other have no between.
    fn is_next_to(&self, place: &Rect, label: &Label) -> bool {
        let (at, middle) = (label.at, place.middle());
        let mut lines = self.lines.iter().filter(|line| line.series != label.series);
        let mut markers = self
            .markers
            .iter()
            .filter(|(_, series)| *series != label.series);
        !lines.any(|line| cross((at, middle), (line.from, line.to)))
            && !markers.any(|(marker, _)| marker.meets(at, middle) && !marker.meets(at, at))
    }
}

/// Whether two segments cross: the ends of each lie on different sides of the other.
fn cross(a: (Pixel, Pixel), b: (Pixel, Pixel)) -> bool {
    let is_left = |(from, to): (Pixel, Pixel), at: Pixel| {
        (to.0 - from.0) * (at.1 - from.1) > (to.1 - from.1) * (at.0 - from.0)
    };
    is_left(a, b.0) != is_left(a, b.1) && is_left(b, a.0) != is_left(b, a.1)
}

#[cfg(test)]
mod tests {
    use super::{Label, Placer, Rect, Side};
    use proptest::prelude::*;

    const BOUNDS: Rect = Rect {
        left: 0.0,
        top: 0.0,
        right: 600.0,
        bottom: 400.0,
    };
    const LABEL: Label = Label {
        at: (300.0, 200.0),
        width: 60.0,
        height: 20.0,
        side: Side::Above,
        reach: 42.0,
        series: 0,
    };

    #[test]
    fn a_label_stands_over_its_point_where_nothing_is_in_the_way() {
        let place = Placer::new(BOUNDS).place(&LABEL).unwrap();
        assert!(place.bottom < 200.0 && (place.middle().0 - 300.0).abs() < 1e-9);
    }

    #[test]
    fn a_label_evades_a_line_that_crosses_its_place() {
        let mut placer = Placer::new(BOUNDS);
        placer.keep_off_line(&[(0.0, 180.0), (600.0, 180.0)], 0);
        assert!(placer.place(&LABEL).unwrap().top > 180.0);
    }

    #[test]
    fn a_label_is_left_out_rather_than_put_behind_the_line_of_another_file() {
        let mut placer = Placer::new(Rect {
            bottom: 205.0,
            ..BOUNDS
        });
        placer.keep_off_line(&[(0.0, 190.0), (600.0, 190.0)], 0);
        assert!(placer.place(&LABEL).is_some(), "behind a line of its own");
        let mut placer = Placer::new(Rect {
            bottom: 205.0,
            ..BOUNDS
        });
        placer.keep_off_line(&[(0.0, 190.0), (600.0, 190.0)], 1);
        assert_eq!(placer.place(&LABEL), None);
    }

    #[test]
    fn a_label_that_fits_nowhere_is_left_out() {
        assert_eq!(
            Placer::new(BOUNDS).place(&Label {
                width: 601.0,
                ..LABEL
            }),
            None
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn labels_touch_neither_each_other_nor_the_line_nor_the_edge(
            heights in prop::collection::vec(0.0..400.0_f64, 2..12)
        ) {
            let step = 600.0 / heights.len() as f64;
            let line: Vec<_> =
                heights.iter().enumerate().map(|(i, y)| (step * (i as f64 + 0.5), *y)).collect();
            let mut placer = Placer::new(BOUNDS);
            placer.keep_off_line(&line, 0);
            let places: Vec<_> =
                line.iter().filter_map(|at| placer.place(&Label { at: *at, ..LABEL })).collect();
            for (index, place) in places.iter().enumerate() {
                prop_assert!(BOUNDS.contains(place));
                prop_assert!(!places[..index].iter().any(|other| other.overlaps(place)));
                prop_assert!(!line.windows(2).any(|pair| place.meets(pair[0], pair[1])));
            }
        }
    }
}
