//! The version in Python source, `setup.py` above all.
//!
//! The source is cut into tokens, so that comments, other strings, and arguments of other calls are never taken for
//! the version. It is not parsed beyond brackets and lines: whatever is not a plain literal at a known place is left.

use std::ops::Range;

use super::{Place, ReadError, RepoPath, is_version};
use crate::commits::one_line;

/// The variables that hold the version by custom.
const VARIABLES: [&[u8]; 2] = [b"__version__", b"VERSION"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Name,
    /// A string, and whether it is a plain one: not bytes, not formatted. The range of the token is what is between the quotes.
    Text {
        plain: bool,
    },
    /// A number.
    Number,
    /// Any other character.
    Mark(u8),
    /// The end of a logical line: not the line breaks inside of brackets.
    LineEnd,
}

#[derive(Debug, Clone)]
struct Token {
    kind: Kind,
    at: Range<usize>,
    line: usize,
    /// Whether it stands at the very start of a line.
    first: bool,
}

/// What stands where a version could.
enum Value {
    Version(Place),
    /// A name alone.
    Name(Range<usize>),
    /// A plain string that is no version.
    OtherText(Token),
    Else,
}

pub(super) fn places(path: &RepoPath, bytes: &[u8]) -> Result<Vec<Place>, ReadError> {
    let tokens =
        Lexer::new(bytes).tokens().map_err(|line| ReadError::Unclosed { path: path.clone(), line })?;
    let source = Source { bytes, tokens: &tokens };
    let mut places = Vec::new();
    let mut variables: Vec<&[u8]> = VARIABLES.to_vec();
    // The first place that could have been one.
    let mut odd: Option<ReadError> = None;
    for (argument, value) in source.setup_arguments() {
        match value {
            Value::Version(place) => places.push(place),
            Value::Name(name) => variables.push(&bytes[name]),
            Value::OtherText(text) => return Err(source.not_a_version(path, &text)),
            Value::Else => odd = odd.or(Some(source.not_a_literal(path, argument))),
        }
    }
    for (variable, value) in source.assignments(&variables) {
        match value {
            Value::Version(place) => places.push(place),
            Value::OtherText(text) => odd = odd.or(Some(source.not_a_version(path, &text))),
            Value::Name(_) | Value::Else => odd = odd.or(Some(source.not_a_literal(path, variable))),
        }
    }
    if places.is_empty() {
        return Err(odd.unwrap_or_else(|| ReadError::NotFound { path: path.clone() }));
    }
    places.sort_by_key(|place| place.at.start);
    Ok(places)
}

struct Source<'a> {
    bytes: &'a [u8],
    tokens: &'a [Token],
}

impl<'a> Source<'a> {
    fn kind(&self, index: usize) -> Option<Kind> {
        self.tokens.get(index).map(|token| token.kind)
    }

    fn is_mark(&self, index: usize, mark: u8) -> bool {
        self.kind(index) == Some(Kind::Mark(mark))
    }

    fn is_name(&self, index: usize, name: &[u8]) -> bool {
        self.tokens
            .get(index)
            .is_some_and(|token| token.kind == Kind::Name && &self.bytes[token.at.clone()] == name)
    }

    /// Whether a single `=` is at this index.
    fn is_equals(&self, index: usize) -> bool {
        self.is_mark(index, b'=') && !self.is_mark(index + 1, b'=')
    }

    /// The values of the argument `version` in calls of `setup`, each with the token of its name.
    fn setup_arguments(&self) -> Vec<(&'a Token, Value)> {
        let mut found = Vec::new();
        // For each open bracket, whether it holds the arguments of `setup`.
        let mut brackets = Vec::new();
        for (index, token) in self.tokens.iter().enumerate() {
            match token.kind {
                Kind::Mark(b'(') => {
                    let is_setup = index > 0 && self.is_name(index - 1, b"setup");
                    let is_defined = index > 1 && self.is_name(index - 2, b"def");
                    brackets.push(is_setup && !is_defined);
                }
                Kind::Mark(b'[' | b'{') => brackets.push(false),
                Kind::Mark(b')' | b']' | b'}') => {
                    brackets.pop();
                }
                Kind::Name if brackets.last() == Some(&true) && self.is_name(index, b"version") => {
                    let begins = self.is_mark(index - 1, b'(') || self.is_mark(index - 1, b',');
                    if begins && self.is_equals(index + 1) {
                        let ends = |kind| matches!(kind, Some(Kind::Mark(b',' | b')')));
                        found.push((token, self.value(index + 2, ends)));
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// The values assigned to these variables at the top level, each with the token of its name.
    fn assignments(&self, variables: &[&[u8]]) -> Vec<(&'a Token, Value)> {
        let mut found = Vec::new();
        for (index, token) in self.tokens.iter().enumerate() {
            let begins = token.first && (index == 0 || self.kind(index - 1) == Some(Kind::LineEnd));
            if !begins || !variables.iter().any(|name| self.is_name(index, name)) {
                continue;
            }
            let mut equals = index + 1;
            if self.is_mark(equals, b':') {
                // The type, as in `__version__: str = …`.
                let goes_on = |kind| !matches!(kind, None | Some(Kind::LineEnd | Kind::Mark(b'=' | b';')));
                while goes_on(self.kind(equals)) {
                    equals += 1;
                }
            }
            if self.is_equals(equals) {
                let ends = |kind| matches!(kind, None | Some(Kind::LineEnd | Kind::Mark(b';')));
                found.push((token, self.value(equals + 1, ends)));
            }
        }
        found
    }

    /// What the value at this index is, if the token after it ends it.
    fn value(&self, index: usize, ends: impl Fn(Option<Kind>) -> bool) -> Value {
        let Some(token) = self.tokens.get(index) else { return Value::Else };
        if !ends(self.kind(index + 1)) {
            return Value::Else;
        }
        match token.kind {
            Kind::Name => Value::Name(token.at.clone()),
            Kind::Text { plain: true } if is_version(&self.bytes[token.at.clone()]) => {
                Value::Version(Place { at: token.at.clone(), line: token.line })
            }
            Kind::Text { plain: true } => Value::OtherText(token.clone()),
            _ => Value::Else,
        }
    }

    fn text(&self, token: &Token) -> String {
        let end = token.at.end.min(token.at.start + 200);
        one_line(&String::from_utf8_lossy(&self.bytes[token.at.start..end]), 40)
    }

    fn not_a_version(&self, path: &RepoPath, token: &Token) -> ReadError {
        ReadError::NotAVersion { path: path.clone(), line: token.line, found: self.text(token) }
    }

    fn not_a_literal(&self, path: &RepoPath, name: &Token) -> ReadError {
        ReadError::NotALiteral { path: path.clone(), line: name.line, name: self.text(name) }
    }
}

/// Cuts Python source into tokens.
struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    /// How many brackets are open.
    depth: usize,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let at = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Self { bytes, at, line: 1, depth: 0, tokens: Vec::new() }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    /// All tokens, or the line of a string that does not end.
    fn tokens(mut self) -> Result<Vec<Token>, usize> {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' | b'\r' => {
                    let start = self.at;
                    let line = self.line;
                    self.line_break();
                    if self.depth == 0 {
                        self.push(Kind::LineEnd, start..self.at, line, start);
                    }
                }
                b' ' | b'\t' | b'\x0c' => self.at += 1,
                b'\\' if matches!(self.peek(1), Some(b'\n' | b'\r')) => {
                    self.at += 1;
                    self.line_break();
                }
                b'#' => {
                    while !matches!(self.peek(0), None | Some(b'\n' | b'\r')) {
                        self.at += 1;
                    }
                }
                b'"' | b'\'' => self.string(self.at, true)?,
                b if is_name_byte(b) => self.word()?,
                b => self.mark(b),
            }
        }
        Ok(self.tokens)
    }

    fn push(&mut self, kind: Kind, at: Range<usize>, line: usize, start: usize) {
        let first = start == 0
            || matches!(self.bytes[start - 1], b'\n' | b'\r')
            || self.bytes[..start] == *b"\xef\xbb\xbf";
        self.tokens.push(Token { kind, at, line, first });
    }

    /// Goes over `\n`, `\r\n` or `\r`.
    fn line_break(&mut self) {
        self.at += if self.bytes[self.at..].starts_with(b"\r\n") { 2 } else { 1 };
        self.line += 1;
    }

    fn mark(&mut self, mark: u8) {
        match mark {
            b'(' | b'[' | b'{' => self.depth += 1,
            b')' | b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.push(Kind::Mark(mark), self.at..self.at + 1, self.line, self.at);
        self.at += 1;
    }

    /// A name, a number, or the letters before a string.
    fn word(&mut self) -> Result<(), usize> {
        let start = self.at;
        let is_number = self.bytes[start].is_ascii_digit();
        while self.peek(0).is_some_and(|b| is_name_byte(b) || (is_number && b == b'.')) {
            self.at += 1;
        }
        let word = self.bytes[start..self.at].to_ascii_lowercase();
        let is_prefix = matches!(
            word.as_slice(),
            b"r" | b"u" | b"b" | b"f" | b"t" | b"br" | b"rb" | b"fr" | b"rf" | b"tr" | b"rt"
        );
        if is_prefix && matches!(self.peek(0), Some(b'"' | b'\'')) {
            return self.string(start, matches!(word.as_slice(), b"r" | b"u"));
        }
        let kind = if is_number { Kind::Number } else { Kind::Name };
        self.push(kind, start..self.at, self.line, start);
        Ok(())
    }

    /// A string whose first quote is here; with its prefix it starts at `start`.
    fn string(&mut self, start: usize, plain: bool) -> Result<(), usize> {
        let line = self.line;
        let quote = self.bytes[self.at];
        let long = self.peek(1) == Some(quote) && self.peek(2) == Some(quote);
        let quotes = if long { 3 } else { 1 };
        self.at += quotes;
        let inner = self.at;
        loop {
            match self.peek(0) {
                None => return Err(line),
                Some(b'\n' | b'\r') if !long => return Err(line),
                Some(b'\n' | b'\r') => self.line_break(),
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek(0) {
                        Some(b'\n' | b'\r') => self.line_break(),
                        Some(_) => self.at += 1,
                        None => return Err(line),
                    }
                }
                Some(b) if b == quote && (!long || self.bytes[self.at..].starts_with(&[quote; 3])) => break,
                Some(_) => self.at += 1,
            }
        }
        self.push(Kind::Text { plain }, inner..self.at, line, start);
        self.at += quotes;
        Ok(())
    }
}

/// Letters, digits, `_`, and everything outside of ASCII.
fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80
}
