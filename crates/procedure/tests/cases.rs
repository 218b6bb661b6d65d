//! Procedure files with what has to come out of them: the model of the valid ones, the messages of the others.
//!
//! `UPDATE_GOLDEN=1` writes down what comes out now.

use std::fs;
use std::path::{Path, PathBuf};

use tollgate_procedure::{Code, Loaded, examine};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Reads a file as the command line would: others come from the same folder.
fn load_file(path: &Path) -> Loaded {
    let text = fs::read_to_string(path).unwrap();
    let folder = path.parent().unwrap();
    let loader =
        |name: &str| fs::read_to_string(folder.join(name)).map_err(|_| "there is no such file".to_owned());
    let now = "2026-01-01T00:00Z".parse().unwrap();
    examine(&text, path.file_name().unwrap().to_str().unwrap(), &loader, now)
}

fn cases(folder: &str) -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    cases.sort();
    cases
}

/// Compares with what is written down, or writes it down. Gives what differs.
fn golden(path: &Path, found: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    let update = std::env::var("UPDATE_GOLDEN").is_ok();
    if update {
        fs::write(path, found).unwrap();
        return None;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    (expected != found).then(|| format!("=== {name}: expected\n{expected}=== found\n{found}"))
}

fn assert_all(differences: Vec<String>) {
    assert!(
        differences.is_empty(),
        "{} differ; UPDATE_GOLDEN=1 takes them over\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[test]
fn valid_files_give_the_model() {
    let mut differences = Vec::new();
    for path in cases("valid").into_iter().filter(|path| !path.ends_with("people.yaml")) {
        let loaded = load_file(&path);
        assert!(loaded.diagnostics.is_empty(), "{}\n{}", path.display(), loaded.render(false));
        // Serialized by itself, since the order of environments and gates means something.
        let found = serde_json::to_string_pretty(&(loaded.definition, loaded.policy)).unwrap() + "\n";
        differences.extend(golden(&path.with_extension("json"), &found));
    }
    assert_all(differences);
}

#[test]
fn invalid_files_say_what_is_wrong() {
    let mut differences = Vec::new();
    let cases = cases("invalid");
    for path in &cases {
        let loaded = load_file(path);
        assert!(!loaded.diagnostics.is_empty(), "nothing is wrong with {}", path.display());
        assert_eq!(loaded.has_errors(), loaded.definition.is_none(), "{}", path.display());
        differences.extend(golden(&path.with_extension("txt"), &loaded.render(false)));
    }
    assert_all(differences);
}

#[test]
fn templates_load_without_a_word() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates");
    let mut found = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path().join("tollgate.yaml");
        let loaded = load_file(&path);
        assert!(loaded.diagnostics.is_empty(), "{}\n{}", path.display(), loaded.render(false));
        assert!(loaded.definition.is_some() && loaded.policy.is_some());
        found += 1;
    }
    assert!(found >= 6, "the templates are gone");
}

#[test]
fn every_code_has_a_case() {
    let texts: String = cases("invalid")
        .iter()
        .map(|path| fs::read_to_string(path.with_extension("txt")).unwrap_or_default())
        .collect();
    let without: Vec<&str> = Code::ALL
        .iter()
        .map(|code| code.as_str())
        .filter(|code| !texts.contains(&format!("[{code}]")))
        .collect();
    assert!(without.is_empty(), "no case shows {without:?}");
}
