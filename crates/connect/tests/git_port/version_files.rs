//! Version files in real repositories, and what the tools that read them say of the edits.

use std::path::Path;
use std::process::Command;

use tollgate_core::version_file::{Content, Known, Progress, VersionFile, scope, set};
use tollgate_engine::ports::Source as _;
use tollgate_testkit::sshd::skipped;

use crate::{World, permanent};

#[tokio::test]
async fn files_are_listed_by_name_and_folder() {
    let world = World::new();
    let user = world.checkout();
    for path in [
        "Cargo.toml",
        "crates/a/Cargo.toml",
        "crates/b/c/Cargo.toml",
        "crates/NotCargo.toml",
        "cratesx/Cargo.toml",
    ] {
        user.commit(path, "x", path);
    }
    std::os::unix::fs::symlink("../a", user.folder.join("crates/b/Cargo.toml")).unwrap();
    user.git(&["add", "."]);
    user.git(&["commit", "--quiet", "-m", "a link"]);
    user.git(&["push", "--quiet", "origin", "main"]);
    world.refresh().await;
    let main = world.main().await;
    let list = async |folder: &str| {
        world.git.list_files(&world.repository, &main, folder, "Cargo.toml").await.unwrap()
    };
    let inside = ["crates/a/Cargo.toml", "crates/b/c/Cargo.toml"];
    assert_eq!(list("").await, ["Cargo.toml", inside[0], inside[1], "cratesx/Cargo.toml"]);
    assert_eq!(list("crates").await, inside);
    assert!(list("gone").await.is_empty());
    permanent(world.git.list_files(&world.repository, &main, "../x", "Cargo.toml").await);
    permanent(world.git.list_files(&world.repository, &main, "", "../x").await);
}

#[tokio::test]
async fn a_working_copy_is_read_as_it_is() {
    let world = World::new();
    let user = world.checkout();
    let write = |path: &str, text: &str| {
        let path = user.folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(".gitignore", "ignored/\n");
    write("new/VERSION", "3");
    write("ignored/VERSION", "4");
    std::fs::write(world.path("secret"), "s").unwrap();
    std::os::unix::fs::symlink(world.path("secret"), user.folder.join("link")).unwrap();
    std::os::unix::fs::symlink(world.folder.path(), user.folder.join("out")).unwrap();
    let copy = world.git.checkout(&user.folder).await.unwrap();
    let read = async |path: &str| world.git.working_file(&copy, path).await;
    assert_eq!(read("new/VERSION").await.unwrap().as_deref(), Some(&b"3"[..]), "what is not committed");
    for none in ["gone", "new", "VERSION/x", "new/gone/x"] {
        assert_eq!(read(none).await.unwrap(), None, "{none}");
    }
    for link in ["link", "out/secret"] {
        assert!(permanent(read(link).await).why.contains("symbolic link"), "{link}");
    }
    for outside in ["../secret", "/etc/passwd", ".git/config", "a\\b"] {
        permanent(read(outside).await);
    }
    let mut found = world.git.working_files(&copy, "", "VERSION").await.unwrap();
    found.sort();
    assert_eq!(found, ["VERSION", "new/VERSION"]);
    assert_eq!(world.git.working_files(&copy, "new", "VERSION").await.unwrap(), ["new/VERSION"]);
}

/// Sets the version in the files of a folder.
fn set_in(folder: &Path, declared: &[&str], version: &str) {
    let files: Vec<VersionFile> = declared.iter().map(|path| VersionFile::guess(path).unwrap()).collect();
    let mut known = Known::default();
    let edits = loop {
        let need = match set(&files, &known, version) {
            Progress::Done(edits) => break edits.unwrap(),
            Progress::Need(need) => need,
        };
        for path in need.files {
            let content = std::fs::read(folder.join(path.as_str())).map_or(Content::Missing, Content::Bytes);
            known.file(path, content);
        }
        for glob in &need.listings {
            let (below, name) = scope(glob);
            let folders = std::fs::read_dir(folder.join(below)).unwrap().flatten();
            let paths =
                folders.map(|entry| format!("{below}/{}/{name}", entry.file_name().to_str().unwrap()));
            known.listing(glob, paths.filter(|path| folder.join(path).is_file()).collect::<Vec<_>>());
        }
    };
    for edit in edits {
        std::fs::write(folder.join(edit.path.as_str()), edit.content).unwrap();
    }
}

/// What a tool prints, if it is there.
fn tool(folder: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let output = match command.args(arguments).current_dir(folder).output() {
        Ok(output) => output,
        Err(error) => {
            skipped(&format!("{program}: {error}"));
            return None;
        }
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn written(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

#[test]
fn cargo_takes_an_edited_workspace_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    written(
        folder,
        &[
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n[workspace.package]\nversion = \"1.2.3\" # all\n[workspace.dependencies]\na = { path = \"crates/a\", version = \"1.2\" }\n",
            ),
            (
                "crates/a/Cargo.toml",
                "[package]\nname = \"a\"\nversion.workspace = true\nedition = \"2024\"\n",
            ),
            ("crates/a/src/lib.rs", ""),
            (
                "crates/b/Cargo.toml",
                "[package]\nname = \"b\"\nversion.workspace = true\n[dependencies]\na.workspace = true\n[build-dependencies]\na = { path = \"../a\", version = \"=1.2.3\" }\n",
            ),
            ("crates/b/src/lib.rs", ""),
        ],
    );
    if tool(folder, "cargo", &["generate-lockfile", "--offline"]).is_none() {
        return;
    }
    for version in ["1.3.0-rc.1", "2.0.0"] {
        set_in(folder, &["Cargo.toml"], version);
        let said =
            tool(folder, "cargo", &["metadata", "--offline", "--locked", "--format-version=1"]).unwrap();
        assert_eq!(said.matches(&format!("\"version\":\"{version}\"")).count(), 2, "{said}");
    }
}

#[test]
fn npm_takes_an_edited_workspace_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    written(
        folder,
        &[
            (
                "package.json",
                "{ \"name\": \"shop\", \"version\": \"1.2.3\", \"workspaces\": [\"packages/*\"] }\n",
            ),
            ("packages/a/package.json", "{ \"name\": \"@shop/a\", \"version\": \"1.2.3\" }\n"),
            (
                "packages/b/package.json",
                "{ \"name\": \"@shop/b\", \"version\": \"0.1.0\", \"dependencies\": { \"@shop/a\": \"^1.2.3\" } }\n",
            ),
        ],
    );
    let quiet = ["--offline", "--no-audit", "--no-fund", "--ignore-scripts"];
    if tool(folder, "npm", &[&["install", "--package-lock-only"][..], &quiet].concat()).is_none() {
        return;
    }
    set_in(folder, &["package.json", "packages/a/package.json"], "2.0.0");
    assert_eq!(tool(folder, "npm", &["pkg", "get", "version"]).unwrap().trim(), "\"2.0.0\"");
    // Fails when the lock file and the packages do not fit.
    tool(folder, "npm", &[&["ci", "--dry-run"][..], &quiet].concat()).unwrap();
    let before = std::fs::read(folder.join("package-lock.json")).unwrap();
    tool(folder, "npm", &[&["install", "--package-lock-only"][..], &quiet].concat()).unwrap();
    let after = std::fs::read(folder.join("package-lock.json")).unwrap();
    assert_eq!(
        String::from_utf8(before).unwrap(),
        String::from_utf8(after).unwrap(),
        "npm would write the same"
    );
}

#[test]
fn python_reads_an_edited_project() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    written(
        folder,
        &[
            ("pyproject.toml", "[project]\nname = \"shop\"\nversion = '1.2.3' # here\n"),
            ("setup.cfg", "[metadata]\nname = shop\nversion = 1.2.3\n"),
            ("shop/__init__.py", "\"\"\"Shop.\"\"\"\n__version__ = \"1.2.3\"\n"),
        ],
    );
    set_in(folder, &["pyproject.toml", "setup.cfg", "shop/__init__.py"], "1.3.0-rc.1");
    let script = "import tomllib, configparser, shop\nc = configparser.ConfigParser(); c.read('setup.cfg')\nprint(tomllib.load(open('pyproject.toml', 'rb'))['project']['version'], c['metadata']['version'], shop.__version__)";
    if let Some(said) = tool(folder, "python3", &["-c", script]) {
        assert_eq!(said.trim(), "1.3.0rc1 1.3.0rc1 1.3.0rc1");
    }
}
