//! The rules of docs/recipes.md: every line of every table there is played on the virtual clock.
//!
//! A table stands below the piece of a procedure file that it is about. Its first column is the moment at which the release is
//! ready, in the time zone of the heading; the last one is when production gets it, or `never`, or under `Ends` how the release ends.
//! The columns between them have entries of the scenario, each in backticks, with `;` between them: what people do (`people`), what
//! is in the release (the keys of its only change), what the facts say (`facts`), what went there before (`before`), what a load
//! test measures (`world`), or what other releases have still to do (`others`).

use std::path::Path;
use std::process::Command;

use jiff::Timestamp;

use super::text::{blocks, page, procedure_with};

const PAGE: &str = "docs/recipes.md";
/// The columns that say what is different on a day.
const PEOPLE: &str = "What people do";
const CHANGES: &str = "What is in it";
const FACTS: &str = "What the facts say";
const BEFORE: &str = "What went there before";
const WORLD: &str = "What is measured";
const OTHERS: &str = "What else is on its way";

/// The last column, where it is not when production gets it.
const ENDS: &str = "Ends";

/// A line of a table, and the piece above it.
#[derive(Debug)]
struct Case {
    line: usize,
    procedure: String,
    zone: String,
    ready: String,
    people: Vec<String>,
    changes: Vec<String>,
    facts: Vec<String>,
    before: Vec<String>,
    world: Vec<String>,
    others: Vec<String>,
    /// Whether the last column tells how the release ends.
    ends: bool,
    goes: String,
}

/// The cells of a line of a table.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(|cell| cell.trim().to_owned()).collect())
}

fn cases() -> Vec<Case> {
    let pieces = blocks(PAGE);
    let mut zone: Option<String> = None;
    let mut heads: Vec<String> = Vec::new();
    let mut found = Vec::new();
    for (number, line) in page(PAGE).lines().enumerate() {
        let Some(cells) = cells(line) else {
            zone = None;
            continue;
        };
        if let Some(named) = cells[0].strip_prefix("Ready (").and_then(|rest| rest.strip_suffix(')')) {
            zone = Some(named.to_owned());
            heads.clone_from(&cells);
            continue;
        }
        let Some(zone) = zone.clone().filter(|_| !cells[0].starts_with('-')) else { continue };
        let above = pieces.iter().rfind(|piece| piece.language() == "yaml" && piece.line < number + 1);
        let piece = above.expect("a piece of a procedure file above the table");
        let kind = piece.info.split(' ').nth(1).unwrap_or_default();
        let entries = |head: &str| -> Vec<String> {
            let place = heads.iter().position(|known| known == head);
            let cell = place.and_then(|place| cells.get(place)).map(String::as_str).unwrap_or_default();
            cell.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
        };
        for head in heads.iter().skip(1).rev().skip(1) {
            assert!(
                [PEOPLE, CHANGES, FACTS, BEFORE, WORLD, OTHERS].contains(&head.as_str()),
                "{PAGE}: a column `{head}`"
            );
        }
        found.push(Case {
            line: number + 1,
            procedure: procedure_with(kind, &piece.text),
            zone,
            ready: cells[0].clone(),
            people: entries(PEOPLE),
            changes: entries(CHANGES),
            facts: entries(FACTS),
            before: entries(BEFORE),
            world: entries(WORLD),
            others: entries(OTHERS),
            ends: heads.last().is_some_and(|head| head == ENDS),
            goes: cells[cells.len() - 1].clone(),
        });
    }
    found
}

/// The scenario of a case: people and commands take a second, unless the case says otherwise.
fn scenario(case: &Case) -> String {
    let mut text = format!(
        "tollgate: 1\nscenario: line {}\nstart: {} {}\nby: kim\nanswer-after: 1s\ncommands-take: 1s\n",
        case.line, case.ready, case.zone
    );
    let told = [
        ("changes", &case.changes),
        ("facts", &case.facts),
        ("before", &case.before),
        ("world", &case.world),
        ("others", &case.others),
    ];
    for (key, entries) in told {
        if !entries.is_empty() {
            text.push_str(&format!("{key}:\n"));
        }
        for entry in entries {
            let message = match key {
                "changes" if !entry.contains("message: ") => "message: \"feat: a change\", ",
                "before" => "went: production, ",
                "others" if !entry.contains("does: ") => "goes: production, ",
                _ => "",
            };
            text.push_str(&format!("  - {{ {message}{entry} }}\n"));
        }
    }
    if !case.people.is_empty() {
        text.push_str("people:\n");
    }
    for does in &case.people {
        let when = if does.contains("at: ") || does.contains("after: ") { "" } else { ", after: 1s" };
        let nobody = does.starts_with("nobody");
        text.push_str(&format!("  - {{ {does}{} }}\n", if nobody { "" } else { when }));
    }
    text
}

/// When production gets it, or how it ends.
fn played(folder: &Path, case: &Case) -> Result<String, String> {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
    write("tollgate.yaml", &case.procedure);
    write("case.yaml", &scenario(case));
    let mut tollgate = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    tollgate.args(["simulate", "--json", "case.yaml"]).current_dir(folder).env("XDG_STATE_HOME", folder);
    let output = tollgate.output().expect("tollgate runs");
    let told = String::from_utf8_lossy(&output.stderr);
    let json: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("{error}\n{told}"))?;
    if case.ends {
        return Ok(json[0]["ends"].as_str().ok_or("it does not end")?.to_owned());
    }
    let live = json[0]["live"].as_array().ok_or("no environments")?;
    let production = live.iter().find(|one| one["environment"] == "production").ok_or("no production")?;
    let Some(at) = production["at"].as_str() else { return Ok("never".to_owned()) };
    let at: Timestamp = at.parse().map_err(|error| format!("{at}: {error}"))?;
    let local = at.in_tz(&case.zone).map_err(|error| error.to_string())?;
    Ok(local.strftime("%a %-d %b %H:%M").to_string())
}

/// What is played, and where something else comes about than the page says.
pub(crate) fn played_recipes() -> (usize, Vec<String>) {
    let cases = cases();
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = cases.iter().filter_map(|case| match played(folder.path(), case) {
        Ok(goes) if goes == case.goes => None,
        Ok(goes) => Some(format!("{PAGE}:{}: goes {goes}, not {}", case.line, case.goes)),
        Err(why) => Some(format!("{PAGE}:{}: {why}", case.line)),
    });
    (cases.len(), wrong.collect())
}
