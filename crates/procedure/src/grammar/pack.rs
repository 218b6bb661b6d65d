//! Packing: files, and what is told of them.

use super::{Mapping, NAME, Shape, WORD, elsewhere, key, mapping};

/// The ways in which checksums are made.
const ALGORITHMS: Shape = Shape::OneOf(&["sha256", "sha512"]);
static EACH_ALGORITHM: Shape = ALGORITHMS;

pub(super) static PACK: Mapping = mapping(
    "pack",
    "`pack`",
    "Files of the release: packed once, kept while it goes on, and told of.",
    &[
        key("build", Shape::Text, "The command that makes them; they stand in the commit if not given."),
        key(
            "files",
            Shape::Either(&Shape::Line, &Shape::List(&Shape::Line, 1)),
            "Which files, as patterns; `../` is the folder above the source.",
        ),
        key(
            "published",
            Shape::List(&Shape::Name(WORD), 1),
            "The `publish` steps above whose files are told of as well.",
        ),
        key(
            "checksums",
            Shape::Either(&EACH_ALGORITHM, &Shape::List(&EACH_ALGORITHM, 1)),
            "Makes `SHA256SUMS`, `SHA512SUMS`, or both.",
        ),
        key("sbom", Shape::Map(&SBOM), "A list of what the release is made of, by a tool of yours."),
        key("provenance", Shape::Map(&PROVENANCE), "Makes a statement of how the files were built."),
        key("component", Shape::Name(NAME), "The component whose files they are: approvals then cover them."),
    ],
)
.refused(&[
    elsewhere(&["command"], "the command that makes the files is `build`"),
    elsewhere(
        &["to", "upload", "sign"],
        "a `shell` step with `packed` gets the files, to sign or to upload them",
    ),
]);

static SBOM: Mapping = mapping(
    "pack-sbom",
    "`sbom`",
    "A list of what the release is made of.",
    &[
        key("command", Shape::Text, "The command that writes it to the file that `$TOLLGATE_SBOM` names.")
            .required(),
        key("format", Shape::OneOf(&["spdx", "cyclonedx"]), "Its format, both as JSON.").required(),
        key("name", Shape::Line, "What it has to say that it describes; the service if not given."),
    ],
);

static PROVENANCE: Mapping = mapping(
    "pack-provenance",
    "`provenance`",
    "A statement of how the files were built.",
    &[key("builder", Shape::Address, "The address that stands for the machine and those who look after it.")
        .required()],
);
