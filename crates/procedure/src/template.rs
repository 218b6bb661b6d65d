//! Texts with `{{ … }}` in them: where the holes are, which names they use, and whether they can be filled in.
//!
//! Of the template language only expressions are taken: no statements, no functions, and the few filters below. That
//! leaves nothing that loops, reads or fails for another reason than a value that is not there.

use std::ops::Range;

use minijinja::value::Value;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

/// The filters that can be used.
pub const FILTERS: &[&str] = &[
    "capitalize",
    "default",
    "first",
    "int",
    "join",
    "last",
    "length",
    "lower",
    "replace",
    "title",
    "trim",
    "upper",
];

const KEYWORDS: &[&str] =
    &["and", "or", "not", "if", "else", "in", "is", "true", "false", "none", "True", "False", "None"];

/// A mistake in a template, with its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) range: Range<usize>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Fault {
    fn new(range: Range<usize>, message: impl Into<String>, hint: &str) -> Self {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        Self { range, message: message.into(), hint }
    }
}

/// A name that a template uses, dotted, with its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) path: Vec<String>,
    pub(crate) range: Range<usize>,
}

impl Use {
    pub(crate) fn dotted(&self) -> String {
        self.path.join(".")
    }
}

/// Whether anything would be filled in.
pub(crate) fn has_holes(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// The names that a text uses, or what is wrong with it.
pub(crate) fn names(text: &str) -> Result<Vec<Use>, Fault> {
    for (mark, what) in [("{%", "a statement"), ("{#", "a comment")] {
        if let Some(start) = text.find(mark) {
            let message = format!("`{mark}` starts {what}, and only `{{{{ … }}}}` is filled in");
            let hint =
                "use `if` on the step to leave something out; a step for each text is clearer than a loop";
            return Err(Fault::new(start..start + 2, message, hint));
        }
    }
    let mut uses = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find("{{").map(|at| from + at) {
        let tokens = tokens(text, open + 2)?;
        uses_of(text, &tokens.list, &mut uses)?;
        from = tokens.end;
    }
    parse(text)?;
    Ok(uses)
}

/// Lets the engine that fills in at run time read the text.
fn parse(text: &str) -> Result<(), Fault> {
    let environment = environment();
    match environment.template_from_str(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(fault_of(text, &error)),
    }
}

/// Fills the text in with sample values, to find what cannot be computed.
pub(crate) fn try_out(text: &str, values: &Value) -> Result<(), Fault> {
    match environment().render_str(text, values) {
        // A value that is only known later can be anything: what depends on its content is found when it is used.
        Err(error) if error.kind() == ErrorKind::InvalidOperation => Err(fault_of(text, &error)),
        _ => Ok(()),
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

fn fault_of(text: &str, error: &minijinja::Error) -> Fault {
    let whole = 0..text.len();
    let range = error.range().filter(|range| text.get(range.clone()).is_some()).unwrap_or(whole);
    let what = error.detail().map_or_else(|| error.kind().to_string(), ToOwned::to_owned);
    Fault::new(range, format!("this cannot be filled in: {what}"), "")
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(Range<usize>),
    Text(Range<usize>),
    Number,
    Sign(char, usize),
}

struct Tokens {
    list: Vec<Token>,
    /// After the closing braces.
    end: usize,
}

/// The tokens of one hole, from behind its opening braces.
fn tokens(text: &str, start: usize) -> Result<Tokens, Fault> {
    let mut list = Vec::new();
    let mut chars = text[start..].char_indices().map(|(at, c)| (start + at, c)).peekable();
    // Braces of a mapping inside the hole.
    let mut braces = 0_usize;
    while let Some((at, c)) = chars.next() {
        match c {
            '}' if braces == 0 && text[at..].starts_with("}}") => return Ok(Tokens { list, end: at + 2 }),
            '}' => braces = braces.saturating_sub(1),
            '{' => braces += 1,
            '\'' | '"' => {
                let mut closed = None;
                while let Some((inner, other)) = chars.next() {
                    match other {
                        '\\' => drop(chars.next()),
                        other if other == c => {
                            closed = Some(inner);
                            break;
                        }
                        _ => {}
                    }
                }
                let Some(end) = closed else { break };
                list.push(Token::Text(at + 1..end));
            }
            c if c.is_ascii_digit() => {
                while chars.next_if(|(_, c)| c.is_ascii_alphanumeric() || *c == '_').is_some() {}
                list.push(Token::Number);
            }
            c if c.is_alphabetic() || c == '_' => {
                let mut end = at + c.len_utf8();
                while let Some((at, c)) = chars.next_if(|(_, c)| c.is_alphanumeric() || *c == '_') {
                    end = at + c.len_utf8();
                }
                list.push(Token::Word(at..end));
            }
            c if c.is_whitespace() => {}
            c => list.push(Token::Sign(c, at)),
        }
    }
    Err(Fault::new(start - 2..start, "`{{` is not closed", "close it with `}}`"))
}

/// Reads the names out of a hole's tokens.
fn uses_of(text: &str, tokens: &[Token], uses: &mut Vec<Use>) -> Result<(), Fault> {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let Token::Word(range) = token else {
            at += 1;
            continue;
        };
        let word = &text[range.clone()];
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        if matches!(before, Some(Token::Sign('|', _))) {
            filter(word, range.clone())?;
            at += 1;
        } else if word == "is" {
            let hint = "compare with `==`, or use `if` on the step";
            return Err(Fault::new(range.clone(), "`is` is not taken here", hint));
        } else if KEYWORDS.contains(&word) || argument_name(tokens, at) {
            at += 1;
        } else {
            let (used, next) = path(text, tokens, at, range.clone());
            if matches!(tokens.get(next), Some(Token::Sign('(', _))) {
                let message = format!("there is no function `{}`", used.dotted());
                let hint = "a text only takes values and filters, such as `{{ version | upper }}`";
                return Err(Fault::new(used.range, message, hint));
            }
            uses.push(used);
            at = next;
        }
    }
    Ok(())
}

fn filter(word: &str, range: Range<usize>) -> Result<(), Fault> {
    if FILTERS.contains(&word) {
        return Ok(());
    }
    let hint = crate::words::name_hint(word, FILTERS.iter().copied(), "");
    let message = format!("there is no filter `{}`", crate::words::shown(word));
    Err(Fault { range, message, hint: Some(hint) })
}

/// `from` in `replace(from="a")`.
fn argument_name(tokens: &[Token], at: usize) -> bool {
    let equals = |offset: usize| matches!(tokens.get(at + offset), Some(Token::Sign('=', _)));
    at > 0 && equals(1) && !equals(2)
}

/// A name with what hangs on it: `.word` and `["text"]`.
fn path(text: &str, tokens: &[Token], mut at: usize, first: Range<usize>) -> (Use, usize) {
    let mut range = first.clone();
    let mut path = vec![text[first].to_owned()];
    at += 1;
    loop {
        match (tokens.get(at), tokens.get(at + 1), tokens.get(at + 2)) {
            (Some(Token::Sign('.', _)), Some(Token::Word(word)), _) => {
                path.push(text[word.clone()].to_owned());
                range.end = word.end;
                at += 2;
            }
            (Some(Token::Sign('[', _)), Some(Token::Text(key)), Some(Token::Sign(']', end))) => {
                path.push(text[key.clone()].to_owned());
                range.end = end + 1;
                at += 3;
            }
            _ => return (Use { path, range }, at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(text: &str) -> Result<Vec<String>, String> {
        names(text)
            .map(|uses| {
                uses.iter()
                    .map(|one| {
                        assert!(text[one.range.clone()].starts_with(&one.path[0]), "{one:?}");
                        one.dotted()
                    })
                    .collect()
            })
            .map_err(|fault| fault.message)
    }

    #[test]
    fn names_are_found() {
        for (text, expected) in [
            ("plain } text { with braces", vec![]),
            ("Bump to {{ version }}", vec!["version"]),
            ("{{ 60 + answers.data }} minutes", vec!["answers.data"]),
            ("{{ steps[\"load-test\"].number ~ '{{' }}", vec!["steps.load-test.number"]),
            ("{{version}}-{{- tag -}}", vec!["version", "tag"]),
            ("{{ tag if version == 'a' else service | upper }}", vec!["tag", "version", "service"]),
            ("{{ notes | replace(from='a', to=\"b\") }}", vec!["notes"]),
        ] {
            assert_eq!(used(text), Ok(expected.into_iter().map(ToOwned::to_owned).collect()), "{text}");
        }
    }

    #[test]
    fn what_is_not_taken_is_refused() {
        for (text, message) in [
            ("{{ version", "not closed"),
            ("{{ 'a }}", "not closed"),
            ("{% if a %}", "a statement"),
            ("{# x #}", "a comment"),
            ("{{ range(3) }}", "no function `range`"),
            ("{{ notes.split() }}", "no function `notes.split`"),
            ("{{ version | uper }}", "no filter `uper`"),
            ("{{ version is defined }}", "`is`"),
            ("{{ version + }}", "cannot be filled in"),
            ("{{ }}", "cannot be filled in"),
        ] {
            let found = used(text).unwrap_err();
            assert!(found.contains(message), "{text}: {found}");
        }
    }
}
