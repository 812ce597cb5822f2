//! Chat templates against the truth: what transformers renders. `tools/golden/chat_templates.py` made the file, and makes
//! one of any folder of templates: `CHAT_TEMPLATES=FILE` has that compared too.

mod common;

use common::data;
use models::{ChatTemplate, TextError};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
struct Golden {
    specials: BTreeMap<String, String>,
    chats: BTreeMap<String, Value>,
    settings: Vec<Map<String, Value>>,
    templates: Vec<Template>,
}

#[derive(Deserialize)]
struct Template {
    name: String,
    source: String,
    renderings: Vec<Rendering>,
}

#[derive(Deserialize)]
struct Rendering {
    text: String,
    /// A chat, the place of its settings, and whether an answer is begun. What transformers refuses is not among them.
    of: Vec<(String, usize, bool)>,
}

/// Where they begin to differ.
fn around(rendered: &Result<String, TextError>, text: &str) -> String {
    const SHOWN: usize = 120;
    let rendered = match rendered {
        Ok(rendered) => rendered,
        Err(error) => return error.to_string(),
    };
    let same = rendered.chars().zip(text.chars());
    let same = same.take_while(|(a, b)| a == b).count();
    let cut = |text: &str| -> String { text.chars().skip(same).take(SHOWN).collect() };
    format!("{:?} for {:?}", cut(rendered), cut(text))
}

/// What is rendered otherwise than by transformers.
fn differences(path: &Path) -> Vec<String> {
    let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let specials = golden.specials.iter();
    let specials: Vec<(&str, &str)> = specials.map(|(name, token)| (&**name, &**token)).collect();
    let mut found = Vec::new();
    let (mut compared, mut whole) = (0, 0);
    for template in &golden.templates {
        let before = found.len();
        match ChatTemplate::parse(&template.source, &specials) {
            Err(error) => found.push(format!("{}: {error}", template.name)),
            Ok(parsed) => {
                for Rendering { text, of } in &template.renderings {
                    for (chat, settings, generate) in of {
                        compared += 1;
                        let mut variables = Map::new();
                        variables.insert("messages".to_owned(), golden.chats[chat].clone());
                        variables.insert("tools".to_owned(), Value::Null);
                        variables.insert("documents".to_owned(), Value::Null);
                        variables.insert("add_generation_prompt".to_owned(), (*generate).into());
                        variables.extend(golden.settings[*settings].clone());
                        let rendered = parsed.render_variables(variables);
                        if rendered.as_ref() != Ok(text) {
                            let place = format!("{}, {chat}, {settings}", template.name);
                            found.push(format!("{place}: {}", around(&rendered, text)));
                        }
                    }
                }
            }
        }
        whole += usize::from(found.len() == before);
    }
    let templates = golden.templates.len();
    println!(
        "{whole} of {templates} templates are equal; of {compared} renderings {} differ",
        found.len()
    );
    assert!(compared > templates, "a file without renderings");
    found
}

#[test]
fn templates_render_as_transformers_renders_them() {
    let found = differences(&data("chat_templates.json"));
    assert!(found.is_empty(), "{:#?}", &found[..found.len().min(9)]);
}

#[test]
fn other_templates_render_as_transformers_renders_them() {
    if let Ok(path) = std::env::var("CHAT_TEMPLATES") {
        let found = differences(Path::new(&path));
        assert!(found.is_empty(), "{:#?}", &found[..found.len().min(9)]);
    }
}
