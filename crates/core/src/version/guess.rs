//! Which format a tag is likely to have, where nobody said.

use std::collections::{BTreeMap, HashMap};

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
        let (suffix, build) = match suffix.split_once('+') {
            Some((suffix, build)) => (suffix, build_metadata(build)?),
            None => (suffix, ""),
        };
        Some(format!("{}{}{build}", placeholders.join(&sep), pre_release(suffix)?))
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
    /// before it; a pre-release and build metadata behind numbers are taken as such. Nothing when the name has no such form.
    pub fn guess(name: &str) -> Option<Self> {
        FormatGuesser::default().guess(name)
    }

    /// The format without its pre-release and build metadata, as guessed formats have them.
    pub fn without_guessed_pre(&self) -> &str {
        let text = self.as_str();
        text.find("[")
            .filter(|_| text.contains("PRE") || text.contains("BUILD"))
            .map_or(text, |at| &text[..at])
    }

    /// The guessed format that fits all tags of this form that others were guessed by: with pre-releases, if there are any, in the
    /// form that most of them have, and with build metadata if there is any. `others` may be of other forms too.
    pub fn with_guessed<'a>(&self, others: impl IntoIterator<Item = &'a Self>) -> Self {
        let form = self.without_guessed_pre();
        let (mut build, mut counts) = (false, BTreeMap::<&str, usize>::new());
        for other in others.into_iter().filter(|other| other.without_guessed_pre() == form) {
            let text = other.as_str().strip_suffix(BUILD);
            build |= text.is_some();
            *counts.entry(text.unwrap_or(other.as_str())).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(text, count)| (text.len() > form.len(), *count));
        let text = most.map_or(form, |(text, _)| text);
        let whole = format!("{text}{}", if build { BUILD } else { "" });
        Self::new(&whole).unwrap_or_else(|_| self.clone())
    }
}

/// What stands in a guessed format for build metadata.
const BUILD: &str = "[+BUILD]";

fn build_metadata(text: &str) -> Option<&'static str> {
    let metadata = semver::BuildMetadata::new(text).ok()?;
    (!metadata.is_empty()).then_some(BUILD)
}

/// Two or three numbers with the same sign between them, and what follows.
pub(super) fn numbers(text: &str) -> Option<(Vec<&str>, char, &str)> {
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
pub(super) fn pre_release(suffix: &str) -> Option<&'static str> {
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
    fn one_format_fits_all_tags_of_a_form() {
        let cases: [(&[&str], &str); 6] = [
            (&["v1.0.0"], "vX.Y.Z"),
            (&["v1.0.0", "v1.0.1+b1"], "vX.Y.Z[+BUILD]"),
            (&["v1.0.0", "v1.1.0-rc.1", "v1.0.1+b1", "v1.0.1+b2"], "vX.Y.Z[-PRE.N][+BUILD]"),
            (&["v1.0.0", "v1.1.0-rc.1", "v1.1.0-rc.2", "v1.1.0-rc3"], "vX.Y.Z[-PRE.N]"),
            (&["v1.0.0", "1.0.0-rc.1", "web-1.0.0+b1"], "vX.Y.Z"),
            (&["2026-11-05", "2026-11-06"], "YYYY-0M-0D[-N]"),
        ];
        for (tags, want) in cases {
            let guessed: Vec<VersionFormat> =
                tags.iter().filter_map(|tag| VersionFormat::guess(tag)).collect();
            assert_eq!(guessed[0].with_guessed(&guessed).as_str(), want, "{tags:?}");
        }
    }

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
            ("v1.0.1+b1", Some("vX.Y.Z[+BUILD]")),
            ("v1.4.0-rc.1+build.5", Some("vX.Y.Z[-PRE.N][+BUILD]")),
            ("1.3+20261105", Some("X.Y[+BUILD]")),
            ("v1.0.1+", None),
            ("v1.0.1+b_1", None),
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
        assert_eq!(VersionFormat::guess("v1.4.0+b1").unwrap().without_guessed_pre(), "vX.Y.Z");
        assert_eq!(VersionFormat::guess(&"1.".repeat(200)), None);
    }
}
