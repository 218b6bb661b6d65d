use proptest::prelude::*;

use super::*;

fn file(path: &str) -> VersionFile {
    VersionFile::guess(path).unwrap()
}

fn with_pattern(text: &str, count: u32) -> VersionFile {
    VersionFile::with_pattern("app/Cargo.toml", text, count).unwrap()
}

/// `«1.2.3»` marks the places in `marked`; or the error that is expected, in part.
fn check(file: &VersionFile, marked: &str, expected: Result<&str, &str>) {
    let plain = marked.replace(['«', '»'], "");
    match (file.read(plain.as_bytes()), expected) {
        (Ok(found), Ok(version)) => {
            assert_eq!(found, version, "{plain:?}");
            for new in ["10.20.30", version] {
                let parts: Vec<&str> = marked.split(['«', '»']).collect();
                let wanted: String =
                    parts.iter().enumerate().map(|(i, part)| if i % 2 == 1 { new } else { *part }).collect();
                let edited = file.set(plain.as_bytes(), new).unwrap();
                assert_eq!(String::from_utf8(edited).unwrap(), wanted);
            }
        }
        (Err(error), Err(part)) => {
            assert!(error.to_string().contains(part), "{plain:?}: {error}");
            assert_eq!(file.set(plain.as_bytes(), "2.0.0"), Err(EditError::Read(error)));
        }
        (found, _) => panic!("{plain:?}: {found:?}"),
    }
}

#[test]
fn a_file_that_is_the_version() {
    let cases = [
        ("«1.9.0»\n", Ok("1.9.0")),
        ("«1.9.0»", Ok("1.9.0")),
        ("«1.9.0»\r\n", Ok("1.9.0")),
        ("\n  «3.99» \t\n\n", Ok("3.99")),
        ("\u{feff}«1.0»\n", Ok("1.0")),
        ("«1.0rc1+x-2»\n", Ok("1.0rc1+x-2")),
        ("v1.9.0\n", Err("VERSION, line 1: `v1.9.0` is not a version")),
        ("\n\nnext\n", Err("VERSION, line 3: `next` is not")),
        ("1.9.0\n\n# comment\n", Err("VERSION, line 3: there is more")),
        ("1.9.0 # comment\n", Err("line 1: `1.9.0 # comment` is not")),
        ("1.9.\n", Err("is not a version")),
        ("", Err("VERSION, line 1: `` is not a version")),
        ("1.0\u{1b}[2J", Err("`1.0[2J` is not a version")),
    ];
    for (text, expected) in cases {
        check(&file("VERSION"), text, expected);
    }
    assert!(file("VERSION").read(b"1.\xff\n").is_err());
    assert!(matches!(file("VERSION").read(&vec![b' '; FILE_MAX_BYTES + 1]), Err(ReadError::TooLarge { .. })));
}

#[test]
fn python_source() {
    let cases = [
        ("setup(name='x', version='«1.7.0»', python_requires='>=2.7')\n", Ok("1.7.0")),
        ("setuptools.setup(\n    version = \"«1.7.0»\"  # version='0.0.1'\n)\n", Ok("1.7.0")),
        ("# version='0.1'\nsetup(version=u'«1.7.0»')", Ok("1.7.0")),
        ("\"\"\"setup(version='0.1')\"\"\"\nsetup(version=\"\"\"«1.7.0»\"\"\")\n", Ok("1.7.0")),
        ("__version__ = '«1.7.0»'\n", Ok("1.7.0")),
        ("__version__: str = '«1.7.0»' # the version\n", Ok("1.7.0")),
        ("__version__ = \\\n  '«1.7.0»'; x = 1\n", Ok("1.7.0")),
        ("VERSION='«1.7.0»'\r\nsetup(version=VERSION)\r\n", Ok("1.7.0")),
        ("release = \"«1.7.0»\"\nsetup(version=release)\n", Ok("1.7.0")),
        ("__version__ = '«1.7.0»'\nsetup(version='«1.7.0»')\n", Ok("1.7.0")),
        ("__version__ = get()\nsetup(version='«1.7.0»')\n", Ok("1.7.0")),
        ("\u{feff}VERSION = '«1.7.0»'", Ok("1.7.0")),
        // Not the version, though it looks like it.
        (
            "version = '0.1'\nif x:\n    VERSION = '0.2'\nd['version'] = '0.3'\nx.VERSION = '0.4'\n\
             run(version='0.5', x=dict(version='0.6'))\nsetup(x=run(version='0.7'), long='version=\"0.8\"',\n\
             api_version='0.9', y=[version == '1.0'], **{'version': '1.1'}, version='«1.7.0»')\n\
             def setup(version='1.2'): pass\nVERSION == '1.3'\n(\nVERSION = '1.4')\n",
            Ok("1.7.0"),
        ),
        (
            "x = 'it''s'; s = \"\\\"version='0.1'\\\"\"\nsetup(v=r'\\', w=2, version='0.1')\n'",
            Err("does not end"),
        ),
        // Errors.
        ("setup(name='x')\n", Err("setup.py: no version was found: write `version=\"1.2.3\"`")),
        ("", Err("no version was found")),
        ("x = 1\nsetup(version=get_version())\n", Err("setup.py, line 2: `version` is not a plain string")),
        ("setup(version=f'{a}.0')\n", Err("`version` is not a plain string")),
        ("setup(version=b'1.0')\n", Err("`version` is not a plain string")),
        ("setup(version='1.' '0')\n", Err("`version` is not a plain string")),
        ("setup(version='1.0' + x)\n", Err("`version` is not a plain string")),
        ("VERSION = (1, 2, 3)\n", Err("line 1: `VERSION` is not a plain string")),
        ("VERSION = a = '1.0'\n", Err("line 1: `VERSION` is not a plain string")),
        (
            "__version__ = '1.0'\nsetup(\n  version='next')\n",
            Err("setup.py, line 3: `next` is not a version"),
        ),
        (
            "VERSION = '1.0'\n\nsetup(version='1.1')\n",
            Err("setup.py: line 1 says 1.0 and line 3 says 1.1: make them agree"),
        ),
        (
            "x = 1\ny = 'open\nVERSION = '1.0'\n",
            Err("setup.py, line 2: the string that begins here does not end"),
        ),
        ("x = '''open\n", Err("line 1: the string")),
        ("x = 'open\\", Err("line 1: the string")),
    ];
    for (text, expected) in cases {
        check(&file("setup.py"), text, expected);
    }
    // An old encoding is kept.
    let edited = file("setup.py").set(b"# \xe9\nsetup(author='\xe9', version='1.0')\n", "1.1").unwrap();
    assert_eq!(edited, b"# \xe9\nsetup(author='\xe9', version='1.1')\n");
}

#[test]
fn patterns() {
    let cases = [
        ("version = \"{version}\"", 1, "[package]\nversion = \"«1.2.3»\"\n", Ok("1.2.3")),
        ("v{version}", 1, "dev2.0 v«1.2.3».\n", Ok("1.2.3")),
        ("{version}-beta", 1, "«1.2.3»-beta 9-betas\n", Ok("1.2.3")),
        ("{version} (today)", 1, "x1 (today) «1.2» (today)", Ok("1.2")),
        ("app:{version}", 2, "app:«1.2.3»\r\nmyapp:9\r\napp:«1.2.3»", Ok("1.2.3")),
        (
            "name = \"a\"\nversion = \"{version}\"",
            1,
            "version = \"9\"\r\nname = \"a\"\r\nversion = \"«1.2»\"\r\n",
            Ok("1.2"),
        ),
        ("é {version}", 1, "é «1.2»", Ok("1.2")),
        (
            "v={version}",
            1,
            "v=1\nv=2\n",
            Err("app/Cargo.toml: matches of the pattern `v={version}`: 2 (line 1, 2), expected: 1; correct"),
        ),
        ("v={version}", 1, "v=x\n", Err("`: 0, expected: 1; correct the pattern or its count")),
        ("v={version}", 1, "", Err("`: 0, expected: 1")),
        ("v={version}", 2, "v=1\n\nv=2\n", Err("line 1 says 1 and line 3 says 2")),
        ("v={version}", 3, "v=1 v=1\n", Err(": 2 (line 1, 1), expected: 3")),
    ];
    for (pattern, count, text, expected) in cases {
        check(&with_pattern(pattern, count), text, expected);
    }
    let long = format!("v={}", "1".repeat(VERSION_MAX_BYTES + 1));
    check(&with_pattern("v={version}", 1), &long, Err("`: 0, expected: 1"));
    check(&with_pattern("v={version};", 1), &format!("{long};"), Err("`: 0, expected: 1"));
    // The new version would be taken for less than it is.
    let error = with_pattern("{version}-x", 1).set(b"1.2-x", "1-x.3").unwrap_err();
    assert!(matches!(error, EditError::NotReadBack { .. }), "{error}");
}

#[test]
fn patterns_are_checked() {
    let cases = [
        ("version", "has to hold `{version}` exactly once"),
        ("{version} {version}", "exactly once"),
        ("{version}", "needs some text beside"),
        (" {version}\n", "needs some text beside"),
        ("a\0{version}", "cannot be shown"),
        ("a\u{202e}{version}", "cannot be shown"),
    ];
    for (text, expected) in cases {
        let error = PatternText::new(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
    assert_eq!(PatternText::new(&"x".repeat(300)), Err(PatternError::TooLong));
    let error = VersionFile::with_pattern("a.toml", "v{version}", 0).unwrap_err().to_string();
    assert_eq!(error, "a.toml: the count of a pattern is at least 1");
}

#[test]
fn new_versions_are_checked() {
    let long = "1".repeat(VERSION_MAX_BYTES + 1);
    for bad in ["", "v1", "1.", "1 2", "1\n", "1\"", "1\u{e9}", "-1", &long] {
        let error = file("VERSION").set(b"1.0\n", bad).unwrap_err();
        assert!(matches!(error, EditError::NotAVersion { .. }), "{bad:?}");
    }
}

#[test]
fn paths_are_checked() {
    use PathFault::*;
    for good in
        ["VERSION", "a/b/setup.py", "ünï/version.txt", "a b/VERSION", "..a/VERSION", ".github/version.txt"]
    {
        assert!(RepoPath::new(good).is_ok(), "{good}");
    }
    let cases = [
        ("", Empty),
        ("/etc/VERSION", Absolute),
        ("C:/VERSION", Absolute),
        ("c:VERSION", Absolute),
        ("../VERSION", Part),
        ("a/../VERSION", Part),
        ("a/..", Part),
        ("./VERSION", Part),
        ("a//VERSION", Part),
        ("a/", Part),
        ("-VERSION", Option),
        ("--output=x", Option),
        ("a\\b", Backslash),
        ("a\0b", Unprintable),
        ("a\nb", Unprintable),
        ("a\tb", Unprintable),
        ("a\u{202e}b", Unprintable),
        (".git/config", Git),
        ("a/.GIT/hooks", Git),
    ];
    for (path, fault) in cases {
        assert_eq!(RepoPath::new(path).unwrap_err().fault, fault, "{path:?}");
    }
    assert_eq!(RepoPath::new("a".repeat(PATH_MAX_BYTES + 1)).unwrap_err().fault, TooLong);
}

#[test]
fn rules_are_guessed() {
    let cases = [
        ("VERSION", Some(FileRule::Whole)),
        ("a/version.txt", Some(FileRule::Whole)),
        ("setup.py", Some(FileRule::Python)),
        ("app/__init__.py", Some(FileRule::Python)),
        ("Cargo.toml", Some(FileRule::Cargo)),
        ("a/pyproject.toml", Some(FileRule::Pyproject)),
        ("setup.cfg", Some(FileRule::SetupCfg)),
        ("ui/package.json", Some(FileRule::Npm)),
        ("composer.json", Some(FileRule::Composer)),
        ("pom.xml", Some(FileRule::Pom)),
        ("build.gradle", Some(FileRule::Gradle)),
        ("build.gradle.kts", Some(FileRule::Gradle)),
        ("gradle.properties", Some(FileRule::Properties)),
        ("chart/Chart.yaml", Some(FileRule::Chart)),
        ("go.mod", Some(FileRule::GoMod)),
        ("debian/changelog", Some(FileRule::Debian)),
        ("packaging/debian/changelog", Some(FileRule::Debian)),
        ("changelog", None),
        ("mydebian/changelog", None),
        ("cargo.toml", None),
        ("VERSION.md", None),
    ];
    for (path, rule) in cases {
        assert_eq!(VersionFile::guess(path).ok().map(|file| file.rule), rule, "{path}");
    }
    let error = VersionFile::guess("app.toml").unwrap_err().to_string();
    assert!(error.ends_with("give a pattern such as `version = \"{version}\"`"), "{error}");
    assert!(matches!(VersionFile::guess("../VERSION"), Err(DescriptionError::Path(_))));
}

#[test]
fn the_stored_form() {
    let check = |file: &VersionFile, json: &str| {
        assert_eq!(serde_json::to_string(file).unwrap(), json);
        assert_eq!(&serde_json::from_str::<VersionFile>(json).unwrap(), file);
    };
    check(&file("VERSION"), r#"{"path":"VERSION","rule":"whole"}"#);
    check(
        &with_pattern("v{version}", 2),
        r#"{"path":"app/Cargo.toml","rule":{"pattern":{"text":"v{version}","count":2}}}"#,
    );
    let once: Pattern = serde_json::from_str(r#"{"text":"v{version}"}"#).unwrap();
    assert_eq!(once, Pattern::new("v{version}", 1).unwrap());
    assert!(serde_json::from_str::<VersionFile>(r#"{"path":"../x","rule":"whole"}"#).is_err());
    assert!(serde_json::from_str::<Pattern>(r#"{"text":"x"}"#).is_err());
    assert!(serde_json::from_str::<Pattern>(r#"{"text":"v{version}","count":0}"#).is_err());
}

/// A rule, with what may stand before and after the version in a file that it reads.
fn any_file() -> impl Strategy<Value = (VersionFile, String, String)> {
    let noise = "(x = [0-9'\"]{0,2}\n|# [-a-z0-9.='\" ]{0,20}\r?\n|f\\(version='0\\.1'\\)\n|'''[a-z \n\"]{0,9}'''\n|y = \"a\"\n){0,4}";
    prop_oneof![
        ("[ \n\t]{0,3}", "(\r?\n){0,3}").prop_map(|(before, after)| (file("VERSION"), before, after)),
        (noise, noise, "['\"]").prop_map(|(before, after, quote)| {
            (
                file("setup.py"),
                format!("{before}setup(a=1, version={quote}"),
                format!("{quote},\nb='2')\n{after}"),
            )
        }),
        (noise, noise, "['\"]").prop_map(|(before, after, quote)| {
            (file("a.py"), format!("{before}__version__ = {quote}"), format!("{quote}\n{after}"))
        }),
        ("(?s:.{0,20})", "(?s:.{0,20})").prop_map(|(before, after)| {
            (with_pattern("«{version}»", 1), format!("{before}«"), format!("»{after}"))
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_set_is_read_and_the_rest_stays(
        (file, before, after) in any_file(),
        old in "[0-9]{1,3}(\\.[0-9a-z]{1,3}){0,3}",
        new in "[0-9]{1,3}(\\.[0-9]{1,3}){0,3}(rc[0-9]|\\.dev[0-9])?",
    ) {
        let text = format!("{before}{old}{after}");
        match file.read(text.as_bytes()) {
            Ok(found) => {
                prop_assert_eq!(found, old);
                let edited = file.set(text.as_bytes(), &new).unwrap();
                prop_assert_eq!(file.read(&edited).unwrap(), new.clone());
                prop_assert_eq!(String::from_utf8(edited).unwrap(), format!("{before}{new}{after}"));
            }
            // Only noise that breaks the source may stop it.
            Err(error) => prop_assert!(matches!(error, ReadError::Unclosed { .. }), "{}", error),
        }
    }

    #[test]
    fn any_file_is_read(text in proptest::collection::vec(any::<u8>(), 0..100), source in "(version|VERSION|setup|=|\\(|\\)|,|'1\\.2'|\"|'|#|\n|\\\\|:|\\[|\\]| |u|f){0,30}") {
        for bytes in [text.as_slice(), source.as_bytes()] {
            for file in [file("VERSION"), file("setup.py"), with_pattern("a{version}", 1)] {
                if let Ok(old) = file.read(bytes) {
                    prop_assert_eq!(file.set(bytes, &old).unwrap(), bytes);
                    prop_assert_eq!(file.read(&file.set(bytes, "77.7").unwrap()).unwrap(), "77.7");
                }
            }
        }
    }
}
