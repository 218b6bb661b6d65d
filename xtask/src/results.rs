//! How many tests passed, and which of them could not run.
//!
//! A test that cannot run here prints a line `SKIPPED: reason` and passes; where `CI` is set, it fails instead.

/// What starts the line of a test that could not run.
const SKIPPED: &str = "SKIPPED: ";

/// What came of the tests.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Results {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// The reasons of those that could not run, each once.
    pub(crate) skipped: Vec<String>,
}

impl Results {
    /// Reads the report that nextest writes.
    pub(crate) fn of_junit(xml: &str) -> Option<Self> {
        let head = xml.split_once("<testsuites")?.1.split_once('>')?.0;
        let number = |name: &str| -> Option<u64> {
            head.split_once(&format!(" {name}=\""))?.1.split_once('"')?.0.parse().ok()
        };
        let failed = number("failures")? + number("errors")?;
        let mut results = Self { passed: number("tests")?.checked_sub(failed)?, failed, skipped: Vec::new() };
        xml.lines().for_each(|line| results.note_skipped(&unescape(line)));
        Some(results)
    }

    /// Reads a line that `cargo test` printed.
    pub(crate) fn add_libtest_line(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("test result: ") {
            let number = |what: &str| -> u64 {
                let before = rest.split(what).next().unwrap_or_default().trim_end();
                before.rsplit(' ').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
            };
            self.passed += number("passed");
            self.failed += number("failed");
        }
        self.note_skipped(line);
    }

    /// Adds what another run gave.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
        self.skipped.sort();
        self.skipped.dedup();
    }

    fn note_skipped(&mut self, line: &str) {
        if let Some((_, why)) = line.split_once(SKIPPED) {
            let why = why.split_once("</").map_or(why, |(why, _)| why).trim().to_owned();
            if !self.skipped.contains(&why) {
                self.skipped.push(why);
            }
        }
    }
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_nextest_is_read() {
        let xml = "<?xml version=\"1.0\"?>\n<testsuites name=\"nextest-run\" tests=\"12\" failures=\"1\" errors=\"1\" \
                   uuid=\"x\">\n<system-err>SKIPPED: no &quot;sshd&quot; here</system-err>\n\
                   <system-err>SKIPPED: no &quot;sshd&quot; here\n</system-err></testsuites>";
        let read = Results::of_junit(xml).unwrap();
        assert_eq!(read, Results { passed: 10, failed: 2, skipped: vec!["no \"sshd\" here".to_owned()] });
        assert_eq!(Results::of_junit("<testsuites name=\"half"), None);
    }

    #[test]
    fn the_lines_of_cargo_test_are_added() {
        let mut results = Results::default();
        for line in [
            "test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "SKIPPED: no gpg",
            "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            results.add_libtest_line(line);
        }
        assert_eq!(results, Results { passed: 12, failed: 2, skipped: vec!["no gpg".to_owned()] });
    }
}
