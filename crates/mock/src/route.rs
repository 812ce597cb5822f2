//! From a request to its answer. Pure.

use crate::completion::Completion;
use crate::http::{Refused, Request};
use crate::response::Envelope;
use crate::script::{End, Script};
use crate::{Fault, MockConfig, MockError};
use openai::{Endpoint, FrameStyle, RequestView, error_body, models_body};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::borrow::Cow;
use std::time::Duration;

/// Most choices of one request, as the API has it.
const CHOICES_MAX: u32 = 128;
/// A gzip file of nothing.
const EMPTY_GZIP: [u8; 20] = [
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];
const JSON: &str = "application/json";

/// What an answer depends on beside the request and the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// Of the request, in the server's life.
    pub(crate) sequence: u64,
    /// Requests that came before it on its connection.
    pub(crate) earlier_on_connection: u64,
    /// Unix time, in seconds.
    pub(crate) created: u64,
    /// Requests that are being answered beside it.
    pub(crate) serving: u32,
    /// Since the mock began to serve.
    pub(crate) since_start: Duration,
}

/// What a request gets.
pub(crate) struct Answer {
    pub(crate) script: Script,
    /// Whether it came to one of the two completion routes: only those count and enter the truth
    /// log.
    pub(crate) completion: bool,
    /// Whether a stream was asked for, and begins.
    pub(crate) stream: bool,
}

/// Answers `request`.
pub(crate) fn answer(
    config: &MockConfig,
    request: &Request<'_>,
    circumstances: Circumstances,
) -> Answer {
    let envelope = Envelope {
        request_id: request.id,
        close: request.close,
    };
    let endpoint = match request.path {
        "/v1/chat/completions" => Some(Endpoint::ChatCompletions),
        "/v1/completions" => Some(Endpoint::Completions),
        _ => None,
    };
    let script = match (request.path, request.method, endpoint) {
        ("/health" | "/v1/health", "GET", _) => {
            Script::whole(envelope.whole(200, JSON, &[], b"{}"), &envelope)
        }
        ("/v1/models", "GET", _) if authorized(config, request) => Script::whole(
            envelope.whole(200, JSON, &[], &models_body(&[&config.model])),
            &envelope,
        ),
        (_, "POST", Some(endpoint)) if authorized(config, request) => {
            return completion(config, request, endpoint, &envelope, circumstances);
        }
        ("/v1/models", "GET", _) | (_, "POST", Some(_)) => error(
            &envelope,
            401,
            "invalid_request_error",
            "the API key is missing or wrong",
        ),
        ("/health" | "/v1/health" | "/v1/models", ..) => wrong_method(&envelope, request, "GET"),
        (.., Some(_)) => wrong_method(&envelope, request, "POST"),
        _ => {
            let message = format!("there is no route {}", request.path);
            error(&envelope, 404, "NotFoundError", &message)
        }
    };
    Answer {
        script,
        completion: endpoint.is_some() && request.method == "POST",
        stream: false,
    }
}

/// Answers bytes that are no request; the connection ends with it.
pub(crate) fn refuse(refused: &Refused) -> Answer {
    let envelope = Envelope {
        request_id: None,
        close: true,
    };
    let script = error(
        &envelope,
        refused.status,
        "BadRequestError",
        &refused.reason,
    );
    Answer {
        script,
        completion: false,
        stream: false,
    }
}

fn authorized(config: &MockConfig, request: &Request<'_>) -> bool {
    let Some(key) = &config.api_key else {
        return true;
    };
    request
        .authorization
        .and_then(|given| given.strip_prefix(b"Bearer "))
        == Some(key.as_bytes())
}

fn completion(
    config: &MockConfig,
    request: &Request<'_>,
    endpoint: Endpoint,
    envelope: &Envelope<'_>,
    circumstances: Circumstances,
) -> Answer {
    let whole = |script| Answer {
        script,
        completion: true,
        stream: false,
    };
    let config = match with_its_fault(config, request, circumstances) {
        Ok(config) => config,
        Err(reason) => return whole(error(envelope, 400, "BadRequestError", &reason)),
    };
    let config = config.as_ref();
    if config.fault == Some(Fault::Stale) && circumstances.earlier_on_connection > 0 {
        return whole(Script::silent(End::Close));
    }
    let view = match RequestView::parse(&request.body, endpoint) {
        Ok(view) => view,
        Err(refused) => {
            return whole(error(
                envelope,
                400,
                "BadRequestError",
                &refused.to_string(),
            ));
        }
    };
    if !(1..=CHOICES_MAX).contains(&view.n) {
        let message = format!("`n` is {}; it must be 1 to {CHOICES_MAX}", view.n);
        return whole(error(envelope, 400, "BadRequestError", &message));
    }
    if let Some(bytes) = config
        .fault
        .as_ref()
        .and_then(|fault| instead(fault, envelope))
    {
        return whole(Script::whole(bytes, envelope));
    }
    let prefix = match endpoint {
        Endpoint::ChatCompletions => "chatcmpl",
        Endpoint::Completions => "cmpl",
    };
    let style = FrameStyle {
        endpoint,
        id: &format!("{prefix}-{}", circumstances.sequence),
        model: view.model.as_deref().unwrap_or(&config.model),
        created: circumstances.created,
    };
    let script = Script::of(
        &Completion::new(
            config,
            &view,
            style,
            circumstances.sequence,
            circumstances.serving,
        ),
        envelope,
    );
    Answer {
        script,
        completion: true,
        stream: view.stream,
    }
}

/// The configuration with the fault that happens to this request: its header's, or the mock's where the die says so.
fn with_its_fault<'a>(
    config: &'a MockConfig,
    request: &Request<'_>,
    circumstances: Circumstances,
) -> Result<Cow<'a, MockConfig>, String> {
    let asked = match request.fault {
        None => config
            .fault
            .clone()
            .filter(|_| happens(config, circumstances)),
        Some(text) => {
            let text = String::from_utf8_lossy(text);
            Some(text.parse().map_err(|error: MockError| error.to_string())?)
        }
    };
    if asked == config.fault {
        return Ok(Cow::Borrowed(config));
    }
    Ok(Cow::Owned(MockConfig {
        fault: asked,
        ..config.clone()
    }))
}

/// Whether the mock's fault happens now, and to this request.
fn happens(config: &MockConfig, circumstances: Circumstances) -> bool {
    let in_window = config
        .fault_window
        .is_none_or(|(from, to)| (from..to).contains(&circumstances.since_start));
    let mut random = ChaCha8Rng::seed_from_u64(!config.seed);
    random.set_stream(circumstances.sequence);
    in_window && (config.fault_rate >= 1.0 || random.random::<f64>() < config.fault_rate)
}

/// The response of a fault that takes the place of every completion.
fn instead(fault: &Fault, envelope: &Envelope<'_>) -> Option<Vec<u8>> {
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

fn error(envelope: &Envelope<'_>, status: u16, kind: &str, message: &str) -> Script {
    Script::whole(
        envelope.whole(status, JSON, &[], &error_body(message, kind, status)),
        envelope,
    )
}

fn wrong_method(envelope: &Envelope<'_>, request: &Request<'_>, allowed: &str) -> Script {
    let message = format!("{} takes {allowed}, not {}", request.path, request.method);
    let body = error_body(&message, "MethodNotAllowedError", 405);
    Script::whole(
        envelope.whole(405, JSON, &[("allow", allowed)], &body),
        envelope,
    )
}

#[cfg(test)]
mod tests {
    use super::{Answer, Circumstances, EMPTY_GZIP, answer, happens};
    use crate::MockConfig;
    use crate::http::{Parsed, parse};
    use crate::script::End;
    use std::time::Duration;

    const CHAT: &str = "POST /v1/chat/completions";

    fn ask(config: &MockConfig, line: &str, fields: &str, body: &str, earlier: u64) -> Answer {
        let length = body.len();
        let text = format!("{line} HTTP/1.1\r\ncontent-length: {length}\r\n{fields}\r\n{body}");
        let Ok(Parsed::Whole { request, .. }) = parse(text.as_bytes()) else {
            panic!("{text}")
        };
        let circumstances = Circumstances {
            sequence: 4,
            earlier_on_connection: earlier,
            created: 9,
            serving: 0,
            since_start: Duration::ZERO,
        };
        answer(config, &request, circumstances)
    }

    fn text(answer: &Answer) -> String {
        let bytes = answer.script.step(0).map_or(&[][..], |step| step.bytes);
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn with_fault(fault: &str) -> MockConfig {
        MockConfig {
            fault: Some(fault.parse().unwrap()),
            ..MockConfig::default()
        }
    }

    #[test]
    fn every_route_has_its_status() {
        let config = MockConfig {
            api_key: Some("k".to_owned()),
            ..MockConfig::default()
        };
        let key = "authorization: Bearer k\r\n";
        let wrong_key = "authorization: Bearer kk\r\n";
        for (line, fields, body, status) in [
            ("GET /health", "", "", 200),
            ("GET /v1/health", "", "", 200),
            ("GET /v1/models", key, "", 200),
            ("GET /v1/models", "", "", 401),
            (CHAT, key, r#"{"messages":[]}"#, 200),
            (CHAT, wrong_key, r#"{"messages":[]}"#, 401),
            (CHAT, key, "{", 400),
            (CHAT, key, r#"{"messages":[],"n":0}"#, 400),
            (CHAT, key, r#"{"messages":[],"n":129}"#, 400),
            ("POST /v1/completions", key, r#"{"prompt":"a"}"#, 200),
            ("GET /v1/completions", key, "", 405),
            ("DELETE /v1/models", key, "", 405),
            ("GET /v1", "", "", 404),
            ("GET /v1/../health", "", "", 404),
        ] {
            let text = text(&ask(&config, line, fields, body, 0));
            assert!(
                text.starts_with(&format!("HTTP/1.1 {status} ")),
                "{line} {body}: {text}"
            );
            assert_eq!(
                text.contains(r#"{"error":"#),
                status != 200,
                "{line} {body}: {text}"
            );
        }
    }

    #[test]
    fn fault_15_16_17_23_24_what_takes_the_place_of_a_completion() {
        let gzip = String::from_utf8_lossy(&EMPTY_GZIP).into_owned();
        for (fault, status, needle) in [
            ("status:429:7", 429, "retry-after: 7\r\n"),
            ("status:503", 503, r#""code":503"#),
            ("redirect:http://other/", 302, "location: http://other/\r\n"),
            ("html", 200, "<!DOCTYPE html>"),
            ("error_object", 200, r#"{"error":"#),
            ("gzip", 200, "content-encoding: gzip\r\n"),
            ("gzip", 200, &gzip),
        ] {
            let config = with_fault(fault);
            let text = text(&ask(
                &config,
                CHAT,
                "",
                r#"{"messages":[],"stream":true}"#,
                0,
            ));
            assert!(
                text.starts_with(&format!("HTTP/1.1 {status} ")),
                "{fault}: {text}"
            );
            assert!(text.contains(needle), "{fault}: {text}");
            assert!(
                self::text(&ask(&config, "GET /health", "", "", 0)).contains(" 200 "),
                "{fault}"
            );
        }
    }

    #[test]
    fn fault_26_the_second_request_of_a_connection_finds_it_closed() {
        let config = with_fault("stale");
        let [first, second] =
            [0, 1].map(|earlier| ask(&config, CHAT, "", r#"{"messages":[]}"#, earlier));
        assert!(text(&first).contains(" 200 "));
        assert_eq!(
            (text(&second).as_str(), second.script.end),
            ("", End::Close)
        );
    }

    #[test]
    fn only_completions_count() {
        let config = MockConfig::default();
        let stream = ask(&config, CHAT, "", r#"{"messages":[],"stream":true}"#, 0);
        assert!(stream.completion && stream.stream);
        let refused = ask(&config, CHAT, "", "", 0);
        assert!(refused.completion && !refused.stream);
        assert!(!ask(&config, "GET /health", "", "", 0).completion);
    }

    #[test]
    fn a_fault_happens_to_its_part_of_the_requests_and_in_its_window() {
        let config = MockConfig {
            fault_rate: 0.25,
            fault_window: Some((Duration::from_secs(10), Duration::from_secs(20))),
            seed: 3,
            ..with_fault("status:500")
        };
        let count = |config: &MockConfig, seconds| {
            let at = |sequence| Circumstances {
                sequence,
                earlier_on_connection: 0,
                created: 9,
                serving: 0,
                since_start: Duration::from_secs(seconds),
            };
            (0..4000)
                .filter(|sequence| happens(config, at(*sequence)))
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
    fn a_requests_header_brings_its_own_fault() {
        let config = MockConfig::default();
        let body = r#"{"messages":[{"role":"user","content":"hi"}]}"#;
        let ask = |fields: &str| text(&ask(&config, CHAT, fields, body, 0));
        assert!(ask("").starts_with("HTTP/1.1 200"));
        assert!(ask("x-mock-fault: status:429:7\r\n").starts_with("HTTP/1.1 429"));
        let refused = ask("x-mock-fault: nonsense\r\n");
        assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
        assert!(refused.contains("nonsense"), "{refused}");
    }
}
