//! Pages: their blocks, tables and links.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A fenced block, or a command that readers do not see.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// What stands behind the fence.
    pub(crate) info: String,
    pub(crate) text: String,
    /// The line of the fence, from 1.
    pub(crate) line: usize,
}

/// The info of a command that readers do not see.
const HIDDEN: &str = "hidden";

impl Block {
    pub(crate) fn language(&self) -> &str {
        self.info.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn is_console(&self) -> bool {
        self.language() == "console" || self.info == HIDDEN
    }

    /// The file that it becomes, if it does.
    pub(crate) fn file(&self) -> Option<&str> {
        self.info.split(' ').find_map(|word| word.strip_prefix("file="))
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The text of a page.
pub(crate) fn page(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every page, in order: those at the root, and the book.
pub(crate) fn pages() -> Vec<String> {
    let mut found = Vec::new();
    for (folder, prefix) in [(root(), ""), (root().join("docs"), "docs/")] {
        for entry in std::fs::read_dir(folder).expect("pages").map(|entry| entry.expect("an entry")) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".md") {
                found.push(format!("{prefix}{name}"));
            }
        }
    }
    found.sort();
    found
}

/// The blocks of a page, in order.
pub(crate) fn blocks(name: &str) -> Vec<Block> {
    let text = page(name);
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        if let Some(info) = line.strip_prefix("```") {
            open = !open;
            if open {
                found.push(Block { info: info.trim().to_owned(), text: String::new(), line: number + 1 });
            }
        } else if open {
            let block = found.last_mut().expect("an open block");
            block.text.push_str(line);
            block.text.push('\n');
        } else if let Some(command) = line.strip_prefix("<!-- $ ").and_then(|line| line.strip_suffix(" -->"))
        {
            let text = format!("$ {command}\n");
            found.push(Block { info: HIDDEN.to_owned(), text, line: number + 1 });
        }
    }
    assert!(!open, "{name}: a block is not closed");
    found
}

/// The first column of all tables of a page whose heading is this, without its quotes.
pub(crate) fn rows(name: &str, heading: &str) -> BTreeSet<String> {
    let text = page(name);
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        match cells.get(1) {
            None => inside = false,
            Some(first) if *first == heading => inside = true,
            Some(first) if inside && !first.starts_with("--") => {
                found.extend(first.split(", ").map(|name| name.trim_matches('`').to_owned()));
            }
            Some(_) => {}
        }
    }
    assert!(!found.is_empty(), "{name} has no table `{heading}`");
    found
}

/// The links of a page, with their lines.
pub(crate) fn links(name: &str) -> Vec<(usize, String)> {
    let text = page(name);
    let mut fenced = false;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        fenced ^= line.starts_with("```");
        if !fenced {
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
            found.extend(targets.map(|(target, _)| (number + 1, target.to_owned())));
        }
    }
    found
}

/// Whether a link of a page leads to a file, and to a heading of it.
pub(crate) fn follow(from: &str, target: &str) -> Result<(), String> {
    if target.starts_with("https://") {
        return Ok(());
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let file = match path {
        "" => root().join(from),
        path => root().join(from).parent().expect("a folder").join(path),
    };
    if !file.exists() {
        return Err("there is no such file".to_owned());
    }
    if heading.is_empty() {
        return Ok(());
    }
    let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let mut headings = text.lines().filter(|line| line.starts_with('#')).map(anchor);
    if headings.any(|anchor| anchor == heading) { Ok(()) } else { Err("there is no such heading".to_owned()) }
}

/// What a heading is called in links.
fn anchor(heading: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    heading.trim_start_matches('#').trim().chars().filter_map(kept).collect()
}

/// The file around a piece: `top` are keys of the file, `steps` are steps of its procedure, `environment` are keys of its
/// production.
pub(crate) fn procedure_with(kind: &str, piece: &str) -> String {
    const AROUND: &str = include_str!("around.yaml");
    let indented = |by: &str| -> String {
        piece
            .lines()
            .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{by}{line}\n") })
            .collect()
    };
    match kind {
        "steps" => AROUND.replace("      # steps\n", &indented("      ")),
        "environment" => {
            let deploys = piece.lines().any(|line| line.starts_with("deploy:"));
            let around = match deploys {
                true => AROUND
                    .replace("    deploy: { manual: Deploy. }\n    # environment\n", "    # environment\n"),
                false => AROUND.to_owned(),
            };
            around.replace("    # environment\n", &indented("    "))
        }
        "top" => {
            let parts = |text: &str| -> Vec<String> {
                let mut parts: Vec<String> = Vec::new();
                for line in text.lines().filter(|line| !line.is_empty()) {
                    let starts = !line.starts_with([' ', '#', '-']);
                    match parts.last_mut().filter(|_| !starts) {
                        Some(part) => part.push_str(&format!("\n{line}")),
                        None => parts.push(line.to_owned()),
                    }
                }
                parts
            };
            let key = |part: &str| part.split(':').next().unwrap_or_default().to_owned();
            let given = parts(piece);
            let names: BTreeSet<String> = given.iter().map(|part| key(part)).collect();
            let kept = parts(AROUND).into_iter().filter(|part| !names.contains(&key(part)));
            kept.chain(given.iter().cloned()).map(|part| part + "\n").collect()
        }
        other => panic!("`yaml {other}` is no kind of example"),
    }
}
