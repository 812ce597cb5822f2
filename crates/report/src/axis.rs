//! What the points of a result differ in.

use trace::Pacing;

/// What the points of a result differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Requests released at once.
    BatchSize,
    /// Requests kept in flight.
    Concurrency,
    /// Requests released per second.
    RequestRate,
}

impl Axis {
    /// The axis on which a point of that pacing lies.
    pub const fn of(pacing: &Pacing) -> Self {
        match pacing {
            Pacing::Burst { .. } => Self::BatchSize,
            Pacing::Closed { .. } => Self::Concurrency,
            Pacing::Open { .. } => Self::RequestRate,
        }
    }

    /// The axis of a result file's `load.kind`.
    pub fn from_kind(kind: &str) -> Option<Self> {
        match kind {
            "burst" => Some(Self::BatchSize),
            "closed" => Some(Self::Concurrency),
            "open" => Some(Self::RequestRate),
            _ => None,
        }
    }

    /// Its name under a figure.
    pub const fn label(self) -> &'static str {
        match self {
            Self::BatchSize => "Batch size",
            Self::Concurrency => "Concurrency",
            Self::RequestRate => "Request rate (req/s)",
        }
    }

    /// Its name in running text, before the value.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BatchSize => "batch size",
            Self::Concurrency => "concurrency",
            Self::RequestRate => "rate",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Axis;
    use trace::{Arrival, Pacing};

    #[test]
    fn the_kind_that_a_pacing_is_stored_under_leads_back_to_its_axis() {
        for pacing in [
            Pacing::Burst { size: 4 },
            Pacing::Closed { concurrency: 4 },
            Pacing::Open {
                arrival: Arrival::Poisson { rate: 2.5 },
                max_concurrency: None,
            },
        ] {
            let stored = serde_json::json!(pacing);
            let kind = stored["kind"].as_str().unwrap();
            assert_eq!(Axis::from_kind(kind), Some(Axis::of(&pacing)), "{kind}");
        }
        assert_eq!(Axis::from_kind("spiral"), None);
    }
}
