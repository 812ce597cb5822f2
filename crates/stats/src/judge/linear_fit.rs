//! A straight line through counts, from sums alone.

/// Least squares of y over x.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LinearFit {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

/// y = `intercept` + `slope` · x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) slope: f64,
    pub(super) intercept: f64,
    /// The share of y's variance that the line explains.
    pub(super) r_squared: f64,
}

impl LinearFit {
    pub(super) fn add(&mut self, x: f64, y: f64) {
        self.n += 1.0;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.yy += y * y;
        self.xy += x * y;
    }

    /// `None` where all x, or all y, are one.
    pub(super) fn line(&self) -> Option<Line> {
        let of = |squares: f64, sum: f64| self.n * squares - sum * sum;
        let (spread_x, spread_y) = (of(self.xx, self.x), of(self.yy, self.y));
        if spread_x <= 0.0 || spread_y <= 0.0 {
            return None;
        }
        let products = self.n * self.xy - self.x * self.y;
        let slope = products / spread_x;
        Some(Line {
            slope,
            intercept: (self.y - slope * self.x) / self.n,
            r_squared: products * products / (spread_x * spread_y),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::LinearFit;

    #[test]
    fn a_line_is_found_and_a_point_is_none() {
        let mut fit = LinearFit::default();
        fit.add(1.0, 5.0);
        assert_eq!(fit.line(), None);
        fit.add(3.0, 9.0);
        fit.add(2.0, 7.0);
        let line = fit.line().unwrap();
        assert!((line.slope - 2.0).abs() < 1e-9 && (line.intercept - 3.0).abs() < 1e-9);
        assert!((line.r_squared - 1.0).abs() < 1e-9);
    }
}
