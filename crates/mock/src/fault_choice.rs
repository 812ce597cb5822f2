//! Which fault happens to a request, and what then takes the place of its answer. Pure.

use crate::circumstances::Circumstances;
use crate::dice::Dice;
use crate::request::Request;
use crate::{Fault, MockConfig, MockError};
use http1::Envelope;
use openai::error_body;
use std::borrow::Cow;

/// A gzip file of nothing.
pub(crate) const EMPTY_GZIP: [u8; 20] = [
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// The fault that happens to this request: that of its header, else that of its key, else the
/// mock's where the die says so.
pub(crate) fn of<'a>(
    config: &'a MockConfig,
    request: &Request<'_>,
    circumstances: Circumstances,
) -> Result<Option<Cow<'a, Fault>>, String> {
    if let Some(text) = request.fault() {
        let text = String::from_utf8_lossy(text);
        let fault: Fault = text.parse().map_err(|error: MockError| error.to_string())?;
        return Ok(Some(Cow::Owned(fault)));
    }
    if let Some(fault) = of_key(config, request) {
        return Ok(Some(Cow::Borrowed(fault)));
    }
    let fault = config.fault.as_ref();
    Ok(fault
        .filter(|_| happens(config, circumstances))
        .map(Cow::Borrowed))
}

/// The fault of the request's key, where it has one.
pub(crate) fn of_key<'a>(config: &'a MockConfig, request: &Request<'_>) -> Option<&'a Fault> {
    if config.fault_keys.is_empty() {
        return None;
    }
    let key = std::str::from_utf8(request.head.bearer()?).ok()?;
    config.fault_keys.get(key)
}

/// Whether the mock's fault happens now, and to this request.
fn happens(config: &MockConfig, circumstances: Circumstances) -> bool {
    let in_window = config
        .fault_window
        .is_none_or(|(from, to)| (from..to).contains(&circumstances.since_start));
    // Another seed than that of the timings.
    let drawn = || Dice::new(!config.seed, circumstances.sequence).part();
    in_window && (config.fault_rate >= 1.0 || drawn() < config.fault_rate)
}

/// The response of a fault that takes the place of every answer.
pub(crate) fn instead(fault: &Fault, envelope: &Envelope<'_>) -> Option<Vec<u8>> {
    const JSON: &str = "application/json";
    let asked = "the mock was asked to fail";
    match fault {
        Fault::Status { code, retry_after } => {
            let seconds = retry_after.map(|seconds| seconds.to_string());
            let fields = seconds.as_deref().map(|seconds| ("retry-after", seconds));
            Some(envelope.whole(
                *code,
                JSON,
                fields.as_slice(),
                &error_body(asked, "MockFault", *code),
            ))
        }
        Fault::Redirect(url) => Some(envelope.whole(302, "text/plain", &[("location", url)], b"")),
        Fault::Html => {
            let page = b"<!DOCTYPE html><title>Sign in</title><p>Please sign in.</p>";
            Some(envelope.whole(200, "text/html; charset=utf-8", &[], page))
        }
        Fault::Gzip => {
            Some(envelope.whole(200, JSON, &[("content-encoding", "gzip")], &EMPTY_GZIP))
        }
        Fault::ErrorObject => {
            Some(envelope.whole(200, JSON, &[], &error_body(asked, "MockFault", 500)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{happens, of};
    use crate::circumstances::Circumstances;
    use crate::request::Request;
    use crate::request::tests::received;
    use crate::{Fault, MockConfig};
    use std::time::Duration;

    fn at(sequence: u64, seconds: u64) -> Circumstances {
        Circumstances {
            sequence,
            earlier_on_connection: 0,
            created: 9,
            serving: 0,
            since_start: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn a_fault_happens_to_its_part_of_the_requests_and_in_its_window() {
        let config = MockConfig {
            fault: Some("status:500".parse().unwrap()),
            fault_rate: 0.25,
            fault_window: Some((Duration::from_secs(10), Duration::from_secs(20))),
            seed: 3,
            ..MockConfig::default()
        };
        let count = |config: &MockConfig, seconds| {
            (0..4000)
                .filter(|sequence| happens(config, at(*sequence, seconds)))
                .count()
        };
        assert_eq!([9, 20].map(|second| count(&config, second)), [0, 0]);
        let within = count(&config, 15);
        assert!((900..1100).contains(&within), "{within} of 4000");
        let always = MockConfig {
            fault_rate: 1.0,
            ..config.clone()
        };
        assert_eq!(count(&always, 15), 4000);
        assert_eq!(count(&config, 15), within, "the same seed draws the same");
    }

    #[test]
    fn a_header_wins_over_a_key_and_a_key_over_the_die() {
        let config = MockConfig {
            fault: Some(Fault::Html),
            fault_rate: 0.0,
            fault_keys: [("bad".to_owned(), Fault::Never)].into(),
            ..MockConfig::default()
        };
        let fault = |fields: &str| {
            let text = format!("POST / HTTP/1.1\r\n{fields}\r\n");
            let (head, body) = received(&text);
            let request = Request {
                head: &head,
                body: &body.bytes,
            };
            of(&config, &request, at(1, 0))
                .unwrap()
                .map(std::borrow::Cow::into_owned)
        };
        let key = "authorization: Bearer bad\r\n";
        assert_eq!(fault(key), Some(Fault::Never));
        assert_eq!(
            fault(&format!("{key}x-mock-fault: gzip\r\n")),
            Some(Fault::Gzip)
        );
        assert_eq!(fault("authorization: Bearer good\r\n"), None);
        assert_eq!(fault("authorization: bad\r\n"), None);
    }
}
