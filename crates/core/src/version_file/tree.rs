//! TOML, JSON and YAML as one kind of tree, in which every value knows where it stands.
//!
//! The parsers that read these formats elsewhere do the reading; what is kept here is only what a version is found by.

use std::ops::Range;

use jsonc_parser::ast::Value as Json;
use saphyr_parser::{Event, Parser, ScalarStyle};
use toml_edit::{Item, TableLike, Value as Toml};

use super::{Place, ReadError, RepoPath, is_version, line_of};
use crate::commits::one_line;

/// How deep lists and mappings may be nested in YAML; the other parsers have limits of their own.
const MAX_DEPTH: usize = 64;

/// A value.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Where it stands, with its quotes.
    pub(super) at: Range<usize>,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Text(Text),
    True,
    Map(Vec<(String, Node)>),
    List(Vec<Node>),
    /// Numbers, dates, `null`, `false`, aliases.
    Other,
}

#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) value: String,
    /// Where exactly this text stands; nowhere when it was written with escapes.
    pub(super) inner: Option<Range<usize>>,
    /// Whether it stands without quotes, as it can in YAML.
    pub(super) bare: bool,
}

/// A file as a tree.
#[derive(Debug)]
pub(super) struct Doc {
    pub(super) path: RepoPath,
    pub(super) root: Node,
    /// Where each line ends.
    breaks: Vec<usize>,
}

impl Node {
    fn new(at: Range<usize>, kind: Kind) -> Self {
        Self { at, kind }
    }

    /// The value of a key; the first one where it is doubled.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    pub(super) fn entries(&self) -> &[(String, Self)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(&text.value),
            _ => None,
        }
    }

    pub(super) fn is_true(&self) -> bool {
        matches!(self.kind, Kind::True)
    }

    /// The texts of a list.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.items().iter().filter_map(Self::text)
    }
}

impl Doc {
    /// The value behind some keys, none of which may stand there twice.
    pub(super) fn at(&self, keys: &[&str]) -> Result<Option<&Node>, ReadError> {
        let mut node = &self.root;
        for key in keys {
            let mut found = node.entries().iter().filter(|(name, _)| name == key);
            let Some((_, first)) = found.next() else { return Ok(None) };
            if let Some((_, second)) = found.next() {
                let line = self.line(second);
                return Err(ReadError::Doubled { path: self.path.clone(), line, key: one_line(key, 60) });
            }
            node = first;
        }
        Ok(Some(node))
    }

    pub(super) fn line(&self, node: &Node) -> usize {
        1 + self.breaks.partition_point(|end| *end < node.at.start)
    }

    /// The place of a text, whatever it says.
    pub(super) fn text_place(&self, node: &Node, name: &str) -> Result<(Place, String), ReadError> {
        let line = self.line(node);
        let not_plain = || ReadError::NotALiteral { path: self.path.clone(), line, name: one_line(name, 60) };
        let Kind::Text(text) = &node.kind else { return Err(not_plain()) };
        let at = text.inner.clone().ok_or_else(not_plain)?;
        Ok((Place { at, line }, text.value.clone()))
    }

    /// The place of a version that may have a `v` before it: that of what comes after.
    pub(super) fn prefixed_place(&self, node: &Node, name: &str) -> Result<(Place, String), ReadError> {
        let (mut place, text) = self.text_place(node, name)?;
        match text.strip_prefix('v') {
            Some(rest) if is_version(rest.as_bytes()) => {
                place.at.start += 1;
                Ok((place, rest.to_owned()))
            }
            _ => self.version_place(node, name),
        }
    }

    /// The place of a version.
    pub(super) fn version_place(&self, node: &Node, name: &str) -> Result<(Place, String), ReadError> {
        let (place, text) = self.text_place(node, name)?;
        if !is_version(text.as_bytes()) {
            let found = one_line(&text, 40);
            return Err(ReadError::NotAVersion { path: self.path.clone(), line: place.line, found });
        }
        Ok((place, text))
    }
}

/// The text of a file, and how many bytes stand before it.
pub(super) fn text<'a>(path: &RepoPath, bytes: &'a [u8]) -> Result<(usize, &'a str), ReadError> {
    let start = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let text = std::str::from_utf8(&bytes[start..]).map_err(|error| ReadError::NotText {
        path: path.clone(),
        line: line_of(bytes, start + error.valid_up_to()),
    })?;
    Ok((start, text))
}

/// Whether [`parse`] knows a file of this name.
pub(super) fn is_tree(path: &RepoPath) -> bool {
    let name = path.file_name();
    matches!(extension(name), "toml" | "lock" | "json" | "yaml" | "yml")
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// Reads a file as what its name says: JSON, YAML, else TOML.
pub(super) fn parse(path: &RepoPath, bytes: &[u8]) -> Result<Doc, ReadError> {
    let (start, text) = text(path, bytes)?;
    let syntax = |at: usize, why: String| ReadError::Syntax {
        path: path.clone(),
        line: line_of(bytes, (start + at).min(bytes.len())),
        why: one_line(&why, 120),
    };
    let name = path.file_name();
    let root = match extension(name) {
        "json" => json(text, start),
        // Composer's lock file is JSON, whatever its name says.
        "lock" if name == "composer.lock" => json(text, start),
        "yaml" | "yml" => yaml(text, start),
        _ => toml(text, start),
    };
    let root = root.map_err(|(at, why)| syntax(at, why))?;
    let breaks = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at).collect();
    Ok(Doc { path: path.clone(), root, breaks })
}

/// A tree, or where and why there is none.
type Parsed = Result<Node, (usize, String)>;

/// A text with quotes around it, as it was written. Where it ends is told by the text: not every parser knows it exactly.
fn quoted(source: &str, at: Range<usize>, start: usize, value: &str) -> Kind {
    let raw = source.get(at.start..).unwrap_or_default();
    let long = raw.starts_with("\"\"\"") || raw.starts_with("'''");
    let quotes = raw.get(..if long { 3 } else { 1 }).unwrap_or_default();
    let rest = raw.get(quotes.len()..).unwrap_or_default();
    let same = rest.strip_prefix(value).is_some_and(|after| after.starts_with(quotes));
    let inner = start + at.start + quotes.len();
    let inner = same.then(|| inner..inner + value.len());
    Kind::Text(Text { value: value.to_owned(), inner, bare: false })
}

fn toml(source: &str, start: usize) -> Parsed {
    let document = toml_edit::Document::parse(source).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        (at, error.message().lines().next().unwrap_or("it is not TOML").to_owned())
    })?;
    Ok(toml_table(source, start, document.as_table(), None))
}

fn toml_table(source: &str, start: usize, table: &dyn TableLike, at: Option<Range<usize>>) -> Node {
    let entries = table.iter().map(|(key, item)| (key.to_owned(), toml_item(source, start, item)));
    Node::new(shifted(at, start), Kind::Map(entries.collect()))
}

fn shifted(at: Option<Range<usize>>, start: usize) -> Range<usize> {
    let at = at.unwrap_or_default();
    start + at.start..start + at.end
}

fn toml_item(source: &str, start: usize, item: &Item) -> Node {
    match item {
        Item::Value(value) => toml_value(source, start, value),
        Item::Table(table) => toml_table(source, start, table, item.span()),
        Item::ArrayOfTables(tables) => {
            let items = tables.iter().map(|table| toml_table(source, start, table, table.span()));
            Node::new(shifted(item.span(), start), Kind::List(items.collect()))
        }
        Item::None => Node::new(0..0, Kind::Other),
    }
}

fn toml_value(source: &str, start: usize, value: &Toml) -> Node {
    let at = value.span();
    match value {
        Toml::String(text) => {
            let kind = quoted(source, at.clone().unwrap_or_default(), start, text.value());
            Node::new(shifted(at, start), kind)
        }
        Toml::Boolean(yes) if *yes.value() => Node::new(shifted(at, start), Kind::True),
        Toml::Array(items) => {
            let items = items.iter().map(|item| toml_value(source, start, item));
            Node::new(shifted(at, start), Kind::List(items.collect()))
        }
        Toml::InlineTable(table) => toml_table(source, start, table, at),
        _ => Node::new(shifted(at, start), Kind::Other),
    }
}

fn json(source: &str, start: usize) -> Parsed {
    let options = jsonc_parser::ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = jsonc_parser::parse_to_ast(source, &jsonc_parser::CollectOptions::default(), &options)
        .map_err(|error| (error.range().start, error.kind().to_string()))?;
    let value = parsed.value.ok_or((0, "it is empty".to_owned()))?;
    Ok(json_value(source, start, &value))
}

fn json_value(source: &str, start: usize, value: &Json<'_>) -> Node {
    let range = jsonc_parser::common::Ranged::range(value);
    let at = range.start..range.end;
    let kind = match value {
        Json::StringLit(text) => quoted(source, at.clone(), start, &text.value),
        Json::BooleanLit(yes) if yes.value => Kind::True,
        Json::Object(object) => {
            let entry = |property: &jsonc_parser::ast::ObjectProp<'_>| {
                (property.name.as_str().to_owned(), json_value(source, start, &property.value))
            };
            Kind::Map(object.properties.iter().map(entry).collect())
        }
        Json::Array(array) => {
            Kind::List(array.elements.iter().map(|item| json_value(source, start, item)).collect())
        }
        _ => Kind::Other,
    };
    Node::new(start + at.start..start + at.end, kind)
}

/// A list or mapping that is not closed yet.
struct Open {
    at: usize,
    is_map: bool,
    key: Option<String>,
    entries: Vec<(String, Node)>,
    items: Vec<Node>,
}

fn yaml(source: &str, start: usize) -> Parsed {
    // The parser counts characters.
    let offsets: Option<Vec<usize>> =
        (!source.is_ascii()).then(|| source.char_indices().map(|(byte, _)| byte).collect());
    let byte = |index: usize| match &offsets {
        None => index.min(source.len()),
        Some(offsets) => offsets.get(index).copied().unwrap_or(source.len()),
    };
    let mut parser = Parser::new_from_str(source);
    let mut open: Vec<Open> = Vec::new();
    let mut root: Option<Node> = None;
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| (byte(error.marker().index()), error.info().to_owned()))?;
        let at = byte(span.start.index())..byte(span.end.index());
        let node = match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                if open.len() >= MAX_DEPTH {
                    return Err((at.start, format!("it is nested more than {MAX_DEPTH} deep")));
                }
                let is_map = matches!(event, Event::MappingStart(..));
                open.push(Open { at: at.start, is_map, key: None, entries: Vec::new(), items: Vec::new() });
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => {
                let Some(closed) = open.pop() else { continue };
                let kind = if closed.is_map { Kind::Map(closed.entries) } else { Kind::List(closed.items) };
                Node::new(start + closed.at..start + at.end, kind)
            }
            Event::Scalar(value, style, ..) => {
                Node::new(start + at.start..start + at.end, yaml_scalar(source, start, at, &value, style))
            }
            Event::Alias(..) => Node::new(start + at.start..start + at.end, Kind::Other),
            Event::DocumentStart(..) if root.is_some() => {
                return Err((at.start, "there is more than one document in it".to_owned()));
            }
            _ => continue,
        };
        match open.last_mut() {
            None => root = Some(node),
            Some(open) if !open.is_map => open.items.push(node),
            Some(open) => match open.key.take() {
                Some(key) => open.entries.push((key, node)),
                None => open.key = Some(node.text().unwrap_or_default().to_owned()),
            },
        }
    }
    root.ok_or((0, "it is empty".to_owned()))
}

fn yaml_scalar(source: &str, start: usize, at: Range<usize>, value: &str, style: ScalarStyle) -> Kind {
    match style {
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => quoted(source, at, start, value),
        ScalarStyle::Plain => {
            let same = source.get(at.clone()) == Some(value);
            let inner = same.then(|| start + at.start..start + at.end);
            Kind::Text(Text { value: value.to_owned(), inner, bare: true })
        }
        _ => Kind::Text(Text { value: value.to_owned(), inner: None, bare: false }),
    }
}
