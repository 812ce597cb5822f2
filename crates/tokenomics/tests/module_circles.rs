//! Modules of a crate depend on each other in one direction.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module by its path, the crate's root being the empty one.
type Module = Vec<String>;

/// The modules that each module names.
type Graph = BTreeMap<Module, BTreeSet<Module>>;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| {
        if path.is_dir() {
            sources(&path)
        } else {
            vec![path]
        }
    };
    let mut all: Vec<PathBuf> = paths.flat_map(below).collect();
    all.retain(|path| path.extension().is_some_and(|name| name == "rs"));
    all
}

fn module_of(root: &Path, file: &Path) -> Module {
    let relative = file.strip_prefix(root).unwrap().with_extension("");
    let mut parts: Module = relative
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if matches!(
        parts.last().map(String::as_str),
        Some("lib" | "main" | "mod")
    ) {
        parts.pop();
    }
    parts
}

/// Without comments, without tests, and without `pub(in …)`, which names who may look, and no dependency.
fn code(source: &str) -> String {
    let mut lines: Vec<&str> = source.lines().map(str::trim_start).collect();
    let is_tests = |two: &[&str]| {
        two[0].starts_with("#[cfg(test)]") && two[1].starts_with("mod ") && two[1].ends_with('{')
    };
    if let Some(tests) = lines.windows(2).position(is_tests) {
        lines.truncate(tests);
    }
    lines.retain(|line| !line.starts_with("//"));
    let mut code = lines.join("\n");
    while let Some(begin) = code.find("pub(in ") {
        let end = begin + code[begin..].find(')').unwrap();
        code.replace_range(begin..=end, "");
    }
    code
}

/// Reads `a::b::{c, d::e}` from `text`, and puts every path of it into `found`; what is left of the text.
fn read_paths<'a>(mut text: &'a str, before: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = before.to_vec();
    loop {
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
        let (word, rest) = text.split_at(end.unwrap_or(text.len()));
        if !word.is_empty() {
            path.push(word.to_owned());
        }
        let Some(next) = rest.strip_prefix("::") else {
            found.push(path);
            return rest;
        };
        text = next;
        if let Some(mut items) = next.strip_prefix('{') {
            loop {
                items = read_paths(items.trim_start(), &path, found).trim_start();
                // What a name is renamed to is no path.
                let end = items.find([',', '}']).unwrap_or(items.len());
                match items[end..].chars().next() {
                    Some(',') => items = &items[end + 1..],
                    Some(_) => return &items[end + 1..],
                    None => return "",
                }
            }
        }
    }
}

/// The paths in some code that begin in its own crate.
fn own_paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for root in ["crate::", "super::", "self::"] {
        for (place, _) in code.match_indices(root) {
            let before = code[..place].chars().next_back();
            let is_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
            if !is_word {
                read_paths(&code[place..], &[], &mut found);
            }
        }
    }
    found
}

/// The module that a path of `from` leads to: the longest part of it that is one.
fn target(path: &[String], from: &Module, known: &BTreeSet<Module>) -> Module {
    let mut at = from.clone();
    let mut rest = path;
    while let Some((first, others)) = rest.split_first() {
        match first.as_str() {
            "crate" => at.clear(),
            "super" => {
                at.pop();
            }
            "self" => {}
            _ => break,
        }
        rest = others;
    }
    at.extend(rest.iter().cloned());
    while !known.contains(&at) {
        at.pop();
    }
    at
}

fn graph(files: &[(Module, String)]) -> Graph {
    let known: BTreeSet<Module> = files.iter().map(|(module, _)| module.clone()).collect();
    let known: BTreeSet<Module> = known.into_iter().chain([Module::new()]).collect();
    let named = files.iter().map(|(module, source)| {
        let paths = own_paths(&code(source));
        let targets = paths.iter().map(|path| target(path, module, &known));
        // The root is where everything is shown to others.
        let targets = targets.filter(|found| found != module && !found.is_empty());
        (module.clone(), targets.collect())
    });
    named.collect()
}

/// Modules that lead back to themselves.
fn in_circles(graph: &Graph) -> Vec<String> {
    let leads_back = |module: &&Module| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&Module> = graph[*module].iter().collect();
        while let Some(one) = next.pop() {
            if one == *module {
                return true;
            }
            if seen.insert(one) {
                next.extend(graph.get(one).into_iter().flatten());
            }
        }
        false
    };
    let found = graph.keys().filter(leads_back);
    found.map(|module| module.join("::")).collect()
}

fn crates() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().path().join("src"))
        .collect()
}

#[test]
fn no_module_circles() {
    let mut count = 0;
    for root in crates() {
        let files: Vec<(Module, String)> = sources(&root)
            .iter()
            .map(|file| (module_of(&root, file), fs::read_to_string(file).unwrap()))
            // A module of tests sees all of what it tests.
            .filter(|(module, _)| module.last().is_none_or(|name| name != "tests"))
            .collect();
        count += files.len();
        assert_eq!(in_circles(&graph(&files)), [""; 0], "{}", root.display());
    }
    assert!(count > 400, "{count}");
}

#[test]
fn the_gate_for_circles_fails_on_one() {
    let module = |name: &str, source: &str| {
        let path = name.split("::").map(str::to_owned).collect();
        (path, source.to_owned())
    };
    let circles = |files: &[(Module, String)]| in_circles(&graph(files));
    let one_way = [
        module("a", "use crate::b::{self, deep::{C as D}};\n//! crate::a\n"),
        module(
            "b",
            "mod deep;\n#[cfg(test)]\nmod tests {\n use crate::a;\n}",
        ),
        module("b::deep", "fn x() { super::super::c::y() }"),
        module("c", "pub(in crate::a) fn y() {}"),
    ];
    assert_eq!(circles(&one_way), [""; 0]);
    let mut back = one_way.to_vec();
    back.push(module("c::inner", "use crate::{E, a::F};"));
    back[3].1.push_str("\nuse self::inner::G;");
    assert_eq!(circles(&back), ["a", "b::deep", "c", "c::inner"]);
}
