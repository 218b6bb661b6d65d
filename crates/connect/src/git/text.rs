//! Texts from git, made fit for people: plain, without secrets, not too long.

/// Longest explanation that goes into an error, in characters.
const WHY_CHARS: usize = 700;
/// What stands where a secret stood.
const BLOT: &str = "***";

/// One line or text without control characters, escape sequences' openings and text direction marks; newlines become
/// spaces.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\n' | '\t' | '\r' => Some(' '),
            c if c.is_control() => None,
            // Marks that turn the direction of text around or cannot be seen.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => None,
            c => Some(c),
        })
        .collect()
}

/// Cuts a text to so many characters, with a sign that it was cut.
pub(super) fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// Cuts bytes so that at most `limit` are left and no UTF-8 sequence is torn, and replaces what is not UTF-8.
pub(super) fn lossy(bytes: &[u8], limit: usize) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    if text.len() > limit {
        let mut end = limit;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        // A sequence torn by the reader's own limit shows as one replacement character at the very end.
        if bytes.len() > limit && text.ends_with('\u{fffd}') {
            text.pop();
        }
    }
    text
}

/// Blots out what stands before the `@` in addresses: passwords, and over http user names too, which may be tokens.
pub(super) fn without_credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after
            .find(|c: char| c == '/' || c == '?' || c == '#' || c.is_whitespace() || "'\"`<>".contains(c))
            .unwrap_or(after.len());
        let authority = &after[..end];
        match authority.rsplit_once('@') {
            None => out.push_str(authority),
            Some((who, host)) => {
                let scheme = before.trim_end_matches("://");
                let ssh = scheme.ends_with("ssh") || scheme.ends_with("git");
                match (ssh, who.split_once(':')) {
                    (true, None) => out.push_str(who),
                    (true, Some((user, _))) => {
                        out.push_str(user);
                        out.push(':');
                        out.push_str(BLOT);
                    }
                    (false, _) => out.push_str(BLOT),
                }
                out.push('@');
                out.push_str(host);
            }
        }
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

/// Blots out words that are known to be secret.
pub(super) fn without_secrets(text: &str, secrets: &[String]) -> String {
    let mut text = without_credentials(text);
    for secret in secrets.iter().filter(|s| !s.is_empty()) {
        if text.contains(secret.as_str()) {
            text = text.replace(secret.as_str(), BLOT);
        }
    }
    text
}

/// How lines begin that tell nobody anything: advice for other programs, and what follows from the line before.
const NOISE: [&str; 10] = [
    "hint:",
    "To ",
    "[GNUPG:]",
    "gpg: directory '",
    "gpg: keybox '",
    "gpg: signing failed:",
    "The tag message has been left in",
    "Could not read from remote repository.",
    "Please make sure you have the correct access rights",
    "and the repository exists.",
];

/// What git said, as one plain sentence or two: its hints and repetitions left out.
pub(super) fn explanation(stderr: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in stderr.split(['\n', '\r']) {
        let line = plain(line);
        let line = line.trim();
        let line = ["fatal: ", "error: "].into_iter().find_map(|p| line.strip_prefix(p)).unwrap_or(line);
        let noise = line.is_empty() || line == "remote:" || NOISE.iter().any(|start| line.starts_with(start));
        if !noise && !lines.iter().any(|seen| seen == line) {
            lines.push(line.to_owned());
        }
    }
    cut(&lines.join("; "), WHY_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_blotted_out() {
        let cases = [
            ("fetch https://me:pa55@host/x.git now", "fetch https://***@host/x.git now"),
            ("'https://token@host:8080/x'", "'https://***@host:8080/x'"),
            ("https://a:b@c@host/x", "https://***@host/x"),
            ("ssh://git@host/x", "ssh://git@host/x"),
            ("ssh://git:pw@host/x", "ssh://git:***@host/x"),
            ("https://host/x@y", "https://host/x@y"),
            ("https://host/ and mail a@b.example", "https://host/ and mail a@b.example"),
            ("two http://u:p@a https://v:q@b", "two http://***@a https://***@b"),
            ("nothing", "nothing"),
        ];
        for (text, want) in cases {
            assert_eq!(without_credentials(text), want);
        }
        assert_eq!(
            without_secrets("the word pa55 here", &["pa55".into(), String::new()]),
            "the word *** here"
        );
    }

    #[test]
    fn texts_become_plain() {
        assert_eq!(plain("a\x1b[31mred\x07\u{202e}x\n"), "a[31mredx ");
        assert_eq!(explanation("fatal: one\nhint: do\nfatal: one\n\nerror: two\r"), "one; two");
        assert_eq!(cut("äöü", 2), "äö…");
        assert_eq!(lossy(b"a\xffb", 100), "a\u{fffd}b");
        assert_eq!(lossy("aä".as_bytes(), 2), "a");
    }
}
