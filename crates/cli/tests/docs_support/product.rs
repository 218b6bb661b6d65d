//! What the product has: commands, options, codes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use super::text::{page, root};

/// The help of a command, such as `tollgate env record`.
pub(crate) fn help(command: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(command.split(' ').skip(1))
        .arg("--help")
        .env("NO_COLOR", "1")
        .output()
        .expect("tollgate");
    assert!(output.status.success(), "{command} --help: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The commands below one, from its help.
fn below(command: &str) -> Vec<String> {
    let help = help(command);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| line.starts_with(' '));
    // Further lines of an explanation stand far to the right.
    let names =
        listed.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(|name| format!("{command} {name}")).collect()
}

/// Every command that does something.
pub(crate) fn commands() -> Vec<String> {
    let mut todo = vec!["tollgate".to_owned()];
    let mut found = Vec::new();
    while let Some(command) = todo.pop() {
        let below = below(&command);
        let does = command != "tollgate" && (below.is_empty() || help(&command).contains("[COMMAND]"));
        if does {
            found.push(command);
        }
        todo.extend(below);
    }
    found
}

/// The long options of a command that are its own.
pub(crate) fn options(command: &str) -> BTreeSet<String> {
    let help = help(command);
    let own = help.split("\nEverywhere:").next().unwrap_or_default();
    let named = own.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let long = named.filter_map(|line| line.split([' ', ',']).find(|word| word.starts_with("--")));
    long.filter(|name| !["--help", "--version"].contains(name)).map(ToOwned::to_owned).collect()
}

/// The sections of a page whose heading is a command: `### tollgate start`, in quotes.
pub(crate) fn sections(name: &str) -> BTreeMap<String, String> {
    let text = page(name);
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        if line.starts_with('#') {
            current =
                line.strip_prefix("### `").and_then(|rest| rest.strip_suffix('`')).map(ToOwned::to_owned);
            if let Some(command) = &current {
                found.insert(command.clone(), String::new());
            }
        } else if let Some(section) = current.as_ref().and_then(|command| found.get_mut(command)) {
            section.push_str(line);
            section.push('\n');
        }
    }
    found
}

/// The options that the list of a section names: `- `--plan ID`: …`.
pub(crate) fn options_in(section: &str) -> impl Iterator<Item = String> {
    let lines = section.lines().filter_map(|line| line.strip_prefix("- `-"));
    let names = lines.filter_map(|line| {
        let named = line.split("`:").next().unwrap_or(line);
        named.split(['`', ' ', ',']).find(|word| word.starts_with("--") || word.starts_with("-"))
    });
    names.map(|name| if name.starts_with("--") { name.to_owned() } else { format!("-{name}") })
}

/// The codes with which the product refuses or fails, read from its source.
pub(crate) fn refusals() -> BTreeSet<String> {
    // What an executor is told that came too late; nobody sees it.
    const INTERNAL: &[&str] = &["stale"];
    let mut found = BTreeSet::new();
    for name in ["core", "engine", "cli"] {
        in_folder(&root().join("crates").join(name).join("src"), &mut found);
    }
    found.retain(|code| !INTERNAL.contains(&code.as_str()));
    assert!(found.len() > 30, "the codes were not found");
    found.extend(["usage", "outside", "newer", "plan"].map(ToOwned::to_owned));
    found
}

fn in_folder(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("sources").map(|entry| entry.expect("an entry")) {
        let path = entry.path();
        if path.is_dir() {
            in_folder(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            in_file(&std::fs::read_to_string(&path).expect("a source"), found);
        }
    }
}

fn in_file(text: &str, found: &mut BTreeSet<String>) {
    const MAKERS: &[&str] = &["Refusal::new(", "refused(", "CliError::error(", "CliError::new(", "code: \""];
    let own = text.split("#[cfg(test)]").next().unwrap_or_default();
    for maker in MAKERS {
        for (at, _) in own.match_indices(maker) {
            let rest = &own[at + maker.trim_end_matches('"').len()..];
            let Some((before, rest)) = rest.split_once('"') else { continue };
            // The code is the first argument, but for an exit code.
            let first = before.trim().is_empty() || (before.contains("Exit::") && before.len() < 60);
            let code = rest.split('"').next().unwrap_or_default();
            if first && !code.is_empty() && code.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
                found.insert(code.to_owned());
            }
        }
    }
}
