//! The order in which a release is made: edit, commit, tag, push.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_core::ids::{ComponentName, EnvironmentName, QuestionName};

use super::kinds::is_later;
use crate::diagnostic::{Code, Report, Span};
use crate::template;
use crate::tree::{Entry, Node};

/// What was done so far in a procedure.
#[derive(Debug, Default)]
pub(super) struct Order {
    branch: Option<Span>,
    commit: Option<Span>,
    tag: Option<Span>,
    /// Whether change files decide the version, and whether an edit of the version removes them as well.
    change_files: bool,
    version_files: bool,
    /// Whether the change files were removed.
    filed: bool,
    /// Whether the changelog was written, and with it the notes.
    noted: bool,
    /// What was edited and is in no commit yet.
    edited: Option<Span>,
    /// The tag was pushed, or a command may have done it.
    pushed: bool,
    /// What was published before the tag was pushed.
    published: Option<Span>,
    /// What was packed of the commit as it was then.
    packed: Option<Span>,
    /// Merges into branches that no push has taken along yet.
    merges: Vec<Span>,
    /// The components whose digest a step gives, and where.
    digests: BTreeMap<ComponentName, Span>,
    /// The promotions, each with what was asked before it.
    pub(super) promotions: Vec<(EnvironmentName, Span, BTreeSet<QuestionName>)>,
}

/// Whether a text of a step has the notes filled in.
fn names_notes(node: &Node) -> bool {
    let notes = |text: &str| {
        template::names(text).is_ok_and(|names| names.iter().any(|name| name.dotted() == "notes"))
    };
    node.text().is_some_and(notes)
        || node.items().iter().any(names_notes)
        || node.entries().iter().any(|entry| names_notes(&entry.value))
}

impl Order {
    /// Of a service whose version change files decide, or whose version stands in files.
    pub(super) fn of(change_files: bool, version_files: bool) -> Self {
        Self { change_files, version_files, ..Self::default() }
    }

    /// Looks at the next step. They are taken in the order of the file, which a procedure that waits otherwise cannot
    /// turn around: a step only waits for those above it.
    pub(super) fn look(&mut self, step: &Entry, parallel: bool, report: &mut Report) {
        let at = step.key_span;
        let kind = step.key.as_str();
        let brings_in = kind == "git.cherry-pick" || kind == "git.merge" && step.value.get("from").is_some();
        let edits = brings_in
            || matches!(kind, "git.branch" | "version.bump" | "changelog" | "git.commit" | "git.tag");
        if parallel && edits {
            let message = format!("`{kind}` cannot go on beside other steps: the release has one history");
            report.error(Code::StepOrder, at, message).hint("move it out of `parallel`");
        }
        if let Some(packed) = self.packed.filter(|_| edits && kind != "git.tag") {
            let message = format!("`{kind}` comes after line {} packed what is released", packed.line);
            report.error(Code::StepOrder, at, message).hint("move the `pack` step below it");
        }
        self.merged(step, parallel, edits && kind != "git.tag", report);
        self.noted |= kind == "changelog";
        if matches!(kind, "git.commit" | "git.tag") && !self.noted && names_notes(&step.value) {
            let message = "the `notes` are empty here: no `changelog` step comes before";
            let hint = "put a `changelog` step before it, or leave `notes` out of the message";
            report.error(Code::StepOrder, at, message).hint(hint);
        }
        match kind {
            "git.branch" => self.branch(at, report),
            "git.merge" | "git.cherry-pick" => {
                if let Some(edited) = self.edited {
                    let message = format!("what line {} edits is not committed before `{kind}`", edited.line);
                    report.error(Code::StepOrder, at, message).hint("put a `git.commit` step before it");
                }
                if brings_in {
                    self.before_tag(kind, at, report);
                    self.commit.get_or_insert(at);
                }
            }
            "version.bump" | "changelog" | "git.commit" => {
                self.before_tag(kind, at, report);
                self.filed |= kind == "changelog" || kind == "version.bump" && self.version_files;
                if kind == "git.commit" {
                    self.commit.get_or_insert(at);
                    self.edited = None;
                } else {
                    self.edited.get_or_insert(at);
                }
            }
            "shell" => self.pushed |= self.tag.is_some(),
            "git.tag" => match self.tag {
                None => {
                    self.tag = Some(at);
                    if self.change_files && !self.filed {
                        let message = "the change files stay, and would count again at the next release";
                        let hint = "put a `changelog` step before the tag: it removes what it tells";
                        report.error(Code::StepOrder, at, message).hint(hint);
                    }
                    if let Some(edited) = self.edited {
                        let message =
                            format!("what line {} edits is not committed before the tag", edited.line);
                        report.error(Code::StepOrder, at, message).hint("put a `git.commit` step before it");
                    }
                }
                Some(tag) => {
                    let message = format!("a release has one tag, and line {} makes it", tag.line);
                    report.error(Code::StepOrder, at, message).hint("remove one of them");
                }
            },
            "git.verify" => {
                let tag = step.value.get("tag").and_then(Node::boolean).unwrap_or(true);
                if tag && self.tag.is_none() {
                    let message = "there is no tag whose signature could be looked at yet";
                    report.error(Code::StepOrder, at, message).hint("put it after the `git.tag` step");
                }
            }
            "git.push" => self.push(&step.value, report),
            "publish" => self.publish(step, report),
            "pack" => self.pack(step, report),
            _ => {}
        }
    }

    /// Merges that wait for a push: what is released does not change between the two.
    fn merged(&mut self, step: &Entry, parallel: bool, changes: bool, report: &mut Report) {
        let (at, kind) = (step.key_span, step.key.as_str());
        if kind == "git.merge" && step.value.get("into").is_some() && is_later(&step.value) {
            if parallel {
                let message = "a merge with `push: later` cannot go on beside the push that takes it along";
                report.error(Code::StepOrder, at, message).hint("move it out of `parallel`");
            }
            self.merges.push(at);
        } else if kind == "git.push" {
            self.merges.clear();
        } else if let Some(merge) = self.merges.first().filter(|_| changes) {
            let message = format!("`{kind}` comes after line {} merged what is released", merge.line);
            report.error(Code::StepOrder, at, message).hint("move the `git.merge` step below it");
        }
    }

    fn pack(&mut self, step: &Entry, report: &mut Report) {
        let at = step.key_span;
        if let Some(edited) = self.edited {
            let message = format!("what line {} edits is not committed before it is packed", edited.line);
            report.error(Code::StepOrder, at, message).hint("put a `git.commit` step before it");
        }
        self.packed.get_or_insert(at);
        let is_part = step.value.get("component").is_some();
        self.before_promotion(is_part, "the files are", "they are packed", at, report);
    }

    /// A step gives a component its digest. A second one would replace what people may have approved already.
    pub(super) fn gives_digest(&mut self, component: &ComponentName, at: Span, report: &mut Report) {
        if let Some(before) = self.digests.get(component) {
            let message = format!("line {} gives `{component}` its digest already", before.line);
            let hint = "a component has one digest in a release: leave `component` out of one of the steps, or remove that step";
            report.error(Code::StepOrder, at, message).hint(hint);
            return;
        }
        self.digests.insert(component.clone(), at);
    }

    /// What is a part of the candidate is there before that goes anywhere.
    fn before_promotion(&self, is_part: bool, what: &str, then: &str, at: Span, report: &mut Report) {
        if let Some((_, promotion, _)) = self.promotions.first().filter(|_| is_part) {
            let message = format!(
                "{what} a part of the candidate, which line {} promotes before {then}",
                promotion.line
            );
            report.error(Code::StepOrder, at, message).hint("move it up, or leave its `component` out");
        }
    }

    /// What is published cannot be taken back: it comes after everything that can still be refused.
    fn publish(&mut self, step: &Entry, report: &mut Report) {
        let at = step.key_span;
        if let Some(edited) = self.edited {
            let message = format!("what line {} edits is not committed before it is published", edited.line);
            report.error(Code::StepOrder, at, message).hint("put a `git.commit` step before it");
        }
        if !self.pushed {
            self.published.get_or_insert(at);
        }
        let is_part = step.value.get("oci").is_some_and(|oci| oci.get("component").is_some());
        self.before_promotion(is_part, "the image is", "it is published", at, report);
    }

    fn before_tag(&self, kind: &str, at: Span, report: &mut Report) {
        if let Some(tag) = self.tag {
            let message = format!("`{kind}` comes after the tag on line {}", tag.line);
            let hint = "a tag never moves: what is released has to be committed before it";
            report.error(Code::StepOrder, at, message).hint(hint);
        }
    }

    fn branch(&mut self, at: Span, report: &mut Report) {
        if let Some(before) = self.branch {
            let message = format!("the branch of the release is named on line {} already", before.line);
            report.error(Code::StepOrder, at, message).hint("remove one of them");
        } else if let Some(before) = self.commit.or(self.tag) {
            let message = format!("the branch has to be named before line {} commits to it", before.line);
            report.error(Code::StepOrder, at, message).hint("move it up");
        }
        self.branch.get_or_insert(at);
    }

    /// Looks back when the procedure is over.
    pub(super) fn end(&self, report: &mut Report) {
        if let (Some(published), Some(tag)) = (self.published, self.tag) {
            let message = format!("this is published before the tag of line {} is pushed", tag.line);
            report.warning(Code::StepOrder, published, message).hint(
                "a push can be refused, and what is published stays: put `git.push: [branch, tag]` before it",
            );
        }
        for merge in &self.merges {
            report
                .error(Code::StepOrder, *merge, "this merge is never pushed: no `git.push` comes after it")
                .hint("put a `git.push` step after it, or leave `push: later` out");
        }
        if let Some(tag) = self.tag.filter(|_| !self.pushed) {
            report
                .warning(Code::StepOrder, tag, "the tag is never pushed")
                .hint("put a step `git.push: [branch, tag]` after it");
        }
    }

    fn push(&mut self, value: &Node, report: &mut Report) {
        let mut seen = BTreeSet::new();
        for item in value.items() {
            let Some(text) = item.text() else { continue };
            if text == "tag" && self.tag.is_none() {
                let message = "there is no tag to push yet";
                report.error(Code::StepOrder, item.span, message).hint("put a `git.tag` step before it");
            }
            self.pushed |= text == "tag";
            if !seen.insert(text) {
                report.error(Code::DoubledKey, item.span, format!("`{text}` is here twice"));
            }
        }
    }
}
