/// What is kept of a response's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    /// Where it is another than `identity`.
    pub(crate) content_encoding: Option<String>,
    pub(crate) retry_after_seconds: Option<u64>,
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
            location: text("location").filter(|_| (300..400).contains(&status)),
        }
    }

    /// Whether it is the head of an answer to what was asked, in a form that was asked for.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status) && self.content_encoding.is_none()
    }

    /// Whether the body is a stream of events that can be decoded as it comes.
    pub(crate) fn is_event_stream(&self) -> bool {
        self.is_success()
            && self.content_type.as_deref().is_some_and(|content_type| {
                let essence = content_type.split(';').next().unwrap_or_default();
                essence.trim().eq_ignore_ascii_case("text/event-stream")
            })
    }
}
