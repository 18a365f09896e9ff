//! The modules of a crate and which of them imports which.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{self, File, is_word, item_end, occurrences};

/// Imports of a crate by module; a module is a file and has the name `folder::file`, the crate root is `lib`.
pub(crate) struct Graph {
    pub(crate) imports: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Reads the crate in `crates/NAME`, without its unit tests.
    pub(crate) fn of(name: &str) -> Self {
        let folder = format!("crates/{name}/src/");
        let files: Vec<File> = source::rust(&[&folder]).into_iter().filter(|file| !file.is_test()).collect();
        let sources: BTreeMap<Vec<String>, String> = files
            .iter()
            .filter(|file| !file.path.ends_with("/src/main.rs") && !file.path.contains("/src/bin/"))
            .map(|file| (module(&file.path[folder.len()..]), file.code()))
            .collect();
        let modules: BTreeSet<&Vec<String>> = sources.keys().collect();
        let imports = sources
            .iter()
            .map(|(own, code)| {
                let targets = paths(code, own, &modules);
                let found = targets.iter().map(|path| owner(path, &modules)).filter(|target| !is_around(target, own));
                (shown(own), found.map(|target| shown(&target)).collect())
            })
            .collect();
        Self { imports }
    }

    /// Groups of modules that import each other, directly or through others.
    pub(crate) fn loops(&self) -> Vec<Vec<&String>> {
        let reached: BTreeMap<&String, BTreeSet<&String>> =
            self.imports.keys().map(|from| (from, self.reached(from))).collect();
        let mut found: Vec<Vec<&String>> = Vec::new();
        for from in self.imports.keys().filter(|from| reached[from].contains(from)) {
            if !found.iter().any(|group| group.contains(&from)) {
                found.push(reached[from].iter().copied().filter(|other| reached[other].contains(from)).collect());
            }
        }
        found
    }

    fn reached(&self, from: &str) -> BTreeSet<&String> {
        let mut seen = BTreeSet::new();
        let mut pending: Vec<&String> = self.imports[from].iter().collect();
        while let Some(module) = pending.pop() {
            if seen.insert(module) {
                pending.extend(&self.imports[module]);
            }
        }
        seen
    }
}

/// The path of the module that a file holds: `proto/dns.rs` is `["proto", "dns"]`, `lib.rs` is empty.
fn module(file: &str) -> Vec<String> {
    let name = file.trim_end_matches(".rs").trim_end_matches("/mod");
    if name == "lib" { Vec::new() } else { name.split('/').map(str::to_owned).collect() }
}

/// Whether `own` is `target` or lies in it: a module and its folder are one unit, so its files may import from it.
/// The crate root is no such unit.
fn is_around(target: &[String], own: &[String]) -> bool {
    target == own || (!target.is_empty() && own.starts_with(target))
}

fn shown(module: &[String]) -> String {
    if module.is_empty() { "lib".to_owned() } else { module.join("::") }
}

/// The module that holds the item of this path: its longest prefix that is a file.
fn owner(path: &[String], modules: &BTreeSet<&Vec<String>>) -> Vec<String> {
    (0..=path.len()).rev().map(|length| path[..length].to_vec()).find(|prefix| modules.contains(prefix)).unwrap()
}

/// All paths within the crate that `code` of module `own` names, from the crate root.
fn paths(code: &str, own: &[String], modules: &BTreeSet<&Vec<String>>) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut aliases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // A declared child is a name in scope, as is a module that was imported.
    for child in modules.iter().filter(|module| module.len() == own.len() + 1 && module.starts_with(own)) {
        aliases.insert(child[own.len()].clone(), (*child).clone());
    }
    let mut other_code = code.to_owned();
    for at in occurrences(code, "use") {
        let end = at + item_end(&code[at..]);
        // The end of a tree is its semicolon: braces of the tree are part of the item.
        let end = code[at..].find(';').map_or(end, |semicolon| at + semicolon);
        for (path, name) in tree(&code[at + "use".len()..end]) {
            if let Some(path) = absolute(&path, own, &aliases) {
                if modules.contains(&path) {
                    aliases.insert(name, path.clone());
                } else {
                    found.push(path);
                }
            }
        }
        other_code.replace_range(at..end, &" ".repeat(end - at));
    }
    found.extend(written(&other_code).iter().filter_map(|path| absolute(path, own, &aliases)));
    found
}

/// The leaves of a `use` tree, each with the name it gets.
fn tree(text: &str) -> Vec<(Vec<String>, String)> {
    let text = text.trim();
    if let Some((prefix, rest)) = text.split_once('{') {
        let prefix: Vec<String> = segments(prefix);
        let inside = &rest[..rest.rfind('}').unwrap_or(rest.len())];
        return branches(inside)
            .into_iter()
            .flat_map(tree)
            .map(|(path, name)| {
                let path: Vec<String> = prefix.iter().cloned().chain(path).filter(|part| part != "self").collect();
                let name = if name == "self" { path.last().cloned().unwrap_or_default() } else { name };
                (path, name)
            })
            .collect();
    }
    let (path, alias) = text.split_once(" as ").map_or((text, None), |(path, alias)| (path, Some(alias.trim())));
    let path = segments(path);
    let Some(last) = path.last().cloned() else { return Vec::new() };
    vec![(path, alias.map_or(last, str::to_owned))]
}

/// Splits at the commas outside of inner braces.
fn branches(text: &str) -> Vec<&str> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&text[start..]);
    found
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// Paths of two parts or more that stand in the code outside of `use`.
fn written(code: &str) -> Vec<Vec<String>> {
    let is_part = |c: char| is_word(c) || c == ':';
    code.split(|c| !is_part(c)).filter(|word| word.contains("::")).map(segments).filter(|path| path.len() > 1).collect()
}

/// The path from the crate root; `None` outside of the crate.
fn absolute(path: &[String], own: &[String], aliases: &BTreeMap<String, Vec<String>>) -> Option<Vec<String>> {
    let mut base = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "self" => own.to_vec(),
        "super" => own[..own.len().checked_sub(1)?].to_vec(),
        name => aliases.get(name)?.clone(),
    };
    for part in &path[1..] {
        if part == "super" {
            base.pop();
        } else {
            base.push(part.clone());
        }
    }
    Some(base)
}

#[test]
fn imports_are_resolved_to_modules() {
    let names = [vec![], vec!["a"], vec!["a", "b"], vec!["c"]];
    let names: Vec<Vec<String>> =
        names.iter().map(|path| path.iter().map(|part| (*part).to_owned()).collect()).collect();
    let modules = names.iter().collect();
    let code = "use crate::{a::b::{self, X}, c as d};\nuse std::io;\nfn f() { d::call(super::Y, b::Z) }";
    let found: Vec<String> = paths(code, &names[1], &modules).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["a::b::X", "c::call", "Y", "a::b::Z"]);
}
