//! `version` of a project in a Gradle script, Groovy's or Kotlin's.
//!
//! A script is a program and is not run here. It is cut into strings, names, brackets and line ends; the version is the
//! plain string that `version` is set to at the top level, or right inside of `allprojects`, `subprojects` or `project`.

use std::ops::Range;

use super::{Place, ReadError, RepoPath, is_version, line_of};
use crate::commits::one_line;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Name(Range<usize>),
    /// What is between the quotes, and whether nothing is filled in.
    Text(Range<usize>, bool),
    Mark(u8),
    LineEnd,
}

pub(super) fn places(path: &RepoPath, bytes: &[u8]) -> Result<Vec<Place>, ReadError> {
    let tokens =
        tokens(bytes).map_err(|at| ReadError::Unclosed { path: path.clone(), line: line_of(bytes, at) })?;
    let mut found = Vec::new();
    let mut odd = None;
    // For each open bracket, whether what stands in it is about whole projects.
    let mut open: Vec<bool> = Vec::new();
    let mut begins = 0;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::LineEnd | Token::Mark(b';') => begins = index + 1,
            Token::Mark(b'{') => {
                let projects = matches!(&tokens[begins..index], [Token::Name(name)]
                    if matches!(&bytes[name.clone()], b"allprojects" | b"subprojects"));
                open.push(projects);
                begins = index + 1;
            }
            Token::Mark(b'(' | b'[') => open.push(false),
            Token::Mark(b')' | b']' | b'}') => {
                open.pop();
                if *token == Token::Mark(b'}') {
                    begins = index + 1;
                }
            }
            Token::Name(name)
                if open.iter().all(|projects| *projects) && &bytes[name.clone()] == b"version" =>
            {
                let own = index == begins
                    || matches!(&tokens[begins..index], [Token::Name(of), Token::Mark(b'.')]
                        if matches!(&bytes[of.clone()], b"project" | b"this" | b"rootProject"));
                if !own {
                    continue;
                }
                let line = line_of(bytes, name.start);
                match value(&tokens[index + 1..]) {
                    Value::Text(at) => found.push((at, line)),
                    Value::Else => odd = odd.or(Some(line)),
                    Value::None => {}
                }
            }
            _ => {}
        }
    }
    if found.is_empty() {
        return Err(match odd {
            Some(line) => {
                let why = format!(
                    "`version` is not a plain string here: name the file that has it, such as gradle.properties, in `version.files` instead of {path}"
                );
                ReadError::Elsewhere { path: path.clone(), line, why }
            }
            None => ReadError::NoVersion { path: path.clone(), what: "`version = \"1.2.3\"`".to_owned() },
        });
    }
    let place = |(at, line): (Range<usize>, usize)| match is_version(&bytes[at.clone()]) {
        true => Ok(Place { at, line }),
        false => {
            let end = at.end.min(at.start + 200);
            let found = one_line(&String::from_utf8_lossy(&bytes[at.start..end]), 40);
            Err(ReadError::NotAVersion { path: path.clone(), line, found })
        }
    };
    found.into_iter().map(place).collect()
}

enum Value {
    Text(Range<usize>),
    Else,
    None,
}

/// What comes after `version`: `= "1.2.3"`, or in Groovy just `'1.2.3'`.
fn value(rest: &[Token]) -> Value {
    let (set, rest) = match rest {
        [Token::Mark(b'='), Token::Mark(b'='), ..] => return Value::None,
        [Token::Mark(b'='), rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    match rest {
        [Token::Text(at, plain), after @ ..] => {
            let ends = matches!(after.first(), None | Some(Token::LineEnd | Token::Mark(b';' | b'}')));
            if *plain && ends { Value::Text(at.clone()) } else { Value::Else }
        }
        _ if set => Value::Else,
        _ => Value::None,
    }
}

/// The tokens, or where a string or comment begins that does not end.
fn tokens(bytes: &[u8]) -> Result<Vec<Token>, usize> {
    let mut tokens = Vec::new();
    let mut at = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at..];
        match byte {
            b'\n' => {
                tokens.push(Token::LineEnd);
                at += 1;
            }
            b if b.is_ascii_whitespace() => at += 1,
            b'/' if rest.starts_with(b"//") => at += rest.iter().take_while(|b| **b != b'\n').count(),
            b'#' if at == 0 => at += rest.iter().take_while(|b| **b != b'\n').count(),
            b'/' if rest.starts_with(b"/*") => {
                at += 4 + rest[2..].windows(2).position(|pair| pair == b"*/").ok_or(at)?;
            }
            b'"' | b'\'' => {
                let (text, end) = string(bytes, at)?;
                tokens.push(text);
                at = end;
            }
            b if is_name(*b) => {
                let end = at + rest.iter().take_while(|b| is_name(**b)).count();
                tokens.push(Token::Name(at..end));
                at = end;
            }
            b => {
                tokens.push(Token::Mark(*b));
                at += 1;
            }
        }
    }
    Ok(tokens)
}

/// The string that starts here, and where it ends.
fn string(bytes: &[u8], start: usize) -> Result<(Token, usize), usize> {
    let quote = bytes[start];
    let long = bytes[start..].starts_with(&[quote; 3]);
    let quotes = if long { 3 } else { 1 };
    let inner = start + quotes;
    let mut at = inner;
    let mut plain = true;
    loop {
        match bytes.get(at) {
            None => return Err(start),
            Some(b'\n') if !long => return Err(start),
            Some(b'\\') => {
                plain = false;
                at += 2;
            }
            Some(b) if *b == quote && (!long || bytes[at..].starts_with(&[quote; 3])) => break,
            Some(b) => {
                plain &= !(*b == b'$' && quote == b'"');
                at += 1;
            }
        }
    }
    Ok((Token::Text(inner..at, plain), at + quotes))
}

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80
}
