//! Answers that nothing depends on, and what is declared and never used.

use std::collections::BTreeSet;

use tollgate_core::model::{AnswerType, StepKind};

use super::{Finding, Findings, Subject, entries};
use crate::diagnostic::Code;
use crate::tree::Node;

pub(super) fn look(subject: &Subject<'_>, found: &mut Findings) {
    answers(subject, found);
    roles(subject, found);
}

/// Questions whose answer, also a no, changes nothing. A text is a remark for the record; and a command may use any answer.
fn answers(subject: &Subject<'_>, found: &mut Findings) {
    if ["shell", "command", "build"].iter().any(|key| has_key(subject.root, key)) {
        return;
    }
    let texts = texts(subject.root);
    let mut asked = BTreeSet::new();
    subject.steps(&mut |_, step| {
        if let StepKind::Ask { questions } = &step.kind {
            asked.extend(questions);
        }
    });
    for entry in subject.root.get("questions").map(Node::entries).unwrap_or_default() {
        let question = subject.definition.questions.iter().find(|(name, _)| name.as_str() == entry.key);
        let Some((name, question)) = question else { continue };
        let remark = question.answer == AnswerType::Text;
        // What is never asked is told already.
        let risk = subject.policy.risk.as_ref().and_then(|risk| risk.declared.as_ref()) == Some(name);
        if remark || risk || !asked.contains(name) || texts.iter().any(|text| uses(text, name.as_str())) {
            continue;
        }
        let message =
            format!("nothing depends on the answer to `{name}`: the release goes on whatever is said");
        let hint =
            "ask for it in a condition (`if`, or a gate with `require`) or a text; or let a gate `ask` it";
        found.push(Finding::warning(Code::AnswerNotUsed, entry.key_span, message, hint));
    }
}

fn has_key(root: &Node, key: &str) -> bool {
    let mut found = false;
    entries(root, &mut |entry| found |= entry.key == key);
    found
}

fn texts(node: &Node) -> Vec<&str> {
    let below = node.items().iter().chain(node.entries().iter().map(|entry| &entry.value));
    node.text().into_iter().chain(below.flat_map(texts)).collect()
}

/// Whether a text or a condition names an answer.
fn uses(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let dotted = text.match_indices("answers.").any(|(at, before)| {
        let rest = &text[at + before.len()..];
        rest.strip_prefix(name).is_some_and(|rest| !rest.starts_with(part))
    });
    let quoted = ['"', '\''].iter().any(|quote| text.contains(&format!("answers[{quote}{name}{quote}]")));
    dotted || quoted
}

/// Roles that nobody has to fill.
fn roles(subject: &Subject<'_>, found: &mut Findings) {
    for entry in subject.root.get("roles").map(Node::entries).unwrap_or_default() {
        let mut used = false;
        entries(subject.root, &mut |one| {
            let here = matches!(one.key.as_str(), "by" | "exclude" | "to")
                && texts(&one.value).iter().any(|text| *text == entry.key);
            used |= here;
        });
        if !used {
            let message = format!("nobody is asked for as `{}`", entry.key);
            let hint = "name the role with `by`, or take it out";
            found.push(Finding::warning(Code::Unused, entry.key_span, message, hint));
        }
    }
}
