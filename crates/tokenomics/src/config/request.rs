//! What each request asks for, as its body is sent: the flags, and what `--extra-body` makes of them.

use super::variants;
use crate::args::ChatArgs;
use crate::failure::Failure;
use openai::{Endpoint, RequestOptions, RequestTemplate, VectorEncoding};
use serde_json::{Map, Value};

/// Fields of a request's body.
pub(crate) type Fields = Map<String, Value>;

/// What each request asks for. Where `--extra-body` has a word in it, that is what counts here.
#[derive(Clone)]
pub(crate) struct RequestConfig {
    /// The limit on each answer; `None` where none is sent.
    pub(crate) max_tokens: Option<u32>,
    pub(crate) temperature: Option<f64>,
    pub(crate) choices: u32,
    pub(crate) ignore_eos: bool,
    pub(crate) stream: bool,
    /// Further fields of ours, such as `tools`.
    pub(crate) fields: Fields,
    /// The merge patch on the body.
    pub(crate) patch: Fields,
}

/// `OpenAI` takes no more, and oha's `-n` is a number of requests.
const CHOICES_MAX: u32 = 128;

impl RequestConfig {
    pub(crate) fn resolve(args: &ChatArgs, endpoint: Endpoint) -> Result<Self, Failure> {
        if let Some(temperature) = args.temperature
            && !(0.0..=100.0).contains(&temperature)
        {
            return Err(Failure::usage(format!(
                "--temperature must be between 0 and 100, got `{temperature}`"
            )));
        }
        if args.n == 0 {
            return Err(Failure::usage("--n must be at least 1, got 0"));
        }
        if args.n > CHOICES_MAX {
            return Err(Failure::usage(format!(
                "--n {} asks for so many choices in each request, and at most {CHOICES_MAX} are sent; the number of \
                 requests is --num-prompts",
                args.n
            )));
        }
        let patch = extra_body(args.exchange.extra_body.as_deref())?;
        flag(&patch, "stream", "--no-stream asks for whole answers")?;
        flag(&patch, "ignore_eos", "or use --ignore-eos")?;
        for name in [
            "n",
            "max_tokens",
            "max_completion_tokens",
            "max_output_tokens",
        ] {
            number(&patch, name)?;
        }
        // The bodies themselves say what is sent.
        let sent = RequestTemplate::new(&RequestOptions {
            endpoint,
            model: String::new(),
            stream: !args.no_stream,
            temperature: args.temperature,
            n: args.n,
            ignore_eos: args.ignore_eos,
            seed: None,
            extra_body: patch.clone(),
        });
        Ok(Self {
            max_tokens: sent.limit(Some(args.max_tokens), None),
            temperature: match patch.get("temperature") {
                None => args.temperature,
                Some(said) => said.as_f64(),
            },
            choices: sent.n(),
            ignore_eos: match patch.get("ignore_eos") {
                None => args.ignore_eos,
                Some(said) => said == &Value::Bool(true),
            },
            stream: sent.stream(),
            fields: variants::shared_fields(&args.variants, endpoint)?,
            patch,
        })
    }

    /// Why answers come whole, where they do.
    pub(super) fn no_streams(&self) -> Option<&'static str> {
        (!self.stream).then_some(
            "--no-stream (or `stream` in --extra-body) asks for none; leave one of the two out",
        )
    }

    /// What bodies have beside the usual, for the result file.
    pub(crate) fn extra_body(&self) -> Fields {
        let mut all = self.fields.clone();
        openai::merge_patch(&mut all, &self.patch);
        // What is left out is a part of what was asked for.
        let left_out = self.patch.iter().filter(|(_, value)| value.is_null());
        all.extend(left_out.map(|(name, _)| (name.clone(), Value::Null)));
        all
    }
}

/// The merge patch that was typed.
pub(super) fn extra_body(typed: Option<&str>) -> Result<Fields, Failure> {
    let Some(text) = typed else {
        return Ok(Map::new());
    };
    serde_json::from_str(text).map_err(|error| {
        Failure::usage(format!(
            "--extra-body must be a JSON object: {error}; write it like '{{\"top_p\": 0.9, \"stream_options\": null}}'"
        ))
    })
}

/// The model that the patch asks for in another's place.
pub(super) fn patched_model(patch: &Fields) -> Result<Option<String>, Failure> {
    match patch.get("model") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => Ok(Some(name.clone())),
        Some(other) => Err(refuse(
            "model",
            other,
            "a name, or null to leave it out; --model names it too",
        )),
    }
}

/// The numbers per vector that are sent.
pub(super) fn dimensions(patch: &Fields, typed: Option<u32>) -> Result<Option<u32>, Failure> {
    number(patch, "dimensions")?;
    Ok(patch.get("dimensions").map_or(typed, whole))
}

/// How vectors are asked for.
pub(super) fn encoding(patch: &Fields, typed: VectorEncoding) -> Result<VectorEncoding, Failure> {
    match patch.get("encoding_format") {
        None => Ok(typed),
        Some(Value::Null) => Ok(VectorEncoding::Float),
        Some(said) => [VectorEncoding::Float, VectorEncoding::Base64]
            .into_iter()
            .find(|encoding| said == encoding.name())
            .ok_or_else(|| refuse("encoding_format", said, "float or base64")),
    }
}

/// Refuses a patch of the texts that are measured.
pub(super) fn refuse_texts(patch: &Fields) -> Result<(), Failure> {
    let texts = ["input", "text_1", "text_2", "query", "documents"];
    match texts.iter().find(|name| patch.contains_key(**name)) {
        None => Ok(()),
        Some(name) => Err(Failure::usage(format!(
            "--extra-body has `{name}`, the texts that are measured; leave it out, and give texts of your own with \
             --dataset-path"
        ))),
    }
}

/// Refuses what is neither a whole number nor `null`.
fn number(patch: &Fields, name: &str) -> Result<(), Failure> {
    match patch.get(name) {
        None | Some(Value::Null) => Ok(()),
        Some(said) if whole(said).is_some() => Ok(()),
        Some(other) => Err(refuse(
            name,
            other,
            "a whole number from 1 on, or null to leave it out",
        )),
    }
}

fn whole(said: &Value) -> Option<u32> {
    let number = u32::try_from(said.as_u64()?).ok()?;
    (number > 0).then_some(number)
}

/// Refuses what is neither true, false nor `null`.
fn flag(patch: &Fields, name: &str, way_out: &str) -> Result<(), Failure> {
    match patch.get(name) {
        None | Some(Value::Null | Value::Bool(_)) => Ok(()),
        Some(other) => Err(refuse(
            name,
            other,
            &format!("true, false, or null to leave it out; {way_out}"),
        )),
    }
}

fn refuse(name: &str, said: &Value, must: &str) -> Failure {
    Failure::usage(format!(
        "`{name}` in --extra-body must be {must}, got `{said}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::{Fields, dimensions, encoding, extra_body, flag, number, patched_model};
    use openai::VectorEncoding;
    use serde_json::{Value, json};

    fn fields(value: Value) -> Fields {
        match value {
            Value::Object(fields) => fields,
            _ => panic!("an object"),
        }
    }

    #[test]
    fn what_a_record_keeps_must_be_readable_in_the_patch() {
        for (patch, named) in [
            (json!({"n": "two"}), "n"),
            (json!({"n": 0}), "n"),
            (json!({"max_tokens": 2.5}), "max_tokens"),
            (json!({"max_tokens": 4_294_967_296_u64}), "max_tokens"),
        ] {
            let refused = number(&fields(patch), named).unwrap_err().to_string();
            assert!(refused.contains(&format!("`{named}`")), "{refused}");
        }
        let refused = flag(&fields(json!({"stream": "no"})), "stream", "--no-stream");
        assert!(refused.unwrap_err().to_string().contains("--no-stream"));
        assert!(patched_model(&fields(json!({"model": 3}))).is_err());
        assert!(extra_body(Some("[]")).is_err());
    }

    #[test]
    fn vectors_are_asked_for_as_the_patch_says() {
        let patch = fields(json!({"dimensions": 32, "encoding_format": "base64"}));
        assert_eq!(dimensions(&patch, Some(64)).unwrap(), Some(32));
        assert_eq!(
            encoding(&patch, VectorEncoding::Float).unwrap(),
            VectorEncoding::Base64
        );
        let none = fields(json!({"dimensions": null, "encoding_format": null}));
        assert_eq!(dimensions(&none, Some(64)).unwrap(), None);
        assert_eq!(
            encoding(&none, VectorEncoding::Base64).unwrap(),
            VectorEncoding::Float
        );
        assert!(
            encoding(
                &fields(json!({"encoding_format": "hex"})),
                VectorEncoding::Float
            )
            .is_err()
        );
    }
}
