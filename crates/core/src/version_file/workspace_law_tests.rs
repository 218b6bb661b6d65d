//! For workspaces, lock files and keys, however they are written: what is set is read by those who read such files, every other
//! byte of every file stays, and setting the old version again gives the old files.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use proptest::prelude::*;
use toml_edit::DocumentMut;

use super::repository_tests::{Repo, applied, ask, described, unmarked};
use super::*;

const OLD: &str = "1.2.3";
/// Nobody moves it.
const OTHER: &str = "1.9.9";

/// Choices made beforehand, drawn one after the other; over and over.
#[derive(Debug, Clone)]
struct Choices {
    all: Vec<usize>,
    at: usize,
}

impl Choices {
    fn number(&mut self, below: usize) -> usize {
        self.at += 1;
        self.all[self.at % self.all.len()] % below
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.number(all.len())].clone()
    }

    fn is(&mut self) -> bool {
        self.number(2) == 1
    }

    /// As some editor writes it: its line ends, with or without the last one, with or without a byte-order mark.
    fn bytes(&mut self, text: &str) -> Vec<u8> {
        let text = if self.is() { text.trim_end().to_owned() } else { text.to_owned() };
        let text = if self.is() { text.replace('\n', "\r\n") } else { text };
        let mark = if self.number(4) == 0 { "\u{feff}" } else { "" };
        format!("{mark}{text}").into_bytes()
    }

    /// Something around it that says nothing of the version, in TOML.
    fn toml_noise(&mut self) -> &'static str {
        self.of(&[
            "",
            "\n",
            "# version = \"1.2.3\"\n",
            "# é\u{200b} 'it''s\n",
            "description = \"version = '1.2.3' # no\" # yes\n",
            "keywords = [ 'version', # 1.2.3\n \"1.2.3\",]\n",
            "readme.text = \"\"\"\nversion = \"1.2.3\"\n\"\"\"\n",
        ])
    }

    /// White space between two words of JSON.
    fn space(&mut self) -> &'static str {
        self.of(&["", " ", "\n  ", "\t", "  \n"])
    }
}

fn choices() -> impl Strategy<Value = Choices> {
    proptest::collection::vec(0_usize..1000, 40..120).prop_map(|all| Choices { all, at: 0 })
}

fn version() -> impl Strategy<Value = String> {
    "[2-9]\\.(0|[1-9][0-9]?)\\.(0|[1-9][0-9]?)(-rc\\.[1-9])?"
}

/// Files with their versions marked, as [`unmarked`] has them; and how each is written.
struct Marked(Vec<(String, String)>);

impl Marked {
    fn put(&mut self, path: impl Into<String>, text: String) {
        self.0.push((path.into(), text));
    }

    /// Sets the version, and sets it back; gives the files as they are in between.
    fn check(
        &self,
        choices: &mut Choices,
        declared: &[VersionFile],
        new: &str,
    ) -> Result<Repo, TestCaseError> {
        let (mut before, mut after) = (Repo::new(), Repo::new());
        for (path, marked) in &self.0 {
            let (old, new) = unmarked(marked, new);
            let at = choices.at;
            before.insert(path.clone(), choices.bytes(&old));
            choices.at = at;
            after.insert(path.clone(), choices.bytes(&new));
        }
        let said = ask(&before, |known| survey(declared, known));
        prop_assert_eq!(&said.errors, &[]);
        prop_assert!(said.said.iter().all(|said| said.version == OLD), "{:?}", said);
        let edits = ask(&before, |known| set(declared, known, new));
        let edits = edits.map_err(|why| TestCaseError::fail(format!("{why:?}\n{}", shown(&before))))?;
        let edited = applied(&before, edits);
        prop_assert_eq!(shown(&edited), shown(&after));
        prop_assert_eq!(&edited, &after);
        let back = ask(&edited, |known| set(declared, known, OLD));
        let back = back.map_err(|why| TestCaseError::fail(format!("{why:?}\n{}", shown(&edited))))?;
        prop_assert_eq!(shown(&applied(&edited, back)), shown(&before));
        Ok(edited)
    }
}

fn shown(repo: &Repo) -> String {
    repo.iter().fold(String::new(), |mut out, (path, bytes)| {
        let _ = writeln!(out, "--- {path}\n{}", String::from_utf8_lossy(bytes));
        out
    })
}

fn text(repo: &Repo, path: &str) -> String {
    String::from_utf8_lossy(&repo[path]).trim_start_matches('\u{feff}').to_owned()
}

/// A member of a workspace.
struct Member {
    name: String,
    /// Whether it has the version that moves.
    moves: bool,
    /// The members that it asks for, by their places.
    needs: Vec<usize>,
}

fn members(choices: &mut Choices) -> Vec<Member> {
    let count = 1 + choices.number(4);
    let mut members = Vec::new();
    for at in 0..count {
        let moves = choices.number(4) != 0;
        let needs = (0..at).filter(|_| choices.is()).collect();
        members.push(Member { name: format!("shop-m{at}"), moves, needs });
    }
    members
}

/// A workspace of crates: some share its version, some have their own.
fn cargo_workspace(choices: &mut Choices) -> Marked {
    let (mut files, members) = (Marked(Vec::new()), members(choices));
    let mut root = String::from(choices.of(&["", "# version = \"1.2.3\"\n", "\n"]));
    let named: Vec<String> = (0..members.len()).map(|at| format!("'crates/m{at}'")).collect();
    let listed = if choices.is() { "\"crates/*\"".to_owned() } else { named.join(" , ") };
    let quote = choices.of(&['"', '\'']);
    let _ = writeln!(root, "[workspace]\nmembers = [ {listed} ]\nresolver = \"3\"");
    let version = match choices.number(3) {
        0 => format!("[workspace.package]\nversion = {quote}«{OLD}»{quote} # shared\n"),
        1 => format!("[workspace]\npackage.version={quote}«{OLD}»{quote}\n"),
        _ => format!(
            "[workspace.package]\n{}  version\t=  {quote}«{OLD}»{quote}\n{}",
            choices.toml_noise(),
            choices.of(&["", "edition = \"2024\"\n"])
        ),
    };
    match version.strip_prefix("[workspace]\n") {
        Some(dotted) => root.push_str(dotted),
        None => root.push_str(&version),
    }
    root.push_str("[workspace.dependencies]\n");
    for (at, member) in members.iter().enumerate().filter(|(_, member)| member.moves) {
        let _ = writeln!(root, "{} = {{ version = \"«{OLD}»\", path = './crates/m{at}' }}", member.name);
    }
    let _ =
        write!(root, "serde = {{ version = \"{OLD}\", features = [\"derive\"] }}\n{}", choices.toml_noise());
    files.put("Cargo.toml", root);
    for (at, member) in members.iter().enumerate() {
        let mut text =
            format!("{}[package]\nname = \"{}\"\n", choices.of(&["", "\n# a member\n"]), member.name);
        text.push_str(&match member.moves {
            true => choices
                .of(&[
                    "version.workspace = true\n",
                    "version = { workspace = true } # ours\n",
                    "version={workspace=true}\n",
                ])
                .to_owned(),
            false => format!("version = \"{OTHER}\"\n"),
        });
        text.push_str(choices.toml_noise());
        let mut tables = ["dependencies", "dev-dependencies", "target.'cfg(unix)'.dependencies"]
            .map(|table| (format!("[{table}]\n"), false));
        for need in &member.needs {
            let version = match (members[*need].moves, choices.number(4)) {
                (_, 0) => String::new(),
                (true, 1) => format!(", version = '^«{OLD}»'"),
                (true, 2) => format!(",version=\"=«{OLD}»\""),
                (true, _) => format!(", version = \"«{OLD}»\""),
                (false, _) => format!(", version = \"{OTHER}\""),
            };
            let (table, used) = &mut tables[choices.number(3)];
            *used = true;
            let name = &members[*need].name;
            let _ = writeln!(table, "x{need} = {{ package = \"{name}\", path = \"../m{need}\"{version} }}");
        }
        text.extend(tables.into_iter().filter(|(_, used)| *used).map(|(table, _)| table));
        files.put(format!("crates/m{at}/Cargo.toml"), text);
    }
    if choices.is() {
        files.put("Cargo.lock", cargo_lock(choices, &members));
    }
    files
}

/// Its lock file; a package of elsewhere has the name and the version of the first member now and then.
fn cargo_lock(choices: &mut Choices, members: &[Member]) -> String {
    let elsewhere = choices.is();
    let mut text = String::from("# This file is automatically @generated by Cargo.\nversion = 4\n");
    for (at, member) in members.iter().enumerate() {
        let version = |member: &Member| if member.moves { format!("«{OLD}»") } else { OTHER.to_owned() };
        let _ =
            write!(text, "\n[[package]]\nname = \"{}\"\nversion = \"{}\"\n", member.name, version(member));
        if !member.needs.is_empty() {
            text.push_str("dependencies = [\n");
            for need in &member.needs {
                let needed = &members[*need];
                let named = match (elsewhere && *need == 0, needed.moves) {
                    (true, true) => format!("«{0} {OLD}→{0} @»", needed.name),
                    (true, false) => format!("{} {OTHER}", needed.name),
                    (false, _) => needed.name.clone(),
                };
                let _ = writeln!(text, " \"{named}\",");
            }
            text.push_str("]\n");
        }
        if elsewhere && at == 0 {
            let (name, source) = (&member.name, "registry+https://registry.example.org/index");
            let _ = write!(
                text,
                "\n[[package]]\nname = \"{name}\"\nversion = \"{OLD}\"\nsource = \"{source}\"\nchecksum = \"{OLD}\"\n"
            );
        }
    }
    text
}

/// Workspaces of npm: the top and some of its members move.
fn npm_workspace(choices: &mut Choices) -> (Marked, Vec<VersionFile>) {
    let (mut files, members) = (Marked(Vec::new()), members(choices));
    let mut declared = vec!["package.json".to_owned()];
    let mut locked = Vec::new();
    for (at, member) in members.iter().enumerate() {
        let version = if member.moves { format!("«{OLD}»") } else { OTHER.to_owned() };
        let mut needs = vec![format!("\"left\"{}:\"{OLD}\"", choices.space())];
        for need in &member.needs {
            let needed = &members[*need];
            let range = match (needed.moves, choices.number(4)) {
                (_, 0) => "*".to_owned(),
                (true, 1) => format!("^«{OLD}»"),
                (true, 2) => format!("~«{OLD}»"),
                (true, _) => format!("«{OLD}»"),
                (false, _) => OTHER.to_owned(),
            };
            needs.push(format!("\"{}\":{}\"{range}\"", needed.name, choices.space()));
        }
        let space = choices.space();
        let table = choices.of(&["dependencies", "devDependencies", "peerDependencies"]);
        let said = format!(
            "\"name\":{space}\"{}\",\"version\"{space}:\"{version}\",{space}\"{table}\":{{{}}}",
            member.name,
            needs.join(&format!("{space},"))
        );
        let noise = choices.of(&[
            "",
            ", \"config\": { \"version\": \"1.2.3\" }",
            ",\"x\":\"\\u00e9 \\\"version\\\": 1\"",
        ]);
        let path = format!("packages/m{at}/package.json");
        files.put(path.clone(), format!("{{{space}{said}{noise}}}\n"));
        if member.moves {
            declared.push(path);
        }
        locked.push(format!("\"packages/m{at}\":{space}{{{said}}}"));
        locked.push(format!(
            "\"node_modules/{}\": {{ \"resolved\": \"packages/m{at}\", \"link\": true }}",
            member.name
        ));
    }
    let (space, top) = (choices.space(), "\"name\": \"shop\", \"workspaces\": [\"packages/*\"]");
    files.put(
        "package.json",
        format!("{{{space}{top}{space},\"version\"{space}:{space}\"«{OLD}»\"{space}}}\n"),
    );
    if choices.number(4) != 0 {
        let name = choices.of(&["package-lock.json", "npm-shrinkwrap.json"]);
        locked.push(format!(
            "\"node_modules/left\":{{\"version\":\"{OLD}\",\"dependencies\":{{\"shop-m0\":\"{OLD}\"}}}}"
        ));
        files.put(
            name,
            format!(
                "{{\"version\":{space}\"«{OLD}»\",\"lockfileVersion\": 3,\"packages\":{{\"\":{{{top},{space}\"version\": \"«{OLD}»\"}},\n{}}}{space}}}\n",
                locked.join(",\n")
            ),
        );
    }
    let declared: Vec<&str> = declared.iter().map(String::as_str).collect();
    (files, described(&declared))
}

/// What Composer takes the hash over, in the way PHP writes it, out of what another reader says.
fn composer_hash(json: &str) -> String {
    let all: serde_json::Value = serde_json::from_str(json).unwrap();
    let kept = ["extra", "name", "require", "version"];
    let entries: Vec<String> =
        kept.iter().filter_map(|key| Some(format!("\"{key}\":{}", all.get(key)?))).collect();
    let mut written = String::new();
    for c in format!("{{{}}}", entries.join(",")).chars() {
        let mut units = [0; 2];
        match c {
            '/' => written.push_str("\\/"),
            c if c.is_ascii() => written.push(c),
            c => c.encode_utf16(&mut units).iter().for_each(|unit| {
                let _ = write!(written, "\\u{unit:04x}");
            }),
        }
    }
    Md5::digest(written).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn composer(choices: &mut Choices) -> String {
    let space = choices.space();
    let require = choices.of(&["{\"php\":\">=8.1\"}", "{ \"acme/lib\" : \"^1.2.3\", \"php\":\"*\" }"]);
    let extra =
        choices.of(&["{\"a\": [1, true, null, \"é/😀\"]}", "{\"version\": \"1.2.3\"}", "\"\\u00e9\""]);
    format!(
        "{{{space}\"name\":\"acme/shop\",{space}\"require\":{require},\"version\"{space}: \"«{OLD}»\",{space}\"extra\": {extra}, \"description\": \"1.2.3\"}}\n"
    )
}

/// A file with the version behind `a.b.version`, and what reads it there.
fn keyed(choices: &mut Choices) -> (&'static str, String) {
    match choices.number(3) {
        0 => {
            let (quote, one, other) = (choices.of(&['"', '\'']), choices.toml_noise(), choices.toml_noise());
            let value = format!("{quote}«{OLD}»{quote}");
            let body = match choices.number(5) {
                0 => format!("[a.b]\n{one}version = {value} # 1.2.3\n"),
                1 => format!("{one}a.b.version\t= {value}\n"),
                2 => format!("[a]\n{one}b = {{ x = 1, version = {value} }}\n"),
                3 => format!("a = {{b={{version={value}}}}}\n"),
                _ => format!("[ a ]\nversion = \"{OLD}\"\n[ \"a\" . b ]\nversion={value}\n[a.c]\n{one}"),
            };
            ("x.toml", format!("{body}[z]\nversion = \"{OLD}\"\n{other}"))
        }
        1 => {
            let space = choices.space();
            let noise = choices.of(&[
                "",
                "\"version\": \"1.2.3\",",
                "\"x\": [{ \"version\": \"1.2.3\" }, 1e5, null],",
            ]);
            let tail = choices.of(&["", ", \"y\": { \"version\": \"1.2.3\" }"]);
            (
                "x.json",
                format!(
                    "{{{noise}{space}\"a\"{space}:{{{space}{noise}\"b\":{space}{{\"version\"{space}:{space}\"«{OLD}»\"{space}}}{tail}}}{space}}}\n"
                ),
            )
        }
        _ => {
            let (indent, quote) = (" ".repeat(1 + choices.number(4)), choices.of(&["", "'", "\""]));
            let noise =
                choices.of(&["", "# version: 1.2.3\n", "version: 1.2.3\n", "t: |\n  version: 1.2.3\n", "\n"]);
            let value = format!("{quote}«{OLD}»{quote}");
            let comment = choices.of(&["", " # version: 1.2.3", "  "]);
            let body = match choices.number(3) {
                0 => format!("a: {{ x: [1, 2], b: {{ version: {value} }} }}{comment}\n"),
                1 => format!("a:\n{indent}# one\n{indent}b:\n{indent}{indent}version:  {value}{comment}\n"),
                _ => format!(
                    "a:\n{indent}c:\n{indent}{indent}version: {OLD}\n{indent}\"b\":\n{indent}{indent}x: 1\n{indent}{indent}'version' : {value}{comment}\n"
                ),
            };
            ("x.yaml", format!("{noise}{body}z:\n  version: {OLD}\n"))
        }
    }
}

fn toml_version(text: &str, keys: &[&str]) -> String {
    let document: DocumentMut = text.parse().unwrap();
    let item = keys.iter().fold(document.as_item(), |item, key| &item[key]);
    item.as_str().unwrap().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_cargo_workspace_moves_and_nothing_else_of_it(mut choices in choices(), new in version()) {
        let mut files = cargo_workspace(&mut choices);
        files.0.iter_mut().for_each(|(_, marked)| *marked = marked.replace('@', &new));
        let edited = files.check(&mut choices, &described(&["Cargo.toml"]), &new)?;
        prop_assert_eq!(&toml_version(&text(&edited, "Cargo.toml"), &["workspace", "package", "version"]), &new);
        if edited.contains_key("Cargo.lock") {
            let lock: DocumentMut = text(&edited, "Cargo.lock").parse().unwrap();
            for package in lock["package"].as_array_of_tables().unwrap().iter() {
                let said = package["version"].as_str().unwrap();
                let allowed = if package.contains_key("source") { vec![OLD] } else { vec![new.as_str(), OTHER] };
                prop_assert!(allowed.contains(&said), "{:?} {}", package["name"], said);
            }
        }
    }

    #[test]
    fn npm_workspaces_move_and_nothing_else_of_them(mut choices in choices(), new in version()) {
        let (files, declared) = npm_workspace(&mut choices);
        let edited = files.check(&mut choices, &declared, &new)?;
        for (path, _) in &files.0 {
            let read: serde_json::Value = serde_json::from_str(&text(&edited, path)).unwrap();
            let allowed = [new.as_str(), OTHER];
            prop_assert!(allowed.contains(&read["version"].as_str().unwrap()), "{}", path);
        }
    }

    #[test]
    fn the_hash_of_composer_goes_along(mut choices in choices(), new in "[2-9]\\.[0-9]\\.[0-9]", stale in any::<bool>()) {
        let marked = composer(&mut choices);
        let (old_text, new_text) = unmarked(&marked, &new);
        let (before, after) = (composer_hash(&old_text), composer_hash(&new_text));
        // A hash that is out of step is left as it is.
        let hash = if stale { "0".repeat(32) } else { format!("«{before}→{after}»") };
        let space = choices.space();
        let lock = format!("{{\"packages\":[{{\"version\":\"{OLD}\"}}],{space}\"content-hash\"{space}:\"{hash}\"}}\n");
        let mut files = Marked(Vec::new());
        files.put("composer.json", marked);
        files.put("composer.lock", lock);
        files.check(&mut choices, &described(&["composer.json"]), &new)?;
    }

    #[test]
    fn keys_lead_to_one_place_whatever_stands_around_it(mut choices in choices(), new in version()) {
        let (path, marked) = keyed(&mut choices);
        let mut files = Marked(Vec::new());
        files.put(path, marked);
        let edited = files.check(&mut choices, &[VersionFile::with_key(path, "a.b.version").unwrap()], &new)?;
        let text = text(&edited, path);
        match path {
            "x.toml" => prop_assert_eq!(toml_version(&text, &["a", "b", "version"]), new),
            "x.json" => {
                let read: serde_json::Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(read["a"]["b"]["version"].as_str(), Some(new.as_str()));
            }
            _ => {}
        }
    }
}
