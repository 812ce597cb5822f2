//! What requests have otherwise than each other, and the fields that all of them have beside the usual.

use crate::args::VariantArgs;
use crate::failure::Failure;
use crate::input::read;
use openai::Endpoint;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;
use workload::{Adapters, NoiseImages, Variants};

/// Fields of a request's body.
type Fields = Map<String, Value>;

/// What requests have otherwise than each other.
pub(super) fn variants(args: &VariantArgs, endpoint: Endpoint) -> Result<Variants, Failure> {
    if args.num_images.is_some() && !endpoint.has_messages() {
        return Err(Failure::usage(format!(
            "--num-images needs messages, and {endpoint} has a text; leave out --endpoint"
        )));
    }
    let adapters = if args.lora_modules.is_empty() {
        None
    } else {
        let names = args.lora_modules.iter().map(|name| name.trim().into());
        let spread = args.lora_distribution.unwrap_or_default();
        let adapters = Adapters::new(names.collect(), spread, args.base_model_ratio);
        Some(adapters.map_err(Failure::usage)?)
    };
    let size = args.image_size.unwrap_or_default();
    let images = args.num_images.map(|count| NoiseImages::new(count, size));
    Ok(Variants {
        adapters,
        images: images.transpose().map_err(Failure::usage)?,
        bodies: match &args.extra_body_file {
            Some(path) => bodies(path)?,
            None => Arc::default(),
        },
    })
}

/// For the result file; absent where all requests are of one kind.
pub(super) fn value(args: &VariantArgs) -> Value {
    let VariantArgs {
        lora_modules,
        lora_distribution,
        base_model_ratio,
        num_images,
        image_size,
        extra_body_file,
        ..
    } = args;
    if lora_modules.is_empty() && num_images.is_none() && extra_body_file.is_none() {
        return Value::Null;
    }
    let has_adapters = !lora_modules.is_empty();
    json!({
        "lora_modules": lora_modules,
        "lora_distribution": has_adapters.then(|| lora_distribution.unwrap_or_default().to_string()),
        "base_model_ratio": base_model_ratio,
        "num_images": num_images,
        "image_size": num_images.map(|_| image_size.unwrap_or_default().to_string()),
        "extra_body_file": extra_body_file,
    })
}

/// Fields that every request has: the format of the answer, and tools.
pub(super) fn shared_fields(args: &VariantArgs, endpoint: Endpoint) -> Result<Fields, Failure> {
    let mut fields = Map::new();
    if let Some(format) = &args.response_format {
        let format = response_format(format)?;
        if endpoint == Endpoint::Responses {
            fields.insert(
                "text".to_owned(),
                json!({ "format": flat(format, "json_schema") }),
            );
        } else {
            fields.insert("response_format".to_owned(), format);
        }
    }
    let Some(path) = &args.tools else {
        return Ok(fields);
    };
    if !endpoint.has_messages() {
        return Err(Failure::usage(format!(
            "--tools needs messages, and {endpoint} has a text; leave out --endpoint"
        )));
    }
    let tools = tools(path)?;
    let flatten = |value: Value| match endpoint {
        Endpoint::Responses => flat(value, "function"),
        Endpoint::ChatCompletions | Endpoint::Completions => value,
    };
    let tools = tools.into_iter().map(flatten).collect();
    fields.insert("tools".to_owned(), Value::Array(tools));
    if let Some(choice) = &args.tool_choice {
        let choice = match choice.as_str() {
            "auto" | "none" | "required" => json!(choice),
            name => flatten(json!({ "type": "function", "function": { "name": name } })),
        };
        fields.insert("tool_choice".to_owned(), choice);
    }
    Ok(fields)
}

/// `/responses` has beside the type what the other routes have one level below.
fn flat(mut value: Value, below: &str) -> Value {
    let inner = value
        .as_object_mut()
        .and_then(|fields| fields.remove(below));
    if let (Some(fields), Some(Value::Object(inner))) = (value.as_object_mut(), inner) {
        fields.extend(inner);
    }
    value
}

fn response_format(typed: &str) -> Result<Value, Failure> {
    if typed == "json_object" {
        return Ok(json!({ "type": "json_object" }));
    }
    let value = json(
        "--response-format",
        Path::new(typed),
        "an object: a JSON schema, or a whole response_format",
    )?;
    match value {
        Value::Object(ref fields) if is_whole(fields) => Ok(value),
        Value::Object(_) => Ok(json!({
            "type": "json_schema",
            "json_schema": { "name": "answer", "strict": true, "schema": value },
        })),
        _ => Err(Failure::usage(format!(
            "--response-format {typed} must hold an object: a JSON schema, or a whole response_format"
        ))),
    }
}

/// Whether it is the field as servers take it, and not the schema that belongs into it.
fn is_whole(fields: &Fields) -> bool {
    let kinds = ["json_schema", "json_object", "text", "structural_tag"];
    let kind = fields.get("type").and_then(Value::as_str);
    kind.is_some_and(|kind| kinds.contains(&kind))
}

fn tools(path: &Path) -> Result<Vec<Value>, Failure> {
    match json("--tools", path, "an array of tools")? {
        Value::Array(tools) if !tools.is_empty() && tools.iter().all(Value::is_object) => Ok(tools),
        _ => Err(Failure::usage(format!(
            "--tools {} must hold a JSON array of one or more tools: [{{\"type\": \"function\", \"function\": …}}]",
            path.display()
        ))),
    }
}

fn json(flag: &str, path: &Path, expected: &str) -> Result<Value, Failure> {
    serde_json::from_slice(&read(flag, path)?).map_err(|error| {
        Failure::usage(format!(
            "{flag} {} is no JSON ({error}); it must be {expected}",
            path.display()
        ))
    })
}

fn bodies(path: &Path) -> Result<Arc<[Arc<Fields>]>, Failure> {
    let refuse = |why: &str| Failure::usage(format!("--extra-body-file {}: {why}", path.display()));
    let bytes = read("--extra-body-file", path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| refuse("it is not UTF-8"))?;
    let lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    let body = |(number, line): (usize, &str)| {
        let fields: Fields = serde_json::from_str(line)
            .map_err(|error| refuse(&format!("line {number} is no JSON object: {error}")))?;
        // How an answer is read is the same for all.
        if let Some(name) = ["stream", "n"]
            .iter()
            .find(|name| fields.contains_key(**name))
        {
            return Err(refuse(&format!(
                "line {number} has `{name}`, which all requests of a run share; leave it out, and use --no-stream, --n \
                 or --extra-body"
            )));
        }
        Ok(Arc::new(fields))
    };
    let bodies: Vec<_> = lines.map(body).collect::<Result<_, Failure>>()?;
    if bodies.is_empty() {
        return Err(refuse("it is empty; write a JSON object on each line"));
    }
    Ok(bodies.into())
}
