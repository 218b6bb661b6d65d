//! The documentation, held against the product.
//!
//! - ` ```console ` blocks are run, in the order of their page, in one scratch world for each page. A line `$ COMMAND` is a
//!   command (lines `> …` belong to it), and what follows is its output: `[..]` stands for any text in a line, a line `...`
//!   for any lines. Without any output nothing is compared. A command may only fail where `$ echo $?` follows.
//! - ` ```yaml file=NAME ` and ` ```sh file=NAME ` blocks become files of that world. `<!-- $ COMMAND -->` is a command that
//!   readers do not see.
//! - ` ```yaml ` blocks are whole procedure files and have to be sound; ` ```yaml top `, ` ```yaml steps ` and
//!   ` ```yaml environment ` are pieces that are put into one.
//! - Keys, variables, commands, options and codes that the reference pages list are those that there are.

mod docs_support;

use std::collections::BTreeSet;

use docs_support::{Block, World, blocks, links, page, pages, procedure_with, root, rows};
use tollgate_procedure::{Code, Loaded, facts};

/// The pages whose commands are run, each by a test of its own.
const RUN: &[&str] = &[
    "docs/changelogs.md",
    "docs/getting-started.md",
    "docs/operations.md",
    "docs/procedure-file.md",
    "docs/simulate.md",
    "docs/trains.md",
];

#[test]
fn changelogs_run() {
    World::new().run("docs/changelogs.md");
}

#[test]
fn getting_started_runs() {
    World::new().run("docs/getting-started.md");
}

#[test]
fn operations_run() {
    World::new().run("docs/operations.md");
}

#[test]
fn the_procedure_file_runs() {
    World::new().run("docs/procedure-file.md");
}

#[test]
fn scenarios_run() {
    World::new().run("docs/simulate.md");
}

#[test]
fn trains_run() {
    World::new().run("docs/trains.md");
}

#[test]
fn recipes_come_about() {
    let (played, wrong) = docs_support::played_recipes();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(played > 40, "the tables were not found: {played}");
}

#[test]
fn no_page_is_left_out() {
    let with_commands = pages().into_iter().filter(|page| blocks(page).iter().any(Block::is_console));
    let with_commands: Vec<String> = with_commands.collect();
    assert_eq!(with_commands, RUN);
}

fn load(text: &str) -> Loaded {
    let people = "people: { sam: { mail: sam@example.org } }\ngroups: { ops: [sam] }\n";
    let loader = |path: &str| match path {
        "people.yaml" => Ok(people.to_owned()),
        "holidays/de.ics" => {
            Ok("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20261225\nSUMMARY:Christmas\n\
             END:VEVENT\nEND:VCALENDAR\n"
                .to_owned())
        }
        "release-keys" => Ok("0F".repeat(20)),
        "changelog.md.j2" => Ok("## {{ version }}\n".to_owned()),
        _ => Err("it is not there".to_owned()),
    };
    let now = "2026-01-01T00:00Z".parse().expect("a moment");
    tollgate_procedure::examine(text, "tollgate.yaml", &loader, now)
}

#[test]
fn procedure_files_are_sound() {
    let mut problems = Vec::new();
    let mut count = 0;
    for page in pages() {
        for block in blocks(&page).into_iter().filter(|block| block.language() == "yaml") {
            let kind = block.info.split(' ').nth(1).unwrap_or_default().to_owned();
            let whole = kind.is_empty() || kind == "file=tollgate.yaml";
            let text = match kind.as_str() {
                _ if whole => block.text.clone(),
                "file=people.yaml" => continue,
                // A scenario is read when its page is run.
                kind if kind.ends_with(".scenario.yaml") => continue,
                kind => procedure_with(kind, &block.text),
            };
            count += 1;
            let loaded = load(&text);
            // A piece may leave a question of the file around it unasked; a whole file has nothing to be warned of.
            if loaded.has_errors() || (whole && !loaded.diagnostics.is_empty()) {
                problems.push(format!("{page}:{}:\n{}", block.line, loaded.render(false)));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(count > 10, "the examples were not found");
}

#[test]
fn links_lead_somewhere() {
    let mut problems = Vec::new();
    for page in pages() {
        for (line, target) in links(&page) {
            if let Err(why) = docs_support::follow(&page, &target) {
                problems.push(format!("{page}:{line}: {target}: {why}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The keys of every mapping in the published schema.
fn keys() -> BTreeSet<String> {
    let schema = tollgate_procedure::json_schema();
    let definitions = schema["$defs"].as_object().expect("definitions").values();
    let mappings = std::iter::once(&schema).chain(definitions);
    mappings.filter_map(|one| one["properties"].as_object()).flat_map(|keys| keys.keys().cloned()).collect()
}

/// Fails with what is in one set only.
fn same(what: &str, there: &BTreeSet<String>, told: &BTreeSet<String>) {
    let missing: Vec<_> = there.difference(told).collect();
    let wrong: Vec<_> = told.difference(there).collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "{what}: not told {missing:?}; told and not there {wrong:?}"
    );
}

#[test]
fn every_key_is_told() {
    same("docs/procedure-file.md, keys", &keys(), &rows("docs/procedure-file.md", "Key"));
}

#[test]
fn every_fact_and_variable_is_told() {
    let all = [facts::IN_TEXTS, facts::IN_ENVIRONMENTS, facts::IN_ITEMS].concat();
    let mut names: BTreeSet<String> = all.iter().map(|fact| fact.name.to_owned()).collect();
    let mut variables: BTreeSet<String> = names.iter().filter_map(|name| facts::variable(name)).collect();
    variables.extend(["TOLLGATE_STEP", "TOLLGATE_CANDIDATE"].map(ToOwned::to_owned));
    variables.extend(["TOLLGATE_ANSWER_NAME", "TOLLGATE_OUTPUT_ID_NAME"].map(ToOwned::to_owned));
    names.extend(["answers.NAME", "steps.ID.NAME"].map(ToOwned::to_owned));
    same("docs/procedure-file.md, names", &names, &rows("docs/procedure-file.md", "Name"));
    same("docs/procedure-file.md, variables", &variables, &rows("docs/procedure-file.md", "Variable"));
    let conditions: BTreeSet<String> = facts::IN_CONDITIONS.iter().map(|fact| fact.name.to_owned()).collect();
    let told = rows("docs/procedure-file.md", "In conditions");
    assert!(conditions.is_subset(&told), "conditions: {conditions:?}, told {told:?}");
}

#[test]
fn every_filter_is_told() {
    let text = page("docs/procedure-file.md");
    for filter in tollgate_procedure::FILTERS {
        assert!(text.contains(&format!("`{filter}`")), "the filter `{filter}` is not told");
    }
}

#[test]
fn every_command_and_option_is_told() {
    let there: BTreeSet<String> = docs_support::commands().into_iter().collect();
    let told: BTreeSet<String> = docs_support::sections("docs/commands.md").keys().cloned().collect();
    same("docs/commands.md, commands", &there, &told);
    for (command, section) in docs_support::sections("docs/commands.md") {
        let told: BTreeSet<String> = docs_support::options_in(&section).collect();
        same(&format!("`{command}`, options"), &docs_support::options(&command), &told);
    }
}

#[test]
fn every_exit_code_is_told() {
    let help = docs_support::help("tollgate");
    let codes = help.split("Exit codes:").nth(1).expect("exit codes in the help");
    let is_code = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_digit());
    let there: BTreeSet<String> = codes.split_whitespace().filter(is_code).map(ToOwned::to_owned).collect();
    same("docs/commands.md, exit codes", &there, &rows("docs/commands.md", "Exit code"));
}

#[test]
fn every_code_is_told() {
    let there: BTreeSet<String> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    same("docs/troubleshooting.md, mistakes", &there, &rows("docs/troubleshooting.md", "Mistake"));
    same(
        "docs/troubleshooting.md, codes",
        &docs_support::refusals(),
        &rows("docs/troubleshooting.md", "Code"),
    );
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let contents = page("docs/README.md");
    for name in
        pages().iter().filter_map(|page| page.strip_prefix("docs/")).filter(|name| *name != "README.md")
    {
        assert!(contents.contains(&format!("({name})")), "{name} is not in docs/README.md");
    }
    assert!(root().join("docs/README.md").is_file());
}
