//! Recursive descent over the tokens, one function for each level of precedence.

use super::lexer::{Placed, Token, tokens};
use super::{SyntaxError, SyntaxErrorKind};
use tollgate_core::expr::{BinaryOp, BuildError, Builder, Expr, MAX_DEPTH, NodeId, NodeKind, Span};
use tollgate_core::facts::Decimal;

/// Words that the full language keeps for later; a name cannot begin with them.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "var",
    "void",
    "while",
];

/// The expression, if the text could be read to its end, and all mistakes in the order of the text.
pub(super) fn parse(text: &str) -> (Option<Expr>, Vec<SyntaxError>) {
    let whole = Span::new(0, text.len());
    let builder = match Builder::new(text) {
        Ok(builder) => builder,
        Err(limit) => return (None, vec![SyntaxError { span: whole, kind: SyntaxErrorKind::Limit(limit) }]),
    };
    let (tokens, mut errors) = tokens(text);
    let result = tokens.and_then(|tokens| {
        let mut parser = Parser { text, tokens, at: 0, builder, depth: 0, errors: Vec::new() };
        let result = parser.whole();
        errors.append(&mut parser.errors);
        result?;
        parser
            .builder
            .finish()
            .map_err(|error| SyntaxError { span: whole, kind: SyntaxErrorKind::Limit(error) })
    });
    let expr = match result {
        Ok(expr) => Some(expr),
        Err(error) => {
            errors.push(error);
            None
        }
    };
    errors.sort_by_key(|error| error.span);
    (expr, errors)
}

/// A node, and the span with the brackets around it.
#[derive(Clone, Copy)]
struct Operand {
    id: NodeId,
    span: Span,
}

type Parsed = Result<Operand, SyntaxError>;

struct Parser<'a> {
    text: &'a str,
    /// Never empty, and `End` is the last.
    tokens: Vec<Placed>,
    at: usize,
    builder: Builder,
    /// How many brackets, lists, calls and `? :` are open.
    depth: usize,
    errors: Vec<SyntaxError>,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        self.tokens.get(self.at + ahead).map_or(&Token::End, |(token, _)| token)
    }

    fn span(&self) -> Span {
        let last = self.tokens.len() - 1;
        self.tokens[self.at.min(last)].1
    }

    fn advance(&mut self) -> Span {
        let span = self.span();
        self.at += 1;
        span
    }

    fn take(&mut self, token: &Token) -> Option<Span> {
        (self.peek() == token).then(|| self.advance())
    }

    fn is_word(&self, words: &[&str]) -> bool {
        matches!(self.peek(), Token::Word(word) if words.iter().any(|known| known.eq_ignore_ascii_case(word)))
    }

    fn push(&mut self, kind: NodeKind, span: Span) -> Parsed {
        match self.builder.push(kind, span) {
            Ok(id) => Ok(Operand { id, span }),
            Err(limit) => Err(SyntaxError { span, kind: SyntaxErrorKind::Limit(limit) }),
        }
    }

    fn expected(&self, expected: &'static str) -> SyntaxError {
        let found = self.peek().to_string();
        SyntaxError { span: self.span(), kind: SyntaxErrorKind::Expected { expected, found } }
    }

    /// Takes a word, and perhaps the `in` after it, and reports how that is written here.
    fn meant(&mut self, meant: &'static str) {
        let mut span = self.advance();
        if let Some(end) = self.take(&Token::Operator(BinaryOp::In)) {
            span = span.to(end);
        }
        let found = self.text[span.start..span.end].to_owned();
        self.errors.push(SyntaxError { span, kind: SyntaxErrorKind::Meant { found, meant } });
    }

    fn whole(&mut self) -> Result<(), SyntaxError> {
        if *self.peek() == Token::End {
            return Err(SyntaxError { span: self.span(), kind: SyntaxErrorKind::Empty });
        }
        self.expression()?;
        match self.peek() {
            Token::End => Ok(()),
            _ => Err(self.expected("an operator or the end")),
        }
    }

    fn expression(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let span = self.span();
            return Err(SyntaxError { span, kind: SyntaxErrorKind::Limit(BuildError::TooDeep { span }) });
        }
        let condition = self.any()?;
        let result = match self.take(&Token::Question) {
            None => condition,
            Some(_) => self.conditional(condition)?,
        };
        self.depth -= 1;
        Ok(result)
    }

    fn conditional(&mut self, condition: Operand) -> Parsed {
        let then = self.any()?;
        if self.take(&Token::Colon).is_none() {
            return Err(self.expected("`:` and the other value"));
        }
        let otherwise = self.expression()?;
        let kind = NodeKind::Conditional { condition: condition.id, then: then.id, otherwise: otherwise.id };
        self.push(kind, condition.span.to(otherwise.span))
    }

    fn any(&mut self) -> Parsed {
        self.clauses(&Token::Or, "||", "or", Self::all, NodeKind::Any)
    }

    fn all(&mut self) -> Parsed {
        self.clauses(&Token::And, "&&", "and", Self::relation, NodeKind::All)
    }

    fn clauses(
        &mut self,
        operator: &Token,
        symbol: &'static str,
        word: &str,
        clause: fn(&mut Self) -> Parsed,
        kind: fn(Vec<NodeId>) -> NodeKind,
    ) -> Parsed {
        let first = clause(self)?;
        let (mut ids, mut span) = (vec![first.id], first.span);
        loop {
            if self.is_word(&[word]) {
                self.meant(symbol);
            } else if self.take(operator).is_none() {
                break;
            }
            let next = clause(self)?;
            ids.push(next.id);
            span = span.to(next.span);
        }
        if ids.len() == 1 { Ok(first) } else { self.push(kind(ids), span) }
    }

    fn relation(&mut self) -> Parsed {
        let mut left = self.sum()?;
        let mut is_chained = false;
        while let Some((op, is_negated)) = self.relation_operator() {
            if is_chained {
                let span = self.tokens[self.at - 1].1;
                return Err(SyntaxError { span, kind: SyntaxErrorKind::ChainedComparison });
            }
            is_chained = true;
            let right = self.sum()?;
            let span = left.span.to(right.span);
            left = self.push(NodeKind::Binary { op, left: left.id, right: right.id }, span)?;
            if is_negated {
                left = self.push(NodeKind::Not(left.id), span)?;
            }
        }
        Ok(left)
    }

    /// A comparison, and whether it was written with a word that negates it.
    fn relation_operator(&mut self) -> Option<(BinaryOp, bool)> {
        use BinaryOp::{Equal, Greater, GreaterOrEqual, In, Less, LessOrEqual, NotEqual};
        if let Token::Operator(op) = *self.peek()
            && matches!(op, Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual | In)
        {
            self.advance();
            return Some((op, false));
        }
        if self.is_word(&["is", "equals", "eq"]) {
            self.meant("==");
            return Some((Equal, false));
        }
        if self.is_word(&["not"]) && *self.peek_at(1) == Token::Operator(In) {
            self.meant("!(item in list)");
            return Some((In, true));
        }
        None
    }

    fn sum(&mut self) -> Parsed {
        self.chain(&[BinaryOp::Add, BinaryOp::Subtract], Self::product)
    }

    fn product(&mut self) -> Parsed {
        self.chain(&[BinaryOp::Multiply, BinaryOp::Divide, BinaryOp::Remainder], Self::unary)
    }

    fn chain(&mut self, operators: &[BinaryOp], operand: fn(&mut Self) -> Parsed) -> Parsed {
        let mut left = operand(self)?;
        while let Token::Operator(op) = *self.peek()
            && operators.contains(&op)
        {
            self.advance();
            let right = operand(self)?;
            let kind = NodeKind::Binary { op, left: left.id, right: right.id };
            left = self.push(kind, left.span.to(right.span))?;
        }
        Ok(left)
    }

    /// Without recursion: a row of signs may be as long as the text.
    fn unary(&mut self) -> Parsed {
        let mut signs: Vec<(bool, Span)> = Vec::new();
        let mut operand = loop {
            if self.is_word(&["not"]) && self.starts_operand(1) {
                let span = self.span();
                self.meant("!");
                signs.push((true, span));
            } else if let Some(span) = self.take(&Token::Not) {
                signs.push((true, span));
            } else if *self.peek() == Token::Operator(BinaryOp::Subtract) {
                let span = self.advance();
                if let Token::Int(magnitude) = *self.peek() {
                    break self.integer(magnitude, Some(span))?;
                }
                if let Token::Number(number) = *self.peek() {
                    break self.number(number, Some(span))?;
                }
                signs.push((false, span));
            } else {
                break self.member()?;
            }
        };
        for (is_not, span) in signs.into_iter().rev() {
            let kind = if is_not { NodeKind::Not(operand.id) } else { NodeKind::Negate(operand.id) };
            operand = self.push(kind, span.to(operand.span))?;
        }
        Ok(operand)
    }

    fn starts_operand(&self, ahead: usize) -> bool {
        matches!(
            self.peek_at(ahead),
            Token::Word(_)
                | Token::Int(_)
                | Token::Number(_)
                | Token::String(_)
                | Token::Not
                | Token::Open
                | Token::OpenList
        )
    }

    fn integer(&mut self, magnitude: u64, minus: Option<Span>) -> Parsed {
        let digits = self.advance();
        let span = minus.map_or(digits, |minus| minus.to(digits));
        let value =
            if minus.is_some() { 0_i64.checked_sub_unsigned(magnitude) } else { magnitude.try_into().ok() };
        let Some(value) = value else {
            let kind = SyntaxErrorKind::NumberTooLarge { text: magnitude.to_string() };
            return Err(SyntaxError { span, kind });
        };
        self.push(NodeKind::Int(value), span)
    }

    fn number(&mut self, number: Decimal, minus: Option<Span>) -> Parsed {
        let digits = self.advance();
        let span = minus.map_or(digits, |minus| minus.to(digits));
        let signed = if minus.is_some() { Decimal::new(-number.get()) } else { None };
        self.push(NodeKind::Number(signed.unwrap_or(number)), span)
    }

    /// A primary with the methods called on it.
    fn member(&mut self) -> Parsed {
        let mut receiver = self.primary()?;
        loop {
            if *self.peek() == Token::OpenList {
                let kind = SyntaxErrorKind::Unsupported { what: "items of lists by their number" };
                return Err(SyntaxError { span: self.span(), kind });
            }
            if self.take(&Token::Dot).is_none() {
                return Ok(receiver);
            }
            let Token::Word(method) = self.peek().clone() else {
                return Err(self.expected("a name after the dot"));
            };
            self.advance();
            if *self.peek() != Token::Open {
                return Err(self.expected("the `(` of a method call"));
            }
            let (arguments, end) = self.arguments()?;
            let span = receiver.span.to(end);
            let kind = NodeKind::Call { function: method, receiver: Some(receiver.id), arguments };
            receiver = self.push(kind, span)?;
        }
    }

    fn arguments(&mut self) -> Result<(Vec<NodeId>, Span), SyntaxError> {
        let open = self.advance();
        self.items(open, '(', &Token::Close, "`,` or `)`")
    }

    /// The items up to a closing bracket, and its place.
    fn items(
        &mut self,
        open: Span,
        bracket: char,
        close: &Token,
        separator: &'static str,
    ) -> Result<(Vec<NodeId>, Span), SyntaxError> {
        let mut items = Vec::new();
        loop {
            if let Some(end) = self.take(close) {
                return Ok((items, end));
            }
            if !items.is_empty() && self.take(&Token::Comma).is_none() {
                return Err(self.unclosed(open, bracket, separator));
            }
            // A comma may stand after the last item of a list, not of arguments.
            if bracket == '[' && !items.is_empty() && self.peek() == close {
                continue;
            }
            if *self.peek() == Token::End {
                return Err(self.unclosed(open, bracket, separator));
            }
            items.push(self.expression()?.id);
        }
    }

    fn unclosed(&self, open: Span, bracket: char, expected: &'static str) -> SyntaxError {
        match self.peek() {
            Token::End => SyntaxError { span: open, kind: SyntaxErrorKind::UnclosedBracket { bracket } },
            _ => self.expected(expected),
        }
    }

    fn primary(&mut self) -> Parsed {
        match self.peek().clone() {
            Token::Int(magnitude) => self.integer(magnitude, None),
            Token::Number(number) => self.number(number, None),
            Token::String(text) => {
                let span = self.advance();
                self.push(NodeKind::String(text), span)
            }
            Token::Word(word) => self.word(word),
            Token::Open => self.brackets(),
            Token::OpenList => {
                let open = self.advance();
                let (items, end) = self.items(open, '[', &Token::CloseList, "`,` or `]`")?;
                self.push(NodeKind::List(items), open.to(end))
            }
            _ => Err(self.expected("a value")),
        }
    }

    fn brackets(&mut self) -> Parsed {
        let open = self.advance();
        let inner = self.expression()?;
        match self.take(&Token::Close) {
            Some(end) => Ok(Operand { id: inner.id, span: open.to(end) }),
            None => Err(self.unclosed(open, '(', "an operator or `)`")),
        }
    }

    fn word(&mut self, word: String) -> Parsed {
        let span = self.advance();
        let kind = match word.as_str() {
            "true" => return self.push(NodeKind::Bool(true), span),
            "false" => return self.push(NodeKind::Bool(false), span),
            "null" => SyntaxErrorKind::Unsupported { what: "empty values (`null`)" },
            reserved if RESERVED.contains(&reserved) => SyntaxErrorKind::Reserved { word },
            _ if *self.peek() == Token::Open => {
                let (arguments, end) = self.arguments()?;
                let kind = NodeKind::Call { function: word, receiver: None, arguments };
                return self.push(kind, span.to(end));
            }
            _ => return self.name(word, span),
        };
        Err(SyntaxError { span, kind })
    }

    /// The rest of a dotted name, up to a method call.
    fn name(&mut self, mut name: String, mut span: Span) -> Parsed {
        loop {
            match (self.peek(), self.peek_at(1), self.peek_at(2)) {
                (Token::Dot, Token::Word(_), Token::Open) => break,
                (Token::Dot, Token::Word(segment), _) => {
                    name = format!("{name}.{segment}");
                    self.advance();
                }
                (Token::OpenList, Token::String(segment), Token::CloseList) => {
                    if segment.is_empty() || segment.contains('.') {
                        return Err(self.bad_segment(segment.clone()));
                    }
                    name = format!("{name}.{segment}");
                    self.advance();
                    self.advance();
                }
                (Token::OpenList, other, _) => return Err(self.bad_segment(other.to_string())),
                _ => break,
            }
            span = span.to(self.advance());
        }
        self.push(NodeKind::Name(name), span)
    }

    fn bad_segment(&self, segment: String) -> SyntaxError {
        SyntaxError { span: self.span(), kind: SyntaxErrorKind::NameSegment { segment } }
    }
}
