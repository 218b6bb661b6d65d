//! Reads the text of a condition into a checked expression.
//!
//! Slips whose meaning is plain (`=` for `==`, `and` for `&&`) are reported and read as meant, so that one load
//! shows all the mistakes of a condition, also those that only the types reveal.

mod lexer;
mod parser;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use tollgate_core::expr::{BuildError, CheckError, Environment, Expr, Span, Type, check_as};

/// Reads an expression without checking names and types.
pub fn parse(text: &str) -> Result<Expr, Vec<SyntaxError>> {
    let (expr, errors) = parser::parse(text);
    match expr {
        Some(expr) if errors.is_empty() => Ok(expr),
        _ => Err(errors),
    }
}

/// Reads and checks an expression that has to have a type; all mistakes are told, in the order of the text.
pub fn compile(text: &str, environment: &Environment, expected: &Type) -> Result<Expr, Vec<ExpressionError>> {
    let (expr, errors) = parser::parse(text);
    let mut errors: Vec<ExpressionError> = errors.into_iter().map(ExpressionError::Syntax).collect();
    if let Some(expr) = &expr
        && let Err(mistakes) = check_as(expr, environment, expected)
    {
        errors.extend(mistakes.into_iter().map(ExpressionError::Check));
        errors.sort_by_key(ExpressionError::span);
    }
    match expr {
        Some(expr) if errors.is_empty() => Ok(expr),
        _ => Err(errors),
    }
}

/// Reads and checks a condition.
pub fn compile_condition(text: &str, environment: &Environment) -> Result<Expr, Vec<ExpressionError>> {
    compile(text, environment, &Type::Bool)
}

/// One mistake in a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// In how it is written.
    #[error(transparent)]
    Syntax(SyntaxError),
    /// In what it names or compares.
    #[error(transparent)]
    Check(CheckError),
}

impl ExpressionError {
    /// Where it is, in bytes of the condition's text.
    pub fn span(&self) -> Span {
        match self {
            Self::Syntax(error) => error.span,
            Self::Check(error) => error.span,
        }
    }

    /// What to do about it, as half a sentence without a full stop.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Syntax(error) => error.help(),
            Self::Check(error) => error.help(),
        }
    }
}

/// One mistake in how an expression is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct SyntaxError {
    /// Where it is, in bytes of the text.
    pub span: Span,
    /// What it is.
    pub kind: SyntaxErrorKind,
}

/// What is wrong with the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxErrorKind {
    /// There is no expression.
    #[error("the expression is empty")]
    Empty,
    /// Something other stands where a part is needed.
    #[error("{expected} is needed here, and this is {found}")]
    Expected {
        /// What is needed.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// The word or sign of another language.
    #[error("`{found}` is not an operator")]
    Meant {
        /// What is written.
        found: String,
        /// How it is written here.
        meant: &'static str,
    },
    /// A character that has no meaning.
    #[error("`{found}` has no meaning in an expression")]
    UnexpectedCharacter {
        /// The character.
        found: char,
    },
    /// A string without its closing quote.
    #[error("the string has no closing {quote}")]
    UnclosedString {
        /// The quote that is missing.
        quote: char,
    },
    /// A bracket without its partner.
    #[error("`{bracket}` is never closed")]
    UnclosedBracket {
        /// The bracket.
        bracket: char,
    },
    /// A backslash with something that is no escape.
    #[error("`{escape}` is not an escape")]
    UnknownEscape {
        /// The backslash and what follows.
        escape: String,
    },
    /// Digits that are no number.
    #[error("`{text}` is not a number")]
    NotANumber {
        /// What is written.
        text: String,
    },
    /// A number beyond 64 bits.
    #[error("`{text}` is too large a number")]
    NumberTooLarge {
        /// What is written.
        text: String,
    },
    /// `a < b < c`.
    #[error("comparisons cannot be chained")]
    ChainedComparison,
    /// A word that the language keeps for itself.
    #[error("`{word}` is a reserved word")]
    Reserved {
        /// The word.
        word: String,
    },
    /// A segment of a name that cannot be one.
    #[error("`[{segment}]` is not a part of a name")]
    NameSegment {
        /// What stands in the brackets.
        segment: String,
    },
    /// A part of the full language that this subset leaves out.
    #[error("{what} cannot be used in conditions")]
    Unsupported {
        /// The part, in the plural.
        what: &'static str,
    },
    /// A limit was passed.
    #[error(transparent)]
    Limit(BuildError),
}

impl SyntaxError {
    /// What to do about it, as half a sentence without a full stop.
    pub fn help(&self) -> Option<String> {
        let help = match &self.kind {
            SyntaxErrorKind::Meant { meant, .. } => return Some(format!("did you mean `{meant}`?")),
            SyntaxErrorKind::UnexpectedCharacter { found } => character_help(*found)?,
            SyntaxErrorKind::UnknownEscape { .. } => "write a backslash itself as `\\\\`",
            SyntaxErrorKind::NotANumber { .. } => "a number has no unit; put a version in quotes, it is text",
            SyntaxErrorKind::ChainedComparison => "write `a < b && b < c`, or put one comparison in brackets",
            SyntaxErrorKind::Reserved { word } if word == "if" => "write `condition ? this : that`",
            SyntaxErrorKind::NameSegment { .. } => {
                "write a text in the brackets, as in `steps['load-test'].number`"
            }
            SyntaxErrorKind::Unsupported { .. }
            | SyntaxErrorKind::Reserved { .. }
            | SyntaxErrorKind::Empty
            | SyntaxErrorKind::Expected { .. }
            | SyntaxErrorKind::UnclosedString { .. }
            | SyntaxErrorKind::UnclosedBracket { .. }
            | SyntaxErrorKind::NumberTooLarge { .. }
            | SyntaxErrorKind::Limit(_) => return None,
        };
        Some(help.to_owned())
    }
}

fn character_help(found: char) -> Option<&'static str> {
    Some(match found {
        '‘' | '’' | '“' | '”' | '«' | '»' | '´' => "write strings in straight quotes, `'` or `\"`",
        '{' | '}' => "a condition is an expression already, write names without `{{ }}`",
        '`' => "write a name that is no plain word in brackets, as in `steps['load-test'].number`",
        '#' => "a comment begins with `//`",
        '$' => "write the name without `$`",
        '≤' => "did you mean `<=`?",
        '≥' => "did you mean `>=`?",
        '≠' => "did you mean `!=`?",
        '–' | '—' | '−' => "did you mean `-`?",
        '\u{a0}' => "this is a no-break space, write a plain one",
        _ => return None,
    })
}
