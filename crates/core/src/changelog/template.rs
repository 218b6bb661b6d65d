//! A changelog in a form of the team's own: a template that is filled in for every release.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use jiff::civil::date;
use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, context};
use serde::{Deserialize, Serialize};

use super::bullets::{Bullets, authors};
use super::escape::escape_into;
use super::file::{CHANGELOG_MAX_BYTES, ChangelogError};
use super::groups::{Entry, Titles};
use super::outline::Outline;
use super::{ChangelogRules, Part};
use crate::commits::{Change, CommitText, Lines, Person, Reference, Ticket, plain_text};
use crate::version::Version;

/// The largest template that is taken, in bytes.
pub const TEMPLATE_MAX_BYTES: usize = 64 * 1024;

/// How many instructions a template can take for one release.
const FUEL: u64 = 20_000_000;

/// The names that a template knows.
pub const TEMPLATE_NAMES: [&str; 11] = [
    "version",
    "released",
    "tag",
    "previous_tag",
    "date",
    "compare",
    "sections",
    "breaking",
    "changes",
    "authors",
    "newcomers",
];

/// The template of a changelog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangelogTemplate {
    /// The file that it comes from, for messages.
    pub file: String,
    /// Its text.
    pub text: String,
}

impl ChangelogTemplate {
    /// Checks that the template can be read and uses no name that there is none of, and tries it out: on a release in
    /// which every value is there, and on one in which none is that can be missing.
    ///
    /// # Errors
    ///
    /// [`ChangelogError::Template`], or [`ChangelogError::NoHeading`] when what it gives does not begin with a heading for
    /// the version.
    pub fn check(&self, rules: &ChangelogRules, sample: &Version) -> Result<(), ChangelogError> {
        if self.text.len() > TEMPLATE_MAX_BYTES {
            let why =
                format!("it is {} bytes long, and at most {TEMPLATE_MAX_BYTES} are read", self.text.len());
            return Err(ChangelogError::Template { file: self.file.clone(), line: None, why });
        }
        let environment = environment();
        let template = environment.template_from_str(&self.text).map_err(|error| self.fault(&error))?;
        let known: BTreeSet<&str> = TEMPLATE_NAMES.into_iter().chain(FUNCTIONS).collect();
        // Sorted, so that the same file has the same fault.
        let used: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
        if let Some(name) = used.iter().find(|name| !known.contains(name.as_str())) {
            let line = self.text.lines().position(|line| line.contains(name.as_str())).map(|at| at + 1);
            let why = format!(
                "there is no name `{}` (there are {})",
                plain_text(name, Lines::Join),
                TEMPLATE_NAMES.join(", ")
            );
            return Err(ChangelogError::Template { file: self.file.clone(), line, why });
        }
        let titles = Titles::of(rules);
        for changes in [samples(rules), Vec::new()] {
            let full = !changes.is_empty();
            let newcomers = [Person { name: "Ann".into(), email: "ann@example.org".into() }];
            let part = Part {
                version: Some(sample),
                tag: Some("v1.0.0"),
                previous_tag: full.then_some("v0.9.0"),
                date: Some(date(2000, 12, 31)),
                changes: &changes,
                newcomers: if full { &newcomers } else { &[] },
            };
            write(&mut String::new(), self, rules, &titles, &part)?;
        }
        Ok(())
    }

    fn fault(&self, error: &minijinja::Error) -> ChangelogError {
        let what = error.detail().map_or_else(|| error.kind().to_string(), ToOwned::to_owned);
        let why = match error.kind() {
            ErrorKind::UndefinedError => format!("a name is used that has no value ({what})"),
            _ => what,
        };
        let why = crate::commits::one_line(&why, 300);
        ChangelogError::Template { file: self.file.clone(), line: error.line(), why }
    }
}

/// What a template can call.
const FUNCTIONS: [&str; 4] = ["range", "dict", "namespace", "loop"];

pub(super) fn write(
    out: &mut String,
    template: &ChangelogTemplate,
    rules: &ChangelogRules,
    titles: &Titles<'_>,
    part: &Part<'_>,
) -> Result<(), ChangelogError> {
    let environment = environment();
    let compiled = environment.template_from_str(&template.text).map_err(|error| template.fault(&error))?;
    let mut bytes = Limited(Vec::new());
    compiled.render_captured_to(values(rules, titles, part), &mut bytes).map_err(|error| {
        if bytes.0.len() < CHANGELOG_MAX_BYTES {
            return template.fault(&error);
        }
        let why = format!("it gives more than {CHANGELOG_MAX_BYTES} bytes for one release");
        ChangelogError::Template { file: template.file.clone(), line: None, why }
    })?;
    let text = String::from_utf8_lossy(&bytes.0);
    let text = plain_text(&text, Lines::Keep);
    let start = text.len() - text.trim_start_matches('\n').len();
    let text = format!("{}\n", text[start..].trim_end());
    if let Some(version) = part.version {
        // What is put into the file has to be found there again.
        let outline = Outline::read(text.as_bytes())?;
        let alone = outline.sections.len() == 1 && outline.sections[0].start == 0 && !outline.unclosed;
        if !alone || outline.find(version).is_none() {
            return Err(ChangelogError::NoHeading { file: template.file.clone(), version: version.clone() });
        }
    }
    out.push_str(&text);
    Ok(())
}

/// Bytes up to the size of a changelog.
#[derive(Debug)]
struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHANGELOG_MAX_BYTES - self.0.len();
        self.0.extend(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    // A line with a block alone leaves no line behind.
    if let Ok(syntax) =
        minijinja::syntax::SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()
    {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("markdown".into()));
    environment.set_formatter(|out, _, value| {
        let refused = |what| Err(minijinja::Error::new(ErrorKind::InvalidOperation, what));
        match value.kind() {
            ValueKind::None => Ok(()),
            ValueKind::Undefined => refused("a value that is not there is written"),
            ValueKind::String if !value.is_safe() => {
                let mut text = String::new();
                escape_into(&mut text, value.as_str().unwrap_or_default(), None);
                out.write_str(&text).map_err(minijinja::Error::from)
            }
            ValueKind::String | ValueKind::Bool | ValueKind::Number => {
                write!(out, "{value}").map_err(minijinja::Error::from)
            }
            _ => refused(
                "a list or a mapping is written: go through it with `for`, or name what of it is meant",
            ),
        }
    });
    environment
}

/// What the template can use.
fn values(rules: &ChangelogRules, titles: &Titles<'_>, part: &Part<'_>) -> Value {
    let bullets = Bullets::of(rules, 8);
    let groups = titles.group(part.changes);
    let mut breaking: Vec<Value> = Vec::new();
    let sections: Vec<Value> = groups
        .iter()
        .filter_map(|(title, entries)| {
            let changes: Vec<Value> = entries.iter().map(|entry| change(&bullets, entry)).collect();
            if entries.iter().all(|entry| entry.is_break) {
                breaking.extend(changes);
                return None;
            }
            Some(context! { title => *title, changes => changes })
        })
        .collect();
    let plain: Vec<Value> = part.changes.iter().map(|one| change(&bullets, &Entry::of(one))).collect();
    let mut everybody: Vec<Person> = Vec::new();
    let mut seen = BTreeSet::new();
    for person in part.changes.iter().rev().flat_map(authors) {
        if seen.insert(person.email.to_ascii_lowercase() + "\n" + &person.name) {
            everybody.push(person);
        }
    }
    let mail = rules.authors.as_ref().is_some_and(|authors| authors.mail);
    let people = |people: &[Person]| -> Vec<Value> { people.iter().map(|one| person(one, mail)).collect() };
    context! {
        version => part.version.map_or_else(|| Value::from("Unreleased"), |version| literal(&version.to_string())),
        released => part.version.is_some(),
        tag => part.tag,
        previous_tag => part.previous_tag,
        date => part.date.map(|date| literal(&date.to_string())),
        compare => part.compare(rules).map(Value::from_safe_string),
        sections => sections,
        breaking => breaking,
        changes => plain,
        authors => people(&everybody),
        newcomers => people(part.newcomers),
    }
}

/// A text of our own making, which is written as it is when no sign in it means anything.
fn literal(text: &str) -> Value {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || ".-+!".contains(c));
    if plain { Value::from_safe_string(text.to_owned()) } else { Value::from(text) }
}

fn person(person: &Person, mail: bool) -> Value {
    let mut fields = BTreeMap::from([("name", Value::from(person.name.as_str()))]);
    // Without the right to show it, it is not there at all.
    if mail {
        fields.insert("mail", Value::from(person.email.as_str()));
    }
    Value::from(fields)
}

/// A change: its texts are escaped where they are written; what is made of them here is Markdown already.
fn change(bullets: &Bullets<'_>, entry: &Entry<'_>) -> Value {
    let change = entry.change;
    let (mut linked, mut sources, mut commit) = (String::new(), String::new(), String::new());
    bullets.text(&mut linked, entry.text);
    bullets.commit(&mut commit, &change.commit);
    sources.push_str(&commit);
    bullets.tickets(&mut sources, entry, ", ");
    let tickets: Vec<Value> = change.references.iter().map(|one| ticket(bullets, one)).collect();
    let mail = bullets.rules.authors.as_ref().is_some_and(|authors| authors.mail);
    context! {
        text => entry.text,
        linked => Value::from_safe_string(linked),
        subject => change.subject.as_str(),
        scope => change.scope.as_deref(),
        type => change.kind.type_name(),
        breaking => change.breaking.as_deref(),
        commit => literal(&change.commit.0),
        commit_link => Value::from_safe_string(commit),
        tickets => tickets,
        sources => Value::from_safe_string(sources),
        authors => authors(change).iter().map(|one| person(one, mail)).collect::<Vec<_>>(),
    }
}

fn ticket(bullets: &Bullets<'_>, reference: &Reference) -> Value {
    let mut link = String::new();
    bullets.ticket(&mut link, &reference.ticket);
    context! {
        name => reference.ticket.to_string(),
        link => Value::from_safe_string(link),
        closes => reference.closes,
    }
}

/// Changes that a template is tried out on: one of each type that has a title, with and without everything else.
fn samples(rules: &ChangelogRules) -> Vec<Change> {
    let types = rules.sections.iter().map(|(name, _)| name.as_str()).chain(["feat"]);
    let mut messages: Vec<String> = types.map(|name| format!("{name}: change something")).collect();
    messages.push("feat(part)!: change more (#12)\n\nBREAKING CHANGE: it is gone\n\nCloses #1".to_owned());
    messages.push("Change something else".to_owned());
    let mut changes: Vec<Change> = messages
        .iter()
        .map(|message| {
            let text = CommitText {
                commit: "0123456789abcdef0123456789abcdef01234567",
                author_name: "Ann",
                author_email: "ann@example.org",
                message,
            };
            Change::read(text, &[])
        })
        .collect();
    for change in &mut changes {
        change.references.push(Reference { ticket: Ticket::Bug(12), closes: false });
    }
    changes
}
