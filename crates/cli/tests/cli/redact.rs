//! What changes from run to run, replaced: the one place for it.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// Patterns and what stands for them, in this order.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[ID]"),
        (r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) 20\d\d-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC", "[TIME]"),
        (r"\bdaily \d\d:\d\d UTC", "daily [CLOCK] UTC"),
        // A forecast: when, and by when at the latest.
        (r"\b[A-Z][a-z]{2} \d{1,2} [A-Z][a-z]{2}( 20\d\d)? \d\d:\d\d \((by [^)]*|or later)\)", "[WHEN]"),
        (r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?UTC|Z)?", "[TIME]"),
        (r"\b20\d\d-\d\d-\d\d\b", "[DATE]"),
        (r"\b(127\.0\.0\.1|localhost):\d+", "$1:[PORT]"),
        (r"\b[0-9a-f]{64}\b", "[HASH]"),
        (r"\b[0-9a-f]{40}\b", "[COMMIT]"),
        (r"\b[0-9a-f]{7,12}\b", "[SHORT]"),
        (r"\b(just now|(\d+ min )?\d+ s ago)\b", "[AGO]"),
        (r"\(in \d+ (d|h|min)\)", "(in [SPAN])"),
        // A span of whole days, hours or minutes has one unit only.
        (r"\bnext look in [^(\n]+ \(", "next look in [SPAN] ("),
        (r"\b(\d+ d \d+ h|\d+ h \d+ min|\d+ min \d+ s|\d+(\.\d+)? m?s)\b", "[SPAN]"),
        (r"\bprocess \d+\b", "process [PID]"),
    ];
    patterns.into_iter().map(|(pattern, with)| (Regex::new(pattern).expect("a pattern"), with)).collect()
});

/// Replaces what changes from run to run.
pub(crate) fn redact(text: &str, root: &Path, login: &str) -> String {
    let mut text = text.replace(&root.display().to_string(), "[ROOT]");
    text = text.replace(&format!("login {login}"), "login [LOGIN]");
    text = text.replace(&format!("\"login\": \"{login}\""), "\"login\": \"[LOGIN]\"");
    text = text.replace(&format!("{login} (not in the policy)"), "[LOGIN] (not in the policy)");
    for (pattern, with) in PATTERNS.iter() {
        text = pattern.replace_all(&text, *with).into_owned();
    }
    text
}
