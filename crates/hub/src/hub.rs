//! A hub, and the cache of what came from it.

use crate::cache::RepoCache;
use crate::client::Client;
use crate::download::Download;
use crate::listing::{Choose, Listing};
use crate::{HubConfig, HubError, Progress, Repo};
use std::path::PathBuf;

/// A hub, and the cache of what came from it.
#[derive(Debug)]
pub struct Hub {
    config: HubConfig,
    client: Client,
}

impl Hub {
    /// Checks the endpoint; nothing is sent yet.
    pub fn new(config: HubConfig) -> Result<Self, HubError> {
        let client = Client::new(&config)?;
        Ok(Self { config, client })
    }

    /// The paths of the files of `repo` whose names `wanted` asks for, sorted by name.
    ///
    /// What is in the cache is used without the network. Otherwise the repository is listed, and what is missing
    /// fetched, with a call of `progress` for every few kilobytes.
    pub fn resolve(
        &self,
        repo: &Repo,
        wanted: &dyn Fn(&str) -> bool,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<PathBuf>, HubError> {
        let choose = |names: &[&str]| -> Vec<String> {
            let names = names.iter().filter(|name| wanted(name));
            names.map(|&name| name.to_owned()).collect()
        };
        self.resolve_chosen(repo, &choose, progress)
    }

    /// The same where it takes all names to say which files are wanted: `choose` is given those of `repo`,
    /// sorted, and returns some of them.
    pub fn resolve_chosen(
        &self,
        repo: &Repo,
        choose: Choose<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<PathBuf>, HubError> {
        let cache = RepoCache::new(&self.config.cache, repo);
        if let Some(files) = cache.files(choose)? {
            return Ok(files);
        }
        if self.config.offline {
            return Err(HubError::Offline {
                id: repo.id().to_owned(),
                cache: self.config.cache.clone(),
            });
        }
        let json = self.client.text(repo, &repo.listing_path())?;
        let listing = Listing::parse(&json, repo, &self.client.origin())?;
        let names = choose(&listing.names());
        if names.is_empty() {
            return Err(HubError::NoMatch {
                id: repo.id().to_owned(),
                files: listing.some_names(),
            });
        }
        cache.keep_listing(&listing)?;
        let mut files = Vec::new();
        for name in names {
            let target = cache.file(&listing.commit, &name);
            if !target.is_file() {
                let download = Download {
                    client: &self.client,
                    repo,
                    commit: &listing.commit,
                    name: &name,
                    target: &target,
                };
                download.run(progress)?;
            }
            files.push(target);
        }
        cache.keep_commit(&listing.commit)?;
        Ok(files)
    }
}
