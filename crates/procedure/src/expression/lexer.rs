//! Splits the text of an expression into tokens.

use super::{SyntaxError, SyntaxErrorKind};
use std::fmt;
use tollgate_core::expr::{BinaryOp, Span, quoted};
use tollgate_core::facts::Decimal;

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    /// A number without its sign, as large as that of the smallest number.
    Int(u64),
    /// A number with a decimal point, without its sign.
    Number(Decimal),
    String(String),
    Operator(BinaryOp),
    And,
    Or,
    Not,
    Question,
    Colon,
    Comma,
    Dot,
    Open,
    Close,
    OpenList,
    CloseList,
    End,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self {
            Self::Word(word) => word.as_str(),
            Self::Int(value) => return write!(f, "`{value}`"),
            Self::Number(value) => return write!(f, "`{value}`"),
            Self::String(text) => return f.write_str(&quoted(text)),
            Self::Operator(op) => op.symbol(),
            Self::And => "&&",
            Self::Or => "||",
            Self::Not => "!",
            Self::Question => "?",
            Self::Colon => ":",
            Self::Comma => ",",
            Self::Dot => ".",
            Self::Open => "(",
            Self::Close => ")",
            Self::OpenList => "[",
            Self::CloseList => "]",
            Self::End => return f.write_str("the end"),
        };
        write!(f, "`{sign}`")
    }
}

/// The signs, longest first, and what they should have been when they are of another language.
const SIGNS: [(&str, Token, Option<&str>); 33] = {
    use BinaryOp::{
        Add, Divide, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Multiply, NotEqual, Remainder,
        Subtract,
    };
    [
        ("===", Token::Operator(Equal), Some("==")),
        ("!==", Token::Operator(NotEqual), Some("!=")),
        ("&&", Token::And, None),
        ("||", Token::Or, None),
        ("==", Token::Operator(Equal), None),
        ("!=", Token::Operator(NotEqual), None),
        ("<=", Token::Operator(LessOrEqual), None),
        (">=", Token::Operator(GreaterOrEqual), None),
        ("=<", Token::Operator(LessOrEqual), Some("<=")),
        ("=>", Token::Operator(GreaterOrEqual), Some(">=")),
        ("<>", Token::Operator(NotEqual), Some("!=")),
        ("=~", Token::Operator(Equal), Some("text.contains(part)")),
        ("=", Token::Operator(Equal), Some("==")),
        ("&", Token::And, Some("&&")),
        ("|", Token::Or, Some("||")),
        ("<", Token::Operator(Less), None),
        (">", Token::Operator(Greater), None),
        ("!", Token::Not, None),
        ("+", Token::Operator(Add), None),
        ("-", Token::Operator(Subtract), None),
        ("*", Token::Operator(Multiply), None),
        ("/", Token::Operator(Divide), None),
        ("%", Token::Operator(Remainder), None),
        ("?", Token::Question, None),
        (":", Token::Colon, None),
        (",", Token::Comma, None),
        (".", Token::Dot, None),
        ("(", Token::Open, None),
        (")", Token::Close, None),
        ("[", Token::OpenList, None),
        ("]", Token::CloseList, None),
        ("¬", Token::Not, Some("!")),
        ("×", Token::Operator(Multiply), Some("*")),
    ]
};

/// A token and its place.
pub(super) type Placed = (Token, Span);

/// The tokens with `End` as the last, or the mistake that hindered reading on; and those that did not.
pub(super) fn tokens(text: &str) -> (Result<Vec<Placed>, SyntaxError>, Vec<SyntaxError>) {
    let mut lexer = Lexer { text, at: 0, errors: Vec::new() };
    let mut tokens = Vec::new();
    loop {
        match lexer.next() {
            Ok(token) => {
                let is_end = token.0 == Token::End;
                tokens.push(token);
                if is_end {
                    return (Ok(tokens), lexer.errors);
                }
            }
            Err(error) => return (Err(error), lexer.errors),
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    errors: Vec<SyntaxError>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn since(&self, start: usize) -> Span {
        Span::new(start, self.at)
    }

    fn skip_space(&mut self) {
        loop {
            // The white space of the language; others, like the no-break space, are told.
            let rest = self.rest().trim_start_matches([' ', '\t', '\r', '\n', '\u{c}']);
            self.at = self.text.len() - rest.len();
            if !rest.starts_with("//") {
                return;
            }
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }

    fn next(&mut self) -> Result<Placed, SyntaxError> {
        self.skip_space();
        let start = self.at;
        let token = match self.rest().chars().next() {
            None => Token::End,
            Some(c) if c == '_' || c.is_ascii_alphabetic() => self.word()?,
            Some(c) if c.is_ascii_digit() => self.number(),
            Some(quote @ ('\'' | '"')) => self.string(quote)?,
            Some(other) => self.sign(other)?,
        };
        Ok((token, self.since(start)))
    }

    fn word(&mut self) -> Result<Token, SyntaxError> {
        let start = self.at;
        let rest = self.rest();
        let end = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        self.at += end;
        let word = &rest[..end];
        let is_prefix = matches!(word.to_ascii_lowercase().as_str(), "r" | "b" | "rb" | "br");
        if is_prefix && self.rest().starts_with(['\'', '"']) {
            let what = if word.eq_ignore_ascii_case("r") { "raw strings" } else { "bytes" };
            return Err(SyntaxError { span: self.since(start), kind: SyntaxErrorKind::Unsupported { what } });
        }
        Ok(match word {
            "in" => Token::Operator(BinaryOp::In),
            word => Token::Word(word.to_owned()),
        })
    }

    fn number(&mut self) -> Token {
        let (start, rest) = (self.at, self.rest());
        let mut end = 0;
        for (at, c) in rest.char_indices() {
            let is_point = c == '.' && rest[at + 1..].starts_with(|next: char| next.is_ascii_digit());
            if !(is_point || c == '_' || c.is_alphanumeric()) {
                break;
            }
            end = at + c.len_utf8();
        }
        self.at += end;
        let text = &rest[..end];
        let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => (digits, 16),
            None => (text, 10),
        };
        let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        let value = u64::from_str_radix(digits, radix).ok().filter(|value| *value <= i64::MIN.unsigned_abs());
        if let Some(value) = value.filter(|_| is_number) {
            return Token::Int(value);
        }
        let is_decimal = text.split_once('.').is_some_and(|parts| {
            [parts.0, parts.1].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        });
        if let Some(value) = text.parse().ok().filter(|_| is_decimal) {
            return Token::Number(value);
        }
        let text = text.to_owned();
        let kind = match is_number {
            true => SyntaxErrorKind::NumberTooLarge { text },
            false => SyntaxErrorKind::NotANumber { text },
        };
        self.errors.push(SyntaxError { span: self.since(start), kind });
        Token::Int(0)
    }

    fn string(&mut self, quote: char) -> Result<Token, SyntaxError> {
        let start = self.at;
        if self.rest().starts_with(if quote == '"' { "\"\"\"" } else { "'''" }) {
            self.at += 3;
            let kind = SyntaxErrorKind::Unsupported { what: "strings in triple quotes" };
            return Err(SyntaxError { span: self.since(start), kind });
        }
        self.at += 1;
        let mut value = String::new();
        loop {
            match self.rest().chars().next() {
                None | Some('\n' | '\r') => {
                    let kind = SyntaxErrorKind::UnclosedString { quote };
                    return Err(SyntaxError { span: self.since(start), kind });
                }
                Some('\\') => value.extend(self.escape()),
                Some(c) => {
                    self.at += c.len_utf8();
                    if c == quote {
                        return Ok(Token::String(value));
                    }
                    value.push(c);
                }
            }
        }
    }

    /// One escape, or nothing after reporting it.
    fn escape(&mut self) -> Option<char> {
        let start = self.at;
        self.at += 1;
        let Some(kind) = self.rest().chars().next() else {
            // The missing quote is what gets reported.
            return None;
        };
        let decoded = match kind {
            '0'..='3' => self.digits(3, 8),
            'x' | 'X' => self.prefixed_digits(2),
            'u' => self.prefixed_digits(4),
            'U' => self.prefixed_digits(8),
            _ => {
                if !matches!(kind, '\n' | '\r') {
                    self.at += kind.len_utf8();
                }
                simple_escape(kind)
            }
        };
        if decoded.is_none() {
            let span = self.since(start);
            let escape = self.text[span.start..span.end].to_owned();
            self.errors.push(SyntaxError { span, kind: SyntaxErrorKind::UnknownEscape { escape } });
        }
        decoded
    }

    fn prefixed_digits(&mut self, count: usize) -> Option<char> {
        self.at += 1;
        self.digits(count, 16)
    }

    /// Exactly `count` digits as a character; takes as many as there are.
    fn digits(&mut self, count: usize, radix: u32) -> Option<char> {
        let rest = self.rest();
        let found = rest.bytes().take(count).take_while(|byte| char::from(*byte).is_digit(radix)).count();
        self.at += found;
        if found < count {
            return None;
        }
        u32::from_str_radix(&rest[..found], radix).ok().and_then(char::from_u32)
    }

    fn sign(&mut self, first: char) -> Result<Token, SyntaxError> {
        let start = self.at;
        for (sign, token, meant) in SIGNS {
            if !self.rest().starts_with(sign) {
                continue;
            }
            self.at += sign.len();
            if let Some(meant) = meant {
                let kind = SyntaxErrorKind::Meant { found: sign.to_owned(), meant };
                self.errors.push(SyntaxError { span: self.since(start), kind });
            }
            return Ok(token);
        }
        self.at += first.len_utf8();
        Err(SyntaxError {
            span: self.since(start),
            kind: SyntaxErrorKind::UnexpectedCharacter { found: first },
        })
    }
}

fn simple_escape(kind: char) -> Option<char> {
    Some(match kind {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' | '?' | '"' | '\'' | '`' => kind,
        _ => return None,
    })
}
