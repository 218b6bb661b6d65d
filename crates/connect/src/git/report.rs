//! What `git push --porcelain` reports, parsed.

use std::collections::BTreeMap;

use super::text;

/// Longest text of a refusal, in characters.
const WORDS_CHARS: usize = 500;

/// What a push says of one ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Report {
    /// Written, or there already.
    Written,
    /// The remote's branch has commits that ours does not.
    Behind,
    /// There is a tag of this name.
    Exists,
    /// A hook or rule said no.
    Declined(String),
    /// Refused because another one was.
    WithTheOthers,
    /// Something went wrong on the other side; it may work the next time.
    Failed(String),
}

/// The lines of a porcelain report, by full names of remote refs.
pub(super) fn parse(stdout: &[u8]) -> BTreeMap<String, Report> {
    let text = String::from_utf8_lossy(stdout);
    text.lines().filter_map(line).collect()
}

/// `FLAG \t FROM:TO \t SUMMARY (REASON)`
fn line(line: &str) -> Option<(String, Report)> {
    let mut fields = line.splitn(3, '\t');
    let (flag, names, summary) = (fields.next()?, fields.next()?, fields.next()?);
    let (_, name) = names.rsplit_once(':')?;
    let report = match flag {
        " " | "*" | "=" | "+" | "-" => Report::Written,
        "!" => refusal(summary),
        _ => return None,
    };
    Some((name.to_owned(), report))
}

fn refusal(summary: &str) -> Report {
    let (kind, rest) = summary.split_once(']').unwrap_or((summary, ""));
    let reason = rest.trim().trim_start_matches('(').trim_end_matches(')');
    let reason = text::cut(&text::plain(reason), WORDS_CHARS);
    let lower = reason.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["atomic push fail", "atomic transaction failed", "transaction failed"]) {
        return Report::WithTheOthers;
    }
    match kind.trim_start_matches('[') {
        "rejected" if has(&["already exists", "needs force", "would clobber"]) => Report::Exists,
        "rejected" if has(&["non-fast-forward", "fetch first", "stale info", "remote ref updated"]) => {
            Report::Behind
        }
        "remote rejected" if has(&["non-fast-forward"]) => Report::Behind,
        "remote rejected"
            if has(&["cannot lock ref", "failed to update ref", "internal error", "unpacker error"]) =>
        {
            Report::Failed(reason)
        }
        "remote rejected" | "rejected" => Report::Declined(reason),
        // `[remote failure]` (no report came) and whatever else there may be.
        _ => Report::Failed(reason),
    }
}

/// What the remote's hooks printed, as one plain text.
pub(super) fn remote_words(stderr: &str) -> String {
    let words = stderr
        .split(['\n', '\r'])
        .filter_map(|line| line.strip_prefix("remote:"))
        .map(|line| text::plain(line).trim().to_owned())
        .filter(|line| !line.is_empty());
    text::cut(&words.collect::<Vec<_>>().join(" "), WORDS_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read() {
        let declined = |why: &str| Report::Declined(why.to_owned());
        let cases = [
            ("*\tabc:refs/tags/v1\t[new tag]", Report::Written),
            (" \tabc:refs/heads/main\ta..b", Report::Written),
            ("=\tabc:refs/heads/main\t[up to date]", Report::Written),
            ("!\tabc:refs/heads/main\t[rejected] (non-fast-forward)", Report::Behind),
            ("!\tabc:refs/heads/main\t[rejected] (fetch first)", Report::Behind),
            ("!\tabc:refs/tags/v1\t[rejected] (already exists)", Report::Exists),
            ("!\tabc:refs/tags/v1\t[rejected] (atomic push failed)", Report::WithTheOthers),
            ("!\tabc:refs/tags/v1\t[remote rejected] (atomic push failure)", Report::WithTheOthers),
            ("!\tabc:refs/heads/main\t[remote rejected] (hook declined)", declined("hook declined")),
            (
                "!\tabc:refs/heads/main\t[remote rejected] (protected branch hook declined)",
                declined("protected branch hook declined"),
            ),
            (
                "!\tabc:refs/heads/main\t[remote rejected] (failed to update ref)",
                Report::Failed("failed to update ref".to_owned()),
            ),
            (
                "!\tabc:refs/heads/main\t[remote failure] (remote failed to report status)",
                Report::Failed("remote failed to report status".to_owned()),
            ),
        ];
        for (text, want) in cases {
            let reports = parse(format!("To somewhere\n{text}\nDone\n").as_bytes());
            assert_eq!(reports.into_values().collect::<Vec<_>>(), [want], "{text}");
        }
        assert_eq!(
            remote_words("remote: no\x1b[1m way   \nremote:\nother\nremote: ever\n"),
            "no[1m way ever"
        );
    }
}
