//! What a good request is, and what the numbers must keep.

use super::load::Load;
use crate::args::AssertArgs;
use crate::failure::Failure;
use stats::Assertion;
use trace::Slo;

/// The objectives that were typed. Without streams only the whole answer has a time, and `no_streams` says why there are
/// none.
pub(super) fn slo(objectives: &[String], no_streams: Option<&str>) -> Result<Option<Slo>, Failure> {
    if objectives.is_empty() {
        return Ok(None);
    }
    let mut slo = Slo::default();
    for objective in objectives {
        let refuse = || {
            Failure::usage(format!(
                "--goodput takes ttft:MS, tpot:MS and e2e:MS with milliseconds above 0, \
                 got `{objective}`"
            ))
        };
        let (name, bound) = objective.split_once(':').ok_or_else(refuse)?;
        let bound: f64 = bound.parse().map_err(|_| refuse())?;
        if !(bound > 0.0 && bound.is_finite()) {
            return Err(refuse());
        }
        let place = match name {
            "ttft" => &mut slo.ttft_ms,
            "tpot" => &mut slo.tpot_ms,
            "e2e" | "e2el" => &mut slo.e2e_ms,
            _ => return Err(refuse()),
        };
        *place = Some(bound);
    }
    if let Some(why) = no_streams
        && (slo.ttft_ms.is_some() || slo.tpot_ms.is_some())
    {
        return Err(Failure::usage(format!(
            "--goodput with ttft or tpot needs streams, and {why}"
        )));
    }
    Ok(Some(slo))
}

/// Refuses an assertion about a point that is not measured.
pub(super) fn assertions(thresholds: &AssertArgs, load: &Load) -> Result<Vec<Assertion>, Failure> {
    let keys: Vec<&str> = load
        .points
        .iter()
        .map(|point| point.info.key.as_str())
        .collect();
    let unknown =
        |assertion: &&Assertion| assertion.point().is_some_and(|key| !keys.contains(&key));
    match thresholds.assertions.iter().find(unknown) {
        Some(assertion) => Err(Failure::usage(format!(
            "--assert speaks of the point `{}`, which is not measured; there are {}",
            assertion.point().unwrap_or_default(),
            keys.join(", ")
        ))),
        None => Ok(thresholds.assertions.clone()),
    }
}
