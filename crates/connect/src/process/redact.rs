//! Blots secret values out of a stream of bytes, wherever the stream is cut.

/// What stands in place of a secret.
pub(super) const BLOT: &[u8] = b"***";

/// Lines of a secret of many lines (a key file) are blotted out by themselves too, unless they are shorter than this:
/// such a line says little and stands in harmless text as well.
const LINE_MIN_BYTES: usize = 8;

/// Replaces secret values in a stream that comes in pieces.
#[derive(Debug)]
pub(super) struct Redactor {
    /// Never empty texts, the longest first.
    needles: Vec<Vec<u8>>,
    /// Whether some needle starts with this byte.
    starts: [bool; 256],
    /// What was read and may be the beginning of a secret.
    held: Vec<u8>,
    /// How many of the first held bytes belong to a secret that was found already.
    covered: usize,
}

impl Redactor {
    /// For these secret values.
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needles: Vec<Vec<u8>> = Vec::new();
        for secret in secrets {
            let long_lines = secret.lines().map(str::trim).filter(|line| line.len() >= LINE_MIN_BYTES);
            for text in [secret, secret.trim()].into_iter().chain(long_lines) {
                if !text.is_empty() {
                    needles.push(text.as_bytes().to_vec());
                }
            }
        }
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        let mut starts = [false; 256];
        for needle in &needles {
            starts[usize::from(needle[0])] = true;
        }
        Self { needles, starts, held: Vec::new(), covered: 0 }
    }

    /// Takes a piece and gives what can be shown already.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        self.advance(false)
    }

    /// Gives the rest, at the end of the stream.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        self.advance(true)
    }

    /// Walks over what is held. Secrets that overlap are blotted out as one, so that no part of either shows.
    fn advance(&mut self, at_end: bool) -> Vec<u8> {
        let mut shown = Vec::with_capacity(self.held.len());
        let mut position = 0;
        while position < self.held.len() {
            let rest = &self.held[position..];
            if self.starts[usize::from(rest[0])] {
                if !at_end && self.needles.iter().any(|n| n.len() > rest.len() && n.starts_with(rest)) {
                    break;
                }
                if let Some(needle) = self.needles.iter().find(|n| rest.starts_with(n)) {
                    if self.covered == 0 {
                        shown.extend_from_slice(BLOT);
                    }
                    self.covered = self.covered.max(needle.len());
                }
            }
            if self.covered > 0 {
                self.covered -= 1;
            } else {
                shown.push(rest[0]);
            }
            position += 1;
        }
        self.held.drain(..position);
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the text in pieces of every size, which must not make a difference.
    #[track_caller]
    fn check(secrets: &[&str], text: &[u8], expected: &str) {
        for size in 1..=text.len().max(1) {
            let mut redactor = Redactor::new(secrets.iter().copied());
            let mut shown = Vec::new();
            for piece in text.chunks(size) {
                shown.extend(redactor.feed(piece));
            }
            shown.extend(redactor.finish());
            assert_eq!(String::from_utf8_lossy(&shown), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn secrets_are_blotted_out_wherever_the_stream_is_cut() {
        check(&[], b"plain", "plain");
        check(&[""], b"plain", "plain");
        check(&["hunter2"], b"a hunter2 b hunter2", "a *** b ***");
        check(&["hunter2"], b"hunter hunter", "hunter hunter");
        check(&["aab"], b"aaab", "a***");
        check(&["abc", "abcdef"], b"abcdex abcdef abc", "***dex *** ***");
        check(&["abcd", "cdef"], b"xabcdefx", "x***x");
        check(&["abab"], b"ababab-abab", "***-***");
        check(&["one", "two"], b"onetwo", "******");
        check(&[" padded\n"], b"<padded>", "<***>");
    }

    #[test]
    fn lines_of_a_key_are_secrets_too() {
        let key = "-----BEGIN KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n--\n-----END KEY-----\n";
        check(&[key], b"+ echo MC4CAQAwBQYDK2VwBCIEIA --", "+ echo *** --");
        check(&[key], key.as_bytes(), "***");
    }

    #[test]
    fn bytes_that_are_no_text_pass() {
        let mut redactor = Redactor::new(["secret"]);
        let mut shown = redactor.feed(b"\xff\xfe\0sec");
        shown.extend(redactor.feed(b"ret\x80"));
        shown.extend(redactor.finish());
        assert_eq!(shown, b"\xff\xfe\0***\x80");
    }
}
