//! The architecture, enforced: which crate may use which, what the pure ones stay away from, and that the map in
//! `ARCHITECTURE.md` shows what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who may use whom. A crate that is not here may not exist.
const EDGES: &[(&str, &[&str])] = &[
    ("tollgate-core", &[]),
    ("tollgate-procedure", &["tollgate-core"]),
    ("tollgate-engine", &["tollgate-core"]),
    ("tollgate-store", &["tollgate-core", "tollgate-engine"]),
    ("tollgate-connect", &["tollgate-core", "tollgate-engine"]),
    ("tollgate", &PRODUCT),
    ("tollgate-testkit", &["tollgate-core", "tollgate-procedure", "tollgate-engine"]),
    ("bench", &PRODUCT),
    ("xtask", &[]),
];

const PRODUCT: [&str; 5] =
    ["tollgate-core", "tollgate-procedure", "tollgate-engine", "tollgate-store", "tollgate-connect"];

/// Stand-ins for the world: in tests alone.
const TESTKIT: &str = "tollgate-testkit";

/// These decide and read, and do nothing else.
const PURE: &[&str] = &["tollgate-core", "tollgate-procedure"];

/// What a pure crate does not come near, by the start of the name.
const IMPURE_CRATES: &[&str] = &[
    "tokio",
    "async",
    "futures",
    "mio",
    "socket2",
    "reqwest",
    "hyper",
    "rusqlite",
    "libsqlite",
    "rustix",
    "tempfile",
    "lettre",
    "tracing",
];

/// What the lock file holds for machines that are not meant: browsers.
const OTHER_MACHINES: &[&str] = &["js-sys", "wasm-bindgen", "web-sys", "wasi"];

/// What the sources of a pure crate do not name, outside their tests.
const IMPURE_WORDS: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "async fn",
    ".await",
    "Timestamp::now",
    "Zoned::now",
];

/// The longest source file, in lines. Most are under 500.
const LINES_MAX: usize = 800;

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the workspace")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A crate of the workspace.
struct Member {
    name: String,
    folder: PathBuf,
    normal: BTreeSet<String>,
    dev: BTreeSet<String>,
}

fn members() -> Vec<Member> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo metadata");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let member = |package: &serde_json::Value| {
        let names = |kind: Option<&str>| -> BTreeSet<String> {
            let all = package["dependencies"].as_array().expect("dependencies");
            let of_kind = all.iter().filter(|one| one["kind"].as_str() == kind);
            of_kind.filter_map(|one| one["name"].as_str().map(ToOwned::to_owned)).collect()
        };
        let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
        Member {
            name: package["name"].as_str().expect("a name").to_owned(),
            folder: manifest.parent().expect("a folder").to_owned(),
            normal: names(None).union(&names(Some("build"))).cloned().collect(),
            dev: names(Some("dev")),
        }
    };
    packages.iter().map(member).collect()
}

/// The files that git knows and that are there.
fn tracked() -> Vec<PathBuf> {
    // Whoever runs this may not be who owns the files.
    let list = ["-c", "safe.directory=*", "ls-files", "-z"];
    let output = Command::new("git").args(list).current_dir(root()).output().expect("git");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).expect("names in UTF-8");
    let files = names.split('\0').filter(|name| !name.is_empty()).map(|name| root().join(name));
    files.filter(|file| file.is_file()).collect()
}

/// All source files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    tracked()
        .into_iter()
        .filter(|file| file.starts_with(folder) && file.extension().is_some_and(|end| end == "rs"))
        .collect()
}

fn no_problems(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn crates_use_only_what_is_below_them() {
    let mut problems = Vec::new();
    let members = members();
    let ours: BTreeSet<&String> = members.iter().map(|member| &member.name).collect();
    for member in &members {
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == member.name) else {
            problems.push(format!("{} is in no plan", member.name));
            continue;
        };
        for used in member.normal.iter().filter(|used| ours.contains(used)) {
            if !allowed.contains(&used.as_str()) {
                problems.push(format!("{} must not use {used}", member.name));
            }
        }
        let mixes = [TESTKIT, "tollgate"].contains(&member.name.as_str());
        for used in member.dev.iter().filter(|used| ours.contains(used)) {
            if !mixes && used != TESTKIT && !allowed.contains(&used.as_str()) {
                problems.push(format!("the tests of {} must not use {used}", member.name));
            }
        }
    }
    for (name, _) in EDGES {
        if !ours.iter().any(|ours| ours == name) {
            problems.push(format!("{name} is planned, and is not there"));
        }
    }
    no_problems(&problems);
}

/// Every package of the lock file with what it uses.
fn locked() -> BTreeMap<String, BTreeSet<String>> {
    let text = read(&root().join("Cargo.lock"));
    let mut packages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for block in text.split("[[package]]").skip(1) {
        let quoted =
            |line: &str| line.split('"').nth(1).map(|name| name.split(' ').next().unwrap_or(name).to_owned());
        let name = block.lines().find(|line| line.starts_with("name = ")).and_then(quoted).expect("a name");
        let used =
            block.lines().skip_while(|line| !line.starts_with("dependencies")).skip(1).filter_map(quoted);
        packages.entry(name).or_default().extend(used);
    }
    packages
}

#[test]
fn pure_crates_bring_nothing_impure() {
    let locked = locked();
    let mut problems = Vec::new();
    for member in members().iter().filter(|member| PURE.contains(&member.name.as_str())) {
        let mut todo: Vec<String> = member.normal.iter().cloned().collect();
        let mut seen = BTreeSet::new();
        while let Some(name) = todo.pop() {
            if IMPURE_CRATES.iter().any(|start| name.starts_with(start)) {
                problems.push(format!("{} brings {name}", member.name));
            } else if !OTHER_MACHINES.iter().any(|start| name.starts_with(start)) && seen.insert(name.clone())
            {
                todo.extend(locked.get(&name).into_iter().flatten().cloned());
            }
        }
        assert!(seen.len() > 5, "the lock file was not understood: {seen:?}");
    }
    no_problems(&problems);
}

#[test]
fn pure_sources_name_nothing_impure() {
    let mut problems = Vec::new();
    for member in members().iter().filter(|member| PURE.contains(&member.name.as_str())) {
        for file in sources(&member.folder.join("src")) {
            if file.file_stem().is_some_and(|name| name == "tests") {
                continue;
            }
            let text = read(&file);
            // Tests stand at the end of a file, and may read what they are compared with.
            let own = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in
                own.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
            {
                if let Some(word) = IMPURE_WORDS.iter().find(|word| line.contains(**word)) {
                    problems.push(format!("{}:{}: {word}", file.display(), number + 1));
                }
            }
        }
    }
    no_problems(&problems);
}

#[test]
fn files_are_short() {
    let long = sources(&root()).into_iter().filter_map(|file| {
        let lines = read(&file).lines().count();
        (lines > LINES_MAX).then(|| format!("{} has {lines} lines", file.display()))
    });
    no_problems(&long.collect::<Vec<_>>());
}

/// The map in `ARCHITECTURE.md`: crates by their folders, with the modules that it names.
fn map() -> BTreeMap<String, BTreeSet<String>> {
    let text = read(&root().join("ARCHITECTURE.md"));
    let map = text.split("\n## ").find(|part| part.starts_with("The map")).expect("`## The map`");
    let mut crates: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let quoted = |line: &str| line.split('`').nth(1).map(|name| name.trim_end_matches('/').to_owned());
    let mut current = None;
    for line in map.lines() {
        if line.starts_with("### `") {
            current = quoted(line);
            crates.entry(current.clone().expect("a folder")).or_default();
        } else if let (true, Some(folder)) = (line.starts_with("- `"), &current) {
            let name = quoted(line).expect("a module");
            assert!(crates.entry(folder.clone()).or_default().insert(name.clone()), "{name} is there twice");
        }
    }
    crates
}

/// The modules of a crate that have to be on the map: those that others can use, and those that are a folder.
fn modules(folder: &Path) -> BTreeSet<String> {
    let source = folder.join("src");
    let library = std::fs::read_to_string(source.join("lib.rs")).unwrap_or_default();
    let public = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let mut modules: BTreeSet<String> = public.map(ToOwned::to_owned).collect();
    for entry in std::fs::read_dir(&source).expect("sources").map(|entry| entry.expect("an entry")) {
        if entry.path().is_dir() {
            modules.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    modules
}

#[test]
fn the_map_shows_what_is_there() {
    let map = map();
    let mut problems = Vec::new();
    let root = root();
    let mut folders = BTreeSet::new();
    for member in members() {
        let folder = member.folder.strip_prefix(&root).expect("inside").display().to_string();
        folders.insert(folder.clone());
        let Some(shown) = map.get(&folder) else {
            problems.push(format!("`{folder}` is not on the map"));
            continue;
        };
        for module in modules(&member.folder).difference(shown) {
            problems.push(format!("`{module}` of `{folder}` is not on the map"));
        }
        let source = member.folder.join("src");
        for module in shown {
            if !source.join(format!("{module}.rs")).is_file() && !source.join(module).is_dir() {
                problems.push(format!("`{module}` of `{folder}` is on the map, and is not there"));
            }
        }
    }
    for folder in map.keys().filter(|folder| !folders.contains(*folder)) {
        if !root.join(folder).is_dir() {
            problems.push(format!("`{folder}` is on the map, and is not there"));
        }
    }
    no_problems(&problems);
}

#[test]
fn what_the_architecture_names_is_there() {
    let root = root();
    let text = read(&root.join("ARCHITECTURE.md"));
    let code: String = sources(&root).iter().map(|file| read(file)).collect();
    let words: BTreeSet<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let mut problems = Vec::new();
    // What stands in a picture is no name; the modules of the map are looked at by themselves.
    let prose = text.split("```").step_by(2).flat_map(str::lines).filter(|line| !line.starts_with("- `"));
    for named in prose.flat_map(|line| line.split('`').skip(1).step_by(2)) {
        let is_path = named.contains('/') && !named.contains([' ', '$', '<', '{', '*']);
        if is_path && !root.join(named).exists() {
            problems.push(format!("`{named}` is not there"));
        }
        let last = named.rsplit("::").next().unwrap_or(named).trim_end_matches("()");
        let is_name = last.contains('_')
            && last.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if is_name && !words.contains(last) {
            problems.push(format!("nothing is called `{named}`"));
        }
    }
    no_problems(&problems);
}

/// What belongs to the machines and people that worked on it, and not to the project.
const FOREIGN: &[&str] = &[
    concat!("/", "work/"),
    concat!("..", "/shared"),
    concat!("shared/", "design"),
    concat!("this ", "session"),
    concat!("another ", "session"),
    concat!("previous ", "session"),
    concat!("earlier ", "session"),
    concat!("later ", "session"),
    concat!("/tmp/", "bash_jobs"),
    concat!("/root/", "."),
];

#[test]
fn the_project_speaks_of_itself_alone() {
    let mut problems = Vec::new();
    for file in tracked() {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_ascii_lowercase();
            // A working copy of a test may be in a folder of that name.
            if let Some(word) = FOREIGN.iter().find(|word| lower.contains(**word))
                && !lower.contains("$root/work/")
                && !lower.contains("[root]/work/")
            {
                problems.push(format!("{}:{}: {word}", file.display(), number + 1));
            }
        }
    }
    no_problems(&problems);
}
