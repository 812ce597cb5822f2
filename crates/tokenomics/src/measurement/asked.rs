//! What every request of an invocation asks for, as its records say it.

use crate::config::{Fields, GenerationConfig};
use serde_json::Value;
use trace::{Asked, ToolUse};

/// Of chats and completions that ask for `model` where nothing else is said.
pub(super) fn asked_of_all(config: &GenerationConfig, model: &str) -> Asked {
    let request = &config.request;
    let extra_body = request.extra_body();
    let told = |name: &str| extra_body.get(name);
    let main = told("model").and_then(Value::as_str).unwrap_or(model);
    let some_body = |is: &dyn Fn(&Fields) -> bool| config.traffic.traffic.bodies().any(is);
    let mut models = vec![main.to_owned()];
    for other in config.traffic.traffic.models() {
        if !models.contains(&other) {
            models.push(other);
        }
    }
    Asked {
        models,
        choices: request.choices,
        ignore_eos: told("ignore_eos")
            .and_then(Value::as_bool)
            .unwrap_or(request.ignore_eos)
            || some_body(&|body| body.get("ignore_eos") == Some(&Value::Bool(true))),
        tools: if config.traffic.sessions.tool_loop.is_some() {
            ToolUse::Loop
        } else {
            let of_all = tools_of(&extra_body);
            // Some requests may call what others know nothing of.
            let offered = || some_body(&|body| tools_of(body) != ToolUse::None);
            match of_all {
                ToolUse::None if offered() => ToolUse::Offered,
                _ => of_all,
            }
        },
    }
}

fn tools_of(body: &Fields) -> ToolUse {
    let either = |name: &str, older: &str| body.get(name).or_else(|| body.get(older));
    tool_use(
        either("tools", "functions"),
        either("tool_choice", "function_call"),
    )
}

/// `tool_choice` is a word, or an object that names the tool.
fn tool_use(tools: Option<&Value>, choice: Option<&Value>) -> ToolUse {
    let offered = tools
        .and_then(Value::as_array)
        .is_some_and(|tools| !tools.is_empty());
    match choice {
        _ if !offered => ToolUse::None,
        Some(Value::Object(_)) => ToolUse::Required,
        Some(Value::String(word)) => match word.as_str() {
            "required" | "any" => ToolUse::Required,
            "none" => ToolUse::None,
            _ => ToolUse::Offered,
        },
        _ => ToolUse::Offered,
    }
}

#[cfg(test)]
mod tests {
    use super::tool_use;
    use serde_json::json;
    use trace::ToolUse;

    #[test]
    fn a_call_is_expected_only_where_it_is_required_or_the_tool_is_named() {
        let tools = json!([{"type": "function", "function": {"name": "f"}}]);
        let with = |choice| tool_use(Some(&tools), Some(&choice));
        assert_eq!(with(json!("required")), ToolUse::Required);
        let named = json!({"type": "function", "function": {"name": "f"}});
        assert_eq!(with(named), ToolUse::Required);
        assert_eq!(with(json!("auto")), ToolUse::Offered);
        assert_eq!(with(json!("none")), ToolUse::None);
        assert_eq!(tool_use(Some(&tools), None), ToolUse::Offered);
        assert_eq!(tool_use(Some(&json!([])), None), ToolUse::None);
        assert_eq!(tool_use(None, Some(&json!("required"))), ToolUse::None);
    }
}
