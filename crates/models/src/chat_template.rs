//! Chats to prompts, by the template that comes with a model.

use crate::TextError;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, context};
use minijinja_contrib::pycompat::unknown_method_callback;
use std::io::{self, Write};
use std::sync::Arc;

/// One message of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMessage {
    /// `system`, `user`, `assistant` or whatever the template knows.
    pub role: String,
    /// Its text.
    pub content: String,
}

impl ChatMessage {
    fn value(&self) -> Value {
        let pairs = [("role", &self.role), ("content", &self.content)];
        Value::from_pairs(pairs.map(|(key, text)| (key, Value::from(text.as_str()))))
    }
}

/// A template in Hugging Face's dialect of Jinja: parsed once, and rendered within limits, because it comes from a file
/// that somebody else wrote.
#[derive(Clone)]
pub struct ChatTemplate {
    environment: Arc<Environment<'static>>,
    bos: String,
    eos: String,
}

/// A template of a real model has a few kilobytes.
const SOURCE_BYTES_MAX: usize = 1 << 20;
/// Instructions: some hundred for each message of a chat.
const FUEL: u64 = 5_000_000;
const DEPTH_MAX: usize = 64;
/// Text that comes out.
const OUTPUT_BYTES_MAX: usize = 8 << 20;
/// Elements of a `range`, of a repeated text or list.
const REPEATS_MAX: u64 = 100_000;

const NAME: &str = "chat_template";

/// What most models without a template of their own understand.
const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n\
                      {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

impl ChatTemplate {
    /// Parses a template; `bos` and `eos` are the names of the tokens that begin and end a text.
    pub fn parse(source: &str, bos: &str, eos: &str) -> Result<Self, TextError> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(TextError::Template(format!(
                "it has {} bytes; at most {SOURCE_BYTES_MAX} are parsed",
                source.len()
            )));
        }
        let mut environment = Environment::new();
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true);
        let syntax = syntax
            .build()
            .map_err(|error| TextError::Template(words(&error)))?;
        environment.set_syntax(syntax);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(DEPTH_MAX);
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_function("raise_exception", |words: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, words))
        });
        environment.add_function("range", range);
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| TextError::Template(words(&error)))?;
        Ok(ChatTemplate {
            environment: Arc::new(environment),
            bos: bos.to_owned(),
            eos: eos.to_owned(),
        })
    }

    /// `ChatML`, which needs `<|im_start|>` and `<|im_end|>`.
    pub fn chatml() -> Self {
        // Its own test parses it.
        Self::parse(CHATML, "", "").unwrap_or_else(|_| unreachable!("a template of ours"))
    }

    /// The prompt of a chat. `add_generation_prompt` adds what an answer begins with.
    pub fn render(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
    ) -> Result<String, TextError> {
        let wrong = |error: &Error| TextError::Template(words(error));
        let template = self
            .environment
            .get_template(NAME)
            .map_err(|error| wrong(&error))?;
        let context = context! {
            messages => messages.iter().map(ChatMessage::value).collect::<Vec<Value>>(),
            add_generation_prompt => add_generation_prompt,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
        };
        let mut output = Bounded(Vec::new());
        template
            .render_captured_to(context, &mut output)
            .map_err(|error| wrong(&error))?;
        String::from_utf8(output.0).map_err(|error| TextError::Template(error.to_string()))
    }
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

fn too_many(count: u64) -> Error {
    Error::new(
        ErrorKind::InvalidOperation,
        format!("a range of {count} is more than {REPEATS_MAX}"),
    )
}

/// Python's `range`, of a bounded length.
fn range(first: i64, second: Option<i64>, step: Option<i64>) -> Result<Value, Error> {
    let (start, end) = second.map_or((0, first), |end| (first, end));
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "a range cannot have steps of 0",
        ));
    }
    let span = if step > 0 {
        end.saturating_sub(start)
    } else {
        start.saturating_sub(end)
    };
    let count = u64::try_from(span)
        .unwrap_or(0)
        .div_ceil(step.unsigned_abs());
    if count > REPEATS_MAX {
        return Err(too_many(count));
    }
    let values = (0..count).map(|index| start + step * index.cast_signed());
    Ok(Value::from(values.collect::<Vec<i64>>()))
}

#[cfg(test)]
mod tests {
    use super::{ChatMessage, ChatTemplate};

    fn message(role: &str, content: &str) -> ChatMessage {
        ChatMessage {
            role: role.to_owned(),
            content: content.to_owned(),
        }
    }

    fn render(source: &str) -> Result<String, String> {
        let template =
            ChatTemplate::parse(source, "<s>", "</s>").map_err(|error| error.to_string())?;
        let messages = [message("user", " Hi there "), message("assistant", "Yes.")];
        template
            .render(&messages, true)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_chat_in_chatml_ends_where_the_answer_begins() {
        let chat = [message("system", "Be brief."), message("user", "Hi")];
        assert_eq!(
            ChatTemplate::chatml().render(&chat, true).unwrap(),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        );
    }

    #[test]
    fn what_templates_of_models_use_is_there() {
        for (source, expected) in [
            (
                "{{ bos_token }}{{ messages[0]['content'] | trim }}{{ eos_token }}",
                "<s>Hi there</s>",
            ),
            ("{{ messages[0].content.strip() }}", "Hi there"),
            (
                "{{ messages[0].content.strip().split(' ')[1].upper() }}",
                "THERE",
            ),
            (
                "{{ 'a b'.title() }} {{ 'ab'.startswith('a') }} {{ 'xax'.strip('x') }}",
                "A B True a",
            ),
            (
                "{% for k, v in messages[1].items() %}{{ k }}={{ v }};{% endfor %}",
                "role=assistant;content=Yes.;",
            ),
            (
                "{% for m in messages %}{% if loop.last %}{{ m.get('role', '?') }}{% endif %}{% endfor %}",
                "assistant",
            ),
            (
                "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
                "2",
            ),
            (
                "{% for m in messages %}{% if loop.index0 == 1 %}{% break %}{% endif %}{{ m.role }}{% endfor %}",
                "user",
            ),
            (
                "{{ messages | tojson }}",
                r#"[{"role": "user", "content": " Hi there "}, {"role": "assistant", "content": "Yes."}]"#,
            ),
            (
                "{% if tools is defined %}t{% endif %}{% if add_generation_prompt %}g{% endif %}",
                "g",
            ),
            ("{{ range(3) | join(',') }}", "0,1,2"),
            ("  {% if true %}\nx\n  {% endif %}\n", "x\n"),
            (
                "{{ messages[1:] | length }} {{ messages[-1].role }}",
                "1 assistant",
            ),
        ] {
            let rendered = render(source).map(|text| text.to_lowercase());
            assert_eq!(rendered, Ok(expected.to_lowercase()), "{source}");
        }
    }

    #[test]
    fn a_template_that_refuses_a_chat_is_quoted() {
        let error = render("{{ raise_exception('Roles must alternate') }}").unwrap_err();
        assert!(error.contains("Roles must alternate"), "{error}");
    }

    #[test]
    fn bad_input_38_a_template_that_never_ends_or_grows_is_stopped() {
        let many = "{% for b in range(100000) %}".repeat(4) + "x" + &"{% endfor %}".repeat(4);
        for (source, words) in [
            (many.as_str(), "more than 5000000 instructions"),
            ("{{ range(1000000000) }}", "more than 100000"),
            (
                "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
                "recursion",
            ),
            (
                "{% for a in range(90000) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% endfor %}",
                "bytes",
            ),
            ("{% for", "expected"),
            ("{{ 'a'.fold() }}", "method"),
            ("{% include 'x' %}", ""),
        ] {
            let error = render(source).unwrap_err();
            assert!(error.contains(words), "{error} for {words}");
        }
        assert!(
            render(&" ".repeat(2 << 20))
                .unwrap_err()
                .contains("at most")
        );
        let deep = "(".repeat(100_000);
        assert!(render(&format!("{{{{ {deep} }}}}")).is_err());
    }
}
