//! A statement of how files were built: an in-toto Statement, version 1, with the provenance of SLSA, version 1.
//!
//! The fields stand in the order of the structs, so that the same facts are the same bytes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::sums::is_file;
use super::{Packed, Told};
use crate::model::ProvenanceSpec;

/// What a build is that Tollgate ran: the page that says what its parameters mean.
pub const BUILD_TYPE: &str =
    "https://github.com/tollgate-release/tollgate/blob/main/docs/procedure-file.md#provenance";

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://slsa.dev/provenance/v1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Statement<'a> {
    #[serde(rename = "_type")]
    kind: &'static str,
    subject: Vec<Subject<'a>>,
    predicate_type: &'static str,
    predicate: Predicate<'a>,
}

#[derive(Serialize)]
struct Subject<'a> {
    name: &'a str,
    digest: BTreeMap<&'static str, &'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Predicate<'a> {
    build_definition: BuildDefinition<'a>,
    run_details: RunDetails<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition<'a> {
    build_type: &'static str,
    external_parameters: ExternalParameters<'a>,
    resolved_dependencies: [Dependency<'a>; 1],
}

#[derive(Serialize)]
struct ExternalParameters<'a> {
    service: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
    candidate: u32,
    procedure: &'a str,
    step: &'a str,
}

#[derive(Serialize)]
struct Dependency<'a> {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    digest: BTreeMap<&'static str, &'a str>,
}

#[derive(Serialize)]
struct RunDetails<'a> {
    builder: Builder<'a>,
    metadata: Metadata,
}

#[derive(Serialize)]
struct Builder<'a> {
    id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    invocation_id: String,
    started_on: String,
    finished_on: String,
}

/// The statement of what a step packed, as a file; none where there is nothing that Tollgate packed.
pub(super) fn statement(told: &Told<'_>, spec: &ProvenanceSpec) -> Option<String> {
    let Told { plan, run, candidate, step, state, packed, .. } = *told;
    let subject = subjects(packed);
    if subject.is_empty() {
        return None;
    }
    let mut uri = source_uri(&plan.url);
    if let (Some(uri), Some(tag)) = (&mut uri, &packed.tag) {
        uri.push_str("@refs/tags/");
        uri.push_str(tag);
    }
    let digest = BTreeMap::from([("gitCommit", packed.content.0.as_str())]);
    let statement = Statement {
        kind: STATEMENT,
        subject,
        predicate_type: PREDICATE,
        predicate: Predicate {
            build_definition: BuildDefinition {
                build_type: BUILD_TYPE,
                external_parameters: ExternalParameters {
                    service: plan.definition.service.as_str(),
                    version: &candidate.version,
                    tag: packed.tag.as_deref(),
                    candidate: candidate.number.0,
                    procedure: run.procedure.as_str(),
                    step: step.id.as_str(),
                },
                resolved_dependencies: [Dependency { name: "source", uri, digest }],
            },
            run_details: RunDetails {
                builder: Builder { id: &spec.builder },
                metadata: Metadata {
                    invocation_id: run.id.to_string(),
                    started_on: second(state.opened_at),
                    finished_on: second(state.since),
                },
            },
        },
    };
    let mut text = serde_json::to_string_pretty(&statement).unwrap_or_default();
    text.push('\n');
    Some(text)
}

/// The part of a statement that grows with the files.
pub(super) fn subjects_text(packed: &Packed) -> String {
    let mut text = serde_json::to_string_pretty(&subjects(packed)).unwrap_or_default();
    // In the statement each line stands one level deeper.
    text.push_str(&"  ".repeat(text.lines().count()));
    text
}

/// Every file that was packed here, by this step or for a registry, sorted by name. An image was built elsewhere and only
/// copied: nothing is known of how.
fn subjects(packed: &Packed) -> Vec<Subject<'_>> {
    let all: BTreeMap<_, _> = packed.published.iter().chain(&packed.files).collect();
    all.into_iter()
        .filter(|(name, _)| is_file(name))
        .map(|(name, file)| Subject { name, digest: BTreeMap::from([("sha256", file.sha256.digits())]) })
        .collect()
}

/// A moment as the statement has it, to the second that it lies in.
fn second(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// Where the source is, for others: without passwords, and nothing where it is a folder of one machine.
pub fn source_uri(url: &str) -> Option<String> {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return None;
    }
    if let Some((scheme, rest)) = url.split_once("://") {
        let scheme = scheme.to_ascii_lowercase();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (user.split(':').next(), host),
            None => (None, authority),
        };
        return match scheme.as_str() {
            "https" | "http" | "git" => Some(format!("git+{scheme}://{host}/{path}")),
            // The user of ssh is a part of the address, as in `git@`.
            "ssh" => {
                let user = user.map(|user| format!("{user}@")).unwrap_or_default();
                Some(format!("git+ssh://{user}{host}/{path}"))
            }
            _ => None,
        };
    }
    let (host, path) = url.split_once(':')?;
    let is_remote = !host.is_empty() && !host.contains('/') && !path.is_empty();
    is_remote.then(|| format!("git+ssh://{host}/{}", path.trim_start_matches('/')))
}
