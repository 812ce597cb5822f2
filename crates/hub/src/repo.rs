//! Ids of repositories.

use crate::HubError;

/// What a repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RepoKind {
    /// Weights, tokenizer, configuration.
    Model,
    /// Rows of text.
    Dataset,
}

/// A repository of the hub, at the branch `main` unless another one is named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Repo {
    kind: RepoKind,
    id: String,
    revision: String,
}

impl Repo {
    /// The repository `name` or `owner/name`; anything else is refused, as the id becomes part of paths and
    /// URLs.
    pub fn new(kind: RepoKind, id: &str) -> Result<Self, HubError> {
        let part = |part: &str| {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            !part.is_empty() && part != "." && part.bytes().all(legal)
        };
        let parts = id.split('/').count();
        // `--` stands for `/` in the cache, so that it would make two ids one.
        let ambiguous = id.contains("..") || id.contains("--");
        if parts <= 2 && id.len() <= 96 && !ambiguous && id.split('/').all(part) {
            Ok(Self {
                kind,
                id: id.to_owned(),
                revision: "main".to_owned(),
            })
        } else {
            Err(HubError::Id { id: id.to_owned() })
        }
    }

    /// The same at a branch, a tag or a commit, which becomes part of paths and URLs too.
    pub fn at(mut self, revision: &str) -> Result<Self, HubError> {
        let step = |step: &str| {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            !matches!(step, "" | "." | "..") && step.bytes().all(legal)
        };
        if revision.len() <= 96 && revision.split('/').all(step) {
            revision.clone_into(&mut self.revision);
            Ok(self)
        } else {
            Err(HubError::Revision {
                revision: revision.to_owned(),
            })
        }
    }

    /// The branch, tag or commit.
    pub(crate) fn revision(&self) -> &str {
        &self.revision
    }

    /// `name` or `owner/name`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// In a sentence.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.kind {
            RepoKind::Model => "model",
            RepoKind::Dataset => "data set",
        }
    }

    /// Its folder in the cache.
    pub(crate) fn folder(&self) -> String {
        let kind = match self.kind {
            RepoKind::Model => "models",
            RepoKind::Dataset => "datasets",
        };
        format!("{kind}--{}", self.id.replace('/', "--"))
    }

    /// The path of the URL that lists its files.
    pub(crate) fn listing_path(&self) -> String {
        let kind = match self.kind {
            RepoKind::Model => "models",
            RepoKind::Dataset => "datasets",
        };
        let revision = self.revision.replace('/', "%2F");
        format!("/api/{kind}/{}/revision/{revision}", self.id)
    }

    /// The path of the URL of a file.
    pub(crate) fn file_path(&self, commit: &str, name: &str) -> String {
        let kind = match self.kind {
            RepoKind::Model => "",
            RepoKind::Dataset => "/datasets",
        };
        format!(
            "{kind}/{}/resolve/{commit}/{}",
            self.id,
            percent_encoded(name)
        )
    }
}

/// RFC 3986: everything but unreserved characters and the slashes between folders is escaped.
fn percent_encoded(name: &str) -> String {
    let escaped = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    name.bytes().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::{Repo, RepoKind};

    #[test]
    fn an_id_that_could_leave_its_place_is_refused() {
        for id in [
            "", "/", "a/", "/a", "a/b/c", "..", "a/..", "../a", ".", "a/.", "a b", "a\\b", "a?b",
            "a#b", "a%2e", "a\nb", "ä", "a--b", "C:",
        ] {
            assert!(Repo::new(RepoKind::Dataset, id).is_err(), "{id:?}");
        }
        assert!(Repo::new(RepoKind::Dataset, &"a".repeat(97)).is_err());
        for id in ["gpt2", "openai/gsm8k", "a.b/c_d-e.1"] {
            assert!(Repo::new(RepoKind::Dataset, id).is_ok(), "{id}");
        }
    }

    #[test]
    fn a_revision_becomes_part_of_paths_and_cannot_leave_them() {
        let repo = Repo::new(RepoKind::Dataset, "org/name").unwrap();
        for revision in ["", "..", "a/../b", "/a", "a/", "a b", "a%2e", "a\n", "a?b"] {
            assert!(repo.clone().at(revision).is_err(), "{revision:?}");
        }
        let converted = repo.at("refs/convert/parquet").unwrap();
        assert_eq!(
            converted.listing_path(),
            "/api/datasets/org/name/revision/refs%2Fconvert%2Fparquet"
        );
    }

    #[test]
    fn paths_are_those_of_the_hub() {
        let data = Repo::new(RepoKind::Dataset, "org/name").unwrap();
        assert_eq!(data.folder(), "datasets--org--name");
        assert_eq!(data.listing_path(), "/api/datasets/org/name/revision/main");
        assert_eq!(
            data.file_path("ab12", "data/a b#1.csv"),
            "/datasets/org/name/resolve/ab12/data/a%20b%231.csv"
        );
        let model = Repo::new(RepoKind::Model, "gpt2").unwrap();
        assert_eq!(model.folder(), "models--gpt2");
        assert_eq!(model.listing_path(), "/api/models/gpt2/revision/main");
        assert_eq!(
            model.file_path("ab12", "x.json"),
            "/gpt2/resolve/ab12/x.json"
        );
    }
}
