//! Names that come from people, procedures and remotes, held to git's own rules before git sees them.
//!
//! git accepts more in some places than in others: `refs/heads/-x` is a valid ref, and `git tag -x` is an option. What
//! passes here is safe everywhere, so that no caller has to think about it again.

use tollgate_engine::ports::ObjectId;

/// Longest ref name that is accepted, in bytes. File systems give out at about this length.
const REF_BYTES: usize = 512;
/// Longest part of a ref name between slashes, in bytes: git appends `.lock`, and file names end at 255.
const REF_PART_BYTES: usize = 240;
/// Longest path in a repository that is accepted, in bytes.
const PATH_BYTES: usize = 4096;

/// Why a name was not accepted. It reads well after "the tag name `x` ".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NameFault {
    /// Nothing is there.
    #[error("is empty")]
    Empty,
    /// It could be taken for an option.
    #[error("starts with a hyphen, like an option")]
    LikeAnOption,
    /// A tab, a newline, an escape.
    #[error("contains a control character")]
    Control,
    /// A character that means something to git.
    #[error("contains `{0}`, which git does not allow in names")]
    Character(char),
    /// A sequence that means something to git.
    #[error("contains `{0}`, which git does not allow in names")]
    Sequence(&'static str),
    /// Two slashes together, or one at an end.
    #[error("has an empty part between slashes")]
    EmptyPart,
    /// `.x`, or `.` and `..` in paths.
    #[error("has a part that starts with a dot")]
    LeadingDot,
    /// `x.`
    #[error("ends with a dot")]
    TrailingDot,
    /// git names its lock files so.
    #[error("has a part that ends with `.lock`")]
    Lock,
    /// A name git keeps for itself.
    #[error("is a name that git keeps for itself")]
    Reserved,
    /// Longer than file systems bear.
    #[error("is too long")]
    TooLong,
    /// Not below `refs/heads/`, `refs/tags/` and the like.
    #[error("is not a full name such as `refs/heads/main`")]
    NotFull,
    /// Neither 40 nor 64 hexadecimal digits.
    #[error("is not a full object id of 40 or 64 hexadecimal digits")]
    NotAnObject,
    /// `/x`, `x/../y`, `.git/x`
    #[error("is not a plain path inside the repository")]
    NotInside,
}

/// Checks the short name of a branch or tag, `main` or `v1.2.3`.
pub(super) fn short_name(name: &str) -> Result<(), NameFault> {
    if name.starts_with('-') {
        return Err(NameFault::LikeAnOption);
    }
    if name == "HEAD" || name == "@" {
        return Err(NameFault::Reserved);
    }
    ref_parts(name)
}

/// The full name of a tag.
pub(super) fn tag_ref(name: &str) -> Result<String, NameFault> {
    short_name(name)?;
    Ok(format!("refs/tags/{name}"))
}

/// Checks a full ref name: `refs/`, a kind, and a name that could be given to `git branch` or `git tag`.
pub(super) fn full_ref(name: &str) -> Result<(), NameFault> {
    if name.is_empty() {
        return Err(NameFault::Empty);
    }
    let (_, short) =
        name.strip_prefix("refs/").and_then(|rest| rest.split_once('/')).ok_or(NameFault::NotFull)?;
    short_name(short)?;
    ref_parts(name)
}

fn ref_parts(name: &str) -> Result<(), NameFault> {
    if name.is_empty() {
        return Err(NameFault::Empty);
    }
    if name.len() > REF_BYTES {
        return Err(NameFault::TooLong);
    }
    if name.chars().any(char::is_control) {
        return Err(NameFault::Control);
    }
    if let Some(bad) = name.chars().find(|c| " ~^:?*[\\".contains(*c)) {
        return Err(NameFault::Character(bad));
    }
    if let Some(bad) = ["..", "@{"].into_iter().find(|bad| name.contains(bad)) {
        return Err(NameFault::Sequence(bad));
    }
    if name.ends_with('.') {
        return Err(NameFault::TrailingDot);
    }
    for part in name.split('/') {
        if part.is_empty() {
            return Err(NameFault::EmptyPart);
        }
        if part.starts_with('.') {
            return Err(NameFault::LeadingDot);
        }
        if part.ends_with(".lock") {
            return Err(NameFault::Lock);
        }
        if part.len() > REF_PART_BYTES {
            return Err(NameFault::TooLong);
        }
    }
    Ok(())
}

/// Checks that an object id is one: abbreviations and expressions are refused.
pub(super) fn object(id: &ObjectId) -> Result<&str, NameFault> {
    if is_object(&id.0) { Ok(&id.0) } else { Err(NameFault::NotAnObject) }
}

/// Whether a text is a full object id in lower case.
pub(super) fn is_object(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Checks a path of a file in a repository: relative, with `/`, without anything that leads out of it or into `.git`.
pub(super) fn path(path: &str) -> Result<(), NameFault> {
    if path.is_empty() {
        return Err(NameFault::Empty);
    }
    if path.len() > PATH_BYTES {
        return Err(NameFault::TooLong);
    }
    if path.chars().any(char::is_control) {
        return Err(NameFault::Control);
    }
    if path.contains('\\') {
        return Err(NameFault::Character('\\'));
    }
    for part in path.split('/') {
        if part.is_empty() {
            return Err(NameFault::EmptyPart);
        }
        // git refuses what some file system would take for `.git`, and names the same trouble less clearly.
        let lower = part.to_lowercase();
        let stem = lower.trim_end_matches(['.', ' ']);
        if part == "." || part == ".." || stem == ".git" || stem == "git~1" {
            return Err(NameFault::NotInside);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_gits_rules() {
        let long = "x".repeat(241);
        let cases: &[(&str, Result<(), NameFault>)] = &[
            ("v1.2.3", Ok(())),
            ("release/2026.1", Ok(())),
            ("ünïcode-✓", Ok(())),
            ("a@b", Ok(())),
            ("", Err(NameFault::Empty)),
            ("-x", Err(NameFault::LikeAnOption)),
            ("--upload-pack=sh", Err(NameFault::LikeAnOption)),
            ("@", Err(NameFault::Reserved)),
            ("HEAD", Err(NameFault::Reserved)),
            ("a\nb", Err(NameFault::Control)),
            ("a\u{7f}b", Err(NameFault::Control)),
            ("a\u{9b}31m", Err(NameFault::Control)),
            ("a b", Err(NameFault::Character(' '))),
            ("a:b", Err(NameFault::Character(':'))),
            ("v*", Err(NameFault::Character('*'))),
            ("a..b", Err(NameFault::Sequence(".."))),
            ("a@{1}", Err(NameFault::Sequence("@{"))),
            ("a//b", Err(NameFault::EmptyPart)),
            ("/a", Err(NameFault::EmptyPart)),
            ("a/", Err(NameFault::EmptyPart)),
            (".a", Err(NameFault::LeadingDot)),
            ("a/.b", Err(NameFault::LeadingDot)),
            ("a.", Err(NameFault::TrailingDot)),
            ("a.lock", Err(NameFault::Lock)),
            ("a.lock/b", Err(NameFault::Lock)),
            (&long, Err(NameFault::TooLong)),
        ];
        for (name, want) in cases {
            assert_eq!(short_name(name), *want, "{name:?}");
            if want.is_ok() {
                assert_eq!(full_ref(&format!("refs/heads/{name}")), Ok(()));
            } else {
                assert!(full_ref(&format!("refs/heads/{name}")).is_err(), "{name:?}");
            }
        }
        assert_eq!(full_ref("main"), Err(NameFault::NotFull));
        assert_eq!(full_ref("refs/heads"), Err(NameFault::NotFull));
        assert_eq!(full_ref("refs/heads/-x"), Err(NameFault::LikeAnOption));
    }

    #[test]
    fn paths_stay_inside() {
        for good in ["a", "a/b.txt", "-x", "..a", ".github/x.yml", "a b"] {
            assert_eq!(path(good), Ok(()), "{good:?}");
        }
        for bad in
            ["", "/a", "a/../b", "./a", "a//b", ".git/config", "x/.GIT/y", ".git./x", "a\nb", "a\\b", "git~1"]
        {
            assert!(path(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn object_ids_are_whole() {
        assert!(is_object(&"a".repeat(40)) && is_object(&"0".repeat(64)));
        for bad in ["", "HEAD", "abc", &"A".repeat(40), &"g".repeat(40), &"a".repeat(41)] {
            assert!(!is_object(bad), "{bad:?}");
        }
    }
}
