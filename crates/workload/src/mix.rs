//! Classes of requests in fixed proportions.

use crate::WorkloadError;
use crate::printable::printable;
use crate::seed::{purpose_seed, stream};
use rand::{Rng, RngExt};
use std::fmt;
use std::str::FromStr;

/// Classes with their shares of the requests.
///
/// [`str::parse`] reads `chat=0.7,summarise=0.2,code=0.1`. Weights need not add up to 1: only their
/// proportions count, so that `chat=7,summarise=2,code=1` is the same mix.
///
/// ```
/// use workload::Mix;
/// let mix: Mix = "chat=3,code=1".parse()?;
/// assert_eq!(mix.classes()[1].name, "code");
/// assert_eq!(mix.classes()[1].share, 0.25);
/// let first: Vec<usize> = mix.draws(42).take(10).collect();
/// assert!(first.iter().all(|&class| class < 2));
/// # Ok::<(), workload::WorkloadError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    classes: Vec<Class>,
}

/// One class of a [`Mix`].
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// Letters, digits, `-`, `_` and `.`; unique in its mix.
    pub name: String,
    /// Of all requests, above 0; those of a mix add up to 1.
    pub share: f64,
}

impl Mix {
    /// In the order in which they were written; at least one.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// The position of a random class.
    pub fn draw(&self, rng: &mut impl Rng) -> usize {
        let point: f64 = rng.random();
        let mut reached = 0.0;
        let below = self.classes.iter().take_while(|class| {
            reached += class.share;
            reached <= point
        });
        // Rounded shares may add up to a little less than 1.
        below.count().min(self.classes.len() - 1)
    }

    /// The endless series of classes of a seed, by position. It shares no randomness with lengths,
    /// prompts or arrivals of the same seed.
    pub fn draws(&self, seed: u64) -> impl Iterator<Item = usize> {
        let seed = purpose_seed(seed, "classes");
        (0..).map(move |position| self.draw(&mut stream(seed, position)))
    }
}

impl FromStr for Mix {
    type Err = WorkloadError;

    fn from_str(text: &str) -> Result<Self, WorkloadError> {
        let refuse = |reason: String| WorkloadError::Mix {
            mix: printable(text),
            reason,
        };
        let mut classes: Vec<Class> = Vec::new();
        for entry in text.split(',') {
            let class = class(entry).map_err(refuse)?;
            if classes.iter().any(|other| other.name == class.name) {
                return Err(refuse(format!("`{}` is there twice", class.name)));
            }
            classes.push(class);
        }
        let total: f64 = classes.iter().map(|class| class.share).sum();
        for class in &mut classes {
            class.share /= total;
            if class.share <= 0.0 || !total.is_finite() {
                return Err(refuse(format!(
                    "the weights add up to {total}, of which that of `{}` is no share",
                    class.name
                )));
            }
        }
        Ok(Self { classes })
    }
}

/// A class with its weight in place of its share.
fn class(entry: &str) -> Result<Class, String> {
    let shown = printable(entry.trim());
    let Some((name, weight)) = entry.split_once('=') else {
        return Err(format!("`{shown}` has no `=` between a name and a weight"));
    };
    let (name, weight) = (name.trim(), weight.trim());
    let fits = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(fits) {
        return Err(format!(
            "the name in `{shown}` must be letters, digits, `-`, `_` and `.`"
        ));
    }
    match weight.parse() {
        Ok(share) if share > 0.0 && f64::is_finite(share) => Ok(Class {
            name: name.to_owned(),
            share,
        }),
        _ => Err(format!("the weight in `{shown}` must be a number above 0")),
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Class { name, share }) in self.classes.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(formatter, "{comma}{name}={share}")?;
        }
        Ok(())
    }
}
