//! Filling in what is asked of the world.
//!
//! An answer, an output or the name of a branch can hold anything: in an address it must not become another path or another
//! parameter, in a query no other query.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use minijinja::value::ValueKind;
use minijinja::{Environment as Jinja, Error, ErrorKind, Output, State, UndefinedBehavior, Value};

use crate::act::Failure;
use crate::context::{Context, RENDERED_MAX_BYTES, unfilled};
use crate::model::Template;

impl Context {
    /// The variables that a command gets that looks at a fact: only those that last as long as the content that it looks at. With
    /// others, every answer and every step that ends would make it another look.
    pub fn lasting_variables(&self) -> BTreeMap<String, String> {
        let mut all = self.variables();
        let passing = ["TOLLGATE_ANSWER_", "TOLLGATE_OUTPUT_", "TOLLGATE_ITEM", "TOLLGATE_RISK"];
        all.retain(|name, _| !passing.iter().any(|start| name.starts_with(start)));
        all
    }

    /// Fills in an address. What is filled in stays one part of it; only the environment's own address, at the start, is taken
    /// as it is.
    pub fn fill_address(&self, template: &Template) -> Result<String, Failure> {
        let start = template.0.strip_prefix("{{").and_then(|rest| rest.split_once("}}"));
        match (start, &self.env) {
            (Some((name, rest)), Some(env)) if name.trim() == "env.url" => {
                let rest = self.filled(&Template(rest.to_owned()), percent_encoded)?;
                Ok(format!("{}{rest}", env.url.trim_end_matches('/')))
            }
            _ => self.filled(template, percent_encoded),
        }
    }

    /// Fills in a query, and escapes it as a parameter of an address. What is filled in stays inside of a quoted text.
    pub fn fill_query(&self, template: &Template) -> Result<String, Failure> {
        Ok(percent_encoded(&self.filled(template, quoted)?))
    }

    fn filled(&self, template: &Template, escape: fn(&str) -> String) -> Result<String, Failure> {
        filled_with(self, template, escape)
    }
}

/// Fills a text in, with each value escaped.
pub(crate) fn filled_with(
    values: &impl serde::Serialize,
    template: &Template,
    escape: fn(&str) -> String,
) -> Result<String, Failure> {
    let mut jinja = Jinja::new();
    jinja.set_undefined_behavior(UndefinedBehavior::Strict);
    jinja.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    jinja.set_recursion_limit(50);
    jinja.set_formatter(move |out: &mut Output, _: &mut State, value: &Value| {
        if value.kind() == ValueKind::Undefined {
            return Err(Error::from(ErrorKind::UndefinedError));
        }
        Ok(out.write_str(&escape(&value.to_string()))?)
    });
    let filled = jinja
        .render_str(&template.0, minijinja::value::Serde(values))
        .map_err(|error| unfilled(template, &error.to_string()))?;
    match filled.len() > RENDERED_MAX_BYTES {
        true => Err(unfilled(template, "the result is longer than 32 KiB")),
        false => Ok(filled),
    }
}

pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            // Writing to a string cannot fail.
            other => drop(write!(encoded, "%{other:02X}")),
        }
    }
    encoded
}

/// As it can stand between quotes of PromQL and its like. The quotes that cannot be escaped everywhere are left out.
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for c in text.chars().filter(|c| !c.is_control() && !matches!(c, '\'' | '`')) {
        if matches!(c, '\\' | '"') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}
