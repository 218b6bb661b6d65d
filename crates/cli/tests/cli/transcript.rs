//! Transcripts: reading, comparing, writing.

/// A transcript.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Transcript {
    /// The lines before the first command.
    pub(crate) head: Vec<String>,
    /// The commands.
    pub(crate) blocks: Vec<Block>,
}

/// A command with what comes out of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// What is run.
    pub(crate) command: String,
    /// What has to come out.
    pub(crate) expected: Vec<String>,
    /// Remarks and empty lines after it.
    pub(crate) after: Vec<String>,
}

impl Transcript {
    pub(crate) fn read(text: &str) -> Self {
        let mut transcript = Self { head: Vec::new(), blocks: Vec::new() };
        let mut remark = false;
        for line in text.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                remark = false;
                transcript.blocks.push(Block {
                    command: command.to_owned(),
                    expected: Vec::new(),
                    after: Vec::new(),
                });
                continue;
            }
            let Some(block) = transcript.blocks.last_mut() else {
                transcript.head.push(line.to_owned());
                continue;
            };
            if let (Some(more), true, false) = (line.strip_prefix("> "), block.expected.is_empty(), remark) {
                block.command.push('\n');
                block.command.push_str(more);
                continue;
            }
            remark |= line.starts_with("# ");
            if remark { &mut block.after } else { &mut block.expected }.push(line.to_owned());
        }
        for block in &mut transcript.blocks {
            while block.expected.last().is_some_and(String::is_empty) {
                block.expected.pop();
                block.after.insert(0, String::new());
            }
        }
        transcript
    }

    pub(crate) fn write(&self) -> String {
        let mut text = String::new();
        let mut push = |line: &str| {
            text.push_str(line);
            text.push('\n');
        };
        self.head.iter().for_each(|line| push(line));
        for block in &self.blocks {
            push(&format!("$ {}", block.command.replace('\n', "\n> ")));
            block.expected.iter().chain(&block.after).for_each(|line| push(line));
        }
        text
    }
}

/// What came out, as lines of a transcript.
pub(crate) fn shown(stdout: &str, stderr: &str, exit: Option<i32>) -> Vec<String> {
    let special = |line: &str| {
        ["$ ", "# ", "> ", "! ", "[exit ", "..."].iter().any(|start| line.starts_with(start)) || line == "!"
    };
    let escape = |line: &str| {
        let line = line.trim_end();
        if special(line) { format!("\\{line}") } else { line.to_owned() }
    };
    let mut lines: Vec<String> = stdout.lines().map(escape).collect();
    lines.extend(stderr.lines().map(|line| format!("! {line}").trim_end().to_owned()));
    match exit {
        Some(0) => {}
        Some(code) => lines.push(format!("[exit {code}]")),
        None => lines.push("[killed]".into()),
    }
    lines
}

/// Whether what came out fits what was expected.
pub(crate) fn fits(expected: &[String], found: &[String]) -> bool {
    match (expected.split_first(), found.split_first()) {
        (None, None) => true,
        (Some((any, rest)), None) => any == "..." && fits(rest, found),
        (None, Some(_)) => false,
        (Some((any, rest)), Some((_, others))) if any == "..." => fits(rest, found) || fits(expected, others),
        (Some((line, rest)), Some((other, others))) => line_fits(line, other) && fits(rest, others),
    }
}

fn line_fits(expected: &str, found: &str) -> bool {
    let mut parts = expected.split("[..]");
    let Some(mut rest) = parts.next().and_then(|first| found.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
