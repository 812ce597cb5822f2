//! Adapters of a model (LoRA): which of them a request asks for.

use super::Fields;
use crate::WorkloadError;
use crate::printable::printable;
use crate::seed::{purpose_seed, stream};
use rand::RngExt;
use serde_json::{Map, Value, json};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// How requests are spread over adapters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum AdapterSpread {
    /// All ask for the first.
    Single,
    /// Each is drawn with equal chances.
    #[default]
    Uniform,
    /// The adapter of rank `k` is drawn with a chance in proportion to `1 / k^exponent`.
    Zipf {
        /// Above 0.
        exponent: f64,
    },
    /// One after the other, so that requests in a row have different ones for as long as there are
    /// some: the hardest case of a server that holds only a few at a time.
    AllUnique,
    /// Drawn with equal chances from the adapters and the model itself.
    Mixed,
}

impl FromStr for AdapterSpread {
    type Err = WorkloadError;

    /// Reads `single`, `uniform`, `zipf`, `zipf:1.2`, `all-unique` or `mixed`.
    fn from_str(text: &str) -> Result<Self, WorkloadError> {
        let refuse = || WorkloadError::AdapterSpread {
            text: printable(text),
        };
        let exponent = match text.split_once(':') {
            Some(("zipf", exponent)) => exponent.parse().map_err(|_| refuse())?,
            Some(_) => return Err(refuse()),
            None => 1.0,
        };
        match text.split(':').next().unwrap_or_default() {
            "single" => Ok(Self::Single),
            "uniform" => Ok(Self::Uniform),
            "zipf" if exponent > 0.0 && exponent <= 10.0 => Ok(Self::Zipf { exponent }),
            "all-unique" | "distinct" => Ok(Self::AllUnique),
            "mixed" => Ok(Self::Mixed),
            _ => Err(refuse()),
        }
    }
}

impl fmt::Display for AdapterSpread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single => formatter.write_str("single"),
            Self::Uniform => formatter.write_str("uniform"),
            Self::Zipf { exponent } => write!(formatter, "zipf:{exponent}"),
            Self::AllUnique => formatter.write_str("all-unique"),
            Self::Mixed => formatter.write_str("mixed"),
        }
    }
}

/// The adapters of a model, and how requests are spread over them.
#[derive(Clone, Debug)]
pub struct Adapters {
    names: Vec<Arc<str>>,
    /// The body's field for each.
    fields: Vec<Fields>,
    /// Of each rank and those before it; the last is 1.
    shares: Vec<f64>,
    spread: AdapterSpread,
    base_model_ratio: f64,
}

impl Adapters {
    /// `base_model_ratio` is the share of requests that ask for the model itself; where it is absent,
    /// none does, but for [`AdapterSpread::Mixed`].
    pub fn new(
        names: Vec<Arc<str>>,
        spread: AdapterSpread,
        base_model_ratio: Option<f64>,
    ) -> Result<Self, WorkloadError> {
        if names.is_empty() || names.iter().any(|name| name.trim().is_empty()) {
            return Err(WorkloadError::NoAdapter);
        }
        let base_model_ratio = base_model_ratio.unwrap_or(match spread {
            AdapterSpread::Mixed => 1.0 / (names.len() + 1) as f64,
            _ => 0.0,
        });
        if !(0.0..=1.0).contains(&base_model_ratio) {
            return Err(WorkloadError::BaseModelRatio {
                ratio: base_model_ratio,
            });
        }
        let weight = |rank: usize| match spread {
            AdapterSpread::Zipf { exponent } => (rank as f64).powf(-exponent),
            _ => 1.0,
        };
        let total: f64 = (1..=names.len()).map(weight).sum();
        let shares = (1..=names.len()).scan(0.0, |sum, rank| {
            *sum += weight(rank) / total;
            Some(*sum)
        });
        let field = |name: &Arc<str>| {
            let model = ("model".to_owned(), Value::String(name.to_string()));
            Arc::new(Map::from_iter([model]))
        };
        Ok(Self {
            shares: shares.collect(),
            fields: names.iter().map(field).collect(),
            names,
            spread,
            base_model_ratio,
        })
    }

    /// As they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// The adapter of the request at that position; `None` where it asks for the model itself.
    pub fn draw(&self, seed: u64, position: u64) -> Option<&Arc<str>> {
        self.names.get(self.place(seed, position)?)
    }

    pub(super) fn fields(&self, seed: u64, position: u64) -> Option<&Fields> {
        self.fields.get(self.place(seed, position)?)
    }

    fn place(&self, seed: u64, position: u64) -> Option<usize> {
        let mut dice = stream(purpose_seed(seed, "adapters"), position);
        let (base, which): (f64, f64) = (dice.random(), dice.random());
        if base < self.base_model_ratio {
            return None;
        }
        let last = self.names.len() - 1;
        Some(match self.spread {
            AdapterSpread::Single => 0,
            AdapterSpread::AllUnique => {
                usize::try_from(position % self.names.len() as u64).unwrap_or_default()
            }
            AdapterSpread::Uniform | AdapterSpread::Zipf { .. } | AdapterSpread::Mixed => self
                .shares
                .partition_point(|share| *share <= which)
                .min(last),
        })
    }

    /// For result files.
    pub fn description(&self) -> Value {
        json!({
            "names": self.names,
            "distribution": self.spread.to_string(),
            "base_model_ratio": self.base_model_ratio,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{AdapterSpread, Adapters};
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::sync::Arc;

    const DRAWS: u64 = 20_000;

    fn adapters(count: usize, spread: &str, base: Option<f64>) -> Adapters {
        let names = (0..count).map(|number| Arc::from(format!("a{number}")));
        Adapters::new(names.collect(), spread.parse().unwrap(), base).unwrap()
    }

    /// Of the adapters in their order, and of the model itself.
    fn shares(adapters: &Adapters) -> Vec<f64> {
        let mut counts = vec![0_u32; adapters.names.len() + 1];
        for position in 0..DRAWS {
            let place = adapters.place(7, position);
            counts[place.unwrap_or(adapters.names.len())] += 1;
        }
        let share = |count: u32| f64::from(count) / DRAWS as f64;
        counts.into_iter().map(share).collect()
    }

    fn assert_near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            // Four standard errors of a share of 20,000 draws.
            assert!((found - expected).abs() < 0.015, "{found} for {expected}");
        }
    }

    #[test]
    fn requests_are_spread_as_asked() {
        let third = 1.0 / 3.0;
        assert_near(&shares(&adapters(3, "single", None)), &[1.0, 0.0, 0.0, 0.0]);
        assert_near(
            &shares(&adapters(3, "uniform", None)),
            &[third, third, third, 0.0],
        );
        assert_near(&shares(&adapters(3, "mixed", None)), &[0.25; 4]);
        let unique = shares(&adapters(3, "all-unique", None));
        assert_near(&unique, &[third, third, third, 0.0]);
        // 1, 1/2 and 1/3 of 11/6.
        let zipf = shares(&adapters(3, "zipf", None));
        assert_near(&zipf, &[6.0 / 11.0, 3.0 / 11.0, 2.0 / 11.0, 0.0]);
        let steep = shares(&adapters(2, "zipf:2", Some(0.5)));
        assert_near(&steep, &[0.4, 0.1, 0.5]);
    }

    #[test]
    fn requests_in_a_row_have_different_adapters_where_all_are_to_be_unique() {
        let adapters = adapters(16, "all-unique", None);
        let row: HashSet<_> = (5..21)
            .filter_map(|position| adapters.draw(1, position))
            .collect();
        assert_eq!(row.len(), 16);
    }

    #[test]
    fn what_is_no_spread_is_refused_with_those_there_are() {
        for text in [
            "",
            "zipf:",
            "zipf:0",
            "zipf:nan",
            "zipf:-1",
            "uniform:2",
            "skewed",
        ] {
            let error = text.parse::<AdapterSpread>().unwrap_err().to_string();
            assert!(error.contains("all-unique"), "{error}");
        }
        assert!(Adapters::new(Vec::new(), AdapterSpread::Uniform, None).is_err());
        let names = || vec![Arc::from("a")];
        for ratio in [-0.1, 1.1, f64::NAN] {
            assert!(Adapters::new(names(), AdapterSpread::Uniform, Some(ratio)).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_draw_follows_from_seed_and_position(seed: u64, position: u64, count in 1_usize..50) {
            for spread in ["single", "uniform", "zipf:1.5", "all-unique", "mixed"] {
                let adapters = adapters(count, spread, Some(0.3));
                prop_assert_eq!(adapters.draw(seed, position), adapters.draw(seed, position));
                prop_assert_eq!(spread.parse::<AdapterSpread>().unwrap().to_string(), spread);
            }
        }
    }
}
