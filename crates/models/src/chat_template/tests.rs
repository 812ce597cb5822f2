use super::{ChatContent, ChatMessage, ChatTemplate};

const SPECIALS: [(&str, &str); 2] = [("bos_token", "<s>"), ("eos_token", "</s>")];

fn message(role: &str, content: &str) -> ChatMessage {
    ChatMessage {
        role: role.to_owned(),
        content: ChatContent::Text(content.to_owned()),
    }
}

fn render(source: &str) -> Result<String, String> {
    let template = ChatTemplate::parse(source, &SPECIALS).map_err(|error| error.to_string())?;
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
            "{% if tools is none %}t{% endif %}{% if add_generation_prompt %}g{% endif %}",
            "tg",
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

const WALKS_PARTS: &str = "{% for message in messages %}{{ message.role }}:{% for part in message.content %}\
    {% if part.type == 'text' %} {{ part.text }}{% endif %}{% endfor %};{% endfor %}";
const TAKES_BOTH: &str = "{% for message in messages %}{{ message.role }}:{% if message.content is string %} \
    {{ message.content }}{% else %}{% for part in message.content %} {{ part.text }}.{% endfor %}{% endif %};{% endfor %}";
const TAKES_TEXTS: &str =
    "{% for message in messages %}{{ message.role }}: {{ message.content }};{% endfor %}";

#[test]
fn a_content_reaches_a_template_in_the_form_that_it_knows() {
    let chat = [
        message("user", "one"),
        ChatMessage {
            role: "assistant".to_owned(),
            content: ChatContent::Parts(vec!["two".to_owned(), "three".to_owned()]),
        },
    ];
    for (source, expected) in [
        // A text alone would be walked letter by letter, and come to nothing.
        (WALKS_PARTS, "user: one;assistant: two three;"),
        (TAKES_BOTH, "user: one;assistant: two. three.;"),
        // A list would be written as a list.
        (TAKES_TEXTS, "user: one;assistant: twothree;"),
    ] {
        let template = ChatTemplate::parse(source, &[]).unwrap();
        assert_eq!(template.render(&chat, false).unwrap(), expected);
    }
}

#[test]
fn todays_date_is_there_for_templates_that_ask_for_it() {
    let today = jiff::Zoned::now().strftime("%d %b %Y").to_string();
    let source = "{%- if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% else %}26 Jul 2024{% endif %}";
    let rendered = render(source).unwrap();
    let later = jiff::Zoned::now().strftime("%d %b %Y").to_string();
    assert!(rendered == today || rendered == later, "{rendered}");
}

#[test]
fn a_special_token_that_a_model_has_not_is_undefined() {
    assert_eq!(
        render("{{ bos_token is defined }} {{ pad_token is defined }}[{{ pad_token }}]"),
        Ok("True False[]".to_owned())
    );
}

#[test]
fn bad_input_55_a_template_that_nests_without_end_is_refused_and_ends_no_process() {
    let deep = format!("{{{{ {}1 }}}}", "not ".repeat(200_000));
    assert!(render(&deep).unwrap_err().contains("words and signs"));
    // As deep as is parsed, on the stack of a small thread.
    let parsed = format!("{{{{ {}1 }}}}", "not ".repeat(1_900));
    let small = std::thread::Builder::new().stack_size(512 << 10);
    let rendered = small
        .spawn(move || render(&parsed))
        .unwrap()
        .join()
        .unwrap();
    assert!(rendered.is_ok(), "{rendered:?}");
    let loops = "{% for i in range(40000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}";
    for (source, why) in [
        (
            format!("{{% set ns = namespace(x=[]) %}}{loops}"),
            "nests deeper",
        ),
        (
            "{% set ns = namespace(x=1) %}{% set ns.x = ns %}{{ ns }}".to_owned(),
            "a namespace",
        ),
        (
            "{% set ns = namespace(x=1) %}{% set ns.x = {'a': [ns]} -%}{{ ns }}".to_owned(),
            "a namespace",
        ),
        ("{{ '{:>4000000000}'.format(1) }}".to_owned(), "digits"),
        ("{{ '%4000000000d' % 1 }}".to_owned(), "digits"),
    ] {
        let error = render(&source).unwrap_err();
        assert!(error.contains(why), "{source}: {error}");
    }
    // What real templates keep is kept.
    let kept = "{% set ns = namespace(n=0, t='') %}{% set ns.n = ns.n + 1 %}{%- set ns.t = ns.t ~ 'a' if ns.n else 'b' -%}\
                {% set ns.m = messages -%}{{ ns.n }}{{ ns.t }}{{ ns.m | length }}{{ 'in 20241022 {:>4}'.format(7) }}";
    assert_eq!(render(kept).unwrap(), "1a2in 20241022    7");
}
