//! Publishing: exactly one kind of registry.

use super::{Choice, Key, Mapping, NAME, Shape, choice, elsewhere, key, mapping};

/// The kinds of registry.
pub(crate) const REGISTRIES: &[&str] = &["crates", "pypi", "npm", "debian", "oci"];

const CHOICE: &[Choice] = &[choice("where it is published", REGISTRIES)];

pub(super) static PUBLISH: Mapping = mapping(
    "publish",
    "`publish`",
    "What is published, and where: exactly one kind of registry.",
    &[
        key("crates", Shape::Map(&CRATES), "A crate, by `cargo`."),
        key("pypi", Shape::Map(&PYPI), "Distributions of a Python project, by `twine`."),
        key("npm", Shape::Map(&NPM), "An npm package, by `npm`."),
        key("debian", Shape::Map(&DEBIAN), "Debian packages into a repository, by `reprepro`."),
        key("oci", Shape::Map(&OCI), "A container image, by `skopeo`."),
    ],
)
.one_of(CHOICE)
.refused(&[
    super::later(&["maven", "nuget", "gems", "hex", "go"], "use a `shell` step"),
    elsewhere(&["cargo"], "the kind is `crates`"),
    elsewhere(&["docker", "image", "container"], "the kind is `oci`"),
    elsewhere(&["deb", "apt"], "the kind is `debian`"),
    elsewhere(&["python"], "the kind is `pypi`"),
]);

const TOKEN: Key = key(
    "token",
    Shape::Name(NAME),
    "The name of the secret that the registry wants; the tool's own if not given.",
);
const FILES: Shape = Shape::Either(&Shape::Line, &Shape::List(&Shape::Line, 1));

static CRATES: Mapping = mapping(
    "publish-crates",
    "`crates`",
    "A crate, by `cargo`.",
    &[
        key("package", Shape::Line, "Its name.").required(),
        key("manifest", Shape::Line, "The manifest, its own or its workspace's; `Cargo.toml` if not given."),
        key("registry", Shape::Name(NAME), "The registry, as cargo calls it; crates.io if not given.")
            .with(&["index"]),
        key("index", Shape::Address, "The address of that registry's sparse index, without `sparse+`.")
            .with(&["registry"]),
        key("verify", Shape::Bool, "Whether cargo builds what it packed; `true` if not given."),
        TOKEN,
    ],
);

static PYPI: Mapping = mapping(
    "publish-pypi",
    "`pypi`",
    "Distributions of a Python project, by `twine`.",
    &[
        key("package", Shape::Line, "The name of the project.").required(),
        key("build", Shape::Text, "The command that builds them; `python3 -m build` if not given."),
        key("files", FILES, "Which files it leaves, as patterns; `dist/*` if not given."),
        key("url", Shape::Address, "Where they are uploaded to; PyPI if not given.").with(&["index"]),
        key("index", Shape::Address, "Where they are listed, a simple index; PyPI's if not given.")
            .with(&["url"]),
        key("user", Shape::Line, "The user of the token; `__token__` if not given.").with(&["token"]),
        TOKEN,
    ],
);

static NPM: Mapping = mapping(
    "publish-npm",
    "`npm`",
    "An npm package, by `npm`.",
    &[
        key("package", Shape::Line, "Its name, with its scope.").required(),
        key("folder", Shape::Line, "The folder with its `package.json`; the top if not given."),
        key("build", Shape::Text, "A command to run before it is packed."),
        key(
            "tag",
            Shape::Template,
            "Its distribution tag; `latest`, or `next` before a release, if not given.",
        ),
        key("registry", Shape::Address, "The registry; npm's own if not given."),
        key(
            "access",
            Shape::OneOf(&["public", "restricted"]),
            "Who may see it; as npm decides if not given.",
        ),
        TOKEN,
    ],
);

static DEBIAN: Mapping = mapping(
    "publish-debian",
    "`debian`",
    "Debian packages into a repository on this machine, by `reprepro`.",
    &[
        key("package", Shape::Line, "A package that has to be among them.").required(),
        key(
            "build",
            Shape::Text,
            "The command that builds them; `dpkg-buildpackage -b -us -uc` if not given.",
        ),
        key("files", FILES, "Which files it leaves, as patterns; `../*.deb` if not given."),
        key("repository", Shape::Line, "The folder of the repository, where its `conf` is.").required(),
        key("url", Shape::Address, "Where the repository is seen; its folder if not given."),
        key("codename", Shape::Name(NAME), "The distribution, such as `bookworm`.").required(),
        key("component", Shape::Name(NAME), "The part of the distribution; `main` if not given."),
        key(
            "architecture",
            Shape::Name(NAME),
            "The architecture whose list tells of packages for all; `amd64` if not given.",
        ),
    ],
);

static OCI: Mapping = mapping(
    "publish-oci",
    "`oci`",
    "A container image, by `skopeo`.",
    &[
        key("from", Shape::Template, "The image as it was built, with a tag or a digest.").required(),
        key("to", Shape::Template, "What it is called from now on; the tag holds the version.").required(),
        key(
            "component",
            Shape::Name(NAME),
            "The component whose image it is: approvals then cover its digest.",
        ),
        key("user", Shape::Line, "The user of the token.").with(&["token"]),
        TOKEN,
    ],
);
