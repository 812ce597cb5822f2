//! Chats to prompts, by the template that comes with a model, as transformers' `apply_chat_template` renders it.

mod arguments;
mod depth;
mod json;
mod python;
mod rewrite;

use crate::TextError;
use crate::contained::{STACK_BYTES, contained};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, ErrorKind};
use serde_json::{Map, Value as Json, json};
use std::io::{self, Write};
use std::sync::Arc;

/// One message of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMessage {
    /// `system`, `user`, `assistant` or whatever the template knows.
    pub role: String,
    /// What it says.
    pub content: ChatContent,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatContent {
    /// One text.
    Text(String),
    /// A list of parts, each a text.
    Parts(Vec<String>),
}

/// A template in Hugging Face's dialect of Jinja: parsed once, and rendered within limits, because it comes from a file
/// that somebody else wrote.
#[derive(Clone)]
pub struct ChatTemplate {
    environment: Arc<Environment<'static>>,
    /// `bos_token` and others, by the names that templates call them.
    specials: Vec<(String, String)>,
    takes: Takes,
}

/// Which form of a message's content comes out as its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Takes {
    text: bool,
    parts: bool,
}

/// A template of a real model has a few kilobytes.
const SOURCE_BYTES_MAX: usize = 1 << 20;
/// Instructions: some hundred for each message of a chat.
const FUEL: u64 = 5_000_000;
/// Of what a template nests.
const DEPTH_MAX: usize = 64;
/// In the engine's own count, by which a macro takes four: descriptions of tools are walked by macros that call
/// themselves.
const RECURSION_MAX: usize = 240;
/// Text that comes out.
const OUTPUT_BYTES_MAX: usize = 8 << 20;
/// Elements of a `range`, of a repeated text or list.
const REPEATS_MAX: u64 = 100_000;

const NAME: &str = "chat_template";

/// What most models without a template of their own understand.
const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n\
                      {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

impl ChatTemplate {
    /// Parses a template; `specials` are special tokens as `("bos_token", "<s>")`. One that a model has not is not
    /// among them, as templates ask whether it is defined.
    pub fn parse(source: &str, specials: &[(&str, &str)]) -> Result<Self, TextError> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(TextError::Template(format!(
                "it has {} bytes; at most {SOURCE_BYTES_MAX} are parsed",
                source.len()
            )));
        }
        depth::check(source).map_err(TextError::Template)?;
        let environment = with_stack(|| -> Result<_, Error> {
            let mut environment = environment()?;
            environment.add_template_owned(NAME, rewrite::rewrite(source))?;
            Ok(environment)
        })?
        .map_err(|error| TextError::Template(words(&error)))?;
        let specials = specials
            .iter()
            .map(|(name, token)| ((*name).to_owned(), (*token).to_owned()));
        let mut template = ChatTemplate {
            environment: Arc::new(environment),
            specials: specials.collect(),
            takes: Takes {
                text: true,
                parts: false,
            },
        };
        template.takes = template.probe();
        Ok(template)
    }

    /// `ChatML`, which needs `<|im_start|>` and `<|im_end|>`.
    pub fn chatml() -> Self {
        // Its own test parses it.
        Self::parse(CHATML, &[]).unwrap_or_else(|_| unreachable!("a template of ours"))
    }

    /// The prompt of a chat. `add_generation_prompt` adds what an answer begins with.
    ///
    /// A content in parts reaches the template as it is where the template walks parts, and joined where it does not; a
    /// text becomes a list of one part where the template, such as that of Llama Guard, knows nothing else.
    pub fn render(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
    ) -> Result<String, TextError> {
        let messages = messages.iter().map(
            |message| json!({"role": message.role, "content": self.content(&message.content)}),
        );
        self.render_variables(variables(messages.collect(), add_generation_prompt))
    }

    /// The prompt of whatever `variables` say, such as `messages`, `tools` and `enable_thinking`: all that the
    /// template sees beside the special tokens. They come as they are.
    pub fn render_variables(&self, variables: Map<String, Json>) -> Result<String, TextError> {
        let wrong = |error: &Error| TextError::Template(words(error));
        let template = self
            .environment
            .get_template(NAME)
            .map_err(|error| wrong(&error))?;
        let mut all: Map<String, Json> = self
            .specials
            .iter()
            .map(|(name, token)| (name.clone(), Json::from(token.as_str())))
            .collect();
        all.extend(variables);
        let mut output = Bounded(Vec::new());
        template
            .render_captured_to(Value::from(Serde(&all)), &mut output)
            .map_err(|error| wrong(&error))?;
        String::from_utf8(output.0).map_err(|error| TextError::Template(error.to_string()))
    }

    fn content(&self, content: &ChatContent) -> Json {
        let parts = |texts: &[String]| -> Json {
            let parts = texts
                .iter()
                .map(|text| json!({"type": "text", "text": text}));
            parts.collect()
        };
        match content {
            ChatContent::Text(text) if !self.takes.text && self.takes.parts => {
                parts(std::slice::from_ref(text))
            }
            ChatContent::Text(text) => Json::from(text.as_str()),
            ChatContent::Parts(texts) if self.takes.parts => parts(texts),
            ChatContent::Parts(texts) => Json::from(texts.concat()),
        }
    }

    /// Templates do not say which contents they take: it shows in what becomes of one.
    fn probe(&self) -> Takes {
        const TEXT: &str = "a text of a user";
        let rendered = |content: Json| {
            let messages = vec![json!({"role": "user", "content": content})];
            self.render_variables(variables(messages, true))
                .unwrap_or_default()
        };
        let parts = rendered(json!([{"type": "text", "text": TEXT}]));
        // A template that takes the list for a text writes it as a list.
        let written = ["'type'", "\"type\""].iter().any(|key| parts.contains(key));
        Takes {
            text: rendered(Json::from(TEXT)).contains(TEXT),
            parts: parts.contains(TEXT) && !written,
        }
    }
}

/// The parser calls itself for each thing within another: it is run where that has room, whatever thread asks for it.
fn with_stack<R: Send>(parse: impl FnOnce() -> R + Send) -> Result<R, TextError> {
    let failed = |why: String| TextError::Template(format!("it cannot be parsed: {why}"));
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, || contained(parse));
        let thread = thread.map_err(|error| failed(error.to_string()))?;
        let parsed = thread.join().ok().flatten();
        parsed.ok_or_else(|| failed("its parser fails".to_owned()))
    })
}

/// What every template may ask for, as transformers names it; what is not given is none there, not undefined.
fn variables(messages: Vec<Json>, add_generation_prompt: bool) -> Map<String, Json> {
    Map::from_iter([
        ("messages".to_owned(), Json::Array(messages)),
        (
            "add_generation_prompt".to_owned(),
            Json::Bool(add_generation_prompt),
        ),
        ("tools".to_owned(), Json::Null),
        ("documents".to_owned(), Json::Null),
    ])
}

/// What transformers' templates run in, within limits.
fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    environment.set_syntax(syntax.build()?);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION_MAX);
    environment.set_unknown_method_callback(python::method);
    environment.add_function("raise_exception", python::raise_exception);
    environment.add_function("strftime_now", python::strftime_now);
    environment.add_function("range", python::range);
    environment.add_filter("tojson", json::tojson);
    environment.add_test("iterable", python::is_iterable);
    environment.add_test("sequence", python::is_sequence);
    environment.add_filter("indent", python::indent);
    environment.add_filter("default", python::default);
    environment.add_filter("d", python::default);
    environment.add_filter(rewrite::PERCENT, python::percent);
    environment.add_filter(rewrite::KEPT, python::kept);
    Ok(environment)
}

/// An error's own words, without the template's text.
fn words(error: &Error) -> String {
    if error.kind() == ErrorKind::OutOfFuel {
        return format!("it takes more than {FUEL} instructions");
    }
    let line = error
        .line()
        .map_or_else(String::new, |line| format!(" (line {line})"));
    let what = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    if error.kind() == ErrorKind::WriteFailure {
        return format!("it writes more than {OUTPUT_BYTES_MAX} bytes");
    }
    format!("{what}{line}")
}

/// Takes so much and no more.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
