//! Which format a tag is likely to have, where nobody said.

use std::collections::HashMap;

use super::{TAG_MAX_BYTES, VersionFormat};

/// Guesses formats of many tags: each form is read once, however many tags have it.
#[derive(Debug, Default)]
pub struct FormatGuesser(HashMap<String, Option<VersionFormat>>);

impl FormatGuesser {
    /// As [`VersionFormat::guess`].
    pub fn guess(&mut self, name: &str) -> Option<VersionFormat> {
        if name.len() > TAG_MAX_BYTES {
            return None;
        }
        let begins = |at: &usize| {
            let before = name[..*at].bytes().last();
            name.as_bytes()[*at].is_ascii_digit() && !before.is_some_and(|b| b.is_ascii_digit() || b == b'.')
        };
        let starts = (0..name.len()).filter(|at| name.is_char_boundary(*at)).filter(begins);
        for at in starts {
            let Some(form) = form_at(name, at) else { continue };
            let format = self.0.entry(form).or_insert_with_key(|form| VersionFormat::new(form).ok());
            if let Some(format) = format.as_ref().filter(|format| format.parse_tag(name).is_some()) {
                return Some(format.clone());
            }
        }
        None
    }
}

/// The form that a name has, if what begins at a place is its version.
fn form_at(name: &str, at: usize) -> Option<String> {
    let (prefix, rest) = name.split_at(at);
    let (numbers, separator, suffix) = numbers(rest)?;
    let sep = separator.to_string();
    let body = calendar(&numbers, &sep).or_else(|| {
        let placeholders = ["X", "Y", "Z"].get(..numbers.len())?;
        Some(format!("{}{}", placeholders.join(&sep), pre_release(suffix)?))
    })?;
    // Capitals may be placeholders.
    let prefix = match prefix.bytes().any(|b| b.is_ascii_uppercase()) {
        true => format!("'{prefix}'"),
        false => prefix.to_owned(),
    };
    Some(format!("{prefix}{body}"))
}

impl VersionFormat {
    /// The format that a tag of this name most likely has, among the usual ones: two or three numbers, or a date, with fixed text
    /// before it; a pre-release behind it is taken as one. Nothing when the name has no such form.
    pub fn guess(name: &str) -> Option<Self> {
        FormatGuesser::default().guess(name)
    }

    /// The format without its pre-release, as guessed formats have it.
    pub fn without_guessed_pre(&self) -> &str {
        let text = self.as_str();
        text.find("[").filter(|_| text.contains("PRE")).map_or(text, |at| &text[..at])
    }
}

/// Two or three numbers with the same sign between them, and what follows.
fn numbers(text: &str) -> Option<(Vec<&str>, char, &str)> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let mut end = digits(text);
    let mut numbers = vec![&text[..end]];
    let separator = text[end..].chars().next().filter(|c| matches!(c, '.' | '_' | '-'))?;
    while numbers.len() < 3
        && let Some(rest) = text[end..].strip_prefix(separator)
        && rest.starts_with(|c: char| c.is_ascii_digit())
    {
        let length = digits(rest);
        numbers.push(&rest[..length]);
        end += 1 + length;
    }
    (numbers.len() > 1).then_some((numbers, separator, &text[end..]))
}

/// A date, if the first number is a year of ours.
fn calendar(numbers: &[&str], sep: &str) -> Option<String> {
    let (year, month) = (numbers.first()?, numbers.get(1)?);
    let value = |digits: &str| digits.parse::<u32>().unwrap_or(u32::MAX);
    if year.len() != 4 || !(2000..2100).contains(&value(year)) || !(1..=12).contains(&value(month)) {
        return None;
    }
    let padded = numbers.iter().any(|digits| digits.starts_with('0') && digits.len() == 2) || sep == "-";
    let month = if padded { "0M" } else { "MM" };
    let day = numbers.get(2).map(|day| match value(day) {
        0 | 32.. => "N",
        _ if padded && day.len() == 2 => "0D",
        _ if padded => "N",
        _ => "DD",
    });
    Some(match day {
        None => format!("YYYY{sep}{month}[{sep}N]"),
        Some("N") => format!("YYYY{sep}{month}{sep}N"),
        Some(day) => format!("YYYY{sep}{month}{sep}{day}[-N]"),
    })
}

/// What stands in a format for a pre-release that is written like this one.
fn pre_release(suffix: &str) -> Option<&'static str> {
    if suffix.is_empty() {
        return Some("");
    }
    let (sep, label) = match suffix.strip_prefix('-') {
        Some(label) => ("-", label),
        None => ("", suffix),
    };
    let letters = label.find(|c: char| !c.is_ascii_alphabetic()).filter(|at| *at > 0)?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match (sep, label[letters..].strip_prefix('.')) {
        ("-", Some(number)) if digits(number) => Some("[-PRE.N]"),
        ("-", None) if digits(&label[letters..]) => Some("[-PREN]"),
        ("", None) if digits(&label[letters..]) => Some("[PREN]"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_guessed() {
        let cases = [
            ("v1.2.3", Some("vX.Y.Z")),
            ("1.2.3", Some("X.Y.Z")),
            ("v3.99", Some("vX.Y")),
            ("release-1.9.0", Some("release-X.Y.Z")),
            ("curl-8_1_2", Some("curl-X_Y_Z")),
            ("k8s-v1.2.3", Some("k8s-vX.Y.Z")),
            ("web/v1.2.3", Some("web/vX.Y.Z")),
            ("v1.4.0-rc.1", Some("vX.Y.Z[-PRE.N]")),
            ("v1.4.0-rc1", Some("vX.Y.Z[-PREN]")),
            ("1.3rc1", Some("X.Y[PREN]")),
            ("2026-11-05", Some("YYYY-0M-0D[-N]")),
            ("2026.11.5", Some("YYYY.MM.DD[-N]")),
            ("2026.05.01", Some("YYYY.0M.0D[-N]")),
            ("nightly", None),
            ("nightly-7", None),
            ("", None),
            ("v1", None),
            ("v1.2.3.4", None),
            ("v1.02.3", None),
            ("\u{1b}[2J1.2.3", None),
            ("ä1.2.3", None),
        ];
        for (name, want) in cases {
            let format = VersionFormat::guess(name);
            assert_eq!(format.as_ref().map(VersionFormat::as_str), want, "{name}");
        }
        assert_eq!(VersionFormat::guess("v1.4.0-rc.1").unwrap().without_guessed_pre(), "vX.Y.Z");
        assert_eq!(VersionFormat::guess("v1.4.0").unwrap().without_guessed_pre(), "vX.Y.Z");
        assert_eq!(VersionFormat::guess(&"1.".repeat(200)), None);
    }
}
