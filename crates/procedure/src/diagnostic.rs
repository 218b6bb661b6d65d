//! Mistakes in what a team wrote, each with its place, a stable code, and what to do about it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::render::plain;

/// How much a mistake weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, and probably does not do what is wanted.
    Warning,
}

impl Severity {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What kind of mistake it is. The text of a code never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name),+ }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The text people see and look up.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

codes! {
    /// The text is no YAML.
    Syntax = "syntax",
    /// The file is larger, deeper or longer than allowed.
    Limit = "limit",
    /// YAML that works but is not taken here: anchors, tags, merge keys, several documents.
    Unsupported = "unsupported-yaml",
    /// A key that does not exist at this place.
    UnknownKey = "unknown-key",
    /// The same key twice.
    DoubledKey = "doubled-key",
    /// A key that has to be there.
    MissingKey = "missing-key",
    /// A key that cannot stand beside another one, or not without another one.
    KeyConflict = "key-conflict",
    /// A value of another shape than expected.
    WrongShape = "wrong-shape",
    /// A value that is not allowed.
    BadValue = "bad-value",
    /// A length of time that is none.
    BadDuration = "bad-duration",
    /// A web address that is none, or holds credentials.
    BadAddress = "bad-address",
    /// A name that cannot be one.
    BadName = "bad-name",
    /// A path that leaves its folder.
    BadPath = "bad-path",
    /// A branch name that git or a shell would misread.
    BadBranch = "bad-branch",
    /// A version format or a version that is none.
    BadVersion = "bad-version",
    /// Part of the language, and not in this version of Tollgate.
    NotYet = "not-in-this-version",
    /// Something that was not declared.
    Unknown = "unknown-name",
    /// A name for two things.
    Ambiguous = "ambiguous-name",
    /// A file that this one names could not be read.
    Unreadable = "unreadable-file",
    /// A text to be filled in is malformed.
    BadTemplate = "bad-template",
    /// Nothing is filled in at this place.
    TemplateHere = "template-not-here",
    /// A secret where it would be seen.
    Secret = "secret-in-text",
    /// A condition is malformed or of the wrong type.
    BadCondition = "bad-condition",
    /// More people are asked for than there are.
    TooFewPeople = "too-few-people",
    /// One absence or one commit away from nobody being able to approve.
    TightApproval = "tight-approval",
    /// Two steps with one id.
    DoubledId = "doubled-id",
    /// Steps in an order that cannot work.
    StepOrder = "step-order",
    /// A kind of step or gate that cannot stand at this place.
    Misplaced = "misplaced",
    /// An environment that can be entered without being verified before.
    NoFrom = "environment-without-from",
    /// Environments that come from each other in a circle, or in the wrong order.
    EnvironmentOrder = "environment-order",
    /// A promotion that will wait for a gate the procedure itself could open first.
    PromotionOrder = "promotion-order",
    /// An answer that is used and never asked for before.
    NotAsked = "answer-not-asked",
    /// Declared and never used.
    Unused = "unused",
    /// A window that does not open, or never for as long as is asked.
    NeverOpen = "window-never-open",
    /// Windows of one environment that are never open at once.
    NeverTogether = "windows-never-together",
    /// A deployment that may take longer than its window is ever open.
    WindowTooShort = "window-too-short",
    /// Times of steps that contradict each other, or the windows of where they go.
    TimesApart = "times-apart",
    /// A date that has passed.
    TimeOver = "time-over",
    /// A train that departs when the window has just closed.
    MissesWindow = "train-misses-window",
    /// A soak that is longer than the time between two departures.
    SoakTooLong = "soak-longer-than-cycle",
    /// Two trains that start the same at the same time.
    TrainsAtOnce = "trains-at-once",
    /// Too many people are away at once.
    PeopleAway = "people-away",
    /// A calendar that fills a role and names nobody who can.
    NobodyOn = "nobody-on",
    /// Nobody who has to act has an account.
    NoLogin = "no-login",
    /// An environment that is reached from one in which nothing is verified.
    Unverified = "unverified",
    /// A branch that an environment is deployed from, and that something else moves.
    PastGates = "past-gates",
    /// An environment that nobody promotes to.
    NotReached = "environment-not-reached",
    /// An approval that runs out before it can count.
    ApprovalTooShort = "approval-too-short",
    /// A wait that expires before it can be over.
    TimeoutTooShort = "timeout-too-short",
    /// A condition that is never true.
    NeverTrue = "never-true",
    /// An answer that nothing depends on.
    AnswerNotUsed = "answer-not-used",
    /// A time of day with an abbreviation for its zone.
    ZoneInText = "time-zone-in-text",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A piece of a file: bytes, and the line and column of its start, from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The line of the first byte, from 1.
    pub line: u32,
    /// The column of the first byte in characters, from 1.
    pub column: u32,
}

impl Span {
    /// The bytes.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file, as the caller or the procedure file calls it.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The bytes that are meant.
    pub span: Range<usize>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", plain(&self.file), self.line, self.column)
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it weighs.
    pub severity: Severity,
    /// What kind it is.
    pub code: Code,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where.
    pub place: Location,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// Whether the file cannot be used because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The mistake for machines.
    pub fn to_json(&self) -> Value {
        json!({
            "severity": self.severity.as_str(),
            "code": self.code.as_str(),
            "message": self.message,
            "file": &*self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "span": [self.place.span.start, self.place.span.end],
            "hint": self.hint,
        })
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}[{}]: {}", self.place, self.severity.as_str(), self.code, self.message)
    }
}

/// How many mistakes are reported at most. Who has more is better served by fixing these first.
pub(crate) const MAX_DIAGNOSTICS: usize = 100;

/// Collects the mistakes of one file.
#[derive(Debug)]
pub(crate) struct Report {
    file: Arc<str>,
    found: Vec<Diagnostic>,
}

impl Report {
    pub(crate) fn new(file: &str) -> Self {
        Self { file: Arc::from(file), found: Vec::new() }
    }

    /// Adds an error; the result takes a hint.
    pub(crate) fn error(&mut self, code: Code, span: Span, message: impl Into<String>) -> Hinted<'_> {
        self.add(Severity::Error, code, span, message.into())
    }

    /// Adds a warning; the result takes a hint.
    pub(crate) fn warning(&mut self, code: Code, span: Span, message: impl Into<String>) -> Hinted<'_> {
        self.add(Severity::Warning, code, span, message.into())
    }

    fn add(&mut self, severity: Severity, code: Code, span: Span, message: String) -> Hinted<'_> {
        let place =
            Location { file: self.file.clone(), line: span.line, column: span.column, span: span.range() };
        self.found.push(Diagnostic { severity, code, message: plain(&message), place, hint: None });
        Hinted { of: self.found.last_mut() }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(Diagnostic::is_error)
    }

    /// How many were found so far.
    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    /// Forgets what was found since there were so many: it is looked at again.
    pub(crate) fn truncate(&mut self, found: usize) {
        self.found.truncate(found);
    }

    /// Everything found, in the order of the file.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|one| (one.place.span.start, one.severity, one.place.span.end));
        self.found.dedup();
        self.found
    }
}

/// A mistake that was just added.
pub(crate) struct Hinted<'a> {
    of: Option<&'a mut Diagnostic>,
}

impl Hinted<'_> {
    pub(crate) fn hint(self, hint: impl Into<String>) {
        if let Some(diagnostic) = self.of {
            diagnostic.hint = Some(plain(&hint.into()));
        }
    }

    pub(crate) fn hint_if(self, hint: Option<String>) {
        if let Some(hint) = hint {
            self.hint(hint);
        }
    }
}
