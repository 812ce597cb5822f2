//! The names of a repository's files.

use crate::{HubError, Repo};
use serde::{Deserialize, Serialize};

/// Which of the names of a repository's files are wanted.
pub(crate) type Choose<'a> = &'a dyn Fn(&[&str]) -> Vec<String>;

/// The suffix of a file that has not fully arrived.
pub(crate) const INCOMPLETE: &str = ".incomplete";

/// A commit of a repository and the names of its files, checked: each stays below its folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listing {
    #[serde(rename = "sha")]
    pub(crate) commit: String,
    pub(crate) siblings: Vec<Sibling>,
}

/// One file, in the hub's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sibling {
    #[serde(rename = "rfilename")]
    pub(crate) name: String,
}

impl Listing {
    /// Reads the hub's answer, which came from `origin`.
    pub(crate) fn parse(json: &[u8], repo: &Repo, origin: &str) -> Result<Self, HubError> {
        let refuse = |what: String| HubError::Listing {
            origin: origin.to_owned(),
            id: repo.id().to_owned(),
            what,
        };
        let listing: Self =
            serde_json::from_slice(json).map_err(|error| refuse(error.to_string()))?;
        if !is_commit(&listing.commit) {
            let commit = listing.commit.escape_debug();
            return Err(refuse(format!("`{commit}` is no commit")));
        }
        let unsafe_one = listing.siblings.iter().find(|file| !is_safe(&file.name));
        match unsafe_one {
            None => Ok(listing),
            Some(file) => Err(HubError::UnsafeName {
                id: repo.id().to_owned(),
                name: file.name.clone(),
            }),
        }
    }

    /// All names, sorted.
    pub(crate) fn names(&self) -> Vec<&str> {
        let names = self.siblings.iter().map(|file| file.name.as_str());
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        names
    }

    /// The first few names, for a sentence.
    pub(crate) fn some_names(&self) -> String {
        const SHOWN: usize = 8;
        let names = self.siblings.iter().take(SHOWN);
        let mut text: Vec<String> = names
            .map(|file| format!("`{}`", file.name.escape_debug()))
            .collect();
        match self.siblings.len() {
            0 => text.push("none at all".to_owned()),
            count if count > SHOWN => text.push(format!("{} more", count - SHOWN)),
            _ => {}
        }
        text.join(", ")
    }
}

/// A Git object name, in hexadecimal: it becomes a folder.
pub(crate) fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a name stays below its folder, on every system, and is not taken for a partial download.
fn is_safe(name: &str) -> bool {
    let odd = |byte: char| byte.is_control() || byte == '\\' || byte == ':';
    let step = |step: &str| !matches!(step, "" | "." | "..");
    !name.contains(odd) && !name.ends_with(INCOMPLETE) && name.split('/').all(step)
}

#[cfg(test)]
mod tests {
    use super::{Listing, is_safe};
    use crate::{HubError, Repo, RepoKind};

    fn parse(json: &str) -> Result<Listing, HubError> {
        let repo = Repo::new(RepoKind::Dataset, "org/name").unwrap();
        Listing::parse(json.as_bytes(), &repo, "http://hub")
    }

    #[test]
    fn a_name_that_leaves_its_folder_is_unsafe() {
        for name in [
            "",
            "..",
            "../a",
            "a/../b",
            "/etc/passwd",
            "a//b",
            "a/",
            ".",
            "./a",
            "a\\..\\b",
            "C:\\a",
            "C:a",
            "a\0",
            "a\nb",
            "a.csv.incomplete",
        ] {
            assert!(!is_safe(name), "{name:?}");
        }
        for name in ["a.csv", ".gitattributes", "data/ä b/x..csv", "a/.b/c"] {
            assert!(is_safe(name), "{name:?}");
        }
    }

    #[test]
    fn a_commit_that_is_a_path_is_refused() {
        let error = parse(r#"{"sha":"../../../x","siblings":[]}"#).unwrap_err();
        assert!(error.to_string().contains("is no commit"), "{error}");
    }

    #[test]
    fn an_answer_that_is_no_listing_is_refused() {
        for json in ["", "<html>", "{}", r#"{"sha":1,"siblings":[]}"#] {
            assert!(
                matches!(parse(json), Err(HubError::Listing { .. })),
                "{json}"
            );
        }
    }
}
