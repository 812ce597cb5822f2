//! Where the numbers of a network come from.

use crate::ModelsError;
use crate::random::Numbers;
use crate::weights::{Tensor, TensorData, Weights};
use std::path::PathBuf;

/// Where the numbers of a network come from.
pub(super) enum Source {
    File(Weights),
    /// Uniform numbers of that standard deviation; norms are 1, biases 0.
    Random {
        numbers: Numbers,
        deviation: f32,
    },
}

impl Source {
    pub(super) fn file(weights: Weights) -> Self {
        Source::File(weights)
    }

    pub(super) fn random(deviation: f32) -> Self {
        Source::Random {
            numbers: Numbers(42),
            deviation,
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        match self {
            Source::File(weights) => weights.path().to_owned(),
            Source::Random { .. } => PathBuf::from("the built-in model"),
        }
    }

    /// Whether a name is there.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Source::File(weights) => weights.shape(name).is_some(),
            Source::Random { .. } => false,
        }
    }

    /// Whether the weights come quantised: then 32 bits would add nothing to them.
    pub(super) fn is_quantised(&self) -> bool {
        match self {
            Source::File(weights) => weights.is_quantised(),
            Source::Random { .. } => true,
        }
    }

    /// A tensor of that shape.
    pub(super) fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, ModelsError> {
        match self {
            Source::File(weights) => {
                let found = weights.shape(name);
                if found.is_some_and(|found| found != shape) {
                    return Err(ModelsError::file(
                        weights.path(),
                        format!(
                            "tensor `{name}` has the shape {:?}, and {shape:?} follows from the configuration",
                            found.unwrap_or_default()
                        ),
                    ));
                }
                weights.tensor(name)
            }
            Source::Random { numbers, deviation } => {
                let count = shape.iter().product();
                let data = match shape.len() {
                    1 if name.ends_with("bias") => vec![0.0; count],
                    1 => vec![1.0; count],
                    _ => numbers.fill(count, *deviation),
                };
                Ok(Tensor {
                    shape: shape.to_vec(),
                    data: TensorData::F32(data),
                })
            }
        }
    }
}
