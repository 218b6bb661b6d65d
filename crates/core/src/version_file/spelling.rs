//! How a kind of file spells a version.
//!
//! One version has one spelling in each kind of file, and it can be told from it again: `1.3.0-rc.1` stands in Python
//! as `1.3.0rc1`, and `1.3` in `Cargo.toml` as `1.3.0`. A version that has no such spelling is refused there.

use std::fmt::Write as _;

/// The rules that versions in a file have to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Spelling {
    /// None: the text as it is.
    Plain,
    /// Semantic versions.
    Semver,
    /// Python's (PEP 440).
    Python,
    /// Composer's.
    Composer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Alpha,
    Beta,
    Candidate,
}

/// A version of a form that several ecosystems share.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts<'a> {
    numbers: Vec<&'a str>,
    stage: Option<(Stage, &'a str)>,
    post: Option<&'a str>,
    dev: Option<&'a str>,
    build: Option<&'a str>,
}

/// The words of a version after its numbers, and what each means; the longer ones first.
const STAGES: [(&str, Stage); 5] = [
    ("alpha", Stage::Alpha),
    ("beta", Stage::Beta),
    ("rc", Stage::Candidate),
    ("a", Stage::Alpha),
    ("b", Stage::Beta),
];

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (text, build) = match text.split_once('+') {
            Some((text, build)) => (text, Some(build)),
            None => (text, None),
        };
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (numbers, mut rest) = text.split_at(end);
        let numbers = match rest.is_empty() {
            true => numbers,
            false => numbers.strip_suffix('.').inspect(|_| rest = &text[end - 1..]).unwrap_or(numbers),
        };
        let numbers: Vec<&str> = numbers.split('.').collect();
        if numbers.iter().any(|number| !is_number(number)) {
            return None;
        }
        let mut parts = Self { numbers, stage: None, post: None, dev: None, build };
        for (word, stage) in STAGES {
            if parts.stage.is_none()
                && let Some(number) = word_of(&mut rest, word)
            {
                parts.stage = Some((stage, number));
            }
        }
        parts.post = word_of(&mut rest, "post");
        parts.dev = word_of(&mut rest, "dev");
        (rest.is_empty() && build != Some("")).then_some(parts)
    }

    fn python(&self) -> Option<String> {
        let mut text = self.numbers.join(".");
        if let Some((stage, number)) = self.stage {
            let word = match stage {
                Stage::Alpha => "a",
                Stage::Beta => "b",
                Stage::Candidate => "rc",
            };
            let _ = write!(text, "{word}{number}");
        }
        for (word, number) in [("post", self.post), ("dev", self.dev)] {
            if let Some(number) = number {
                let _ = write!(text, ".{word}{number}");
            }
        }
        if let Some(build) = self.build {
            let normal = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
            if !build.split('.').all(|part| !part.is_empty() && part.bytes().all(normal)) {
                return None;
            }
            let _ = write!(text, "+{build}");
        }
        Some(text)
    }

    fn semver(&self) -> Option<String> {
        let mut numbers = self.numbers.clone();
        numbers.resize(numbers.len().max(3), "0");
        let mut text = numbers.join(".");
        match (self.stage, self.post, self.dev) {
            (None, None, None) => {}
            (None, None, Some(number)) => {
                let _ = write!(text, "-dev.{number}");
            }
            (Some((stage, number)), None, None) => {
                let word = match stage {
                    Stage::Alpha => "alpha",
                    Stage::Beta => "beta",
                    Stage::Candidate => "rc",
                };
                let _ = write!(text, "-{word}.{number}");
            }
            _ => return None,
        }
        if let Some(build) = self.build {
            let _ = write!(text, "+{build}");
        }
        semver::Version::parse(&text).ok().map(|_| text)
    }

    /// The same for all spellings of one version.
    fn key(&self) -> String {
        let plain = |number: &'a str| {
            let digits = number.trim_start_matches('0');
            if digits.is_empty() { "0" } else { digits }
        };
        let mut numbers: Vec<&str> = self.numbers.iter().map(|number| plain(number)).collect();
        while numbers.len() > 1 && numbers.last() == Some(&"0") {
            numbers.pop();
        }
        let mut text = numbers.join(".");
        if let Some((stage, number)) = self.stage {
            let _ = write!(text, " {stage:?} {}", plain(number));
        }
        for (word, number) in [("post", self.post), ("dev", self.dev)] {
            if let Some(number) = number {
                let _ = write!(text, " {word} {}", plain(number));
            }
        }
        if let Some(build) = self.build {
            let _ = write!(text, " + {build}");
        }
        text
    }
}

/// Takes `[-._]word[-._]number` from the start of a text, with the marks as they may be.
fn word_of<'a>(rest: &mut &'a str, word: &str) -> Option<&'a str> {
    let mark = |text: &'a str| text.strip_prefix(['-', '.', '_']).unwrap_or(text);
    let after = mark(mark(rest).strip_prefix(word)?);
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let (number, after) = after.split_at(end);
    if !is_number(number) || (number.len() > 1 && number.starts_with('0')) {
        return None;
    }
    *rest = after;
    Some(number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

impl Spelling {
    /// How this version is spelled here.
    ///
    /// # Errors
    ///
    /// Why it cannot be, as the rest of a sentence about it.
    pub(super) fn spell(self, version: &str) -> Result<String, &'static str> {
        let parts = Parts::read(version);
        match self {
            Self::Plain => Ok(version.to_owned()),
            Self::Semver if semver::Version::parse(version).is_ok() => Ok(version.to_owned()),
            Self::Semver => match &parts {
                Some(parts) if parts.numbers.len() > 3 => Err("has more than the three numbers that can stand there"),
                Some(parts) if parts.numbers.iter().any(|number| number.len() > 1 && number.starts_with('0')) => {
                    Err("has a number with a zero in front, which cannot stand there")
                }
                _ => parts
                    .and_then(|parts| parts.semver())
                    .ok_or("is no semantic version (`X.Y.Z`, `X.Y.Z-rc.1`), which has to stand there"),
            },
            Self::Python => parts
                .and_then(|parts| parts.python())
                .ok_or("is no version of Python's (`X.Y.Z`, `X.YrcN`, `X.Y.devN`; PEP 440), which has to stand there"),
            Self::Composer => parts
                .filter(|parts| parts.numbers.len() <= 4 && parts.dev.is_none() && parts.post.is_none())
                .map(|_| version.to_owned())
                .ok_or("is no version of Composer's (`X.Y.Z`, `X.Y.Z-rc.1`), which has to stand there"),
        }
    }
}

/// Whether two texts are spellings of one version.
pub fn same_version(one: &str, other: &str) -> bool {
    let key = |text: &str| Parts::read(text).map_or_else(|| text.to_owned(), |parts| parts.key());
    one == other || key(one) == key(other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_kind_spells_in_its_own_way() {
        let cases = [
            ("1.3.0", Some("1.3.0"), Some("1.3.0"), true),
            ("1.3", Some("1.3.0"), Some("1.3"), true),
            ("7", Some("7.0.0"), Some("7"), true),
            ("1.3.0-rc.1", Some("1.3.0-rc.1"), Some("1.3.0rc1"), true),
            ("1.3-beta.2", Some("1.3.0-beta.2"), Some("1.3b2"), true),
            ("1.3rc1", Some("1.3.0-rc.1"), Some("1.3rc1"), true),
            ("1.3.0a4", Some("1.3.0-alpha.4"), Some("1.3.0a4"), true),
            ("1.3.0.dev4", Some("1.3.0-dev.4"), Some("1.3.0.dev4"), false),
            ("1.3.0-dev.4", Some("1.3.0-dev.4"), Some("1.3.0.dev4"), false),
            ("1.3.0.post1", None, Some("1.3.0.post1"), false),
            ("1.3.0rc1.dev2", None, Some("1.3.0rc1.dev2"), false),
            ("1.3.0-nightly.3", Some("1.3.0-nightly.3"), None, false),
            ("1.3.0-rc", Some("1.3.0-rc"), None, false),
            ("1.3.0+abc.1", Some("1.3.0+abc.1"), Some("1.3.0+abc.1"), true),
            ("1.3.0+ABC", Some("1.3.0+ABC"), None, true),
            ("2026.11", Some("2026.11.0"), Some("2026.11"), true),
            ("2026.05.1", None, Some("2026.05.1"), true),
            ("2026.11.21.4", None, Some("2026.11.21.4"), true),
            ("1.2.3.4.5", None, Some("1.2.3.4.5"), false),
            ("1..2", None, None, false),
            ("1.3.", None, None, false),
            ("next", None, None, false),
            ("1.3.0+", None, None, false),
        ];
        for (version, semver, python, composer) in cases {
            assert_eq!(Spelling::Semver.spell(version).ok().as_deref(), semver, "{version}");
            assert_eq!(Spelling::Python.spell(version).ok().as_deref(), python, "{version}");
            assert_eq!(Spelling::Composer.spell(version).is_ok(), composer, "{version}");
            assert_eq!(Spelling::Plain.spell(version).as_deref(), Ok(version));
        }
    }

    #[test]
    fn spellings_of_one_version_are_the_same() {
        for (one, other) in [("1.3", "1.3.0"), ("1.3.0-rc.1", "1.3rc1"), ("2026.05", "2026.5.0"), ("x", "x")]
        {
            assert!(same_version(one, other), "{one} {other}");
        }
        for (one, other) in
            [("1.3", "1.30"), ("1.3.0-rc.1", "1.3"), ("1.3rc1", "1.3rc2"), ("1.0+a", "1.0"), ("x", "y")]
        {
            assert!(!same_version(one, other), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn a_spelling_is_the_same_version_and_stays(
            version in "[0-9]{1,2}(\\.[0-9]{1,2}){0,3}([-.]?(alpha|a|beta|b|rc|dev|post|x)[.]?[0-9]{0,2}){0,2}(\\+[a-zA-Z0-9.]{0,4})?",
        ) {
            for spelling in [Spelling::Semver, Spelling::Python, Spelling::Composer] {
                if let Ok(spelled) = spelling.spell(&version) {
                    prop_assert!(same_version(&spelled, &version), "{} {}", spelled, version);
                    prop_assert_eq!(spelling.spell(&spelled).unwrap(), spelled);
                }
            }
        }
    }
}
