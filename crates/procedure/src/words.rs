//! Words in messages.

use crate::render::plain;

/// A text of the file as it stands in a message: without control characters, and of readable length.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let text = plain(text).replace('\n', " ");
    if text.chars().count() <= LONGEST {
        return text;
    }
    let mut cut: String = text.chars().take(LONGEST).collect();
    cut.push('…');
    cut
}

/// The valid name that was probably meant.
pub(crate) fn nearest<'a>(given: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 80;
    // A file with thousands of names and thousands of mistakes would otherwise take its time.
    const MOST: usize = 300;
    if given.len() > LONGEST {
        return None;
    }
    let lower = given.to_lowercase().replace('_', "-");
    let near = |name: &'a str| {
        let score = strsim::jaro_winkler(&lower, &name.to_lowercase().replace('_', "-"));
        let edits = strsim::osa_distance(&lower, &name.to_lowercase().replace('_', "-"));
        (edits <= 2 && edits < name.chars().count() || score > 0.88).then_some((edits, name))
    };
    valid.into_iter().take(MOST).filter_map(near).min_by_key(|(edits, _)| *edits).map(|(_, name)| name)
}

/// "Did you mean", when there is something near.
pub(crate) fn did_you_mean<'a>(given: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(given, valid).map(|name| format!("did you mean `{}`?", shown(name)))
}

/// The nearest name, or else what there is.
pub(crate) fn name_hint<'a>(
    given: &str,
    valid: impl IntoIterator<Item = &'a str> + Clone,
    none: &str,
) -> String {
    if let Some(hint) = did_you_mean(given, valid.clone()) {
        return hint;
    }
    match valid.clone().into_iter().take(2).count() {
        0 => none.to_owned(),
        1 => format!("there is {}", listed(valid, "and")),
        _ => format!("there are {}", listed(valid, "and")),
    }
}

/// `a`, `b` and `c`; at most twelve.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>, last: &str) -> String {
    const MOST: usize = 12;
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{}`", shown(name))).collect();
    if names.len() > MOST {
        let more = names.len() - MOST;
        names.truncate(MOST);
        return format!("{} {last} {more} more", names.join(", "));
    }
    match names.pop() {
        None => String::new(),
        Some(only) if names.is_empty() => only,
        Some(end) => format!("{} {last} {end}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found() {
        let keys = ["service", "version", "environments", "git.tag"];
        assert_eq!(nearest("enviroments", keys), Some("environments"));
        assert_eq!(nearest("Service", keys), Some("service"));
        assert_eq!(nearest("git-tag", keys), Some("git.tag"));
        assert_eq!(nearest("zzz", keys), None);
        assert_eq!(listed(["a", "b", "c"], "or"), "`a`, `b` or `c`");
    }
}
