//! YAML as a tree in which everything knows where it stands.
//!
//! Scalars stay the text that was written: `1.10` is not a number here, and `no` is not `false`. What a text means
//! is decided by the place it stands at. YAML that makes a file hard to read or to point at (anchors, tags, merge
//! keys, several documents) is refused.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use crate::diagnostic::{Code, Report, Span};
use crate::words::shown;

/// The largest file, in bytes.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;
/// How deep a file may be nested.
pub(crate) const MAX_DEPTH: usize = 32;
/// How many values a file may have.
pub(crate) const MAX_NODES: usize = 20_000;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A text, and whether it was written without quotes.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) plain: bool,
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

impl Scalar {
    /// Nothing at all, or one of YAML's words for it.
    pub(crate) fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// One of YAML 1.2's truth values.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.text.as_str() {
            "true" | "True" | "TRUE" if self.plain => Some(true),
            "false" | "False" | "FALSE" if self.plain => Some(false),
            _ => None,
        }
    }
}

impl Node {
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text, when it is one that says something.
    pub(crate) fn text(&self) -> Option<&str> {
        self.scalar().filter(|scalar| !scalar.is_null()).map(|scalar| scalar.text.as_str())
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        self.scalar().and_then(Scalar::as_bool)
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        let scalar = self.scalar().filter(|scalar| scalar.plain)?;
        let digits = scalar.text.strip_prefix(['-', '+']).unwrap_or(&scalar.text);
        let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if all_digits { scalar.text.parse().ok() } else { None }
    }

    /// What it is called when it is not what was expected.
    pub(crate) fn what(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.is_null() => "nothing",
            Kind::Scalar(scalar) if scalar.as_bool().is_some() => "true or false",
            Kind::Scalar(_) if self.integer().is_some() => "a number",
            Kind::Scalar(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

/// Reads a file. `None` when there is no tree at all; mistakes go into the report.
pub(crate) fn parse(text: &str, report: &mut Report) -> Option<Node> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        report.error(Code::Limit, Span { line: 1, column: 1, ..Span::default() }, message);
        return None;
    }
    let mut builder = Builder::new(text, report);
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Err(error) => {
                let span = builder.positions.at(*error.marker());
                if builder.broken != Some(span.line) {
                    let message = format!("this is not YAML: {}", error.info());
                    builder.report.error(Code::Syntax, span, message).hint_if(syntax_hint(text, span));
                }
                return None;
            }
            Ok((event, span)) => {
                let span = builder.positions.span(span);
                builder.event(event, span)?;
            }
        }
    }
    builder.finish()
}

/// What is most often behind a file that cannot be read.
fn syntax_hint(text: &str, span: Span) -> Option<String> {
    let line = text.lines().nth(usize::try_from(span.line).ok()?.saturating_sub(1))?;
    if line.starts_with('\t') || line.trim_start_matches(' ').starts_with('\t') {
        return Some("indent with spaces; YAML does not take tabs".to_owned());
    }
    let value = line.split_once(": ").map_or(line, |(_, value)| value).trim_start();
    if value.starts_with("{{") {
        return Some("put quotes around a text that starts with `{{`".to_owned());
    }
    if value.starts_with(['%', '@', '`', '*', '&', '!']) {
        return Some(format!("put quotes around a text that starts with `{}`", &value[..1]));
    }
    value.contains(": ").then(|| "put quotes around a text with a colon in it".to_owned())
}

/// Turns the parser's positions, counted in characters, into bytes.
struct Positions {
    /// The byte of every character, when they differ.
    bytes: Option<Vec<usize>>,
    len: usize,
}

impl Positions {
    fn new(text: &str) -> Self {
        let bytes = (!text.is_ascii()).then(|| text.char_indices().map(|(byte, _)| byte).collect());
        Self { bytes, len: text.len() }
    }

    fn byte(&self, index: usize) -> usize {
        match &self.bytes {
            None => index.min(self.len),
            Some(bytes) => bytes.get(index).copied().unwrap_or(self.len),
        }
    }

    fn at(&self, marker: Marker) -> Span {
        let start = self.byte(marker.index());
        Span { start, end: start, line: number(marker.line()), column: number(marker.col() + 1) }
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        let start = self.at(span.start);
        Span { end: self.byte(span.end.index()).max(start.start), ..start }
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A list or mapping that is not closed yet.
enum Open {
    List { items: Vec<Node>, span: Span },
    Map { entries: Vec<Entry>, first: HashMap<String, u32>, key: Option<(String, Span)>, span: Span },
}

struct Builder<'a, 'r> {
    text: &'a str,
    positions: Positions,
    report: &'r mut Report,
    stack: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
    /// A line with a mistake that leaves no value to go on with.
    broken: Option<u32>,
}

impl<'a, 'r> Builder<'a, 'r> {
    fn new(text: &'a str, report: &'r mut Report) -> Self {
        let positions = Positions::new(text);
        Self { text, positions, report, stack: Vec::new(), root: None, nodes: 0, documents: 0, broken: None }
    }

    /// Takes one event; `None` when reading on makes no sense.
    fn event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "a second document starts here; the file is one document";
                    self.report.error(Code::Unsupported, span, message).hint("remove the line `---`");
                    return None;
                }
            }
            Event::Alias(_) => {
                self.broken = Some(span.line);
                let message = "`*` refers to another place of the file, which is not taken here";
                self.report
                    .error(Code::Unsupported, span, message)
                    .hint("write the value out; a text that starts with `*` is put in quotes");
                self.value(Kind::Scalar(Scalar { text: String::new(), plain: true }), span)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.decoration(anchor, tag.is_some(), span);
                let plain = style == ScalarStyle::Plain;
                let span = self.trimmed(span);
                self.value(Kind::Scalar(Scalar { text: text.into_owned(), plain }), span)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.decoration(anchor, tag.is_some(), span);
                self.open(Open::List { items: Vec::new(), span })?;
            }
            Event::MappingStart(anchor, tag) => {
                self.decoration(anchor, tag.is_some(), span);
                self.open(Open::Map { entries: Vec::new(), first: HashMap::new(), key: None, span })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span)?,
        }
        Some(())
    }

    fn decoration(&mut self, anchor: usize, tag: bool, span: Span) {
        if anchor > 0 {
            let message = "an anchor (`&name`) is not taken here";
            self.report
                .error(Code::Unsupported, span, message)
                .hint("write the value out where it is needed; a text that starts with `&` is put in quotes");
        }
        if tag {
            let message = "a tag (`!name`) is not taken here";
            let hint = "remove it; a text that starts with `!` is put in quotes";
            self.report.error(Code::Unsupported, span, message).hint(hint);
        }
    }

    /// Without the line ends a scalar's span may take along.
    fn trimmed(&self, span: Span) -> Span {
        let piece = self.text.get(span.range()).unwrap_or_default();
        Span { end: span.start + piece.trim_end().len(), ..span }
    }

    fn open(&mut self, open: Open) -> Option<()> {
        if self.stack.len() >= MAX_DEPTH {
            let (Open::List { span, .. } | Open::Map { span, .. }) = open;
            let message = format!("the file is nested more than {MAX_DEPTH} levels deep");
            self.report.error(Code::Limit, span, message);
            return None;
        }
        self.stack.push(open);
        Some(())
    }

    /// Closes a list or mapping. It reaches from its bracket, or the first thing in it, to the last or its bracket.
    fn close(&mut self, end: Span) -> Option<()> {
        let (kind, span, first, last) = match self.stack.pop()? {
            Open::List { items, span } => {
                let ends = (items.first().map(|item| item.span), items.last().map(|item| item.span.end));
                (Kind::List(items), span, ends.0, ends.1)
            }
            Open::Map { entries, span, .. } => {
                let ends =
                    (entries.first().map(|one| one.key_span), entries.last().map(|one| one.value.span.end));
                (Kind::Map(entries), span, ends.0, ends.1)
            }
        };
        let bracket =
            |at: Span| self.text.get(at.range()).is_some_and(|piece| piece.starts_with(['[', ']', '{', '}']));
        let start = if bracket(span) { span } else { first.unwrap_or(span) };
        let end = if bracket(end) { end.start + 1 } else { last.unwrap_or(span.end) };
        self.value(kind, Span { end: end.max(start.start), ..start })
    }

    /// Puts a finished value where it belongs.
    fn value(&mut self, kind: Kind, span: Span) -> Option<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("the file has more than {MAX_NODES} values");
            self.report.error(Code::Limit, span, message);
            return None;
        }
        match self.stack.last_mut() {
            None => self.root = Some(Node { kind, span }),
            Some(Open::List { items, .. }) => items.push(Node { kind, span }),
            Some(Open::Map { entries, first, key, .. }) => match key.take() {
                None => {
                    let text = key_text(kind, span, self.report);
                    if text.is_empty() {
                        self.broken = Some(span.line);
                    }
                    *key = Some((text, span));
                }
                Some((key, key_span)) => {
                    let entry = Entry { key, key_span, value: Node { kind, span } };
                    add_entry(entries, first, entry, self.report);
                }
            },
        }
        Some(())
    }

    fn finish(self) -> Option<Node> {
        if self.root.is_none() {
            let span = Span { line: 1, column: 1, ..Span::default() };
            self.report.error(Code::Syntax, span, "the file is empty");
        }
        self.root.filter(|_| self.broken.is_none())
    }
}

fn key_text(kind: Kind, span: Span, report: &mut Report) -> String {
    match kind {
        Kind::Scalar(scalar) if scalar.is_null() || scalar.text.is_empty() => {
            report.error(Code::Syntax, span, "a key is missing here");
            String::new()
        }
        Kind::Scalar(scalar) => scalar.text,
        Kind::List(_) | Kind::Map(_) => {
            let message = "a key has to be a text";
            let hint = "put quotes around a text that starts with `{{` or `[`";
            report.error(Code::Syntax, span, message).hint(hint);
            String::new()
        }
    }
}

fn add_entry(entries: &mut Vec<Entry>, first: &mut HashMap<String, u32>, entry: Entry, report: &mut Report) {
    if entry.key.is_empty() {
        return; // Reported as a key that is none.
    }
    if entry.key == "<<" {
        let message = "a merge key (`<<`) is not taken here";
        report.error(Code::Unsupported, entry.key_span, message).hint("write the keys out");
        return;
    }
    if let Some(line) = first.get(&entry.key) {
        let message = format!("the key `{}` is here twice; the first is on line {line}", shown(&entry.key));
        report.error(Code::DoubledKey, entry.key_span, message).hint("remove one of them");
        return;
    }
    first.insert(entry.key.clone(), entry.key_span.line);
    entries.push(entry);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Node>, Vec<String>) {
        let mut report = Report::new("t");
        let node = parse(text, &mut report);
        (node, report.finish().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn spans_point_at_the_text() {
        let text = "é: 1.10\nlist: [a, 'b c']\nblock: |\n  one\n  two\nlast: { x: y }\n";
        let (node, found) = read(text);
        assert!(found.is_empty(), "{found:?}");
        let node = node.unwrap();
        let piece = |key: &str| &text[node.get(key).unwrap().span.range()];
        assert_eq!(piece("é"), "1.10");
        assert_eq!(piece("list"), "[a, 'b c']");
        assert_eq!(&text[node.get("list").unwrap().items()[1].span.range()], "'b c'");
        assert_eq!(piece("block"), "one\n  two");
        assert_eq!(piece("last"), "{ x: y }");
        let last = node.entry("last").unwrap();
        assert_eq!((last.key_span.line, last.key_span.column), (6, 1));
        assert_eq!(&text[last.key_span.range()], "last");
    }

    #[test]
    fn scalars_keep_their_text() {
        let (node, _) = read("a: 1.10\nb: no\nc: 'true'\nd: true\ne: ~\nf: 007\ng: '5'\n");
        let node = node.unwrap();
        assert_eq!(node.get("a").unwrap().text(), Some("1.10"));
        assert_eq!(node.get("b").unwrap().boolean(), None);
        assert_eq!(node.get("c").unwrap().boolean(), None);
        assert_eq!(node.get("d").unwrap().boolean(), Some(true));
        assert_eq!(node.get("e").unwrap().text(), None);
        assert_eq!(node.get("f").unwrap().integer(), Some(7));
        assert_eq!(node.get("g").unwrap().integer(), None);
    }

    #[test]
    fn lines_of_windows_are_read_alike() {
        let text = "a: |\n  one\n  two\nb: 'x\n  y'\nc: [1,\n  2]\n";
        let (one, two) = (read(text), read(&text.replace('\n', "\r\n")));
        assert!(one.1.is_empty() && two.1.is_empty());
        for key in ["a", "b"] {
            assert_eq!(
                one.0.as_ref().unwrap().get(key).unwrap().text(),
                two.0.as_ref().unwrap().get(key).unwrap().text()
            );
        }
    }

    #[test]
    fn limits_hold() {
        let deep = "[".repeat(40) + &"]".repeat(40);
        assert!(read(&deep).1[0].contains("levels deep"), "{:?}", read(&deep).1);
        let wide = format!("[{}]", "a,".repeat(MAX_NODES + 1));
        assert!(read(&wide).1[0].contains("more than 20000 values"));
        let long = "a".repeat(MAX_BYTES + 1);
        assert!(read(&long).1[0].contains("bytes"));
    }
}
