//! `debian/changelog`: the version is that of the newest entry, and a new version is a new entry.
//!
//! ```text
//! shop (1.9.0-1) unstable; urgency=medium
//!
//!   * New upstream release 1.9.0.
//!
//!  -- Ana Alves <ana@example.org>  Sat, 21 Nov 2026 00:00:00 +0000
//! ```
//!
//! An entry for `UNRELEASED` on top is what packagers gather for the next release (`dch`, `gbp dch`): its version is not yet
//! one, and a release finishes it. Nothing else in the file changes, whatever is in it.

use std::ops::Range;

use jiff::civil::Date;

use super::known::Finder;
use super::{Place, ReadError, RepoPath, Spot, Write, is_version, line_of, same_version};
use crate::commits::one_line;
use crate::publish::debian::{is_of_release, release_of, upstream};

/// The distribution of entries that are not released yet.
const UNRELEASED: &str = "UNRELEASED";
/// Where a first release goes, as `dch` has it.
const FIRST_DISTRIBUTION: &str = "unstable";

/// What a new entry is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Top {
    /// The package, as the newest heading names it.
    package: String,
    /// The version of the newest heading, whole.
    version: String,
    /// Where the release goes.
    distribution: String,
    /// Who signs it: name and address, as they stand.
    maintainer: String,
    /// What the entry on top says, where it is not released: what follows its distributions, up to the signature.
    unreleased: Option<String>,
    /// Whether no entry is released.
    first: bool,
    /// How lines end.
    line_end: &'static str,
    /// The day of the release, where it is known.
    day: Option<Date>,
}

/// The first line of an entry.
struct Heading<'a> {
    package: &'a str,
    version: &'a str,
    distribution: &'a str,
    /// Where what follows the distributions begins.
    rest_at: usize,
    /// Of the whole line, with its end.
    at: Range<usize>,
    /// Where the version is.
    version_at: usize,
}

pub(super) fn find(finder: &mut Finder<'_>, path: &RepoPath) -> Option<()> {
    let bytes = finder.must(path)?;
    let spot = spot(path, bytes, finder.day());
    let spot = finder.take(spot)?;
    finder.spots.push(spot);
    Some(())
}

fn spot(path: &RepoPath, bytes: &[u8], day: Option<Date>) -> Result<Spot, ReadError> {
    let from = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let top = heading(path, bytes, from)?;
    let unreleased = top.distribution == UNRELEASED;
    let mut signatures = Vec::new();
    let mut said = None;
    let mut at = top.at.end;
    if !unreleased {
        said = Some((top.version, top.version_at, top.distribution));
    }
    // The entries down to the newest that is released, and the signature of that one.
    while let Some(line) = line_at(bytes, at) {
        let start = at;
        at += line.len();
        if let Some(maintainer) = signature(line) {
            signatures.push((start, maintainer.to_owned()));
            if said.is_some() {
                break;
            }
        } else if said.is_none() && line.first().is_some_and(u8::is_ascii_alphanumeric) {
            // The signature of an entry below is not that of the one on top.
            if signatures.is_empty() {
                break;
            }
            let below = heading(path, bytes, start)?;
            if below.distribution != UNRELEASED {
                said = Some((below.version, below.version_at, below.distribution));
            }
        }
    }
    let syntax = |at: usize, why: &str| ReadError::Syntax {
        path: path.clone(),
        line: line_of(bytes, at),
        why: why.to_owned(),
    };
    let Some((signed_at, maintainer)) = signatures.first().cloned() else {
        let why = "an entry ends with ` -- Name <mail@example.org>  Sat, 21 Nov 2026 10:00:00 +0000`, and this one does not: add it";
        return Err(syntax(top.at.start, why));
    };
    let body = match unreleased {
        true => {
            let body = std::str::from_utf8(&bytes[top.rest_at..signed_at]);
            let body = body.map_err(|error| ReadError::NotText {
                path: path.clone(),
                line: line_of(bytes, top.rest_at + error.valid_up_to()),
            })?;
            Some(body.to_owned())
        }
        false => None,
    };
    let first = said.is_none();
    let (version, version_at, distribution) =
        said.unwrap_or((top.version, top.version_at, FIRST_DISTRIBUTION));
    let found = release_of(version);
    if !is_version(found.as_bytes()) {
        let (path, line) = (path.clone(), line_of(bytes, version_at));
        return Err(ReadError::NotAVersion { path, line, found: one_line(version, 40) });
    }
    // What a release finishes reaches to the end of its signature; a new entry takes the place of nothing.
    let end = match unreleased {
        true => signed_at + line_at(bytes, signed_at).map_or(0, <[u8]>::len),
        false => top.at.start,
    };
    let start = top.at.start;
    let top = Top {
        package: top.package.to_owned(),
        version: top.version.to_owned(),
        distribution: distribution.to_owned(),
        maintainer,
        unreleased: body,
        first,
        line_end: if bytes[top.at.clone()].ends_with(b"\r\n") { "\r\n" } else { "\n" },
        day,
    };
    Ok(Spot {
        path: path.clone(),
        place: Place { at: start..end, line: line_of(bytes, version_at) },
        found,
        write: Write::Entry(Box::new(top)),
    })
}

/// Where the first line is that is not empty.
fn bytes_from(bytes: &[u8], from: usize) -> usize {
    let blank = bytes[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let start = from + blank;
    // Spaces in front of a heading are a mistake of their own.
    bytes[from..start].iter().rposition(|byte| *byte == b'\n').map_or(from, |at| from + at + 1)
}

/// The line that begins at an offset, with its end; nothing behind the last one.
fn line_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    bytes.get(at..)?.split_inclusive(|byte| *byte == b'\n').next()
}

/// The heading on the first line from an offset on that is not empty.
fn heading<'a>(path: &RepoPath, bytes: &'a [u8], from: usize) -> Result<Heading<'a>, ReadError> {
    let start = bytes_from(bytes, from);
    let line = line_at(bytes, start).unwrap_or_default();
    let wrong = || {
        ReadError::Syntax {
        path: path.clone(),
        line: line_of(bytes, start),
        why: "an entry begins with `package (1.9.0-1) distribution; urgency=medium`, and this line does not: correct it".into(),
    }
    };
    let text = std::str::from_utf8(line).map_err(|_| wrong())?.trim_end_matches(['\n', '\r']);
    let read = || {
        let (package, rest) = text.split_once(" (")?;
        let (version, rest) = rest.split_once(") ")?;
        let (distribution, _) = rest.split_once(';')?;
        let name = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let named = |text: &str| !text.is_empty() && text.chars().all(name);
        let distributions = distribution.split_ascii_whitespace();
        (named(package) && distributions.clone().count() > 0 && distributions.clone().all(named)).then(|| {
            let version_at = start + package.len() + 2;
            (package, version, distribution, version_at)
        })
    };
    let (package, version, distribution, version_at) = read().ok_or_else(wrong)?;
    let rest_at = version_at + version.len() + 2 + distribution.len();
    Ok(Heading { package, version, distribution, rest_at, at: start..start + line.len(), version_at })
}

/// Who signs an entry: `Name <mail>` of a line ` -- Name <mail>  date`.
fn signature(line: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(line).ok()?.strip_prefix(" -- ")?;
    let (maintainer, _) = text.split_once('>')?;
    let with_end = &text[..maintainer.len() + 1];
    with_end.contains('<').then_some(with_end)
}

impl Top {
    /// Whether there is nothing to write: what is released already says this version.
    pub(super) fn stays(&self, said: &str, new: &str) -> bool {
        !self.first && same_version(said, new)
    }

    /// The text that comes to stand on top, in place of the entry that was not released or of nothing.
    ///
    /// # Errors
    ///
    /// Why there can be none, and what to do.
    pub(super) fn written(&self, new: &str) -> Result<String, String> {
        let day = self.day.ok_or("an entry tells the day of the release, which is not known here")?;
        let version = match &self.unreleased {
            // Whoever gathered the entry has thought of its version.
            Some(_) if is_of_release(&self.version, new, "") => self.version.clone(),
            _ => self.next(new)?,
        };
        let end = self.line_end;
        let what = if version.contains('-') { "New upstream release" } else { "Release" };
        // The entry below stands behind an empty line.
        let (rest, apart) = match &self.unreleased {
            Some(rest) => (rest.clone(), ""),
            None => (format!("; urgency=medium{end}{end}  * {what} {new}.{end}{end}"), end),
        };
        let date = day.strftime("%a, %d %b %Y");
        let (package, distribution, maintainer) = (&self.package, &self.distribution, &self.maintainer);
        Ok(format!(
            "{package} ({version}) {distribution}{rest} -- {maintainer}  {date} 00:00:00 +0000{end}{apart}"
        ))
    }

    /// The Debian version of a release: the epoch stays, and a revision begins anew.
    fn next(&self, new: &str) -> Result<String, String> {
        let (epoch, rest) = match self.version.split_once(':') {
            Some((epoch, rest)) => (format!("{epoch}:"), rest),
            None => (String::new(), self.version.as_str()),
        };
        let upstream = upstream(new);
        let fits = |c: char| c.is_ascii_alphanumeric() || ".+~-".contains(c);
        if !upstream.chars().all(fits) {
            return Err(format!(
                "{new} cannot stand in a Debian version, which holds letters, digits, `.`, `+`, `-` and `~` only: choose another form of versions"
            ));
        }
        match (rest.contains('-'), upstream.contains('-')) {
            (true, _) => Ok(format!("{epoch}{upstream}-1")),
            (false, false) => Ok(format!("{epoch}{upstream}")),
            (false, true) => Err(format!(
                "{new} cannot be the version of a package without a revision, where a hyphen would begin one: choose another form of versions"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Content, EditError, Known, Progress, VersionFile, set};
    use super::*;

    const BELOW: &str = "shop (1:1.8.0-2ubuntu3) bookworm trixie; urgency=high\n\n  * A patch.\n\n -- Ana Alves <ana@example.org>  Tue, 03 Nov 2026 18:04:05 +0100\n";

    fn file() -> VersionFile {
        VersionFile::guess("packaging/debian/changelog").unwrap()
    }

    fn edited(before: &[u8], new: &str) -> Result<Vec<u8>, EditError> {
        let file = file();
        let mut known = Known::default().on(jiff::civil::date(2026, 11, 21));
        known.file(file.path.clone(), Content::Bytes(before.to_owned()));
        let Progress::Done(edits) = set(std::slice::from_ref(&file), &known, new) else {
            panic!("it asks for more")
        };
        let mut edits = edits.map_err(|errors| errors.into_iter().next().unwrap())?;
        Ok(edits.pop().map_or_else(|| before.to_owned(), |edit| edit.content))
    }

    #[test]
    fn a_version_is_a_new_entry_on_top() {
        let check = |before: &str, new: &str, heading: &str, line: &str| {
            let after = String::from_utf8(edited(before.as_bytes(), new).unwrap()).unwrap();
            let entry = format!(
                "{heading}\n\n  * {line}\n\n -- Ana Alves <ana@example.org>  Sat, 21 Nov 2026 00:00:00 +0000\n\n"
            );
            assert_eq!(after, format!("{entry}{before}"));
            assert!(same_version(&file().read(after.as_bytes()).unwrap(), new));
            assert_eq!(edited(after.as_bytes(), new).unwrap(), after.as_bytes(), "it says so already");
        };
        check(
            BELOW,
            "1.9.0",
            "shop (1:1.9.0-1) bookworm trixie; urgency=medium",
            "New upstream release 1.9.0.",
        );
        check(
            BELOW,
            "1.9.0-rc.1",
            "shop (1:1.9.0~rc.1-1) bookworm trixie; urgency=medium",
            "New upstream release 1.9.0-rc.1.",
        );
        let native = BELOW.replace("1:1.8.0-2ubuntu3", "1.8.0");
        check(&native, "1.9.0", "shop (1.9.0) bookworm trixie; urgency=medium", "Release 1.9.0.");
        check(&native, "1.9.0rc1", "shop (1.9.0~rc1) bookworm trixie; urgency=medium", "Release 1.9.0rc1.");
    }

    #[test]
    fn what_was_gathered_is_finished() {
        let gathered = |version: &str, distribution: &str, day: &str| {
            format!(
                "shop ({version}) {distribution}; urgency=low, binary-only=yes\n\n  [ Bo ]\n  * Something é\n\n -- Bo Berg <bo@example.org>  {day}\n\n{BELOW}"
            )
        };
        let (begun, done) = ("Mon, 16 Nov 2026 08:00:00 +0100", "Sat, 21 Nov 2026 00:00:00 +0000");
        for (begun_as, becomes) in [
            ("1:1.9.0-1", "1:1.9.0-1"),
            ("1:1.9.0+dfsg-3", "1:1.9.0+dfsg-3"),
            ("1:1.8.0-3~gbp1", "1:1.9.0-1"),
        ] {
            let before = gathered(begun_as, "UNRELEASED", begun);
            assert_eq!(file().read(before.as_bytes()).as_deref(), Ok("1.8.0"), "it is not released yet");
            let after = edited(before.as_bytes(), "1.9.0").unwrap();
            assert_eq!(String::from_utf8(after).unwrap(), gathered(becomes, "bookworm trixie", done));
            assert_eq!(edited(before.as_bytes(), "1.8.0").unwrap(), before.as_bytes());
        }
        let first = "shop (0.1.0) UNRELEASED; urgency=low\n\n  * First.\n\n -- Bo <b@example.org>  x\n";
        let after = edited(first.as_bytes(), "0.1.0").unwrap();
        let expected = first.replace("UNRELEASED", "unstable").replace("  x\n", &format!("  {done}\n"));
        assert_eq!(String::from_utf8(after).unwrap(), expected);
    }

    #[test]
    fn what_is_no_changelog_or_no_version_is_refused() {
        let check = |before: &str, new: &str, part: &str| {
            let error = edited(before.as_bytes(), new).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check("", "1.9.0", "line 1: an entry begins with");
        check("# Changes\n", "1.9.0", "an entry begins with");
        check(&BELOW.replace("(1:1.8.0-2ubuntu3)", "(next)"), "1.9.0", "`next` is not a version");
        check("shop (1.8.0) sid; urgency=low\n\n  * x\n", "1.9.0", "this one does not: add it");
        for end in ["", " --\n\n", " -- \n\n"] {
            let begun = format!("shop (1:1.9.0-1) UNRELEASED; urgency=low\n\n  * x\n\n{end}{BELOW}");
            check(&begun, "1.9.0", "line 1: an entry ends with");
        }
        check(BELOW, "1!2.0", "cannot stand in a Debian version");
        let native = BELOW.replace("1:1.8.0-2ubuntu3", "2026");
        check(&native, "2026-11-21", "without a revision");
        let error = file().set(BELOW.as_bytes(), "1.9.0").unwrap_err().to_string();
        assert!(error.contains("the day of the release"), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_the_rest_stays(
            mark in any::<bool>(),
            crlf in any::<bool>(),
            blank in "\n{0,2}",
            old in "([0-9]:)?1\\.[0-9]\\.[0-9](~rc\\.?[0-9])?(\\+dfsg)?(-[0-9](ubuntu[0-9])?)?",
            new in "[2-9](\\.[0-9]{1,2}){1,2}(-(alpha|beta|rc)\\.[0-9]|rc[0-9])?",
            rest in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let text = format!("{blank}shop ({old}) unstable; urgency=low\n\n  * x\n\n -- A <a@example.org>  x\n");
            let text = if crlf { text.replace('\n', "\r\n") } else { text };
            let head: &[u8] = if mark { b"\xef\xbb\xbf" } else { b"" };
            let before = [head, text.as_bytes(), &rest].concat();
            let after = edited(&before, &new).unwrap();
            prop_assert!(same_version(&file().read(&after).unwrap(), &new));
            let (kept, entry_and_rest) = after.split_at(head.len() + text.find("shop").unwrap());
            prop_assert_eq!(kept, &before[..kept.len()]);
            prop_assert!(entry_and_rest.ends_with(&before[kept.len()..]));
            prop_assert_eq!(edited(&after, &new).unwrap(), after);
        }

        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            source in "(shop| |\\(|\\)|1\\.2-1|:|UNRELEASED|sid|;|\n|\r\n| -- A <a@b>  x|  \\* x|é|-|~|shop \\(1\\.2-1\\) sid;\n){0,25}",
        ) {
            for bytes in [bytes.as_slice(), source.as_bytes()] {
                if let Ok(old) = file().read(bytes) {
                    if let Ok(after) = edited(bytes, "7.1") {
                        prop_assert_eq!(file().read(&after).unwrap(), "7.1");
                    }
                    let _ = edited(bytes, &old);
                }
            }
        }
    }
}
