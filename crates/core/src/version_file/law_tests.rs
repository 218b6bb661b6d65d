//! For every kind of file, whatever else stands in it: what is set is read by those who read such files, every other byte
//! stays, and setting the old version again gives the old file.

use proptest::prelude::*;

use super::*;

/// Reads the version as the format's own reader does; nothing where it does not take the file.
type Reader = fn(&str) -> Option<String>;

/// A file with the version between two texts.
#[derive(Debug, Clone)]
struct Sample {
    file: VersionFile,
    before: String,
    after: String,
    reader: Option<Reader>,
}

fn toml_value(text: &str, keys: &[&str]) -> Option<String> {
    let document: toml_edit::DocumentMut = text.parse().ok()?;
    let mut item = document.as_item();
    for key in keys {
        item = item.get(key)?;
    }
    item.as_str().map(ToOwned::to_owned)
}

fn json_version(text: &str) -> Option<String> {
    serde_json::from_str::<serde_json::Value>(text).ok()?["version"].as_str().map(ToOwned::to_owned)
}

fn pom_version(text: &str) -> Option<String> {
    let document = roxmltree::Document::parse(text).ok()?;
    let of_project = |node: &roxmltree::Node<'_, '_>| node.has_tag_name("version");
    document.root_element().children().find(of_project)?.text().map(|text| text.trim().to_owned())
}

const TOML: &str = "(# [ -~é]{0,12}\r?\n|[a-z]{2}[0-9]{3} *= *(\"[0-9]\\.[0-9]\"|'version'|1\\.5|\\[ 1, # x\n 2 \\]) *(# version = \"0\\.1\")?\n|\r?\n|\\[[a-z]{2}[0-9]{3}\\]\nversion = \"9\\.9\"\n){0,4}";
const JSON: &str = "( |\n|\t|\r\n|\"[a-z]{2}[0-9]{3}\" *: *(\"9\\.9\"|null|1e5|\\{ \"version\": \"9\\.9\" \\}|\\[ \"version\", \"\\\\u00e9\" \\]),){0,4}";
const XML: &str = "( |\n|<!-- <version>9\\.9</version> -->|<[a-z]{2}[0-9]><version>9\\.9</version></[a-z]{2}0>|<dependencies><dependency><version>9\\.9</version></dependency></dependencies>|<parent><version>9\\.9</version></parent>|<name>&amp;<!\\[CDATA\\[<version>]]></name>){0,3}";
const YAML: &str = "(# [ -~é]{0,12}\n|[a-z]{2}[0-9]{3}: (9\\.9|\"version: 9\"|'it''s'|\\[a, b\\]) *\n|[a-z]{2}[0-9]{3}:\n  version: 9\\.9\n|[a-z]{2}[0-9]{3}: \\|\n  version: 9\n|\n){0,4}";
const INI: &str =
    "([#;] version = 9\r?\n|[a-z]{2} = version = 9\r?\n|\r?\n|  version = 9\r?\n|versions: 9\r?\n){0,4}";
const PROPERTIES: &str =
    "([#!] version=9\r?\n|[a-z]{2}\\.version=9\r?\n|a=b\\\\\r?\n version=9\r?\n|\r?\n|versions=9\n){0,4}";
const GRADLE: &str = "(// version = '9'\r?\n|/\\* version = '9' \\*/|plugins \\{ id 'a' version '9' \\}\n|def [a-z]{2} = \"version = '9'\"\n|tasks\\.x \\{ version = '9' \\}\n|group = 'version'\r?\n|println\\(version\\)\n|\n){0,4}";

fn samples() -> impl Strategy<Value = Sample> {
    let of = |path: &'static str,
              noise: &'static str,
              around: (&'static str, &'static str),
              reader: Option<Reader>| {
        (noise, noise, "['\"]").prop_map(move |(one, other, quote)| {
            let fill = |text: &str| text.replace("NOISE", "").replace('Q', &quote);
            let (start, end) = around;
            Sample {
                file: VersionFile::guess(path).unwrap(),
                before: fill(&start.replace("NOISE", &one)),
                after: fill(&end.replace("NOISE", &other)),
                reader,
            }
        })
    };
    prop_oneof![
        of(
            "Cargo.toml",
            TOML,
            ("NOISE[package]\nname = 'x'\nversion=Q", "Q # 9.9\nNOISE"),
            Some(|text| toml_value(text, &["package", "version"]))
        ),
        of(
            "Cargo.toml",
            TOML,
            ("NOISE[workspace.package]\nversion = Q", "Q\nNOISE"),
            Some(|text| toml_value(text, &["workspace", "package", "version"]))
        ),
        of(
            "pyproject.toml",
            TOML,
            ("NOISE[project]\nversion = Q", "Q\nNOISE"),
            Some(|text| toml_value(text, &["project", "version"]))
        ),
        of("package.json", JSON, ("{NOISE\"version\" :\"", "\", NOISE \"z\": 1 }"), Some(json_version)),
        of("composer.json", JSON, ("{NOISE\"version\":\n\"", "\", NOISE \"z\": {} }"), Some(json_version)),
        of("pom.xml", XML, ("<project>NOISE<version> ", "\n</version>NOISE</project>\n"), Some(pom_version)),
        of("Chart.yaml", YAML, ("NOISEversion: Q", "Q\nNOISE"), None),
        of("Chart.yaml", YAML, ("NOISEappVersion: Qv", "Q\nNOISE"), None),
        of("Chart.yaml", YAML, ("NOISEappVersion: v", " # v0.1\nNOISE"), None),
        of(
            "setup.cfg",
            INI,
            ("[x]\nversion = 9\n[metadata]\nNOISEversion = ", " \r\nNOISE[options]\nversion = 9\n"),
            None
        ),
        of("gradle.properties", PROPERTIES, ("NOISEversion = ", "\nNOISE"), None),
        of("build.gradle", GRADLE, ("NOISE\nversion = Q", "Q\nNOISE"), None),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_kind_keeps_everything_else(
        sample in samples(),
        old in "[1-9]\\.(0|[1-9][0-9]?)\\.(0|[1-9][0-9]?)",
        new in "[1-9]\\.(0|[1-9][0-9]?)\\.([0-9]|[1-9][0-9])",
        mark in any::<bool>(),
    ) {
        let Sample { file, before, after, reader } = sample;
        let whole = |version: &str| format!("{before}{version}{after}");
        let text = whole(&old);
        let bytes = |text: &str| {
            let bom: &[u8] = if mark { b"\xef\xbb\xbf" } else { b"" };
            [bom, text.as_bytes()].concat()
        };
        match file.read(&bytes(&text)) {
            Ok(found) => {
                prop_assert_eq!(&found, &old);
                if let Some(reader) = reader {
                    prop_assert_eq!(reader(&text), Some(old.clone()), "{}", text);
                    prop_assert_eq!(reader(&whole(&new)), Some(new.clone()));
                }
                let edited = file.set(&bytes(&text), &new).unwrap();
                let wanted = bytes(&whole(&new));
                prop_assert_eq!(&edited, &wanted, "{}", text);
                prop_assert_eq!(file.set(&edited, &old).unwrap(), bytes(&text));
            }
            // What stands around it by chance may break the file: then its own reader does not take it either.
            Err(error) => {
                let broken = matches!(error, ReadError::Syntax { .. } | ReadError::Doubled { .. });
                let continued = matches!(error, ReadError::NotALiteral { .. }) && after.contains("  version = 9");
                prop_assert!(broken || continued, "{}\n{}", error, text);
                if let Some(reader) = reader.filter(|_| !matches!(error, ReadError::Doubled { .. })) {
                    prop_assert_eq!(reader(&text), None, "{}", error);
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
        source in "(version|\\[package\\]|\\[|\\]|=|:|\"1\\.2\\.3\"|'|\"|#|//|/\\*|\n|\\{|\\}|,|<project>|</project>|<version>|</version>|1\\.2|\\$|-|  |module |\\\\|&v|\\*v|\u{feff}){0,25}",
    ) {
        let paths = ["Cargo.toml", "pyproject.toml", "setup.cfg", "package.json", "composer.json", "pom.xml", "build.gradle", "gradle.properties", "Chart.yaml", "go.mod"];
        for path in paths {
            let file = VersionFile::guess(path).unwrap();
            for bytes in [bytes.as_slice(), source.as_bytes()] {
                if let Ok(old) = file.read(bytes) {
                    prop_assert_eq!(file.set(bytes, &old).unwrap_or_default().len(), bytes.len(), "{} {}", path, source);
                }
            }
        }
    }
}
