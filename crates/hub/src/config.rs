//! Where files come from, and where they are kept.

use crate::{HubError, Token};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const ENDPOINT: &str = "https://huggingface.co";

/// Where files come from and where they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubConfig {
    /// The hub or a mirror of it, with `http` or `https`.
    pub endpoint: String,
    /// The folder of the cache.
    pub cache: PathBuf,
    /// Sent to the endpoint, and to no other host.
    pub token: Option<Token>,
    /// The cache alone is used.
    pub offline: bool,
    /// `HTTPS_PROXY` and its kin apply, `NO_PROXY` included.
    pub proxy_from_environment: bool,
}

impl HubConfig {
    /// What the environment says, by the names and rules of `huggingface_hub`: `HF_ENDPOINT`, `HF_HUB_CACHE`,
    /// `HF_HOME`, `XDG_CACHE_HOME`, `HOME`, `HF_TOKEN`, `HF_HUB_OFFLINE`, and the file `token` in `HF_HOME`.
    ///
    /// `lookup` gives the value of a variable; an empty one counts as absent.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, HubError> {
        let variable = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let home = home(&variable);
        let cache = match (variable("HF_HUB_CACHE"), &home) {
            (Some(cache), _) => PathBuf::from(cache),
            (None, Some(home)) => home.join("hub"),
            (None, None) => return Err(HubError::NoHome),
        };
        let token = match (variable("HF_TOKEN"), &home) {
            (Some(token), _) => Token::parse(&token, "HF_TOKEN")?,
            (None, Some(home)) => token_file(&home.join("token"))?,
            (None, None) => None,
        };
        Ok(Self {
            endpoint: variable("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned()),
            cache,
            token,
            offline: variable("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value)),
            proxy_from_environment: true,
        })
    }
}

fn home(variable: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let home = || variable("HOME").map(PathBuf::from);
    if let Some(path) = variable("HF_HOME") {
        // As a shell does, because a value from a file of settings saw none.
        let below_home = path
            .strip_prefix("~/")
            .and_then(|rest| Some(home()?.join(rest)));
        return Some(below_home.unwrap_or_else(|| PathBuf::from(path)));
    }
    let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
    Some(
        cache
            .or_else(|| Some(home()?.join(".cache")))?
            .join("huggingface"),
    )
}

fn token_file(path: &Path) -> Result<Option<Token>, HubError> {
    match fs::read_to_string(path) {
        Ok(text) => Token::parse(&text, &path.display().to_string()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(HubError::io(path)(error)),
    }
}

/// The words that `huggingface_hub` takes for yes.
fn is_true(value: &str) -> bool {
    let yes = ["1", "on", "yes", "true"];
    yes.contains(&value.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::HubConfig;
    use crate::{HubError, Token};
    use std::fs;
    use std::path::Path;

    fn from(variables: &[(&str, &str)]) -> Result<HubConfig, HubError> {
        HubConfig::from_env(|name| {
            let found = variables.iter().find(|(key, _)| *key == name)?;
            Some(found.1.to_owned())
        })
    }

    #[test]
    fn the_home_folder_suffices() {
        let config = from(&[("HOME", "/nowhere")]).unwrap();
        assert_eq!(config.endpoint, "https://huggingface.co");
        assert_eq!(config.cache, Path::new("/nowhere/.cache/huggingface/hub"));
        assert_eq!((config.token, config.offline), (None, false));
    }

    #[test]
    fn each_place_yields_to_a_more_exact_one() {
        let mut variables = vec![("HOME", "/h")];
        for (name, value, cache) in [
            ("XDG_CACHE_HOME", "/x", "/x/huggingface/hub"),
            ("HF_HOME", "~/hf", "/h/hf/hub"),
            ("HF_HUB_CACHE", "/c", "/c"),
        ] {
            variables.push((name, value));
            assert_eq!(from(&variables).unwrap().cache, Path::new(cache));
        }
        assert!(matches!(from(&[]), Err(HubError::NoHome)));
    }

    #[test]
    fn the_variable_goes_before_the_token_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token"), "from_file\n").unwrap();
        let home = folder.path().to_str().unwrap();
        let token = |text| Token::parse(text, "").unwrap();
        let config = from(&[("HF_HOME", home)]).unwrap();
        assert_eq!(config.token, token("from_file"));
        let config = from(&[("HF_HOME", home), ("HF_TOKEN", "from_variable")]).unwrap();
        assert_eq!(config.token, token("from_variable"));
    }

    #[test]
    fn offline_is_a_yes_and_nothing_else() {
        for (value, offline) in [("1", true), ("YES", true), ("0", false), ("", false)] {
            let config = from(&[("HOME", "/h"), ("HF_HUB_OFFLINE", value)]).unwrap();
            assert_eq!(config.offline, offline, "{value}");
        }
    }
}
