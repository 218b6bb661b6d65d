//! Reads `tollgate.yaml`: a text in, a checked [`Definition`] and [`Policy`] out, or every mistake in it with its place.
//!
//! The way of a file: `tree` makes YAML a tree in which everything knows where it stands; `check` holds it against
//! the `grammar`, which is data and also makes the published JSON Schema; `lower` resolves names, checks texts and
//! conditions, and makes the model. Every stage reports all it finds, and the next one goes on with what is sound.
//!
//! Nothing here reads a file or looks at the clock: a file that another one names comes through the caller's loader.

mod check;
mod diagnostic;
mod duration;
pub mod expression;
pub mod facts;
mod grammar;
mod lint;
mod lower;
mod markdown;
mod render;
mod scenario;
mod schema;
mod template;
mod tree;
mod words;

pub use diagnostic::{Code, Diagnostic, Location, Severity, Span};
pub use render::{Sources, render};
pub use scenario::{LoadedScenario, load_scenario};
pub use schema::{json_schema, scenario_schema};
pub use template::FILTERS;

use diagnostic::{MAX_DIAGNOSTICS, Report};
use jiff::Timestamp;
use lint::Subject;
use tollgate_core::model::{Definition, Policy};

/// What came of reading a procedure file.
#[derive(Debug)]
pub struct Loaded {
    /// How the service is released; only there when nothing is wrong.
    pub definition: Option<Definition>,
    /// What must hold; only there when nothing is wrong.
    pub policy: Option<Policy>,
    /// What is wrong, in the order of the files, at most a hundred.
    pub diagnostics: Vec<Diagnostic>,
    /// How many more there are, none of them an error when there is no error among the others.
    pub omitted: usize,
    /// The texts that the diagnostics point into, without the secrets that were found in them.
    pub sources: Sources,
}

impl Loaded {
    /// Whether the file cannot be used.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// The mistakes as text for a terminal.
    pub fn render(&self, colour: bool) -> String {
        let mut text = render(&self.diagnostics, &self.sources, colour);
        if self.omitted > 0 {
            text.push_str(&format!("{} more not shown\n", self.omitted));
        }
        text
    }
}

/// Reads a procedure file.
///
/// `file_name` is what messages call it. `loader` gives the text of a file that it names, by its path relative to the
/// folder of the procedure file; the path never leads out of that folder by itself, and following links is the loader's
/// business.
pub fn load(text: &str, file_name: &str, loader: &dyn Fn(&str) -> Result<String, String>) -> Loaded {
    read(text, file_name, loader, None)
}

/// Reads a procedure file, and also looks for what it says and can hardly mean, from a moment on.
///
/// That takes longer, and what it finds more are warnings.
pub fn examine(
    text: &str,
    file_name: &str,
    loader: &dyn Fn(&str) -> Result<String, String>,
    now: Timestamp,
) -> Loaded {
    read(text, file_name, loader, Some(now))
}

fn read(
    text: &str,
    file_name: &str,
    loader: &dyn Fn(&str) -> Result<String, String>,
    now: Option<Timestamp>,
) -> Loaded {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut sources = Sources::of(file_name, text);
    let mut report = Report::new(file_name);
    let mut lowered = None;
    if let Some(root) = tree::parse(text, &mut report) {
        check::check(&root, &grammar::FILE, &mut report);
        let made = lower::lower(&root, text, &mut report, loader, &mut sources);
        if let (Some(definition), Some(policy), false) = (&made.definition, &made.policy, report.has_errors())
        {
            lint::lint(&Subject { root: &root, definition, policy }, now, &mut report);
        }
        lowered = Some(made);
    }
    let mut diagnostics = report.finish();
    let (mut definition, mut policy) = (None, None);
    if let Some(lowered) = lowered {
        diagnostics.extend(lowered.elsewhere);
        (definition, policy) = (lowered.definition, lowered.policy);
    }
    for secret in diagnostics.iter().filter(|one| one.code == Code::Secret) {
        sources.mask(&secret.place.file, secret.place.span.clone());
    }
    if diagnostics.iter().any(Diagnostic::is_error) {
        (definition, policy) = (None, None);
    }
    let all = diagnostics.len();
    let diagnostics = the_first(diagnostics);
    Loaded { definition, policy, omitted: all - diagnostics.len(), diagnostics, sources }
}

/// As many as are shown, errors before warnings, in the order of the files.
fn the_first(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let errors = diagnostics.iter().filter(|one| one.is_error()).count();
    let mut warnings_left = MAX_DIAGNOSTICS.saturating_sub(errors);
    diagnostics.retain(|one| {
        if one.is_error() {
            return true;
        }
        let kept = warnings_left > 0;
        warnings_left = warnings_left.saturating_sub(1);
        kept
    });
    diagnostics.truncate(MAX_DIAGNOSTICS);
    diagnostics
}
