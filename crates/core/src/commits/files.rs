//! Change files: what a change is and how much it asks for, written beside the change by whoever makes it.
//!
//! A file begins with a head between two lines of `---`, one key a line: `bump`, `type`, `scope`, `breaking`. What follows is the
//! text for the changelog: one paragraph, or a list with an entry for each item. Nothing is guessed: whatever has another form
//! is a mistake with its line.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    BumpAdvice, BumpReason, Change, ChangeKind, CommitRules, Lines, SCOPE_MAX_CHARS, TEXT_MAX_CHARS,
    TYPE_MAX_BYTES, one_line, plain_text, references::references,
};
use crate::ids::ObjectId;
use crate::version::Bump;

/// The largest change file, in bytes.
const CHANGE_FILE_MAX_BYTES: usize = 16 * 1024;
/// The most change files of one release.
pub const CHANGE_FILES_MAX: usize = 500;

/// How change files end.
pub const CHANGE_FILE_END: &str = ".md";
/// What stands in a folder of change files and is none: it tells people how to write one.
const README: &str = "README.md";

/// Whether a path is one of a change file.
pub fn is_change_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.ends_with(CHANGE_FILE_END) && !name.eq_ignore_ascii_case(README)
}

/// A change file, understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangeFile {
    /// Its path in the repository.
    pub path: String,
    /// What it says the next version has to grow by; `None` where only its type tells.
    bump: Option<Said>,
    kind: ChangeKind,
    scope: Option<String>,
    /// What it breaks.
    breaking: Option<String>,
    /// Its entries: one paragraph, or the items of a list. Never empty.
    entries: Vec<String>,
}

/// What a file says of the next version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said {
    /// It asks for no release by itself.
    Nothing,
    /// It has to grow so much.
    Grow(Bump),
}

/// What is wrong with a change file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeFileError {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub why: String,
}

impl fmt::Display for ChangeFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}", one_line(&self.path, TEXT_MAX_CHARS), self.line, self.why)
    }
}

impl std::error::Error for ChangeFileError {}

/// The commit that brought a change file, with its author.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brought {
    /// The commit.
    pub commit: String,
    /// The author's name.
    pub author_name: String,
    /// The author's mail address.
    pub author_email: String,
}

impl ChangeFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Its first mistake.
    pub fn read(path: &str, content: &[u8]) -> Result<Self, ChangeFileError> {
        let wrong = |line: usize, why: String| ChangeFileError { path: path.to_owned(), line, why };
        if content.len() > CHANGE_FILE_MAX_BYTES {
            let most = CHANGE_FILE_MAX_BYTES / 1024;
            return Err(wrong(1, format!("a change file has at most {most} KiB")));
        }
        let text = std::str::from_utf8(content).map_err(|error| {
            let line = content[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            wrong(line, "it is not UTF-8".into())
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines: Vec<&str> = text.lines().collect();
        if lines.first().map(|line| line.trim_end()) != Some("---") {
            return Err(wrong(
                1,
                "it begins with a line `---`, then `bump: minor` or the like, then `---`".into(),
            ));
        }
        let end = lines.iter().skip(1).position(|line| line.trim_end() == "---");
        let end =
            end.ok_or_else(|| wrong(1, "the head that begins here has no second line `---`".into()))? + 1;
        let mut head = Head::default();
        for (n, line) in lines[1..end].iter().enumerate() {
            head.line(line).map_err(|why| wrong(n + 2, why))?;
        }
        if head.bump.is_none() && head.kind.is_none() {
            return Err(wrong(1, "the head needs `bump` (major, minor, patch or none) or `type`".into()));
        }
        let entries = entries(&lines[end + 1..]).map_err(|(n, why)| wrong(end + 2 + n, why))?;
        let breaks = head.bump == Some(Said::Grow(Bump::Major));
        let kind = head.kind.unwrap_or(match head.bump {
            Some(Said::Grow(Bump::Major | Bump::Minor)) => ChangeKind::Feature,
            Some(Said::Grow(_)) => ChangeKind::Fix,
            Some(Said::Nothing) | None => ChangeKind::Other,
        });
        let breaking = head.breaking.or_else(|| breaks.then(|| entries[0].clone()));
        Ok(Self { path: path.to_owned(), bump: head.bump, kind, scope: head.scope, breaking, entries })
    }

    /// Its changes, as the changelog tells them.
    pub fn changes(&self, by: &Brought, ticket_keys: &[String]) -> Vec<Change> {
        let change = |(n, text): (usize, &String)| Change {
            shortened: false,
            commit: ObjectId(one_line(&by.commit, 64)),
            author_name: one_line(&by.author_name, super::AUTHOR_MAX_CHARS),
            author_email: one_line(&by.author_email, super::AUTHOR_MAX_CHARS),
            co_authors: Vec::new(),
            subject: text.clone(),
            text: text.clone(),
            kind: self.kind.clone(),
            scope: self.scope.clone(),
            // Told once, however many entries there are.
            breaking: self.breaking.clone().filter(|_| n == 0),
            references: references(text, ticket_keys),
            reverts: Vec::new(),
        };
        self.entries.iter().enumerate().map(change).collect()
    }

    /// What it asks of the next version; `None` where it asks for no release.
    fn asks(&self, rules: &CommitRules) -> Option<Bump> {
        match self.bump {
            Some(Said::Grow(bump)) => Some(bump),
            Some(Said::Nothing) => None,
            None => {
                self.changes(&Brought::default(), &[]).iter().filter_map(|change| rules.bump(change)).max()
            }
        }
    }
}

/// How much the next version has to grow for these files.
pub fn advise_by_files(files: &[ChangeFile], rules: &CommitRules) -> BumpAdvice {
    let bump = files.iter().filter_map(|file| file.asks(rules)).max();
    let of = |file: &&ChangeFile| bump.is_some() && file.asks(rules) == bump;
    let because = files.iter().filter(of).map(|file| BumpReason {
        commit: ObjectId(String::new()),
        file: Some(one_line(&file.path, TEXT_MAX_CHARS)),
        subject: file.entries[0].clone(),
        breaking: file.breaking.clone(),
    });
    BumpAdvice { bump, because: because.collect() }
}

#[derive(Default)]
struct Head {
    bump: Option<Said>,
    kind: Option<ChangeKind>,
    scope: Option<String>,
    breaking: Option<String>,
}

impl Head {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let shown = || one_line(line, 60);
        let (key, value) = line.split_once(':').ok_or_else(|| format!("`{}` is no `key: value`", shown()))?;
        let value = unquoted(value.trim());
        let value = one_line(value, TEXT_MAX_CHARS);
        if value.is_empty() {
            return Err(format!("`{}` has no value", one_line(key, 60)));
        }
        let doubled = match key.trim() {
            "bump" => {
                let said = match value.as_str() {
                    "none" => Some(Said::Nothing),
                    name => Bump::named(name).map(Said::Grow),
                };
                let said =
                    said.ok_or_else(|| format!("`bump` is major, minor, patch or none, and not `{value}`"))?;
                self.bump.replace(said).is_some()
            }
            "type" => {
                let word = value.len() <= TYPE_MAX_BYTES
                    && value.starts_with(|c: char| c.is_ascii_alphabetic())
                    && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
                if !word {
                    return Err(format!("`{value}` cannot be a type: write one such as `feat` or `fix`"));
                }
                self.kind.replace(ChangeKind::of_type(&value)).is_some()
            }
            "scope" if value.chars().count() > SCOPE_MAX_CHARS => {
                return Err(format!("a scope has at most {SCOPE_MAX_CHARS} characters"));
            }
            "scope" => self.scope.replace(value).is_some(),
            "breaking" => self.breaking.replace(value).is_some(),
            other => {
                let other = one_line(other, 60);
                return Err(format!(
                    "there is no key `{other}`; it knows `bump`, `type`, `scope` and `breaking`"
                ));
            }
        };
        match doubled {
            true => Err(format!("`{}` stands there twice", key.trim())),
            false => Ok(()),
        }
    }
}

/// A value without the quotes around it.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner;
        }
    }
    value
}

/// The entries of a text: its one paragraph, or the items of its list. A mistake comes with its line, from 0.
fn entries(lines: &[&str]) -> Result<Vec<String>, (usize, String)> {
    let mut entries: Vec<String> = Vec::new();
    let (mut list, mut ended) = (None, false);
    for (n, line) in lines.iter().enumerate() {
        let text = plain_text(line, Lines::Join);
        let text = text.trim();
        if text.is_empty() {
            ended |= !entries.is_empty();
            continue;
        }
        let item = match text {
            "-" | "*" => Some(""),
            _ => ["- ", "* "].iter().find_map(|mark| text.strip_prefix(mark)),
        };
        match (item, list) {
            (Some(item), None | Some(true)) => {
                list = Some(true);
                entries.push(item.trim().to_owned());
            }
            (None, None) => {
                list = Some(false);
                entries.push(text.to_owned());
            }
            // What belongs to an item stands under it, without an empty line between.
            (None, Some(_)) if !ended => {
                if let Some(last) = entries.last_mut() {
                    last.push(' ');
                    last.push_str(text);
                }
            }
            (Some(_), Some(false)) | (None, Some(_)) => {
                return Err((n, "the text is one paragraph, or one list and nothing else".into()));
            }
        }
        ended = false;
        if entries.last().is_some_and(|last| last.chars().count() > TEXT_MAX_CHARS) {
            return Err((n, format!("an entry of a changelog has at most {TEXT_MAX_CHARS} characters")));
        }
    }
    if entries.is_empty() || entries.iter().any(String::is_empty) {
        return Err((
            0,
            "the text for the changelog stands below the head, and no item of it is empty".into(),
        ));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<ChangeFile, String> {
        ChangeFile::read(".changes/a.md", text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn files_are_read() {
        let file = read("---\nbump: minor\nscope: cart\n---\n\nGift cards,\nsee SHOP-7 and #12.\n").unwrap();
        let by = Brought { commit: "a".repeat(40), author_name: "Ada".into(), author_email: "a@x".into() };
        let changes = file.changes(&by, &["SHOP".into()]);
        assert_eq!(changes.len(), 1);
        let change = &changes[0];
        assert_eq!(change.text, "Gift cards, see SHOP-7 and #12.");
        assert_eq!((change.kind.clone(), change.scope.as_deref()), (ChangeKind::Feature, Some("cart")));
        assert_eq!((change.references.len(), change.breaking.as_deref()), (2, None));
        assert_eq!((change.commit.0.as_str(), change.author_name.as_str()), (by.commit.as_str(), "Ada"));

        let list = read("---\r\ntype: fix\r\n---\r\n- one\r\n  more of it\r\n\r\n- two\r\n").unwrap();
        let texts: Vec<String> = list.changes(&by, &[]).into_iter().map(|change| change.text).collect();
        assert_eq!(texts, ["one more of it", "two"]);

        let major = read("---\nbump: \"major\"\n---\nNo more v1.\n").unwrap();
        assert_eq!(major.changes(&by, &[])[0].breaking.as_deref(), Some("No more v1."));
        let said = read("---\nbump: major\nbreaking: v1 is gone\ntype: perf\n---\n* a\n* b\n").unwrap();
        let changes = said.changes(&by, &[]);
        assert_eq!(changes[0].breaking.as_deref(), Some("v1 is gone"));
        assert_eq!((changes[1].breaking.as_deref(), changes[1].kind.type_name()), (None, Some("perf")));
    }

    #[test]
    fn mistakes_have_a_line() {
        let cases = [
            ("", "line 1: it begins"),
            ("bump: minor\n", "line 1: it begins"),
            ("---\nbump: minor\n", "line 1: the head that begins here"),
            ("---\n---\ntext\n", "line 1: the head needs `bump`"),
            ("---\nbump: huge\n---\ntext\n", "line 2: `bump` is major, minor, patch or none, and not `huge`"),
            ("---\nbump: minor\nbump: minor\n---\nx\n", "line 3: `bump` stands there twice"),
            ("---\nkind: feat\n---\nx\n", "line 2: there is no key `kind`"),
            ("---\nbump minor\n---\nx\n", "line 2: `bump minor` is no `key: value`"),
            ("---\nbump:\n---\nx\n", "line 2: `bump` has no value"),
            ("---\ntype: a b\n---\nx\n", "line 2: `a b` cannot be a type"),
            ("---\nbump: minor\n---\n\n\n", "line 4: the text for the changelog"),
            ("---\nbump: minor\n---\none\n\ntwo\n", "line 6: the text is one paragraph"),
            ("---\nbump: minor\n---\none\n- two\n", "line 5: the text is one paragraph"),
            ("---\nbump: minor\n---\n- one\n\ntwo\n", "line 6: the text is one paragraph"),
            ("---\nbump: minor\n---\n- \n", "line 4: the text for the changelog"),
        ];
        for (text, want) in cases {
            let error = read(text).expect_err(text);
            assert!(error.starts_with(".changes/a.md, ") && error.contains(want), "{text:?}: {error}");
        }
        let latin = ChangeFile::read("a.md", b"---\nbump: minor\n---\ncaf\xe9\n").unwrap_err();
        assert_eq!((latin.line, latin.why.as_str()), (4, "it is not UTF-8"));
        let large = ChangeFile::read("a.md", &vec![b'x'; CHANGE_FILE_MAX_BYTES + 1]).unwrap_err();
        assert!(large.why.contains("16 KiB"));
        let long = format!("---\nbump: minor\n---\n{}\n", "x".repeat(TEXT_MAX_CHARS + 1));
        assert!(read(&long).unwrap_err().contains("at most 500 characters"));
    }

    #[test]
    fn the_largest_bump_decides_and_is_told_by_its_file() {
        let file = |path: &str, head: &str| {
            ChangeFile::read(path, format!("---\n{head}\n---\ntext of {path}\n").as_bytes()).unwrap()
        };
        let (fix, feature) = (file("a.md", "type: fix"), file("b.md", "type: feat"));
        let (docs, quiet) = (file("c.md", "type: docs"), file("d.md", "type: feat\nbump: none"));
        let small = file("e.md", "type: feat\nbump: patch");
        let rules = CommitRules::default();
        let advice = |files: &[&ChangeFile]| {
            let files: Vec<ChangeFile> = files.iter().map(|file| (*file).clone()).collect();
            let advice = advise_by_files(&files, &rules);
            let because = advice.because.into_iter().filter_map(|reason| reason.file).collect::<Vec<_>>();
            (advice.bump, because.join(" "))
        };
        assert_eq!(advice(&[]), (None, String::new()));
        assert_eq!(advice(&[&docs, &quiet]), (None, String::new()));
        assert_eq!(advice(&[&docs, &fix, &small]), (Some(Bump::Patch), "a.md e.md".into()));
        assert_eq!(advice(&[&fix, &feature, &quiet]), (Some(Bump::Minor), "b.md".into()));
    }

    #[test]
    fn hostile_files_are_read_as_text() {
        let file =
            read("---\nbump: minor\nscope: \"\u{1b}[31mred\"\n---\n\u{1b}]0;x\u{7}bell <b>\n").unwrap();
        let change = file.changes(&Brought::default(), &[]).remove(0);
        let all = format!("{}{}", change.text, change.scope.unwrap());
        assert!(!all.chars().any(char::is_control), "{all:?}");
        for (path, is) in [("a/b.md", true), ("a/README.md", false), ("readme.md", false), ("a/b.txt", false)]
        {
            assert_eq!(is_change_file(path), is, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), head in "[a-z: \n\"-]{0,40}") {
            let text = [format!("---\n{head}\n---\n").as_bytes(), &bytes].concat();
            for content in [&bytes, &text] {
                if let Ok(file) = ChangeFile::read("x.md", content) {
                    for change in file.changes(&Brought::default(), &[]) {
                        prop_assert!(!change.text.is_empty() && !change.text.chars().any(char::is_control));
                    }
                }
            }
        }
    }
}
