//! Which format all tags of a form have together, where one of them alone does not tell.

use jiff::civil::Date;

use super::guess::{numbers, pre_release};
use super::{TAG_MAX_BYTES, VersionFormat};

/// What three numbers can be, if they are a date and more.
const MONTHS_FIRST: [&str; 6] =
    ["YYYY.MM.DD", "YYYY.0M.0D", "YYYY.MM.MICRO", "YYYY.0M.MICRO", "YYYY.MINOR.MICRO", "YY.0M.MICRO"];

/// The form of a name, by what can be seen of it.
#[derive(Debug, PartialEq, Eq)]
struct Form<'a> {
    prefix: &'a str,
    separator: char,
    /// Two or three; a fourth number is a part of the suffix.
    numbers: usize,
    suffix: &'a str,
    /// How many digits the first number has.
    first_digits: usize,
}

impl<'a> Form<'a> {
    fn of(name: &'a str) -> Option<Self> {
        if name.len() > TAG_MAX_BYTES {
            return None;
        }
        let start = name.find(|c: char| c.is_ascii_digit())?;
        let (prefix, rest) = name.split_at(start);
        let (numbers, separator, suffix) = numbers(rest)?;
        let first_digits = numbers.first()?.len();
        Some(Self { prefix, separator, numbers: numbers.len(), suffix, first_digits })
    }

    fn is_like(&self, other: &Self) -> bool {
        (self.prefix, self.separator) == (other.prefix, other.separator)
    }

    /// Formats with what names like this one have before and behind their numbers.
    fn formats(&self, bodies: &[&str], like_it: &[Form<'_>]) -> Vec<VersionFormat> {
        let suffixes: Vec<&str> = like_it.iter().map(|form| form.suffix).collect();
        let pre = suffixes.iter().find_map(|suffix| {
            let pre = suffix.split('+').next().and_then(pre_release)?;
            (!pre.is_empty()).then_some(pre)
        });
        let build = if suffixes.iter().any(|suffix| suffix.contains('+')) { "[+BUILD]" } else { "" };
        let prefix = match self.prefix.contains(|c: char| c.is_ascii_uppercase()) {
            true => format!("'{}'", self.prefix),
            false => self.prefix.to_owned(),
        };
        let of = |body: &&str| {
            let body = body.replace('.', &self.separator.to_string());
            VersionFormat::new(&format!("{prefix}{body}{}{build}", pre.unwrap_or_default())).ok()
        };
        // What has one digit is no year here.
        let short = like_it.iter().all(|form| form.first_digits == 2);
        bodies.iter().filter(|body| short || !body.starts_with("YY.")).filter_map(of).collect()
    }
}

impl VersionFormat {
    /// The format of the calendar that fits each tag of the form of `by`, where this guess does not fit all of them and exactly
    /// such a one does: 24.10 alone looks like two numbers, and not beside 24.04. Else the guess as it is. `today` is the day in
    /// the project's time zone: a date that has not come is none.
    pub fn refined(self, by: &str, names: &[&str], today: Date) -> Self {
        let Some(form) = Form::of(by) else { return self };
        let of_form = |name: &&&str| {
            Form::of(name).is_some_and(|other| other.is_like(&form) && other.numbers == form.numbers)
        };
        let like_it: Vec<&str> = names.iter().filter(of_form).copied().collect();
        let misfits = like_it.iter().filter(|name| !fits_all(&self, &[**name], today)).count();
        // A mistyped date among many does not make them something else.
        if misfits == 0 || self.is_calendar() && misfits * 10 < like_it.len() {
            return self;
        }
        // Where nothing tells, months have two digits beside a dash, and only there.
        let bodies: &[&str] = match (form.numbers, form.separator) {
            (2, _) => &["YYYY.MM[.N]", "YYYY.0M[.N]", "YYYY.MM[.MICRO]", "YYYY.0M[.MICRO]", "YY.0M[.MICRO]"],
            (_, '-') => &["YYYY.0M.0D", "YYYY.MM.DD", "YYYY.0M.MICRO", "YYYY.MM.MICRO", "YYYY.MINOR.MICRO"],
            _ => &MONTHS_FIRST,
        };
        let forms: Vec<Form<'_>> = like_it.iter().filter_map(|name| Form::of(name)).collect();
        let found = form.formats(bodies, &forms).into_iter().find(|format| fits_all(format, &like_it, today));
        found.unwrap_or(self)
    }

    /// The format of tags among which none has a usual form: a short year and a month with two digits, four numbers, or one number
    /// after a `v`. All tags like the last of these have to fit. Gives the place of that tag, too.
    pub fn guess_unusual(names: &[&str], today: Date) -> Option<(Self, usize)> {
        let last = names.iter().rposition(|name| Form::of(name).is_some() || is_single(name))?;
        let Some(form) = Form::of(names[last]) else { return Some((Self::new("vX").ok()?, last)) };
        let like_it: Vec<&str> = names
            .iter()
            .filter(|name| Form::of(name).is_some_and(|other| other.is_like(&form)))
            .copied()
            .collect();
        let forms: Vec<Form<'_>> = like_it.iter().filter_map(|name| Form::of(name)).collect();
        let bodies = ["YY.0M.MICRO", "YY.0M[.MICRO]", "X.Y.Z.N"];
        let formats = form.formats(&bodies, &forms);
        let format = formats.into_iter().find(|format| fits_all(format, &like_it, today))?;
        Some((format, last))
    }
}

/// Whether all names are versions of a format, and of no day that has not come.
fn fits_all(format: &VersionFormat, names: &[&str], today: Date) -> bool {
    names.iter().all(|name| format.parse_tag(name).is_some_and(|version| version.check_date(today).is_ok()))
}

fn is_single(name: &str) -> bool {
    VersionFormat::new("vX").is_ok_and(|format| format.parse_tag(name).is_some())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const TODAY: Date = date(2026, 11, 5);

    #[test]
    fn tags_of_one_form_tell_together() {
        let check = |tags: &[&str], want: &str| {
            let by = tags[tags.len() - 1];
            let guessed: Vec<VersionFormat> =
                tags.iter().filter_map(|tag| VersionFormat::guess(tag)).collect();
            let first = VersionFormat::guess(by).unwrap().with_guessed(&guessed);
            assert_eq!(first.refined(by, tags, TODAY).as_str(), want, "{tags:?}");
        };
        // What one format fits stays as it is.
        check(&["1.2.3", "1.10.0", "24.4.1"], "X.Y.Z");
        check(&["v24.10.1", "v24.4.0"], "vX.Y.Z");
        check(&["2026-11-04", "2026-11-05-1", "2026-11-05"], "YYYY-0M-0D[-N]");
        check(&["2026.10.1", "2026.11.1"], "YYYY.MM.DD[-N]");
        check(&["2026.10.0", "2026.11.1"], "YYYY.MM.MICRO");
        check(&["2026.10.3", "2026.11.0"], "YYYY.MM.N");
        check(&["2026-11-04-rc.1", "2026-11-04", "2026-11-05"], "YYYY-0M-0D[-PRE.N]");
        check(&["2026.11.3", "v1.2.3"], "vX.Y.Z");
        // And so it does where none fits all.
        check(&["2016-03-15-garbage", "2017-12-1", "2026-11-05"], "YYYY-0M-0D[-N]");
        check(&["1.02.3", "24.05.1", "1.2.3"], "X.Y.Z");
        check(&["24.04.1", "24.13.1", "1.2.3"], "X.Y.Z");
        // Only a date is written so.
        check(&["24.04.1", "24.10.2"], "YY.0M.MICRO");
        check(&["24.04", "24.10"], "YY.0M[.MICRO]");
        check(&["2026.09", "2026.10-rc.1", "2026.10"], "YYYY.0M[.MICRO][-PRE.N]");
        check(&["v24.04.0-rc.1", "v24.04.0", "v24.10.0"], "vYY.0M.MICRO[-PRE.N]");
        check(&["2026.10.1", "2026.10.32", "2026.11.2"], "YYYY.MM.MICRO");
        check(&["2026.10.0-rc.1", "2026.10.0", "2026.11.0"], "YYYY.MM.MICRO[-PRE.N]");
        check(&["2025.17.0", "2026.3.0"], "YYYY.MINOR.MICRO");
        check(&["'R'", "R-2025.17.0", "R-2026.3.0"], "'R-'YYYY.MINOR.MICRO");
        // A month that has not come is a number.
        check(&["2026.2.0", "2026.12.0", "2026.3.40"], "YYYY.MINOR.MICRO");
    }

    #[test]
    fn unusual_forms_are_guessed_where_there_is_no_other() {
        let check = |tags: &[&str], want: Option<(&str, usize)>| {
            let found = VersionFormat::guess_unusual(tags, TODAY);
            assert_eq!(found.as_ref().map(|(format, at)| (format.as_str(), *at)), want, "{tags:?}");
        };
        check(&[], None);
        check(&["nightly", "nightly-7"], None);
        check(&["v1", "v2", "latest"], Some(("vX", 1)));
        check(&["1.2.3.4", "1.2.3.10"], Some(("X.Y.Z.N", 1)));
        check(&["v1.2.3.4", "x"], Some(("vX.Y.Z.N", 0)));
        check(&["24.04.1", "26.05.0"], Some(("YY.0M.MICRO", 1)));
        check(&["24.04", "24.04.1"], Some(("YY.0M[.MICRO]", 1)));
        check(&["24.04", "99.05"], None);
        check(&["1.02.3"], None);
    }
}
