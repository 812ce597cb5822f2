use crate::server::{Answer, Request, Server, nobody};
use hub::{Hub, HubConfig, HubError, Progress, Repo, RepoKind, Token};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const FILE: &[u8] = b"question,answer\n1+1,2\n2+2,4\n";

fn listing(names: &[&str]) -> Answer {
    let names: Vec<String> = names
        .iter()
        .map(|name| format!(r#"{{"rfilename":"{name}"}}"#))
        .collect();
    let names = names.join(",");
    Answer::ok(format!(
        r#"{{"id":"x","sha":"{COMMIT}","siblings":[{names}],"private":false}}"#
    ))
}

/// A hub with one data set of three files, two of them CSV.
fn files(request: &Request) -> Answer {
    match request.path.as_str() {
        "/api/datasets/org/name/revision/main" => listing(&["README.md", "b c.csv", "data/a.csv"]),
        path if path.starts_with("/datasets/org/name/resolve/") => Answer::file(FILE, request),
        _ => Answer::status(404, "no such thing"),
    }
}

fn config(endpoint: &str, cache: &Path) -> HubConfig {
    HubConfig {
        endpoint: endpoint.to_owned(),
        cache: cache.to_owned(),
        token: None,
        offline: false,
        proxy_from_environment: false,
    }
}

fn resolve(config: HubConfig) -> Result<Vec<PathBuf>, HubError> {
    resolve_repo(config, RepoKind::Dataset, "org/name", &mut |_| {})
}

fn resolve_repo(
    config: HubConfig,
    kind: RepoKind,
    id: &str,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<PathBuf>, HubError> {
    let repo = Repo::new(kind, id)?;
    let csv = |name: &str| Path::new(name).extension().is_some_and(|end| end == "csv");
    Hub::new(config)?.resolve(&repo, &csv, progress)
}

fn snapshot(cache: &Path) -> PathBuf {
    cache.join("datasets--org--name/snapshots").join(COMMIT)
}

#[test]
fn what_is_asked_for_is_listed_fetched_and_kept() {
    let (server, cache) = (Server::start(files), TempDir::new().unwrap());
    let found = resolve(config(&server.url(), cache.path())).unwrap();
    let snapshot = snapshot(cache.path());
    assert_eq!(
        found,
        [snapshot.join("b c.csv"), snapshot.join("data/a.csv")]
    );
    for file in &found {
        assert_eq!(fs::read(file).unwrap(), FILE);
    }
    let resolve = format!("/datasets/org/name/resolve/{COMMIT}");
    assert_eq!(
        server.paths(),
        [
            "/api/datasets/org/name/revision/main".to_owned(),
            format!("{resolve}/b%20c.csv"),
            format!("{resolve}/data/a.csv"),
        ]
    );
    let commit = fs::read_to_string(cache.path().join("datasets--org--name/refs/main"));
    assert_eq!(commit.unwrap(), COMMIT);
}

#[test]
fn what_was_kept_needs_no_network() {
    let (server, cache) = (Server::start(files), TempDir::new().unwrap());
    let found = resolve(config(&server.url(), cache.path())).unwrap();
    let asked = server.paths();
    assert_eq!(resolve(config(&server.url(), cache.path())).unwrap(), found);
    assert_eq!(server.paths(), asked);
    let mut offline = config(&nobody(), cache.path());
    offline.offline = true;
    assert_eq!(resolve(offline).unwrap(), found);
}

#[test]
#[cfg(unix)]
fn a_cache_of_huggingface_hub_is_used() {
    let cache = TempDir::new().unwrap();
    let folder = cache.path().join("datasets--org--name");
    let snapshot = snapshot(cache.path());
    for path in [
        &folder.join("refs"),
        &folder.join("blobs"),
        &snapshot.join("data"),
    ] {
        fs::create_dir_all(path).unwrap();
    }
    fs::write(folder.join("refs/main"), COMMIT).unwrap();
    fs::write(folder.join("blobs/e0"), FILE).unwrap();
    std::os::unix::fs::symlink("../../../blobs/e0", snapshot.join("data/a.csv")).unwrap();
    let found = resolve(config(&nobody(), cache.path())).unwrap();
    assert_eq!(found, [snapshot.join("data/a.csv")]);
    assert_eq!(fs::read(&found[0]).unwrap(), FILE);
}

#[test]
fn a_part_of_a_snapshot_is_not_taken_for_all_of_it() {
    let (server, cache) = (Server::start(files), TempDir::new().unwrap());
    let found = resolve(config(&server.url(), cache.path())).unwrap();
    fs::remove_file(&found[1]).unwrap();
    assert_eq!(resolve(config(&server.url(), cache.path())).unwrap(), found);
    assert_eq!(server.paths().len(), 5, "a listing and one file more");
}

#[test]
fn the_token_goes_to_the_endpoint_and_to_no_other_host() {
    let storage = Server::start(|request| Answer::file(FILE, request));
    let elsewhere = storage.url();
    let server = Server::start(move |request| match files(request) {
        // First within the endpoint, then away from it, as the real one does.
        _ if request.path == "/inner" => Answer::redirect(format!("{elsewhere}/signed?key=1")),
        answer if request.path.starts_with("/api/") => answer,
        _ => Answer::redirect("/inner"),
    });
    let cache = TempDir::new().unwrap();
    let mut config = config(&server.url(), cache.path());
    config.token = Token::parse("hf_secret", "HF_TOKEN").unwrap();
    let found = resolve(config).unwrap();
    assert_eq!(fs::read(&found[0]).unwrap(), FILE);

    let own = server.requests();
    assert_eq!(own.len(), 5);
    for request in own {
        assert_eq!(request.authorization.as_deref(), Some("Bearer hf_secret"));
    }
    let others = storage.requests();
    assert_eq!(others.len(), 2);
    assert!(others.iter().all(|request| request.authorization.is_none()));
}

#[test]
fn redirects_without_end_are_given_up() {
    let (server, cache) = (
        Server::start(|_| Answer::redirect("/again")),
        TempDir::new().unwrap(),
    );
    let error = resolve(config(&server.url(), cache.path())).unwrap_err();
    assert!(matches!(error, HubError::Redirect { .. }), "{error}");
    assert_eq!(server.paths().len(), 6);
}

/// The first half of a file, kept by an attempt that was interrupted.
fn half(cache: &Path) -> PathBuf {
    let folder = snapshot(cache);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("b c.csv.incomplete"), &FILE[..10]).unwrap();
    folder.join("b c.csv")
}

#[test]
fn a_download_goes_on_from_where_it_stopped() {
    let (server, cache) = (Server::start(files), TempDir::new().unwrap());
    let file = half(cache.path());
    let mut seen = Vec::new();
    let progress = &mut |progress: Progress<'_>| {
        seen.push((
            progress.file.to_owned(),
            progress.done_bytes,
            progress.total_bytes,
        ));
    };
    let config = config(&server.url(), cache.path());
    resolve_repo(config, RepoKind::Dataset, "org/name", progress).unwrap();
    assert_eq!(fs::read(&file).unwrap(), FILE);
    assert_eq!(server.requests()[1].range_from, Some(10));
    let total = FILE.len() as u64;
    assert_eq!(seen[0], ("b c.csv".to_owned(), 10, Some(total)));
    assert!(seen.contains(&("b c.csv".to_owned(), total, Some(total))));
    assert!(!file.with_file_name("b c.csv.incomplete").exists());
}

#[test]
fn a_server_that_ignores_or_refuses_the_range_sends_all_of_it() {
    for refused in [false, true] {
        let server = Server::start(move |request| match request.range_from {
            Some(_) if refused => Answer::status(416, ""),
            _ => files(&Request {
                range_from: None,
                ..request.clone()
            }),
        });
        let cache = TempDir::new().unwrap();
        let file = half(cache.path());
        resolve(config(&server.url(), cache.path())).unwrap();
        assert_eq!(fs::read(&file).unwrap(), FILE);
    }
}

#[test]
fn a_body_that_ends_early_is_kept_as_a_part() {
    let short = Server::start(|request| {
        let mut answer = files(request);
        if !request.path.starts_with("/api/") {
            answer.announced = Some(answer.body.len());
            answer.body.truncate(12);
        }
        answer
    });
    let cache = TempDir::new().unwrap();
    let error = resolve(config(&short.url(), cache.path())).unwrap_err();
    assert!(
        matches!(&error, HubError::Interrupted { received: 12, expected, .. } if *expected == FILE.len().to_string()),
        "{error}"
    );
    let file = snapshot(cache.path()).join("b c.csv");
    assert!(!file.exists());

    let whole = Server::start(files);
    resolve(config(&whole.url(), cache.path())).unwrap();
    assert_eq!(whole.requests()[1].range_from, Some(12));
    assert_eq!(fs::read(file).unwrap(), FILE);
}

#[test]
fn an_unknown_id_is_named() {
    let (server, cache) = (Server::start(files), TempDir::new().unwrap());
    for (kind, sentence) in [
        (RepoKind::Dataset, "no `main` of data set `org/other`"),
        (RepoKind::Model, "no `main` of model `org/other`"),
    ] {
        let config = config(&server.url(), cache.path());
        let error = resolve_repo(config, kind, "org/other", &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains(sentence), "{error}");
    }
    let expected = [
        "/api/datasets/org/other/revision/main",
        "/api/models/org/other/revision/main",
    ];
    assert_eq!(server.paths(), expected);
}

#[test]
fn a_refusal_names_the_token() {
    for status in [401, 403] {
        let server = Server::start(move |_| Answer::status(status, "no"));
        let cache = TempDir::new().unwrap();
        let error = resolve(config(&server.url(), cache.path())).unwrap_err();
        assert!(error.to_string().contains("set HF_TOKEN"), "{error}");
    }
}

#[test]
fn a_name_that_leaves_the_cache_is_refused_before_anything_is_fetched() {
    for name in ["../../../x.csv", "/tmp/x.csv", "a\\\\..\\\\x.csv"] {
        let server = Server::start(move |_| listing(&["a.csv", name]));
        let cache = TempDir::new().unwrap();
        let error = resolve(config(&server.url(), cache.path())).unwrap_err();
        assert!(matches!(error, HubError::UnsafeName { .. }), "{error}");
        assert_eq!(server.paths().len(), 1);
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_refused_connection_names_the_endpoint_the_cause_and_the_way_out() {
    let (endpoint, cache) = (nobody(), TempDir::new().unwrap());
    let error = resolve(config(&endpoint, cache.path()))
        .unwrap_err()
        .to_string();
    for part in [endpoint.as_str(), "refused", "HF_ENDPOINT"] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[test]
fn a_repository_without_a_file_of_the_kind_says_what_it_has() {
    let server = Server::start(|_| listing(&["train.parquet"]));
    let cache = TempDir::new().unwrap();
    let error = resolve(config(&server.url(), cache.path())).unwrap_err();
    assert!(
        error.to_string().contains("it has `train.parquet`"),
        "{error}"
    );
}

#[test]
fn offline_without_the_files_says_so() {
    let cache = TempDir::new().unwrap();
    let mut config = config(&nobody(), cache.path());
    config.offline = true;
    let error = resolve(config).unwrap_err();
    assert!(matches!(error, HubError::Offline { .. }), "{error}");
}
