//! Which arrival processes are refused.

use super::intensity::rises;
use crate::WorkloadError;
use trace::{Arrival, Nanos};

/// The most changes of rate in a staircase: finer ones are ramps.
pub(super) const STEPS_MAX: f64 = 10_000.0;

pub(super) fn check(arrival: Arrival) -> Result<(), WorkloadError> {
    match arrival {
        Arrival::Constant { rate } | Arrival::Poisson { rate } | Arrival::Replay { rate } => {
            one_rate(rate)
        }
        Arrival::Gamma { rate, shape } => {
            one_rate(rate)?;
            // An infinite shape is a constant gap, and has a variant of its own.
            if shape.is_finite() && shape > 0.0 {
                Ok(())
            } else {
                Err(WorkloadError::Burstiness { burstiness: shape })
            }
        }
        Arrival::Ramp {
            from, to, duration, ..
        } => {
            let of = Parameters { process: "ramp" };
            of.zero_or_more("from", from)?;
            of.above_zero("to", to)?;
            of.span("duration", duration)
        }
        Arrival::Steps {
            from,
            to,
            step,
            hold,
            ..
        } => {
            let of = Parameters { process: "steps" };
            of.above_zero("from", from)?;
            of.above_zero("to", to)?;
            of.above_zero("step", step)?;
            of.span("hold", hold)?;
            if rises(from, to, step) > STEPS_MAX {
                return Err(of.refusal("step", step, "so high that there are at most 10000 steps"));
            }
            Ok(())
        }
        Arrival::Bursts {
            rate, size, every, ..
        } => {
            let of = Parameters { process: "bursts" };
            of.zero_or_more("rate", rate)?;
            if size == 0 {
                return Err(of.refusal("size", 0.0, "at least 1 request"));
            }
            of.span("every", every)
        }
        Arrival::OnOff { rate, on, .. } => {
            one_rate(rate)?;
            Parameters { process: "on_off" }.span("on", on)
        }
    }
}

fn one_rate(rate: f64) -> Result<(), WorkloadError> {
    if rate.is_finite() && rate > 0.0 {
        Ok(())
    } else {
        Err(WorkloadError::Rate { rate })
    }
}

/// Refuses parameters of one process.
struct Parameters {
    process: &'static str,
}

impl Parameters {
    fn refusal(
        &self,
        parameter: &'static str,
        value: f64,
        expected: &'static str,
    ) -> WorkloadError {
        WorkloadError::ArrivalParameter {
            process: self.process,
            parameter,
            value,
            expected,
        }
    }

    fn above_zero(&self, parameter: &'static str, rate: f64) -> Result<(), WorkloadError> {
        if rate.is_finite() && rate > 0.0 {
            return Ok(());
        }
        let expected = "above 0 requests per second and finite";
        Err(self.refusal(parameter, rate, expected))
    }

    fn zero_or_more(&self, parameter: &'static str, rate: f64) -> Result<(), WorkloadError> {
        if rate.is_finite() && rate >= 0.0 {
            return Ok(());
        }
        let expected = "at least 0 requests per second and finite";
        Err(self.refusal(parameter, rate, expected))
    }

    fn span(&self, parameter: &'static str, span: Nanos) -> Result<(), WorkloadError> {
        if span > Nanos::ZERO {
            return Ok(());
        }
        Err(self.refusal(parameter, 0.0, "above 0 seconds"))
    }
}
