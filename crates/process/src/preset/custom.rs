//! A gateway of the user's own.

use super::{GRACE, GatewaySettings, PresetError};
use crate::ChildSpec;

/// A gateway of the user's own. Placeholders in its command and its configuration are filled in.
pub(super) fn spec(settings: &GatewaySettings) -> Result<ChildSpec, PresetError> {
    let words = settings.command.clone().unwrap_or_default();
    let config = settings.scratch.join("gateway.conf");
    let config_path = config.display().to_string();
    let has_template = settings.config_template.is_some();
    let value = |name: &str, in_command: bool| match name {
        "config" if has_template => Ok(config_path.clone()),
        "config" => Err(PresetError::NoTemplate),
        "api_key" if in_command => Err(PresetError::KeyInCommand),
        "api_key" => Ok(settings.api_key.clone()),
        "host" => Ok(settings.host.clone()),
        "port" => Ok(settings.port.to_string()),
        "provider_url" => Ok(settings.provider.clone()),
        "model" => Ok(settings.model.clone()),
        other => Err(PresetError::Placeholder {
            name: other.to_owned(),
        }),
    };
    let mut words = words
        .iter()
        .map(|word| fill(word, &|name| value(name, true)))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter();
    let program = words.next().ok_or(PresetError::NoCommand)?;
    let mut files = Vec::new();
    if let Some(template) = &settings.config_template {
        files.push((config.clone(), fill(template, &|name| value(name, false))?));
    }
    Ok(ChildSpec {
        name: "the gateway".to_owned(),
        program,
        args: words.collect(),
        environment: Vec::new(),
        folder: settings.folder.clone(),
        files,
        grace: GRACE,
    })
}

/// Replaces `{name}`. Braces around anything else than a name, as configurations have them, stay.
fn fill(
    text: &str,
    value: &dyn Fn(&str) -> Result<String, PresetError>,
) -> Result<String, PresetError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let name = after.split('}').next().unwrap_or_default();
        let is_name = !name.is_empty()
            && name.len() < after.len()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if is_name {
            out.push_str(&value(name)?);
            rest = &after[name.len() + 1..];
        } else {
            out.push('{');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}
