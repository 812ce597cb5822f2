//! The house rules, as far as a machine can check them. Each rule is a function of a value, so that
//! the test beside it can show that it fails where it should.

use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use toml::Table;

/// Which of our crates each of them may depend on. `report → trace`: a point's name and pacing are
/// part of a summary, and `stats` hands them on as `trace` has them.
const ALLOWED: [(&str, &[&str]); 15] = [
    ("trace", &[]),
    ("openai", &[]),
    ("http1", &[]),
    ("workload", &["trace"]),
    ("stats", &["trace"]),
    ("report", &["stats", "trace"]),
    ("store", &["trace"]),
    ("hub", &[]),
    ("load", &["openai", "trace"]),
    ("mock", &["http1", "openai"]),
    ("engine", &["trace"]),
    ("kernels", &[]),
    ("process", &[]),
    ("models", &["engine", "kernels"]),
    ("serve", &["engine", "http1", "models", "openai"]),
];

/// The program, and the developers' commands, may depend on every one of them.
const ON_TOP: [&str; 2] = ["tokenomics", "xtask"];

/// What only tests and developers' commands use; they may depend on whatever they fake or try.
const FOR_TESTS: [&str; 2] = ["testkit", "targets"];

/// Values in, values out: no clock, socket, file, environment or thread.
const PURE: [&str; 8] = [
    "trace", "openai", "http1", "workload", "stats", "report", "store", "engine",
];

/// The one crate that may use `unsafe`: vector instructions, and memory that threads share.
const MAY_BE_UNSAFE: &str = "kernels";

/// What gives a crate a runtime, a socket or the system.
const IMPURE: [&str; 16] = [
    "async-std",
    "ctrlc",
    "hyper",
    "hyper-util",
    "jiff",
    "libc",
    "mio",
    "nix",
    "reqwest",
    "rustix",
    "rustls",
    "signal-hook",
    "smol",
    "socket2",
    "tokio",
    "ureq",
];

/// A pure crate's lint file bans at least these.
const BANNED: [&str; 8] = [
    "std::time::Instant",
    "std::time::SystemTime",
    "std::fs::File",
    "std::net::TcpStream",
    "std::env::var",
    "std::thread::spawn",
    "std::thread::sleep",
    "std::println",
];

/// One crate of ours and the names of what it depends on, tests apart.
type Dependencies = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    package.join("../..").canonicalize().unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

fn packages() -> Vec<Package> {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec();
    metadata.unwrap().packages
}

/// `tokenomics-trace` is the crate `trace`.
fn short(package: &str) -> String {
    package.trim_start_matches("tokenomics-").to_owned()
}

fn dependencies(packages: &[Package]) -> Dependencies {
    let of = |package: &Package| {
        let shipped = package.dependencies.iter();
        let shipped = shipped.filter(|dependency| dependency.kind != DependencyKind::Development);
        shipped.map(|dependency| short(&dependency.name)).collect()
    };
    packages
        .iter()
        .map(|package| (short(&package.name), of(package)))
        .collect()
}

/// Edges between our crates that are not allowed. Nothing that ships may depend on what is for tests.
fn forbidden_edges(crates: &Dependencies) -> Vec<String> {
    let mut found = Vec::new();
    for (name, dependencies) in crates {
        let allowed = ALLOWED
            .iter()
            .find(|(from, _)| from == name)
            .map(|(_, to)| *to);
        for to in dependencies.iter().filter(|to| crates.contains_key(*to)) {
            let below = ALLOWED.iter().any(|(lower, _)| lower == to);
            let fine = match allowed {
                Some(allowed) => allowed.contains(&to.as_str()),
                // What measures the program may use the fakes; it ships no more than they do.
                None if name == "xtask" && FOR_TESTS.contains(&to.as_str()) => true,
                None => below && [&ON_TOP[..], &FOR_TESTS].concat().contains(&name.as_str()),
            };
            if !fine {
                found.push(format!("{name} → {to}"));
            }
        }
    }
    found
}

/// Crates without a line in [`ALLOWED`]: a new one is given its place first.
fn unplaced(crates: &Dependencies) -> Vec<&str> {
    let known = |name: &str| {
        FOR_TESTS.contains(&name)
            || ON_TOP.contains(&name)
            || ALLOWED.iter().any(|(known, _)| *known == name)
    };
    crates
        .keys()
        .map(String::as_str)
        .filter(|name| !known(name))
        .collect()
}

/// Pure crates that know a runtime or the system.
fn impure(crates: &Dependencies) -> Vec<String> {
    let mut found = Vec::new();
    for name in PURE {
        let dependencies = crates.get(name).into_iter().flatten();
        for dependency in dependencies.filter(|dependency| IMPURE.contains(&dependency.as_str())) {
            found.push(format!("{name} → {dependency}"));
        }
    }
    found
}

/// The paths that a lint file bans.
fn bans(clippy_toml: &str) -> BTreeSet<String> {
    let table: Table = clippy_toml.parse().unwrap();
    [
        "disallowed-types",
        "disallowed-methods",
        "disallowed-macros",
    ]
    .into_iter()
    .filter_map(|list| table.get(list)?.as_array())
    .flatten()
    .filter_map(|ban| Some(ban.get("path")?.as_str()?.to_owned()))
    .collect()
}

/// What the lint file of each crate lacks of what the others ban, and of [`BANNED`]. Clippy merges
/// no lint files, so that each has to hold the whole list.
fn missing_bans(files: &BTreeMap<&str, String>) -> Vec<String> {
    let of_each: BTreeMap<&str, BTreeSet<String>> = files
        .iter()
        .map(|(name, file)| (*name, bans(file)))
        .collect();
    let mut all: BTreeSet<String> = of_each.values().flatten().cloned().collect();
    all.extend(BANNED.map(str::to_owned));
    of_each
        .iter()
        .flat_map(|(name, banned)| {
            all.difference(banned)
                .map(move |path| format!("{name}: {path}"))
        })
        .collect()
}

/// Whether the workspace forbids `unsafe`; what is forbidden cannot be allowed further down.
fn forbids_unsafe(workspace: &Table) -> bool {
    let lints = workspace
        .get("workspace")
        .and_then(|workspace| workspace.get("lints"));
    let level = lints.and_then(|lints| lints.get("rust")?.get("unsafe_code")?.as_str());
    level == Some("forbid")
}

/// Whether a package takes the workspace's lints.
fn inherits_lints(package: &Table) -> bool {
    let lints = package
        .get("lints")
        .and_then(|lints| lints.get("workspace")?.as_bool());
    lints == Some(true)
}

/// Whether a package that may use `unsafe` has to say, block by block, why it is sound.
fn documents_unsafe(package: &Table) -> bool {
    let level = |group: &str, lint: &str| {
        let level = package
            .get("lints")
            .and_then(|lints| lints.get(group)?.get(lint)?.as_str());
        matches!(level, Some("warn" | "deny" | "forbid"))
    };
    level("clippy", "undocumented_unsafe_blocks") && level("rust", "unsafe_op_in_unsafe_fn")
}

#[test]
fn our_crates_depend_on_each_other_only_as_drawn() {
    let crates = dependencies(&packages());
    assert_eq!(unplaced(&crates), [""; 0]);
    assert_eq!(forbidden_edges(&crates), [""; 0]);
}

#[test]
fn pure_crates_know_no_runtime_and_no_system() {
    let crates = dependencies(&packages());
    assert!(PURE.iter().all(|name| crates.contains_key(*name)));
    assert_eq!(impure(&crates), [""; 0]);
}

#[test]
fn pure_crates_ban_clocks_files_sockets_and_threads_alike() {
    let files = PURE.map(|name| (name, read(&format!("crates/{name}/clippy.toml"))));
    assert_eq!(missing_bans(&files.into()), [""; 0]);
}

#[test]
fn unsafe_is_forbidden_in_every_crate_but_the_kernels() {
    assert!(forbids_unsafe(&read("Cargo.toml").parse().unwrap()));
    for package in packages() {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        let manifest = manifest.parse().unwrap();
        if short(&package.name) == MAY_BE_UNSAFE {
            assert!(documents_unsafe(&manifest), "{}", package.name);
        } else {
            assert!(inherits_lints(&manifest), "{}", package.name);
        }
    }
}

#[test]
fn every_crate_has_its_line_in_the_architecture() {
    let document = read("ARCHITECTURE.md");
    for name in dependencies(&packages()).keys() {
        assert!(document.contains(&format!("{name}/")), "{name}");
    }
}

#[test]
fn every_number_of_the_result_file_is_defined_in_the_documents() {
    let header = trace::RunHeader {
        schema_version: trace::SCHEMA_VERSION,
        invocation: 7,
        metadata: serde_json::Map::new(),
        points: Vec::new(),
        slo: None,
        classes: Vec::new(),
        asked: None,
        subject: None,
    };
    let file = report::results_json(&stats::summarize(&header, &[], &[]));
    let file: serde_json::Value = serde_json::from_str(&file).unwrap();
    let document = read("docs/metrics.md");
    for name in file["definitions"].as_object().unwrap().keys() {
        assert!(document.contains(&format!("`{name}`")), "{name}");
    }
}

/// The codes in the source of a rule: each is a string alone on its line.
fn codes(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| {
        let code = line.trim().strip_prefix('"')?.strip_suffix("\",")?;
        let plain = code
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        // A unit stands alone too.
        (plain && code != "ms").then_some(code)
    })
}

#[test]
fn every_reason_of_a_verdict_is_explained_in_the_documents() {
    let document = read("docs/metrics.md");
    let rules = ["answers", "client", "judged", "load", "lumps", "response"]
        .map(|file| read(&format!("crates/stats/src/verdict/{file}.rs")));
    let codes: Vec<&str> = rules.iter().flat_map(|source| codes(source)).collect();
    assert!(
        codes.contains(&"client_starved") && codes.len() > 20,
        "{codes:?}"
    );
    for code in codes {
        assert!(document.contains(&format!("| `{code}` |")), "{code}");
    }
}

/// Rows of a table of limits whose last column, a file and what stands in it, is not so: line ends count as blanks.
fn limits_that_differ(table: &str, source: impl Fn(&str) -> String) -> Vec<String> {
    let rows = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| What |"));
    let differs = |row: &&str| {
        let place = row
            .trim_end_matches(" |")
            .rsplit(" | ")
            .next()
            .unwrap_or_default();
        let mut quoted = place.split('`').skip(1).step_by(2);
        let (Some(file), Some(code)) = (quoted.next(), quoted.next()) else {
            return true;
        };
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        !words(&source(file)).contains(&words(code))
    };
    rows.filter(differs).map(str::to_owned).collect()
}

#[test]
fn every_limit_of_the_documents_is_that_of_the_code() {
    let table = read("docs/limits.md");
    let source = |file: &str| {
        let (member, rest) = file.split_once('/').unwrap();
        read(&format!("crates/{member}/{rest}"))
    };
    assert_eq!(limits_that_differ(&table, source), [""; 0]);
    assert!(table.matches("\n| ").count() > 25);
}

#[test]
fn the_gate_for_limits_fails_on_another_number() {
    let row = |code: &str| {
        format!("| What | At most |\n|---|---:|\n| a | 1 | refused | `x.rs`: `{code}` |\n")
    };
    let source = |_: &str| "const A: u32 =\n    1;".to_owned();
    assert_eq!(limits_that_differ(&row("A: u32 = 1"), source), [""; 0]);
    assert_eq!(limits_that_differ(&row("A: u32 = 2"), source).len(), 1);
    assert_eq!(
        limits_that_differ("| a | 1 | refused | nowhere |", source).len(),
        1
    );
}

fn crates(edges: &[(&str, &[&str])]) -> Dependencies {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    edges
        .iter()
        .map(|(from, to)| ((*from).to_owned(), owned(to)))
        .collect()
}

#[test]
fn the_gate_for_edges_fails_on_a_wrong_one() {
    let wrong = crates(&[
        ("trace", &["serde", "stats"]),
        ("stats", &["trace", "testkit"]),
        ("report", &["stats", "trace"]),
        ("testkit", &["trace"]),
        ("tokenomics", &["trace", "stats", "xtask"]),
        ("xtask", &["trace"]),
    ]);
    let found = ["stats → testkit", "tokenomics → xtask", "trace → stats"];
    assert_eq!(forbidden_edges(&wrong), found);
    assert_eq!(
        unplaced(&crates(&[("trace", &[]), ("common", &[])])),
        ["common"]
    );
}

#[test]
fn the_gate_for_purity_fails_on_a_runtime() {
    let wrong = crates(&[
        ("stats", &["rand", "tokio"]),
        ("load", &["tokio"]),
        ("trace", &["nix"]),
    ]);
    assert_eq!(impure(&wrong), ["trace → nix", "stats → tokio"]);
}

#[test]
fn the_gate_for_bans_fails_on_a_list_that_is_shorter_or_absent() {
    let whole = BANNED
        .map(|path| format!("{{ path = \"{path}\" }}"))
        .join(", ");
    let whole = format!("disallowed-types = [{whole}]");
    let mut files = BTreeMap::from([("trace", whole.clone()), ("stats", whole.clone())]);
    assert_eq!(missing_bans(&files), [""; 0]);
    files.insert("stats", whole.replace("std::fs::File", "std::fs::read"));
    let found = ["stats: std::fs::File", "trace: std::fs::read"];
    assert_eq!(missing_bans(&files), found);
    files.insert("stats", String::new());
    assert_eq!(missing_bans(&files).len(), BANNED.len());
}

#[test]
fn the_gate_for_unsafe_fails_on_a_lower_level_and_on_a_crate_that_stands_apart() {
    let level = |level: &str| {
        let manifest = format!("[workspace.lints.rust]\nunsafe_code = \"{level}\"");
        forbids_unsafe(&manifest.parse().unwrap())
    };
    assert!(level("forbid") && !level("deny"));
    assert!(!forbids_unsafe(&Table::new()));
    assert!(!documents_unsafe(&Table::new()));
    let inherits = |manifest: &str| inherits_lints(&manifest.parse().unwrap());
    assert!(inherits("[lints]\nworkspace = true"));
    assert!(!inherits("[lints]\nworkspace = false") && !inherits("[package]\nname = \"a\""));
}

/// Sources of a folder and below.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let below = |path: PathBuf| {
        if path.is_dir() {
            sources(&path)
        } else {
            vec![path]
        }
    };
    let all = entries.flat_map(|entry| below(entry.unwrap().path()));
    all.filter(|path| path.extension().is_some_and(|name| name == "rs"))
        .collect()
}

#[test]
fn every_source_says_what_it_is_in_its_first_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let crates = std::fs::read_dir(root.join("crates")).unwrap();
    let crates = crates.map(|entry| entry.unwrap().path().join("src"));
    let silent: Vec<String> = crates
        .chain([root.join("testkit/src"), root.join("xtask/src")])
        .flat_map(|folder| sources(&folder))
        .filter(|path| path.file_name().is_some_and(|name| name != "tests.rs"))
        .filter(|path| !std::fs::read_to_string(path).unwrap().starts_with("//! "))
        .map(|path| path.display().to_string())
        .collect();
    assert_eq!(silent, [""; 0]);
}
