//! The head of a response.

use trace::Nanos;

/// What is kept of a response's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    /// Where it is another than `identity`.
    pub(crate) content_encoding: Option<String>,
    pub(crate) retry_after_seconds: Option<u64>,
    /// What a gateway says that it added.
    pub(crate) gateway_overhead: Option<Nanos>,
    /// How often a gateway says that it tried again.
    pub(crate) retries: Option<u32>,
    /// How often a gateway says that it went on to another model.
    pub(crate) fallbacks: Option<u32>,
    /// Where a redirect points.
    pub(crate) location: Option<String>,
}

impl Head {
    pub(crate) fn of(status: u16, headers: &[httparse::Header<'_>]) -> Self {
        let text = |name: &str| {
            let header = headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case(name))?;
            Some(String::from_utf8_lossy(header.value).trim().to_owned())
        };
        Head {
            status,
            content_type: text("content-type"),
            content_encoding: text("content-encoding")
                .filter(|encoding| !encoding.eq_ignore_ascii_case("identity")),
            retry_after_seconds: text("retry-after").and_then(|value| value.parse().ok()),
            gateway_overhead: text("x-litellm-overhead-duration-ms")
                .and_then(|value| value.parse().ok())
                .and_then(millis),
            retries: text("x-litellm-attempted-retries").and_then(|value| value.parse().ok()),
            fallbacks: text("x-litellm-attempted-fallbacks").and_then(|value| value.parse().ok()),
            location: text("location").filter(|_| (300..400).contains(&status)),
        }
    }

    /// Whether it is the head of an answer to what was asked, in a form that was asked for. Whether that is a stream of
    /// events its body says: gateways send streams under any label and under none.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status) && self.content_encoding.is_none()
    }

    /// Whether its label says that the body is such a stream.
    pub(crate) fn is_labelled_event_stream(&self) -> bool {
        let label = self.content_type.as_deref().unwrap_or_default();
        let essence = label.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("text/event-stream")
    }
}

/// A span that somebody else wrote down; absent where it is none.
fn millis(value: f64) -> Option<Nanos> {
    /// A day.
    const MOST: f64 = 86_400_000.0;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and a day"
    )]
    let nanos = || Nanos((value * 1e6) as u64);
    (0.0..=MOST).contains(&value).then(nanos)
}

#[cfg(test)]
mod tests {
    use super::{Head, Nanos};

    #[test]
    fn what_a_gateway_says_that_it_added_is_kept_where_it_is_a_span() {
        for (value, expected) in [
            ("1.5", Some(Nanos(1_500_000))),
            ("0", Some(Nanos(0))),
            ("-1", None),
            ("NaN", None),
            ("1e300", None),
            ("fast", None),
        ] {
            let header = httparse::Header {
                name: "X-LiteLLM-Overhead-Duration-Ms",
                value: value.as_bytes(),
            };
            assert_eq!(
                Head::of(200, &[header]).gateway_overhead,
                expected,
                "{value}"
            );
        }
    }
}
