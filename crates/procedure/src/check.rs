//! Holds a tree against the grammar: keys that are unknown, missing, in conflict, and values of the wrong shape.

use crate::diagnostic::{Code, Report, Span};
use crate::grammar::{Choice, MANY, Mapping, Shape};
use crate::tree::{Entry, Kind, Node, Scalar};
use crate::words::{did_you_mean, listed, shown};

/// The longest text, in bytes.
pub(crate) const MAX_TEXT_BYTES: usize = 16 * 1024;

/// Reports everything in which a file differs from the grammar.
pub(crate) fn check(node: &Node, grammar: &'static Mapping, report: &mut Report) {
    Checker { report }.map(node, grammar, node.span, grammar.what);
}

struct Checker<'r> {
    report: &'r mut Report,
}

impl Checker<'_> {
    /// One value. `at` is the key it belongs to and `name` what it is called.
    fn value(&mut self, node: &Node, shape: &'static Shape, at: Span, name: &str) {
        match shape {
            Shape::List(item, least) => self.list(node, item, *least, name),
            Shape::Named(_, value, least) => self.named(node, shape, value, *least, name),
            Shape::Map(grammar) => self.map(node, grammar, at, name),
            Shape::Either(one, two) => match [one, two].into_iter().find(|shape| takes(shape, node)) {
                Some(shape) => self.value(node, shape, at, name),
                None => self.wrong(node, shape, name),
            },
            scalar => match &node.kind {
                Kind::Scalar(text) => self.scalar(node, text, scalar, name),
                Kind::List(_) | Kind::Map(_) => self.wrong(node, shape, name),
            },
        }
    }

    fn wrong(&mut self, node: &Node, shape: &'static Shape, name: &str) {
        let message = format!("{name} takes {}, and this is {}", describe(shape), node.what());
        self.report.error(Code::WrongShape, node.span, message).hint_if(shape_hint(node, shape));
    }

    fn list(&mut self, node: &Node, item: &'static Shape, least: usize, name: &str) {
        let Kind::List(items) = &node.kind else {
            let message = format!("{name} takes a list, and this is {}", node.what());
            let hint = node.text().map(|text| format!("write `[{}]`", shown(text)));
            self.report.error(Code::WrongShape, node.span, message).hint_if(hint);
            return;
        };
        if items.len() < least {
            let message = match least {
                1 => format!("{name} is empty"),
                _ => format!("{name} takes at least {least}, and there is {}", items.len()),
            };
            self.report.error(Code::BadValue, node.span, message);
        }
        let name = format!("an item of {name}");
        for one in items {
            let at = one.entries().first().map_or(one.span, |entry| entry.key_span);
            self.value(one, item, at, &name);
        }
    }

    fn named(&mut self, node: &Node, shape: &'static Shape, value: &'static Shape, least: usize, name: &str) {
        let Kind::Map(entries) = &node.kind else {
            return self.wrong(node, shape, name);
        };
        if entries.len() < least {
            self.report.error(Code::BadValue, node.span, format!("{name} is empty"));
        }
        if i64::try_from(entries.len()).is_ok_and(|count| count > MANY) {
            let message = format!("{name} has {} entries; at most {MANY} are taken", entries.len());
            self.report.error(Code::Limit, node.span, message);
        }
        for entry in entries {
            self.value(&entry.value, value, entry.key_span, &format!("`{}`", shown(&entry.key)));
        }
    }

    fn map(&mut self, node: &Node, grammar: &'static Mapping, at: Span, name: &str) {
        let Kind::Map(entries) = &node.kind else {
            return self.not_a_map(node, grammar, name);
        };
        let mut meant = Vec::new();
        let mut strangers = false;
        for entry in entries {
            match grammar.key(&entry.key) {
                Some(key) => {
                    self.companions(node, entry, key.with, grammar);
                    self.value(&entry.value, &key.shape, entry.key_span, &format!("`{}`", key.name));
                }
                None => {
                    strangers = true;
                    meant.extend(self.stranger(entry, grammar));
                }
            }
        }
        let at = if at.end > at.start { at } else { node.span };
        for key in grammar.keys {
            if key.required && node.entry(key.name).is_none() && !meant.contains(&key.name) {
                let message = format!("{} has no `{}`", grammar.what, key.name);
                self.report.error(Code::MissingKey, at, message).hint(format!("{}: {}", key.name, key.about));
            }
        }
        for choice in grammar.one_of {
            self.choice(node, choice, grammar, at, strangers);
        }
    }

    fn not_a_map(&mut self, node: &Node, grammar: &'static Mapping, name: &str) {
        let message = format!("{name} takes a mapping, and this is {}", node.what());
        let empty_is_fine = grammar.keys.iter().all(|key| !key.required) && grammar.one_of.is_empty();
        let hint = if grammar.keys.is_empty() {
            "write `{}`".to_owned()
        } else if node.what() == "nothing" && empty_is_fine {
            format!("write `{{}}`, or give it {}", listed(grammar.keys.iter().map(|key| key.name), "and"))
        } else {
            format!("its keys are {}", listed(grammar.keys.iter().map(|key| key.name), "and"))
        };
        self.report.error(Code::WrongShape, node.span, message).hint(hint);
    }

    /// A key that is not in the grammar. Gives the key that was probably meant.
    fn stranger(&mut self, entry: &Entry, grammar: &'static Mapping) -> Option<&'static str> {
        let given = shown(&entry.key);
        if let Some(refused) = grammar.refusal(&entry.key) {
            let (code, message) = if refused.later {
                (Code::NotYet, format!("`{given}` is not in this version of Tollgate"))
            } else {
                (Code::Misplaced, format!("`{given}` does not stand in {}", grammar.what))
            };
            self.report.error(code, entry.key_span, message).hint(refused.instead);
            return None;
        }
        let names = grammar.keys.iter().map(|key| key.name);
        let near = crate::words::nearest(&entry.key, names.clone());
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if grammar.keys.is_empty() => "it takes no keys: write `{}`".to_owned(),
            None => format!("the keys here are {}", listed(names, "and")),
        };
        let message = format!("{} has no key `{given}`", grammar.what);
        self.report.error(Code::UnknownKey, entry.key_span, message).hint(hint);
        near
    }

    /// A key that only makes sense beside another one.
    fn companions(&mut self, node: &Node, entry: &Entry, with: &[&str], grammar: &Mapping) {
        if with.is_empty() || with.iter().any(|key| node.entry(key).is_some()) {
            return;
        }
        // Without any kind at all, that is the mistake to report.
        let kind = grammar.one_of.iter().flat_map(|choice| choice.keys).find(|key| node.entry(key).is_some());
        let message = match kind {
            Some(kind) => format!("`{}` says nothing beside `{kind}`", entry.key),
            None if grammar.one_of.is_empty() => format!("`{}` says nothing alone", entry.key),
            None => return,
        };
        let hint = format!("it stands beside {}", listed(with.iter().copied(), "or"));
        self.report.error(Code::KeyConflict, entry.key_span, message).hint(hint);
    }

    fn choice(&mut self, node: &Node, choice: &Choice, grammar: &Mapping, at: Span, strangers: bool) {
        let mut given = node.entries().iter().filter(|entry| choice.keys.contains(&entry.key.as_str()));
        let Some(first) = given.next() else {
            let wanted = choice.when.is_empty() || node.entry(choice.when).is_some();
            if wanted && !strangers {
                let message = format!("{} does not say {}", grammar.what, choice.what);
                let hint = format!("give it one of {}", listed(choice.keys.iter().copied(), "and"));
                self.report.error(Code::MissingKey, at, message).hint(hint);
            }
            return;
        };
        for more in given {
            let message =
                format!("{} says {} once; `{}` stands there already", grammar.what, choice.what, first.key);
            let hint =
                if choice.keys.contains(&"shell") { "make two steps of it" } else { "remove one of them" };
            self.report.error(Code::KeyConflict, more.key_span, message).hint(hint);
        }
    }

    fn scalar(&mut self, node: &Node, scalar: &Scalar, shape: &'static Shape, name: &str) {
        match shape {
            Shape::Bool if scalar.as_bool().is_some() => {}
            Shape::True if scalar.as_bool() == Some(true) => {}
            Shape::True if scalar.as_bool() == Some(false) => {
                let message = format!("{name} is `true` or is not there");
                self.report.error(Code::BadValue, node.span, message).hint("remove it");
            }
            Shape::Integer(least, most) => match node.integer() {
                None => self.wrong(node, shape, name),
                Some(number) if number < *least || number > *most => {
                    let message = match (least, most) {
                        (least, most) if least == most => {
                            format!("{name} is {least} in this version of Tollgate, and this is {number}")
                        }
                        (least, most) => {
                            format!("{name} is between {least} and {most}, and this is {number}")
                        }
                    };
                    self.report.error(Code::BadValue, node.span, message);
                }
                Some(_) => {}
            },
            Shape::Bool | Shape::True => self.wrong(node, shape, name),
            Shape::OneOf(words) => match node.text() {
                Some(text) if words.contains(&text) => {}
                Some(text) => {
                    let message = format!(
                        "{name} is {}, and not `{}`",
                        listed(words.iter().copied(), "or"),
                        shown(text)
                    );
                    let hint = did_you_mean(text, words.iter().copied());
                    self.report.error(Code::BadValue, node.span, message).hint_if(hint);
                }
                None => self.wrong(node, shape, name),
            },
            _ => self.text(node, scalar, shape, name),
        }
    }

    fn text(&mut self, node: &Node, scalar: &Scalar, shape: &'static Shape, name: &str) {
        if scalar.is_null() || scalar.as_bool().is_some() && !matches!(shape, Shape::Condition) {
            return self.wrong(node, shape, name);
        }
        if scalar.text.trim().is_empty() {
            self.report.error(Code::BadValue, node.span, format!("{name} is empty"));
        } else if scalar.text.len() > MAX_TEXT_BYTES {
            let message =
                format!("{name} has {} bytes; at most {MAX_TEXT_BYTES} are taken", scalar.text.len());
            self.report.error(Code::Limit, node.span, message);
        } else if scalar.text.contains(reads_otherwise) {
            let message = format!("{name} has characters in it that cannot be seen and change how it reads");
            self.report.error(Code::BadValue, node.span, message).hint("remove them");
        } else if scalar.text.trim_end_matches('\n').contains('\n')
            && !matches!(shape, Shape::Text | Shape::Template | Shape::Condition)
        {
            self.report.error(Code::WrongShape, node.span, format!("{name} has to be on one line"));
        }
    }
}

/// Control characters, and those that turn the direction of writing: what a person sees is not what is there.
fn reads_otherwise(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a value is of the kind (text, list, mapping) that a shape takes.
fn takes(shape: &Shape, node: &Node) -> bool {
    match (shape, &node.kind) {
        (Shape::List(..), Kind::List(_)) | (Shape::Named(..) | Shape::Map(_), Kind::Map(_)) => true,
        (Shape::Either(one, two), _) => takes(one, node) || takes(two, node),
        (Shape::List(..) | Shape::Named(..) | Shape::Map(_), _) => false,
        (_, Kind::Scalar(_)) => true,
        (_, _) => false,
    }
}

/// What a shape is called in messages.
fn describe(shape: &Shape) -> String {
    match shape {
        Shape::Text | Shape::Line | Shape::Template => "a text".to_owned(),
        Shape::Name(_) => "a name".to_owned(),
        Shape::Who => "the name of a person or a group".to_owned(),
        Shape::Version => "a version".to_owned(),
        Shape::Duration => "a length of time such as `30m`".to_owned(),
        Shape::Address => "a web address".to_owned(),
        Shape::Condition => "a condition".to_owned(),
        Shape::Bool => "`true` or `false`".to_owned(),
        Shape::True => "`true`".to_owned(),
        Shape::Integer(..) => "a whole number".to_owned(),
        Shape::OneOf(words) => listed(words.iter().copied(), "or"),
        Shape::List(..) => "a list".to_owned(),
        Shape::Named(..) | Shape::Map(_) => "a mapping".to_owned(),
        Shape::Either(one, two) => format!("{} or {}", describe(one), describe(two)),
    }
}

fn shape_hint(node: &Node, shape: &Shape) -> Option<String> {
    let scalar = node.scalar()?;
    let text = scalar.text.as_str();
    match shape {
        Shape::Bool | Shape::True => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" => Some(format!("in YAML 1.2 `{}` is a text; write `true`", shown(text))),
            "no" | "off" | "n" => Some(format!("in YAML 1.2 `{}` is a text; write `false`", shown(text))),
            "true" | "false" => Some("remove the quotes".to_owned()),
            _ => None,
        },
        Shape::Integer(..) if text.parse::<i64>().is_ok() => Some("remove the quotes".to_owned()),
        _ if scalar.as_bool().is_some() => Some(format!("put quotes around it: \"{text}\"")),
        _ => None,
    }
}
