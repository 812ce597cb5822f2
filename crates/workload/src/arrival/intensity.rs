//! How many arrivals are expected until a time, and the time by which so many are.
//!
//! Both are closed forms of the rate's integral Λ, so that a time costs the same however far out it
//! lies. A unit process u₁ < u₂ < … becomes a process of that rate at Λ⁻¹(u₁), Λ⁻¹(u₂), … (the
//! time-change theorem; Daley and Vere-Jones, *An Introduction to the Theory of Point Processes*,
//! section 7.4). Of [`Arrival::Bursts`] both tell the base rate only.

use trace::{Arrival, Nanos};

/// Λ of a checked process, in requests.
pub(super) fn expected(arrival: Arrival, until: f64) -> f64 {
    match arrival {
        Arrival::Constant { rate }
        | Arrival::Poisson { rate }
        | Arrival::Gamma { rate, .. }
        | Arrival::Replay { rate }
        | Arrival::Bursts { rate, .. } => rate * until,
        Arrival::Ramp {
            from, to, duration, ..
        } => {
            let ramp = duration.seconds();
            let inside = until.min(ramp);
            inside * (from + (to - from) * inside / ramp / 2.0) + (until - inside) * to
        }
        Arrival::Steps {
            from,
            to,
            step,
            hold,
            ..
        } => {
            let stairs = Stairs::new(from, to, step, hold);
            let number = (until / stairs.hold).floor().min(stairs.rises);
            stairs.below(number) + stairs.rate(number) * (until - number * stairs.hold)
        }
        Arrival::OnOff { rate, on, off, .. } => {
            let period = on.seconds() + off.seconds();
            let periods = (until / period).floor();
            let inside = (until - periods * period).min(on.seconds());
            rate * (periods * on.seconds() + inside)
        }
    }
}

/// Λ⁻¹ of a checked process, in seconds.
pub(super) fn reached(arrival: Arrival, count: f64) -> f64 {
    match arrival {
        Arrival::Constant { rate }
        | Arrival::Poisson { rate }
        | Arrival::Gamma { rate, .. }
        | Arrival::Replay { rate }
        | Arrival::Bursts { rate, .. } => count / rate,
        Arrival::Ramp {
            from, to, duration, ..
        } => {
            let ramp = duration.seconds();
            let on_ramp = ramp * f64::midpoint(from, to);
            if count >= on_ramp {
                return ramp + (count - on_ramp) / to;
            }
            // The root of a quadratic, written so that nothing cancels where the ramp is flat.
            let slope = (to - from) / ramp;
            2.0 * count / (from + (from * from + 2.0 * slope * count).max(0.0).sqrt())
        }
        Arrival::Steps {
            from,
            to,
            step,
            hold,
            ..
        } => {
            let stairs = Stairs::new(from, to, step, hold);
            let number = stairs.reached(count);
            number * stairs.hold + (count - stairs.below(number)) / stairs.rate(number)
        }
        Arrival::OnOff { rate, on, off, .. } => {
            let per_period = rate * on.seconds();
            let periods = (count / per_period).floor();
            let inside = (count - periods * per_period).max(0.0) / rate;
            periods * (on.seconds() + off.seconds()) + inside
        }
    }
}

/// A staircase of rates. Numbers of steps are whole, and `check` keeps them small.
struct Stairs {
    from: f64,
    to: f64,
    /// With its sign.
    step: f64,
    hold: f64,
    /// How often the rate changes.
    rises: f64,
}

impl Stairs {
    fn new(from: f64, to: f64, step: f64, hold: Nanos) -> Self {
        Self {
            from,
            to,
            step: step.copysign(to - from),
            hold: hold.seconds(),
            rises: rises(from, to, step),
        }
    }

    fn rate(&self, number: f64) -> f64 {
        if number >= self.rises {
            self.to
        } else {
            self.from + self.step * number
        }
    }

    /// Expected before step `number` begins.
    fn below(&self, number: f64) -> f64 {
        self.hold * number * (self.from + self.step * (number - 1.0) / 2.0)
    }

    /// The last step that begins before `count` are expected.
    fn reached(&self, count: f64) -> f64 {
        let (mut low, mut high) = (0.0, self.rises);
        while low < high {
            let middle = f64::midpoint(low, high).ceil();
            if self.below(middle) <= count {
                low = middle;
            } else {
                high = middle - 1.0;
            }
        }
        low
    }
}

/// How often the rate of a staircase changes.
pub(super) fn rises(from: f64, to: f64, step: f64) -> f64 {
    ((to - from).abs() / step).ceil()
}
