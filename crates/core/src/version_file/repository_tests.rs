//! Whole repositories: what comes along when a version is set, and what is refused.

use std::collections::BTreeMap;

use super::*;

pub(super) type Repo = BTreeMap<String, Vec<u8>>;

/// The answer, as a repository gives it.
pub(super) fn ask<T>(repo: &Repo, question: impl Fn(&Known) -> Progress<T>) -> T {
    let mut known = Known::default();
    for _ in 0..20 {
        let need = match question(&known) {
            Progress::Done(answer) => return answer,
            Progress::Need(need) => need,
        };
        assert_ne!(need, Need::default(), "it asks for something");
        for path in need.files {
            let content = repo.get(path.as_str()).cloned().map_or(Content::Missing, Content::Bytes);
            known.file(path, content);
        }
        for glob in need.listings {
            let (folder, name) = scope(&glob);
            let below = |path: &&String| path.starts_with(folder) && path.ends_with(name);
            known.listing(&glob, repo.keys().filter(below).cloned());
        }
    }
    panic!("it never has enough");
}

pub(super) fn described(declared: &[&str]) -> Vec<VersionFile> {
    let file = |text: &&str| match text.split_once('#') {
        Some((path, key)) => VersionFile::with_key(path, key).unwrap(),
        None => VersionFile::guess(text).unwrap(),
    };
    declared.iter().map(file).collect()
}

/// `«1.2.3»` is replaced by the new version, `«1.2→2.0»` as it says.
pub(super) fn unmarked(marked: &str, new: &str) -> (String, String) {
    let (mut before, mut after) = (String::new(), String::new());
    for (index, part) in marked.split(['«', '»']).enumerate() {
        let (old, then) = match (index % 2, part.split_once('→')) {
            (0, _) => (part, part),
            (_, Some((old, then))) => (old, then),
            (_, None) => (part, new),
        };
        before.push_str(old);
        after.push_str(then);
    }
    (before, after)
}

pub(super) fn applied(repo: &Repo, edits: Vec<Edit>) -> Repo {
    let mut edited = repo.clone();
    for edit in edits {
        let path = edit.path.as_str();
        assert_ne!(edited.get(path), Some(&edit.content), "{path} is edited for nothing");
        edited.insert(path.to_owned(), edit.content);
    }
    edited
}

/// Sets the version, in these files with `\n`, with `\r\n`, and with a byte-order mark; and sets it back.
fn check(declared: &[&str], files: &[(&str, &str)], old: &str, new: &str) {
    let declared = described(declared);
    let line_ends: [fn(&str) -> String; 3] = [
        |text| text.to_owned(),
        |text| text.replace('\n', "\r\n"),
        |text| format!("\u{feff}{}", text.trim_end_matches('\n')),
    ];
    for line_end in line_ends {
        let (mut before, mut after) = (Repo::new(), Repo::new());
        for (path, marked) in files {
            let (old, new) = unmarked(marked, new);
            before.insert((*path).to_owned(), line_end(&old).into_bytes());
            after.insert((*path).to_owned(), line_end(&new).into_bytes());
        }
        let said = ask(&before, |known| survey(&declared, known));
        assert_eq!(said.errors, []);
        assert_eq!(said.disagreeing(), None);
        let edits = ask(&before, |known| set(&declared, known, new)).unwrap_or_else(|why| panic!("{why:?}"));
        let edited = applied(&before, edits);
        for (path, wanted) in &after {
            let (got, wanted) = (String::from_utf8_lossy(&edited[path]), String::from_utf8_lossy(wanted));
            assert_eq!(got, wanted, "{path}");
        }
        let back = ask(&edited, |known| set(&declared, known, old)).unwrap_or_else(|why| panic!("{why:?}"));
        assert_eq!(applied(&edited, back), before, "and back");
        let nothing = ask(&before, |known| set(&declared, known, old)).unwrap();
        assert_eq!(nothing, [], "what it says already");
    }
}

/// Every mistake, each in part.
fn refused(declared: &[&str], files: &[(&str, &str)], new: &str, expected: &[&str]) {
    let repo: Repo =
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    let errors = ask(&repo, |known| set(&described(declared), known, new)).unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), expected.len(), "{texts:#?}");
    for part in expected {
        assert!(texts.iter().any(|text| text.contains(part)), "{part}: {texts:#?}");
    }
}

#[test]
fn the_scope_of_a_glob() {
    let cases = [
        ("crates/*/Cargo.toml", ("crates", "Cargo.toml")),
        ("*/package.json", ("", "package.json")),
        ("a/b/**/x/package.json", ("a/b", "package.json")),
        ("a/pre-*/package.json", ("a", "package.json")),
        ("a/b/package.json", ("a/b", "package.json")),
    ];
    for (glob, expected) in cases {
        assert_eq!(scope(glob), expected, "{glob}");
    }
}

#[test]
fn a_cargo_workspace_moves_as_one() {
    let root = r#"# The workspace.
[workspace]
members = ["crates/*", "tools/gen"]
exclude = ["crates/old"]

[workspace.package]
version = "«1.2.3»" # shared
edition = "2024"

[workspace.dependencies]
shop-core = { path = "crates/core", version = "«1.2.3»" }
serde = { version = "1.2.3", features = ["derive"] }
"#;
    let core = "[package]\nname = \"shop-core\"\nversion.workspace = true\n";
    let web = r#"[package]
name = "shop-web"
version = { workspace = true }

[dependencies]
shop-core = { path = "../core", version = "=«1.2.3»" }
core2 = { package = "shop-core", path = "../core", version = '1.2' }
own = { path = "../../tools/gen", version = "1.2.3" }
[target.'cfg(unix)'.dev-dependencies.shop-core]
version = "^«1.2.3»"
path = "../core"
[features]
version = []
"#;
    let lock = r#"version = 4

[[package]]
name = "gen"
version = "1.2.3"

[[package]]
name = "serde"
version = "1.2.3"
source = "registry+https://github.com/rust-lang/crates.io-index"

[[package]]
name = "shop-core"
version = "«1.2.3»"

[[package]]
name = "shop-core"
version = "1.2.3"
source = "registry+https://github.com/rust-lang/crates.io-index"

[[package]]
name = "shop-web"
version = "«1.2.3»"
dependencies = [
 "«shop-core 1.2.3→shop-core 1.3.0»",
 "shop-core 1.2.3 (registry+https://github.com/rust-lang/crates.io-index)",
]
"#;
    check(
        &["Cargo.toml"],
        &[
            ("Cargo.toml", root),
            ("Cargo.lock", lock),
            ("crates/core/Cargo.toml", core),
            ("crates/web/Cargo.toml", web),
            ("crates/old/Cargo.toml", "[package]\nname = \"old\"\nversion.workspace = true\n"),
            ("tools/gen/Cargo.toml", "[package]\nname = \"gen\"\nversion = \"1.2.3\"\n"),
        ],
        "1.2.3",
        "1.3.0",
    );
}

#[test]
fn a_member_of_a_cargo_workspace_moves_alone() {
    let app = "[package]\nname = \"app\"\nversion = \"1.0.0\"\n[dependencies]\nlib = { version = \"«0.4→0.5»\", path = \"../lib\" }\n";
    let lock = "version = 3\n[[package]]\nname = \"app\"\nversion = \"1.0.0\"\ndependencies = [\"lib\"]\n[[package]]\nname = \"lib\"\nversion = \"«0.4.0»\"\n";
    check(
        &["rust/lib/Cargo.toml"],
        &[
            ("Cargo.toml", "[package]\nname = \"other\"\nversion = \"9.0.0\"\n"),
            ("rust/Cargo.toml", "[workspace]\nmembers = [\"./app/\", \"lib\"]\n"),
            ("rust/Cargo.lock", lock),
            ("rust/app/Cargo.toml", app),
            ("rust/lib/Cargo.toml", "package.name = \"lib\"\npackage.version = '«0.4.0»'\n"),
        ],
        "0.4.0",
        "0.5.0",
    );
    // A package alone, without a lock file.
    check(
        &["Cargo.toml"],
        &[("Cargo.toml", "package = { name = \"x\", version = \"«1.0.0»\" }\n")],
        "1.0.0",
        "1.1.0-rc.1",
    );
}

#[test]
fn what_cargo_would_not_take_is_refused_whole() {
    let root = "[workspace]\nmembers = [\"a\", \"b\"]\n[workspace.package]\nversion = \"1.0.0\"\n";
    let a = "[package]\nname = \"a\"\nversion.workspace = true\n";
    let b = "[package]\nname = \"b\"\nversion = \"1.0.0\"\n[dependencies]\na = { path = \"../a\", version = \">=1, <2\" }\n";
    refused(
        &["Cargo.toml", "a/Cargo.toml", "VERSION"],
        &[
            ("Cargo.toml", root),
            ("a/Cargo.toml", a),
            ("b/Cargo.toml", b),
            ("Cargo.lock", "[[package]]\nname = \"b\"\nversion = \"1.0.0\"\n"),
        ],
        "2.0.0",
        &[
            "a/Cargo.toml, line 3: the version is the one of the workspace: name the workspace's Cargo.toml",
            "b/Cargo.toml, line 5: `a` is asked for as `>=1, <2`, which 2.0.0 does not fit",
            "Cargo.lock: there is no entry of `a` 1.0.0 in it: it is out of step; bring it up to date with `cargo update",
            "VERSION is not in the repository",
        ],
    );
    let one = |text: &str, new: &str, expected: &str| {
        refused(&["Cargo.toml"], &[("Cargo.toml", text)], new, &[expected]);
    };
    one(
        "[package]\nname = \"a\"\nversion = \"1.0.0\"\n",
        "2026.05.1",
        "Cargo.toml, line 3: 2026.05.1 has a number with a zero in front",
    );
    one(
        "[package]\nname = \"a\"\nversion = \"1.0.0\"\n",
        "1.2.3.4",
        "line 3: 1.2.3.4 has more than the three numbers",
    );
    one("[package]\nname = \"a\"\n", "1.0.0", "there is no `version` under `[package]`");
    one("[package]\nversion = \"1\\u002e0\"\n", "1.0.0", "line 2: `version` is not a plain string");
    one("[package]\nversion = 1.0\n", "1.0.0", "line 2: `version` is not a plain string");
    one(
        "[package]\nversion = \"1.0.0\"\nversion = \"1.0.0\"\n",
        "1.0.0",
        "Cargo.toml, line 3: duplicate key",
    );
    one("[package\n", "1.0.0", "Cargo.toml, line 1: ");
    one("\u{0}\u{1}", "1.0.0", "Cargo.toml, line 1: ");
}

#[test]
fn npm_workspaces_and_both_forms_of_lock_files() {
    let lock = r#"{
  "name": "shop",
  "version": "«1.2.3»",
  "lockfileVersion": 3,
  "packages": {
    "": { "name": "shop", "version": "«1.2.3»", "workspaces": ["packages/*"], "dependencies": { "left": "1.2.3" } },
    "node_modules/@shop/a": { "resolved": "packages/a", "link": true },
    "node_modules/left": { "version": "1.2.3", "dependencies": { "@shop/a": "1.2.3" } },
    "packages/a": { "name": "@shop/a", "version": "«1.2.3»" },
    "packages/b": { "version": "0.1.0", "dependencies": { "@shop/a": "^«1.2.3»" } }
  }
}
"#;
    let b = "{\"name\": \"@shop/b\", \"version\": \"0.1.0\",\n \"dependencies\": { \"@shop/a\": \"^«1.2.3»\", \"left\": \"1.2.3\" },\n\t\"peerDependencies\": {\"@shop/a\": \"*\"} }";
    check(
        &["package.json", "packages/a/package.json"],
        &[
            (
                "package.json",
                "{\n  \"version\" : \"«1.2.3»\",\n  \"name\": \"shop\",\n  \"workspaces\": [\"packages/*\", \"!packages/c\"],\n  \"config\": { \"version\": \"1.2.3\" }\n}\n",
            ),
            ("package-lock.json", lock),
            ("packages/a/package.json", "{\"name\":\"@shop/a\",\"version\":\"«1.2.3»\"}"),
            ("packages/b/package.json", b),
            ("packages/c/package.json", "{\"dependencies\": { \"@shop/a\": \"1.2.3\" }}"),
        ],
        "1.2.3",
        "1.3.0",
    );
    // A workspace alone, below the top, with npm 6's form of the lock file of another package beside it.
    check(
        &["ui/web/package.json"],
        &[
            ("ui/package.json", "{ \"workspaces\": { \"packages\": [\"web\"] }, \"version\": \"7.0.0\" }"),
            (
                "ui/npm-shrinkwrap.json",
                "{ \"version\": \"7.0.0\", \"packages\": { \"\": { \"version\": \"7.0.0\" }, \"web\": { \"version\": \"«2.0.0»\" } } }",
            ),
            ("ui/web/package.json", "{ \"version\": \"«2.0.0»\" }"),
            ("package-lock.json", "{ \"version\": \"2.0.0\", \"dependencies\": {} }"),
        ],
        "2.0.0",
        "2.1.0-beta.1",
    );
    check(
        &["package.json"],
        &[
            ("package.json", "{ \"version\": \"«2.0.0»\" }"),
            (
                "package-lock.json",
                "{ \"version\": \"«2.0.0»\", \"lockfileVersion\": 1, \"dependencies\": { \"x\": { \"version\": \"2.0.0\" } } }",
            ),
        ],
        "2.0.0",
        "3.0.0",
    );
}

#[test]
fn what_npm_would_not_take_is_refused() {
    let one = |text: &str, new: &str, expected: &str| {
        refused(&["package.json"], &[("package.json", text)], new, &[expected]);
    };
    one("{ \"name\": \"x\" }", "1.0.0", "package.json: there is no `version` in it");
    one("{ \"version\": \"1.0.0\", // no\n }", "1.0.0", "package.json, line 1: ");
    one(
        "{\n \"version\": \"1.0.0\",\n \"version\": \"1.0.0\" }",
        "1.0.0",
        "line 3: `version` stands here a second time",
    );
    one("{ \"version\": \"1.0\\u002e0\" }", "1.0.0", "is not a plain string");
    one("{ \"version\": 1 }", "1.0.0", "is not a plain string");
    one("{ \"version\": \"v1.0.0\" }", "1.0.0", "`v1.0.0` is not a version");
    one("{ \"version\": \"1.0.0\" }", "1.0.0.4", "1.0.0.4 has more than the three numbers");
    one("", "1.0.0", "it is empty");
    one(&"[".repeat(100_000), "1.0.0", "package.json, line 1: ");
    refused(
        &["package.json"],
        &[
            ("package.json", "{ \"version\": \"1.0.0\" }"),
            ("package-lock.json", "{ \"packages\": { \"x\": {} } }"),
        ],
        "1.1.0",
        &["package-lock.json: there is no entry of `` in it"],
    );
}

#[test]
fn python_projects() {
    let lock = "version = 1\n[[package]]\nname = \"shop-web\"\nversion = \"«1.2.3»\"\nsource = { editable = \".\" }\n[[package]]\nname = \"shop-web\"\nversion = \"1.2.3\"\nsource = { registry = \"https://pypi.org/simple\" }\n";
    check(
        &["pyproject.toml", "src/shop/_version.py"],
        &[
            (
                "pyproject.toml",
                "[build-system]\nrequires = [\"hatchling==1.2.3\"]\n[project]\nname = \"Shop_Web\"\nversion = \"«1.2.3»\" # here\ndependencies = [\"x==1.2.3\"]\n[tool.x]\nversion = \"1.2.3\"\n",
            ),
            ("uv.lock", lock),
            ("src/shop/_version.py", "__version__ = \"«1.2.3»\"\n"),
        ],
        "1.2.3",
        "1.3.0rc1",
    );
    check(
        &["pyproject.toml", "setup.cfg"],
        &[
            ("pyproject.toml", "[tool.poetry]\nname = \"x\"\nversion = '«1.2»'\n"),
            (
                "setup.cfg",
                "# version = 0\n[options]\nversion = 9\n[metadata]\nname = x\n  version = 8\nVersion : «1.2»  \nlong_description = a\n  version = 7\n",
            ),
        ],
        "1.2",
        "1.3",
    );
    let one =
        |file: &str, text: &str, expected: &str| refused(&[file], &[(file, text)], "1.0.0", &[expected]);
    let project = "[project]\nname = \"x\"\ndynamic = [\"version\"]\n";
    let py = |more: &str, expected: &str| one("pyproject.toml", &format!("{project}{more}"), expected);
    py(
        "[tool.setuptools.dynamic]\nversion = {attr = \"x.__version__\"}\n",
        "pyproject.toml, line 3: the version is dynamic, the attribute `x.__version__`: name that file",
    );
    py("[tool.setuptools.dynamic]\nversion = {file = [\"VERSION\"]}\n", "from the file `VERSION`");
    py("[tool.hatch.version]\npath = \"src/x.py\"\n", "from the file `src/x.py`");
    py("[tool.setuptools_scm]\n", "setuptools_scm takes it from git's tags: take pyproject.toml out");
    py("", "name the file that holds it");
    one(
        "pyproject.toml",
        "[project]\nname = \"x\"\n",
        "there is no `version` under `[project]` or `[tool.poetry]`",
    );
    one(
        "pyproject.toml",
        "[project]\nversion = \"1\"\n[tool.poetry]\nversion = \"2\"\n",
        "line 2 says 1 and line 4 says 2",
    );
    one(
        "setup.cfg",
        "[metadata]\nversion = attr: x.__version__\n",
        "setup.cfg, line 2: the version comes from `x.__version__`",
    );
    one("setup.cfg", "[metadata]\nversion = 1\nversion: 1\n", "line 3: `version` stands here a second time");
    one("setup.cfg", "[metadata]\nversion = 1\n  2\n", "line 3: `version` is not a plain string");
    one("setup.cfg", "[metadata]\nname = x\n", "there is no `version` under `[metadata]`");
    refused(
        &["pyproject.toml", "a.py"],
        &[("pyproject.toml", "[project]\nversion = \"1.0\"\n"), ("a.py", "VERSION = '1.0'\n")],
        "1.0-nightly.3",
        &[
            "pyproject.toml, line 2: 1.0-nightly.3 is no version of Python's",
            "a.py, line 1: 1.0-nightly.3 is no version",
        ],
    );
}

#[test]
fn one_version_has_a_spelling_in_each_file() {
    let files = [
        ("VERSION", "«1.2→1.3-rc.1»\n"),
        ("Cargo.toml", "[package]\nname = \"x\"\nversion = \"«1.2.0→1.3.0-rc.1»\"\n"),
        ("setup.py", "setup(version=\"«1.2→1.3rc1»\")\n"),
        ("pom.xml", "<project><version>«1.2→1.3-rc.1»</version></project>"),
    ];
    check(&["VERSION", "Cargo.toml", "setup.py", "pom.xml"], &files, "1.2", "1.3-rc.1");
}

#[test]
fn maven_projects() {
    let root = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- <version>1.2.3</version> -->
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <parent><groupId>org.other</groupId><artifactId>base</artifactId><version>1.2.3</version></parent>
  <groupId>org.shop</groupId>
  <artifactId>shop</artifactId>
  <version> «1.2.3»
  </version>
  <packaging>pom</packaging>
  <modules><module>core</module><module>web</module></modules>
  <profiles><profile><modules><module>extra/pom.xml</module></modules></profile></profiles>
  <properties><version.x>1.2.3</version.x></properties>
  <dependencyManagement><dependencies>
    <dependency><groupId>org.shop</groupId><artifactId>core</artifactId><version>«1.2.3»</version></dependency>
    <dependency><groupId>org.else</groupId><artifactId>core</artifactId><version>1.2.3</version></dependency>
    <dependency><groupId>org.shop</groupId><artifactId>web</artifactId><version>${project.version}</version></dependency>
  </dependencies></dependencyManagement>
  <build><plugins><plugin><artifactId>maven-jar-plugin</artifactId><version>1.2.3</version></plugin></plugins></build>
</project>
"#;
    let module = |name: &str, rest: &str| {
        format!(
            "<project>\n <parent>\n  <groupId>org.shop</groupId><artifactId>shop</artifactId>\n  <version>«1.2.3»</version>\n </parent>\n <artifactId>{name}</artifactId>{rest}</project>\n"
        )
    };
    let grandchild = "<project><parent><groupId>org.shop</groupId><artifactId>web</artifactId><version>«1.2.3»</version></parent><artifactId>page</artifactId><version>0.1</version></project>";
    check(
        &["pom.xml"],
        &[
            ("pom.xml", root),
            ("core/pom.xml", &module("core", "<version>«1.2.3»</version>")),
            ("web/pom.xml", &module("web", "<modules><module>page</module></modules>")),
            ("web/page/pom.xml", grandchild),
            ("extra/pom.xml", "<project><artifactId>extra</artifactId><version>1.2.3</version></project>"),
        ],
        "1.2.3",
        "1.3.0-SNAPSHOT",
    );
    check(
        &["pom.xml"],
        &[
            (
                "pom.xml",
                "<project><artifactId>x</artifactId><version>${revision}</version>\n<modules><module>m</module></modules><properties><revision>«1.2.3»</revision></properties></project>",
            ),
            (
                "m/pom.xml",
                "<project><parent><artifactId>x</artifactId><version>${revision}</version></parent></project>",
            ),
        ],
        "1.2.3",
        "2.0",
    );
}

#[test]
fn what_is_not_the_version_of_a_maven_project() {
    let one = |text: &str, expected: &str| refused(&["pom.xml"], &[("pom.xml", text)], "1.0.0", &[expected]);
    one(
        "<project><parent>\n<version>1</version></parent></project>",
        "pom.xml, line 2: the version is the one of the parent: name the parent's pom.xml",
    );
    one(
        "<project><dependencies><dependency><version>1</version></dependency></dependencies></project>",
        "there is no `<version>` of the project",
    );
    one(
        "<project><version>1</version><version>2</version></project>",
        "`<version>` stands here a second time",
    );
    one(
        "<project><version>${revision}${changelist}</version></project>",
        "put together as `${revision}${changelist}`: give a pattern",
    );
    one("<project><version>${gone}</version></project>", "put together as `${gone}`");
    one("<project><version><![CDATA[1]]></version></project>", "is not a plain string");
    one("<project><version>1<!-- x --></version></project>", "is not a plain string");
    one("<project><version>&#49;</version></project>", "is not a plain string");
    one("<project><version>one</version></project>", "`one` is not a version");
    one("<project>\n<version>1</project>", "pom.xml, line 2: ");
    one("<!DOCTYPE x [<!ENTITY a \"b\">]><project><version>1</version></project>", "pom.xml, line 1: ");
    one("<html/>", "this is no project of Maven's");
    one(
        "<project><version>1</version><modules><module>gone</module></modules></project>",
        "gone/pom.xml is not in the repository",
    );
    one(&format!("<project><version>1</version>{}", "<a>".repeat(50_000)), "pom.xml, line 1: ");
}

#[test]
fn gradle_scripts() {
    let groovy = r#"#!/usr/bin/env gradle
plugins {
    id 'java' version '9.9'
}
// version = '0.1'
/* version = '0.2' */
group = 'org.shop'
version '«1.2.3»'
allprojects {
    project.version = "«1.2.3»" // all
    repositories { maven { version = '0.3' } }
}
dependencies { implementation("a:b") { version { strictly '0.4' } } }
def x = [version: '0.5']
tasks.register('v') { version = '0.6' }
println(version == '0.7')
ext.version = '0.8'
"#;
    check(&["build.gradle"], &[("build.gradle", groovy)], "1.2.3", "1.3.0");
    let kotlin = "val version = \"0.1\"\nproject.version = \"\"\"«1.2.3»\"\"\";\nplugins { kotlin(\"jvm\") version \"0.2\" }\n";
    check(&["build.gradle.kts"], &[("build.gradle.kts", kotlin)], "1.2.3", "1.3.0");
    let properties = "# version=0\n! version=1\norg.gradle.args=-x \\\n  version=2\nversionCode=3\n version = «1.2.3» \nlib.version=4";
    check(&["gradle.properties"], &[("gradle.properties", properties)], "1.2.3", "1.3.0");
    for text in ["version: «1»\n", "version «1»\n", "version=«1»"] {
        check(&["gradle.properties"], &[("gradle.properties", text)], "1", "2");
    }

    let one =
        |file: &str, text: &str, expected: &str| refused(&[file], &[(file, text)], "1.0.0", &[expected]);
    one(
        "build.gradle",
        "version = \"$base\"\n",
        "build.gradle, line 1: `version` is not a plain string here: name the file",
    );
    one("build.gradle", "version = \"1\" + x\n", "is not a plain string here");
    one("build.gradle", "version = project.property('x')\n", "is not a plain string here");
    one("build.gradle", "plugins { id 'x' version '1' }\n", "there is no `version = \"1.2.3\"` in it");
    one("build.gradle", "version = '1'\nallprojects { version = '2' }\n", "line 1 says 1 and line 2 says 2");
    one("build.gradle", "x = 'open\nversion = '1'\n", "line 1: the string");
    one("build.gradle", "/* open", "line 1: the string");
    one("gradle.properties", "version=1\nversion=1\n", "line 2: `version` stands here a second time");
    one("gradle.properties", "version=1 # no comment\n", "`1 # no comment` is not a version");
    one("gradle.properties", "x=1\n", "there is no `version`");
}

#[test]
fn charts_and_other_keys() {
    let chart = "# A chart\napiVersion: v2\nname: \"shop\"\nversion: «1.2.3» # both\ndependencies:\n  - name: x\n    version: 1.2.3\nappVersion: \"«1.2.3»\"\n";
    check(&["chart/Chart.yaml"], &[("chart/Chart.yaml", chart)], "1.2.3", "1.3.0");
    let apart = "version: 0.3.1\nappVersion: '«1.2»'\nx: é\n";
    check(&["Chart.yaml#appVersion"], &[("Chart.yaml", apart)], "1.2", "1.3");
    check(
        &["Chart.yaml#appVersion", "Chart.yaml#version"],
        &[("Chart.yaml", "appVersion: «1.2.3»\nversion: «1.2.3»")],
        "1.2.3",
        "1.3.0-rc.1",
    );
    // A `v` stays, with quotes and without, and it is not a part of the version: both keys agree.
    for (open, close) in [("v", ""), ("\"v", "\""), ("'v", "' # v1.2.3")] {
        let chart = format!("version: «1.2.3»\nappVersion: {open}«1.2.3»{close}\nx: v1.2.3\n");
        check(&["Chart.yaml"], &[("Chart.yaml", chart.as_str())], "1.2.3", "1.3.0");
        let chart = format!("version: 0.3.1\nappVersion: {open}«1.2»{close}\n");
        check(&["Chart.yaml#appVersion"], &[("Chart.yaml", chart.as_str())], "1.2", "1.10");
    }
    // A number would not be read as the text that it is.
    let repo = Repo::from([("Chart.yaml".to_owned(), b"appVersion: 1.2.3\n".to_vec())]);
    let edits = ask(&repo, |known| set(&described(&["Chart.yaml#appVersion"]), known, "1.10")).unwrap();
    assert_eq!(edits[0].content, b"appVersion: \"1.10\"\n");

    check(
        &["a.json#x.version", "b.toml#tool.x-y.v", "c.yml#image.tag"],
        &[
            ("a.json", "{ \"version\": \"1.2\", \"x\": { \"version\": \"«1.2»\" } }"),
            ("b.toml", "v = \"1.2\"\n[tool]\nx-y.v = '''«1.2»'''\n"),
            ("c.yml", "# é\nimage: { name: \"é\", tag: \"«1.2»\" }\n"),
        ],
        "1.2",
        "1.3",
    );
    let one = |file: &str, text: &str, expected: &str| {
        refused(&[file], &[(file.split('#').next().unwrap(), text)], "1.0.0", &[expected]);
    };
    one(
        "Chart.yaml",
        "version: 1.0.0\nappVersion: 2.0.0\n",
        "Chart.yaml: line 1 says 1.0.0 and line 2 says 2.0.0",
    );
    one("Chart.yaml", "name: x\n", "there is no `version` or `appVersion` in it");
    one("Chart.yaml", "version: v1.0.0\n", "`v1.0.0` is not a version");
    one("Chart.yaml", "appVersion: vv1.0.0\n", "`vv1.0.0` is not a version");
    one("values.yaml#appVersion", "appVersion: v1.0.0\n", "`v1.0.0` is not a version");
    one("Chart.yaml", "version: 1.0.0\nappVersion: v2.0.0\n", "line 1 says 1.0.0 and line 2 says 2.0.0");
    one("Chart.yaml", "version: 1\nversion: 1\n", "line 2: `version` stands here a second time");
    one("Chart.yaml", "version: &v 1.0\nappVersion: *v\n", "`version` is not a plain string");
    one("Chart.yaml", "version: >\n  1.0\n", "`version` is not a plain string");
    one("Chart.yaml", "version: 1.0\n---\nversion: 1.0\n", "more than one document");
    one("Chart.yaml", "version: [1\n", "Chart.yaml, line ");
    one("Chart.yaml", &"[".repeat(10_000), "Chart.yaml, line 1: ");
    one("Chart.yaml", &"- ".repeat(100), "nested more than");
    one("Chart.yaml", "", "it is empty");
    one("a.json#x.y", "{ \"x\": 1 }", "there is no `x.y` in it");
    refused(
        &["Chart.yaml#version"],
        &[("Chart.yaml", "version: 1.0.0\n")],
        "1.2.3.4",
        &["more than the three numbers"],
    );
    for (path, key) in
        [("a.txt", "x"), ("a.json", ""), ("a.json", "a..b"), ("a.json", "a. b"), ("a.json", "\u{1b}")]
    {
        assert!(VersionFile::with_key(path, key).is_err(), "{path} {key:?}");
    }
}

#[test]
fn composer_and_its_hash() {
    let json = "{\n    \"name\": \"shop/shop\",\n    \"version\": \"«1.2.3»\",\n    \"require\": { \"php\": \">=8.1\", \"a/é\": \"^1\" },\n    \"extra\": { \"x\": [], \"y\": {}, \"n\": 1, \"t\": true, \"z\": null }\n}\n";
    let (plain, _) = unmarked(json, "");
    // The hash of {"extra":{"x":[],"y":[],"n":1,"t":true,"z":null},"name":"shop\/shop","require":{…},"version":…}, as md5sum tells it.
    let lock = "{\n    \"_readme\": [\"x\"],\n    \"content-hash\": \"«HASH1→HASH2»\",\n    \"packages\": [ { \"version\": \"1.2.3\" } ]\n}\n";
    let lock = lock
        .replace("HASH1", "a8043b08f8e9597d3622a42f50437f07")
        .replace("HASH2", "d35ae13838296f4d9addc10626e323e7");
    check(&["composer.json"], &[("composer.json", json), ("composer.lock", &lock)], "1.2.3", "1.3.0");
    // A hash that is out of step stays.
    let stale = "{ \"content-hash\": \"00000000000000000000000000000000\" }";
    check(
        &["composer.json"],
        &[("composer.json", &plain.replace("1.2.3", "«1.2.3»")), ("composer.lock", stale)],
        "1.2.3",
        "1.3.0",
    );
    refused(
        &["composer.json"],
        &[("composer.json", "{ \"name\": \"x\" }")],
        "1.0.0",
        &["there is no `version` (Composer takes it from git's tags then)"],
    );
    refused(
        &["composer.json"],
        &[("composer.json", "{ \"version\": \"1.0\" }")],
        "1.0-nightly.1",
        &["is no version of Composer's"],
    );
}

#[test]
fn go_modules() {
    let files = [
        ("go.mod", "// A module\nmodule \"example.org/x/v2\" // here\n\ngo 1.24\n"),
        ("VERSION", "«2.1.0»\n"),
    ];
    check(&["go.mod", "VERSION"], &files, "2.1.0", "2.2.0");
    let repo: Repo =
        files.iter().map(|(path, text)| ((*path).to_owned(), unmarked(text, "").0.into_bytes())).collect();
    let said = ask(&repo, |known| survey(&described(&["go.mod", "VERSION"]), known));
    assert_eq!(said.said.len(), 1, "a module says no version");
    refused(
        &["go.mod"],
        &[("go.mod", "module example.org/x\n")],
        "2.0.0",
        &["go.mod, line 1: 2.0.0 asks for the module path `example.org/x/v2`, and this is `example.org/x`"],
    );
    refused(&["go.mod"], &[("go.mod", "go 1.24\n")], "1.0.0", &["there is no `module` line"]);
}

#[test]
fn all_or_nothing_and_every_reason() {
    let mut known = Known::default();
    let path = |text: &str| RepoPath::new(text).unwrap();
    known.file(path("VERSION"), Content::Bytes(b"1.0\n".to_vec()));
    known.file(
        path("link/VERSION"),
        Content::Unreadable("it is a symbolic link, which is not followed".into()),
    );
    known.file(path("a.py"), Content::Bytes(b"x = 1\n".to_vec()));
    known.file(path("b/Chart.yaml"), Content::Bytes(b"version: \xff\n".to_vec()));
    known.file(path("big.json"), Content::Bytes(vec![b' '; FILE_MAX_BYTES + 1]));
    let files = described(&["VERSION", "link/VERSION", "a.py", "b/Chart.yaml", "big.json#v", "gone/VERSION"]);
    let Progress::Need(need) = set(&files, &known, "1.1") else { panic!("it asks for what it has not got") };
    assert_eq!(need.files.iter().map(RepoPath::as_str).collect::<Vec<_>>(), ["gone/VERSION"]);
    known.file(path("gone/VERSION"), Content::Missing);
    let Progress::Done(Err(errors)) = set(&files, &known, "1.1") else { panic!() };
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "link/VERSION: it is a symbolic link, which is not followed",
            "a.py: no version was found: write `version=\"1.2.3\"` in the call of `setup`, or `__version__ = \"1.2.3\"`",
            "b/Chart.yaml, line 1: this is not UTF-8 text",
            "big.json: the file is 4194305 bytes long, and at most 4194304 are read: keep the version in a smaller file",
            "gone/VERSION is not in the repository: correct its name, or add the file",
        ]
    );
    let same = [
        VersionFile::guess("VERSION").unwrap(),
        VersionFile::with_pattern("VERSION", "1{version}", 1).unwrap(),
    ];
    let mut one = Known::default();
    one.file(path("VERSION"), Content::Bytes(b"11.0\n".to_vec()));
    let Progress::Done(Err(errors)) = set(&same, &one, "1.1") else { panic!() };
    assert!(matches!(errors[..], [EditError::Overlap { .. }]), "{errors:?}");
    let Progress::Done(Err(errors)) = set(&same, &one, "v1") else { panic!() };
    assert!(matches!(errors[..], [EditError::NotAVersion { .. }]), "{errors:?}");
}

#[test]
fn files_that_disagree_are_told_with_their_places() {
    let repo: Repo =
        [("VERSION", "1.2\n"), ("a.py", "\nVERSION = '1.2.0'\n"), ("b.py", "\nVERSION = '1.3'\n")]
            .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
            .into();
    let said = ask(&repo, |known| survey(&described(&["VERSION", "a.py", "b.py"]), known));
    let (first, others) = said.disagreeing().unwrap();
    assert_eq!(first.version, "1.2");
    let others: Vec<_> =
        others.iter().map(|said| (said.path.as_str(), said.line, said.version.as_str())).collect();
    assert_eq!(others, [("b.py", 2, "1.3")]);
}
