//! Packing: which files, and what is told of them.

use tollgate_core::ids::{ComponentName, StepId};
use tollgate_core::model::{Algorithm, FactWait, PackSpec, ProvenanceSpec, SbomFormat, SbomSpec, StepKind};

use super::Lower;
use super::steps::Flow;
use crate::diagnostic::{Code, Span};
use crate::tree::{Entry, Node};
use crate::words::{name_hint, shown};

/// The component that a step gives its digest, and where that stands.
pub(super) fn digest_given(step: &Node, kind: &Entry, lowered: &StepKind) -> Option<(ComponentName, Span)> {
    let (component, named) = match lowered {
        StepKind::Pack(spec) => (spec.component.as_ref()?, kind.value.get("component")),
        StepKind::Publish(spec) => {
            (spec.target.component()?, kind.value.get("oci").and_then(|oci| oci.get("component")))
        }
        StepKind::Wait(FactWait::Artifact { component, .. }) => (component, step.get("component")),
        _ => return None,
    };
    Some((component.clone(), named.map_or(kind.key_span, |node| node.span)))
}

impl Lower<'_> {
    pub(super) fn pack(&mut self, kind: &Entry, flow: &Flow) -> Option<StepKind> {
        let node = &kind.value;
        if node.get("files").is_none() && node.get("published").is_none() {
            let message = "there is nothing to pack";
            let hint = "name the `files`, or the `publish` steps whose files are `published`";
            self.report.error(Code::MissingKey, kind.key_span, message).hint(hint);
            return None;
        }
        if let (Some(build), None) = (node.entry("build"), node.get("files")) {
            let message = "nothing is kept of what this command makes";
            self.report.error(Code::MissingKey, build.key_span, message).hint("name its `files`");
        }
        let component = match node.get("component") {
            Some(component) => Some(self.component(component)?),
            None => None,
        };
        let sbom = match node.get("sbom") {
            Some(sbom) => Some(self.sbom(sbom)?),
            None => None,
        };
        let provenance = match node.get("provenance").and_then(|of| of.get("builder")) {
            Some(builder) => Some(ProvenanceSpec { builder: self.address(builder)? }),
            None => None,
        };
        Some(StepKind::Pack(PackSpec {
            build: self.command_of(node, "build"),
            files: self.patterns(node, None),
            published: self.published(node, flow),
            checksums: self.checksums(node),
            sbom,
            provenance,
            component,
        }))
    }

    fn checksums(&mut self, node: &Node) -> Vec<Algorithm> {
        let named = self.one_or_more(node, "checksums", |_, item| item.text().map(ToOwned::to_owned));
        let mut all: Vec<Algorithm> = named
            .iter()
            .map(|name| if name == "sha512" { Algorithm::Sha512 } else { Algorithm::Sha256 })
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn sbom(&mut self, node: &Node) -> Option<SbomSpec> {
        let format = match node.get("format").and_then(Node::text)? {
            "spdx" => SbomFormat::Spdx,
            _ => SbomFormat::Cyclonedx,
        };
        Some(SbomSpec {
            command: self.command_of(node, "command")?,
            format,
            name: self.text_of(node, "name"),
        })
    }

    fn published(&mut self, node: &Node, flow: &Flow) -> Vec<StepId> {
        let mut steps = Vec::new();
        for item in node.get("published").map(Node::items).unwrap_or_default() {
            if let Some(id) = self.step_before(item, flow.published(), "publish") {
                steps.push(id);
            }
        }
        steps
    }

    /// The step whose files a command gets.
    pub(super) fn packed(&mut self, node: &Node, flow: &Flow) -> Option<StepId> {
        let named = node.get("packed").filter(|_| !flow.in_environment())?;
        self.step_before(named, flow.packed(), "pack")
    }

    /// A step of a kind that has ended when this one begins.
    fn step_before<'a>(
        &mut self,
        node: &Node,
        known: impl Iterator<Item = &'a str> + Clone,
        kind: &str,
    ) -> Option<StepId> {
        let id = node.text()?;
        if known.clone().any(|one| one == id) {
            return StepId::new(id).ok();
        }
        let message = format!("no `{kind}` step `{}` ends before this one", shown(id));
        let hint =
            name_hint(id, known, &format!("give a `{kind}` step above this one an `id`, and name it here"));
        self.report.error(Code::StepOrder, node.span, message).hint(hint);
        None
    }
}
