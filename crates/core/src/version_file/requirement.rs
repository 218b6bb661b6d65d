//! What one package asks of another whose version is edited: `^1.2.3`, `=1.2.3`, `1.2`.

use semver::{Version, VersionReq};

use super::Spelling;
use crate::commits::one_line;

/// Who reads the requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    Cargo,
    Npm,
}

/// A requirement on a package that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirement {
    pub(super) flavour: Flavour,
    /// The package that is asked for.
    pub(super) package: String,
    /// Its version as it is now.
    pub(super) old: String,
}

impl Requirement {
    /// The requirement for the new version, in the form of the one that is there. One that the new version fits anyway
    /// stays, unless it names exactly the old one.
    pub(super) fn moved(&self, text: &str, new: &str) -> Result<String, String> {
        let new = Spelling::Semver.spell(new).map_err(|why| format!("{new} {why}"))?;
        let (protocol, range) = match text.strip_prefix("workspace:") {
            Some(range) => ("workspace:", range),
            None => ("", text),
        };
        let trimmed = range.trim();
        let not_a_range = trimmed.is_empty()
            || matches!(trimmed, "*" | "^" | "~" | "x" | "latest")
            || trimmed.contains([':', '/']);
        if not_a_range {
            return Ok(text.to_owned());
        }
        let digits = trimmed.find(|c: char| c.is_ascii_digit()).unwrap_or(trimmed.len());
        let (sign, version) = trimmed.split_at(digits);
        let simple = matches!(sign.trim(), "" | "^" | "~" | "=" | "v" | "=v");
        let rewritten = |version: &str| {
            let at = range.len() - range.trim_start().len() + digits;
            format!("{protocol}{}{version}{}", &range[..at], &range[at + trimmed.len() - digits..])
        };
        if simple && version == self.old {
            return Ok(rewritten(&new));
        }
        match self.matches(trimmed, &new) {
            Some(true) => Ok(text.to_owned()),
            _ if simple && version.split('.').all(|part| part.bytes().all(|b| b.is_ascii_digit())) => {
                let count = version.split('.').count();
                let parts: Vec<&str> = new.split('.').collect();
                let cut = parts.iter().take(count).copied().collect::<Vec<&str>>().join(".");
                Ok(rewritten(if count < 3 && !new.contains(['-', '+']) { &cut } else { &new }))
            }
            _ => Err(format!(
                "`{}` is asked for as `{}`, which {new} does not fit: correct it in a commit before the release",
                one_line(&self.package, 80),
                one_line(text, 60)
            )),
        }
    }

    /// Whether a version fits; nothing when that cannot be told.
    fn matches(&self, range: &str, new: &str) -> Option<bool> {
        let new = Version::parse(new).ok()?;
        let range = match self.flavour {
            Flavour::Cargo => VersionReq::parse(range).ok()?,
            Flavour::Npm => return range.split("||").map(|part| npm_part(part, &new)).reduce(any)?,
        };
        Some(range.matches(&new))
    }
}

fn any(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    Some(one? || other?)
}

/// One part of an npm range: comparisons with spaces between them, or a version that means exactly that.
fn npm_part(part: &str, new: &Version) -> Option<bool> {
    let part = part.trim().trim_start_matches('v');
    if part.contains(" - ") {
        return None;
    }
    let range = if part.starts_with(|c: char| c.is_ascii_digit()) && !part.contains(['x', 'X', '*', ' ']) {
        let exact = part.split('.').count() > 2;
        format!("{}{part}", if exact { "=" } else { "~" })
    } else {
        part.split_ascii_whitespace().collect::<Vec<&str>>().join(",")
    };
    Some(VersionReq::parse(&range).ok()?.matches(new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_move_with_the_version() {
        use Flavour::{Cargo, Npm};
        let cases = [
            // Exactly the old one.
            (Cargo, "1.2.3", "1.2.4", Ok("1.2.4")),
            (Cargo, "=1.2.3", "1.2.4", Ok("=1.2.4")),
            (Cargo, " ^ 1.2.3 ", "2.0.0", Ok(" ^ 2.0.0 ")),
            (Npm, "~1.2.3", "1.3.0", Ok("~1.3.0")),
            (Npm, "workspace:^1.2.3", "1.3.0", Ok("workspace:^1.3.0")),
            // What fits stays.
            (Cargo, "1.2", "1.9.0", Ok("1.2")),
            (Cargo, "1", "1.9.0", Ok("1")),
            (Cargo, ">=1, <3", "2.0.0", Ok(">=1, <3")),
            (Npm, "1.x", "1.9.0", Ok("1.x")),
            (Npm, ">=1 <3", "2.0.0", Ok(">=1 <3")),
            (Npm, "^1.0.0 || ^2.0.0", "2.0.0", Ok("^1.0.0 || ^2.0.0")),
            // What does not is written anew, as exact as it was.
            (Cargo, "1.2", "2.1.0", Ok("2.1")),
            (Cargo, "1", "2.1.0", Ok("2")),
            (Cargo, "1.0.0", "2.1.0", Ok("2.1.0")),
            (Cargo, "1.2", "1.3.0-rc.1", Ok("1.3.0-rc.1")),
            (Npm, "1.2", "1.3.0", Ok("1.3")),
            (Npm, "^1.0.0", "2.0.0", Ok("^2.0.0")),
            // What is no range stays.
            (Npm, "*", "2.0.0", Ok("*")),
            (Npm, "workspace:*", "2.0.0", Ok("workspace:*")),
            (Npm, "workspace:^", "2.0.0", Ok("workspace:^")),
            (Npm, "file:../a", "2.0.0", Ok("file:../a")),
            (Npm, "latest", "2.0.0", Ok("latest")),
            // What cannot be written anew.
            (Cargo, ">=1, <2", "2.0.0", Err("`a` is asked for as `>=1, <2`, which 2.0.0 does not fit")),
            (Npm, "1.0.0 - 1.9.0", "2.0.0", Err("does not fit")),
            (Npm, "1.x", "2.0.0", Err("does not fit")),
            (Cargo, "1.2", "2026.01.1", Err("zero in front")),
        ];
        for (flavour, text, new, expected) in cases {
            let requirement = Requirement { flavour, package: "a".into(), old: "1.2.3".into() };
            match (requirement.moved(text, new), expected) {
                (Ok(got), Ok(wanted)) => assert_eq!(got, wanted, "{text} {new}"),
                (Err(why), Err(part)) => assert!(why.contains(part), "{text} {new}: {why}"),
                (got, _) => panic!("{text} {new}: {got:?}"),
            }
        }
    }
}
