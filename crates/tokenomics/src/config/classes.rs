//! Classes of requests: those that are built in, and those that were typed.

use super::objectives::slo;
use super::request::RequestConfig;
use super::words::words;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::prompts;
use std::path::Path;
use trace::{ClassInfo, Slo};
use workload::{ChatSource, Content, Mix, TrafficClass};

/// A class of a mix, with what the results say of it.
pub(crate) struct NamedClass {
    pub(crate) info: ClassInfo,
    pub(crate) class: TrafficClass,
}

/// The classes of a mix in its order. What was typed may replace what is built in.
pub(crate) fn classes(
    mix: &Mix,
    typed: &[String],
    request: &RequestConfig,
    environment: Environment<'_>,
) -> Result<Vec<NamedClass>, Failure> {
    let typed = typed
        .iter()
        .map(|text| typed_class(text, request, environment))
        .collect::<Result<Vec<_>, _>>()?;
    let names: Vec<&str> = mix.classes().iter().map(|class| &*class.name).collect();
    for (place, (name, ..)) in typed.iter().enumerate() {
        if !names.contains(&&**name) {
            return Err(Failure::usage(format!(
                "--class defines `{name}`, which is not in --mix; it has {}",
                names.join(", ")
            )));
        }
        if typed[..place].iter().any(|(other, ..)| other == name) {
            return Err(Failure::usage(format!("--class defines `{name}` twice")));
        }
    }
    let class_of = |name: &str| {
        let of_name = typed.iter().find(|(typed, ..)| typed == name);
        let of_name = of_name.map(|(_, class, slo)| (class.clone(), *slo));
        of_name
            .or_else(|| Some((built_in(name)?, None)))
            .ok_or_else(|| {
                Failure::usage(format!(
                    "--mix has the class `{name}`, which is not built in (chat, summarise and code are); define it \
                     with --class '{name} scenario=D(100,50) content=prose'"
                ))
            })
    };
    let each = mix.classes().iter().map(|class| {
        let (traffic, slo) = class_of(&class.name)?;
        Ok(NamedClass {
            info: ClassInfo {
                name: class.name.clone(),
                share: class.share,
                slo,
            },
            class: traffic,
        })
    });
    each.collect()
}

/// Prompts as they are generated, with limits on the answers that suit them.
fn built_in(name: &str) -> Option<TrafficClass> {
    let (content, max_tokens) = match name {
        "chat" => (Content::Math, 200),
        "summarise" => (Content::Prose, 100),
        "code" => (Content::Code, 300),
        _ => return None,
    };
    Some(TrafficClass {
        source: ChatSource::Content(content),
        system: None,
        lengths: None,
        max_tokens: Some(max_tokens),
    })
}

/// `rag scenario=N(2000,300)/(200,50) content=prose goodput=ttft:500,tpot:50`.
fn typed_class(
    text: &str,
    request: &RequestConfig,
    environment: Environment<'_>,
) -> Result<(String, TrafficClass, Option<Slo>), Failure> {
    let mut words = words("--class", text)?.into_iter();
    let name = words.next().unwrap_or_default();
    let mut objectives = None;
    let mut class = TrafficClass {
        source: ChatSource::Content(Content::Math),
        system: None,
        lengths: None,
        max_tokens: request.max_tokens,
    };
    for word in words {
        let refuse = |why: &str| Failure::usage(format!("--class {name}: `{word}` {why}"));
        let (key, value) = word
            .split_once('=')
            .ok_or_else(|| refuse("must be a key and a value, such as content=prose"))?;
        match key {
            "scenario" => {
                class.lengths = Some(value.parse().map_err(|error: workload::WorkloadError| {
                    Failure::usage(format!("--class {name}: {error}"))
                })?);
            }
            "content" => {
                let content = Content::ALL
                    .into_iter()
                    .find(|known| known.name() == value)
                    .ok_or_else(|| refuse("names no content; there are math, code and prose"))?;
                class.source = ChatSource::Content(content);
            }
            "dataset" => {
                class.source =
                    ChatSource::Rows(prompts::rows("--class", Path::new(value), environment)?);
            }
            "system" => class.system = Some(value.into()),
            "max-tokens" | "max_tokens" => {
                let limit = value.parse().ok().filter(|limit| *limit > 0);
                class.max_tokens =
                    Some(limit.ok_or_else(|| refuse("must be a number of tokens from 1 on"))?);
            }
            "goodput" => {
                let bounds: Vec<String> = value.split(',').map(str::to_owned).collect();
                objectives = slo(&bounds, request.no_streams())?;
            }
            _ => {
                return Err(refuse(
                    "is none of scenario, content, dataset, system, max-tokens and goodput",
                ));
            }
        }
    }
    Ok((name, class, objectives))
}
