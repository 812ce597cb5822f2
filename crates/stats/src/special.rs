//! The two functions of mathematics that intervals need.

/// Terms of the continued fraction: it converges within about √(a + b) of them.
const TERMS_MAX: u32 = 20_000;

/// Relative change below which a term adds nothing to a double.
const CONVERGED: f64 = 1e-14;

/// Halvings that bring a bracket of a quantile below the spacing of doubles that matter.
const HALVINGS: usize = 60;

/// A root is found that moves by less than this part of itself.
const EXACT: f64 = 1e-13;

/// The regularised incomplete beta function Iₓ(a, b), for positive `a` and `b`.
///
/// The continued fraction 8.17.22 of the *NIST Digital Library of Mathematical Functions*,
/// evaluated by Lentz's method, on that side of the mode where it converges fast.
pub(crate) fn regularized_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - regularized_beta(1.0 - x, b, a);
    }
    let front = a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    let tiny = f64::MIN_POSITIVE / f64::EPSILON;
    let kept = |value: f64| if value.abs() < tiny { tiny } else { value };
    let mut upper = 1.0;
    let mut lower = 1.0 / kept(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = lower;
    for term in 1..TERMS_MAX {
        let term = f64::from(term);
        let twice = a + 2.0 * term;
        let even = term * (b - term) * x / ((twice - 1.0) * twice);
        lower = 1.0 / kept(1.0 + even * lower);
        upper = kept(1.0 + even / upper);
        fraction *= lower * upper;
        let odd = -(a + term) * (a + b + term) * x / (twice * (twice + 1.0));
        lower = 1.0 / kept(1.0 + odd * lower);
        upper = kept(1.0 + odd / upper);
        fraction *= lower * upper;
        if (lower * upper - 1.0).abs() < CONVERGED {
            break;
        }
    }
    front.exp() * fraction / a
}

/// ln Γ(x) for positive `x`: Stirling's series (DLMF 5.11.1), after the recurrence has brought the
/// argument to where eight terms are exact to the last digits of a double.
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 7] = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
    ];
    let (mut x, mut product) = (x, 1.0);
    while x < 10.0 {
        product *= x;
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let series = TERMS
        .iter()
        .rev()
        .fold(0.0, |sum, term| sum * inverse * inverse + term);
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series * inverse - product.ln()
}

/// Half of a 95 % interval under the normal distribution, in standard deviations.
pub(crate) const NORMAL_95: f64 = 1.959_963_984_540_054;

/// From here on the normal distribution and four terms beyond it are exact to ten digits, and quicker to come by.
const NEARLY_NORMAL: f64 = 200.0;

/// From here on there is next to no difference.
const NORMAL: f64 = 1e5;

/// Half of a 95 % interval under Student's t with so many degrees of freedom, in standard errors.
pub(crate) fn student_t_95(degrees: f64) -> f64 {
    if degrees > NEARLY_NORMAL {
        // Abramowitz and Stegun 26.7.5, with 1, x², x⁴, … from the right.
        let square = NORMAL_95 * NORMAL_95;
        let terms = [
            (square + 1.0) / 4.0,
            ((5.0 * square + 16.0) * square + 3.0) / 96.0,
            (((3.0 * square + 19.0) * square + 17.0) * square - 15.0) / 384.0,
            ((((79.0 * square + 776.0) * square + 1482.0) * square - 1920.0) * square - 945.0)
                / 92_160.0,
        ];
        let beyond = terms
            .iter()
            .rev()
            .fold(0.0, |sum, term| (sum + term) / degrees);
        return NORMAL_95 * (1.0 + beyond);
    }
    student_t(degrees, 0.05)
}

/// The standard normal is beyond this, on either side, with the probability `beyond`; to four digits.
pub(crate) fn normal_two_sided(beyond: f64) -> f64 {
    student_t(NORMAL, beyond)
}

/// Student's t is beyond this, on either side, with the probability `outside`.
pub(crate) fn student_t(degrees: f64, outside: f64) -> f64 {
    // P(|T| > t) = I(ν/2, 1/2) at ν / (ν + t²): Abramowitz and Stegun 26.7.1.
    let beyond = |t: f64| regularized_beta(degrees / (degrees + t * t), degrees / 2.0, 0.5);
    let mut high = 2.0;
    while beyond(high) > outside {
        high *= 2.0;
    }
    root(0.0, high, |t| beyond(t) - outside)
}

/// Where a smooth `function` that falls from `low` to `high` is 0; that end where it is not above 0 at `low`, or not below at
/// `high`. By the Illinois way of false position (M. Dowell and P. Jarratt, "A modified regula falsi method for computing
/// the root of an equation", 1971), which needs a few steps where halving needs dozens.
pub(crate) fn root(mut low: f64, mut high: f64, function: impl Fn(f64) -> f64) -> f64 {
    let (mut above, mut below) = (function(low), function(high));
    if above.is_nan() || above <= 0.0 {
        return low;
    }
    if below.is_nan() || below >= 0.0 {
        return high;
    }
    let (mut last, mut was_above) = (f64::NAN, None);
    for _ in 0..HALVINGS {
        let middle = (low + (high - low) * above / (above - below)).clamp(low, high);
        let value = function(middle);
        let is_above = value > 0.0;
        // An end that stays twice counts for half, otherwise it would stay for ever.
        let stays = was_above.replace(is_above) == Some(is_above);
        if is_above {
            (low, above) = (middle, value);
            below /= if stays { 2.0 } else { 1.0 };
        } else {
            (high, below) = (middle, value);
            above /= if stays { 2.0 } else { 1.0 };
        }
        let is_exact = |width: f64| width.abs() <= EXACT * middle.abs();
        if value == 0.0 || is_exact(high - low) || is_exact(middle - last) {
            return middle;
        }
        last = middle;
    }
    f64::midpoint(low, high)
}

/// Where `before` turns from true to false between `low` and `high`.
pub(crate) fn bisect(mut low: f64, mut high: f64, before: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if before(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::{NORMAL_95, ln_gamma, regularized_beta, student_t, student_t_95};

    fn close(actual: f64, expected: f64) {
        assert!(
            (actual - expected).abs() <= 1e-10 * expected.abs().max(1.0),
            "{actual} for {expected}"
        );
    }

    #[test]
    fn the_gamma_function_is_that_of_factorials_and_of_a_half() {
        close(ln_gamma(1.0), 0.0);
        close(ln_gamma(11.0), 3_628_800f64.ln());
        close(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln());
        close(ln_gamma(1e6), 12_815_504.569_147_882);
    }

    #[test]
    fn the_beta_function_is_a_binomial_tail() {
        // P(B ≥ k) = Iₚ(k, n − k + 1): of ten fair coins at least eight, 56 in 1,024.
        close(regularized_beta(0.5, 8.0, 3.0), 56.0 / 1024.0);
        close(regularized_beta(0.9, 1.0, 36.0), 1.0 - 0.1f64.powi(36));
        close(regularized_beta(0.25, 2.0, 1.0), 0.0625);
        close(regularized_beta(0.5, 50_000.0, 50_000.0), 0.5);
    }

    #[test]
    fn students_t_is_that_of_the_tables() {
        for (degrees, expected) in [
            (1.0, 12.706_204_736_432_1),
            (2.0, 4.302_652_729_911_28),
            (10.0, 2.228_138_851_986_27),
            (30.0, 2.042_272_456_301_24),
        ] {
            close(student_t_95(degrees), expected);
        }
        for degrees in [200.1, 345.6, 7_890.0] {
            close(student_t_95(degrees), student_t(degrees, 0.05));
        }
        close(student_t_95(f64::INFINITY), NORMAL_95);
    }
}
