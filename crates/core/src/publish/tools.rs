//! The commands of the tools. Nothing is filled into them: values reach them as variables.
//!
//! Folders are prepared for them: `$TOLLGATE_SOURCE` with the files of the commit, `$TOLLGATE_OUT` for what they make, and, when
//! uploading, `$TOLLGATE_FILES` with the files that were packed.

use std::collections::BTreeMap;

use super::image::Reference;
use super::{Artifacts, Image, Publish};
use crate::model::{Access, Target};

/// The file in which the manifest of an image is kept.
pub(super) const MANIFEST: &str = "manifest.json";

/// The variables for the folders that are prepared: of the source, of what is made, of what was packed.
pub const SHARED_VARIABLES: [&str; 3] = ["TOLLGATE_SOURCE", "TOLLGATE_OUT", FILES_VARIABLE];

/// The variable for the folder of what was packed.
pub const FILES_VARIABLE: &str = "TOLLGATE_FILES";

/// The variable that holds the token of a registry of images.
const REGISTRY_TOKEN: &str = "REGISTRY_TOKEN";

/// The user that a registry of images is told where none is named: most look at the token alone.
pub(super) const REGISTRY_USER: &str = "token";

const CRATE_PACK: &str = r#"set -eu
set -- --manifest-path "$TOLLGATE_MANIFEST" --package "$TOLLGATE_PACKAGE" --target-dir "$TOLLGATE_OUT" --allow-dirty
[ -z "${TOLLGATE_REGISTRY-}" ] || set -- "$@" --registry "$TOLLGATE_REGISTRY"
[ -z "${TOLLGATE_NO_VERIFY-}" ] || set -- "$@" --no-verify
cargo package "$@"
lock=$(dirname "$(cargo locate-project --workspace --message-format plain --manifest-path "$TOLLGATE_MANIFEST")")/Cargo.lock
[ ! -f "$lock" ] || cp "$lock" "$TOLLGATE_OUT/package/Cargo.lock"
"#;

// Packed with the same versions of everything else, it is the same file again.
const CRATE_UPLOAD: &str = r#"set -eu
if [ -f "$TOLLGATE_FILES/Cargo.lock" ]; then
  root=$(dirname "$(cargo locate-project --workspace --message-format plain --manifest-path "$TOLLGATE_MANIFEST")")
  cp "$TOLLGATE_FILES/Cargo.lock" "$root/Cargo.lock"
fi
set -- --manifest-path "$TOLLGATE_MANIFEST" --package "$TOLLGATE_PACKAGE" --target-dir "$TOLLGATE_OUT" --allow-dirty --no-verify
[ -z "${TOLLGATE_REGISTRY-}" ] || set -- "$@" --registry "$TOLLGATE_REGISTRY"
exec cargo publish "$@"
"#;

const BUILD: &str = r#"exec /bin/sh -c "$TOLLGATE_BUILD""#;

const PYPI_UPLOAD: &str = r#"exec twine upload --non-interactive --disable-progress-bar --repository-url "$TOLLGATE_URL" "$TOLLGATE_FILES"/*"#;

const NPM_PACK: &str = r#"set -eu
[ -z "${TOLLGATE_BUILD-}" ] || /bin/sh -c "$TOLLGATE_BUILD"
exec npm pack --pack-destination "$TOLLGATE_OUT" "./$TOLLGATE_FOLDER"
"#;

// The file holds the name of the variable, and npm puts the value in: the token stands in no file. Tries are not repeated by
// npm: whoever repeats them looks first.
const NPM_UPLOAD: &str = r#"set -eu
if [ -n "${NODE_AUTH_TOKEN-}" ]; then
  umask 077
  trap 'rm -f "$TOLLGATE_OUT/npmrc"' EXIT
  printf '%s:_authToken=${NODE_AUTH_TOKEN}\n' "${TOLLGATE_REGISTRY#*:}" > "$TOLLGATE_OUT/npmrc"
  export npm_config_userconfig="$TOLLGATE_OUT/npmrc"
fi
set -- --registry "$TOLLGATE_REGISTRY" --tag="$TOLLGATE_DIST_TAG" --ignore-scripts --fetch-retries=0
[ -z "${TOLLGATE_ACCESS-}" ] || set -- "$@" --access "$TOLLGATE_ACCESS"
npm publish "$TOLLGATE_FILES"/*.tgz "$@"
"#;

const DEBIAN_UPLOAD: &str = r#"set -eu
exec reprepro --waitforlock 6 --basedir "$TOLLGATE_REPOSITORY" --component "$TOLLGATE_COMPONENT" includedeb "$TOLLGATE_CODENAME" "$TOLLGATE_FILES"/*.deb
"#;

const IMAGE_PACK: &str = r#"set -eu
set -- --raw --tls-verify="$TOLLGATE_FROM_TLS"
if [ -n "${REGISTRY_TOKEN-}" ]; then
  umask 077
  auth="$TOLLGATE_OUT/auth.json"
  trap 'rm -f "$auth"' EXIT
  printf '%s' "$REGISTRY_TOKEN" | skopeo login --tls-verify="$TOLLGATE_FROM_TLS" --authfile "$auth" \
    --username "$TOLLGATE_REGISTRY_USER" --password-stdin "$TOLLGATE_REGISTRY"
  set -- "$@" --authfile "$auth"
fi
skopeo inspect "$@" "docker://$TOLLGATE_FROM" > "$TOLLGATE_OUT/manifest.json"
"#;

const IMAGE_UPLOAD: &str = r#"set -eu
set -- --all --preserve-digests --src-tls-verify="$TOLLGATE_FROM_TLS" --dest-tls-verify="$TOLLGATE_TO_TLS"
if [ -n "${REGISTRY_TOKEN-}" ]; then
  umask 077
  auth="$TOLLGATE_OUT/auth.json"
  trap 'rm -f "$auth"' EXIT
  printf '%s' "$REGISTRY_TOKEN" | skopeo login --tls-verify="$TOLLGATE_TO_TLS" --authfile "$auth" \
    --username "$TOLLGATE_REGISTRY_USER" --password-stdin "$TOLLGATE_REGISTRY"
  set -- "$@" --dest-authfile "$auth"
  [ -z "${TOLLGATE_SAME_REGISTRY-}" ] || set -- "$@" --src-authfile "$auth"
fi
skopeo copy "$@" "docker://$TOLLGATE_FROM" "docker://$TOLLGATE_TO"
"#;

/// How a publication is packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packing {
    /// The command, for `sh -c`.
    pub command: String,
    /// Its variables, beside the folders.
    pub variables: BTreeMap<String, String>,
    /// Variables that hold secrets: variable name to secret name.
    pub secrets: BTreeMap<String, String>,
    /// Which files it leaves, as patterns below the folder that `source` and `out` are in.
    pub patterns: Vec<String>,
}

/// How a publication is uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploading {
    /// The command, for `sh -c`.
    pub command: String,
    /// Its variables, beside the folders.
    pub variables: BTreeMap<String, String>,
    /// Variables that hold secrets: variable name to secret name.
    pub secrets: BTreeMap<String, String>,
    /// Whether it needs the files of the commit.
    pub with_source: bool,
}

impl Publish {
    fn base_variables(&self) -> BTreeMap<String, String> {
        let mut variables = self.variables.clone();
        variables.insert("SOURCE_DATE_EPOCH".into(), self.built_at.as_second().to_string());
        variables
    }

    /// How it is packed.
    pub fn packing(&self) -> Packing {
        let mut variables = self.base_variables();
        let mut set = |name: &str, value: &str| {
            variables.insert(format!("TOLLGATE_{name}"), value.to_owned());
        };
        let in_source = |files: &[String]| files.iter().map(|pattern| below_source(pattern)).collect();
        let (command, patterns) = match &self.target {
            Target::Crates(crates) => {
                set("PACKAGE", &crates.package);
                set("MANIFEST", &crates.manifest);
                if !crates.verify {
                    set("NO_VERIFY", "true");
                }
                (CRATE_PACK, vec!["out/package/*.crate".into(), "out/package/Cargo.lock".into()])
            }
            Target::Pypi(pypi) => {
                set("BUILD", &pypi.build);
                (BUILD, in_source(&pypi.files))
            }
            Target::Npm(npm) => {
                set("FOLDER", &npm.folder);
                set("BUILD", npm.build.as_deref().unwrap_or_default());
                (NPM_PACK, vec!["out/*.tgz".into()])
            }
            Target::Debian(debian) => {
                set("BUILD", &debian.build);
                (BUILD, in_source(&debian.files))
            }
            Target::Oci(oci) => {
                set("FROM", &oci.from);
                set("FROM_TLS", tls(&oci.from));
                set("REGISTRY", &self.target.registry());
                set("REGISTRY_USER", oci.user.as_deref().unwrap_or(REGISTRY_USER));
                (IMAGE_PACK, vec![format!("out/{MANIFEST}")])
            }
        };
        self.cargo_registry(&mut variables);
        let token = self.token.iter().filter(|_| self.same_registry());
        let secrets = token.map(|secret| (REGISTRY_TOKEN.to_owned(), secret.clone())).collect();
        Packing { command: command.to_owned(), variables, secrets, patterns }
    }

    /// How what was packed is uploaded.
    pub fn uploading(&self, kept: &Artifacts) -> Uploading {
        let mut variables = self.base_variables();
        let mut set = |name: &str, value: &str| {
            variables.insert(format!("TOLLGATE_{name}"), value.to_owned());
        };
        let (command, token) = match &self.target {
            Target::Crates(crates) => {
                set("PACKAGE", &crates.package);
                set("MANIFEST", &crates.manifest);
                (CRATE_UPLOAD, cargo_variable(crates.registry.as_deref(), "TOKEN"))
            }
            Target::Pypi(pypi) => {
                set("URL", &pypi.url);
                (PYPI_UPLOAD, "TWINE_PASSWORD".into())
            }
            Target::Npm(npm) => {
                let beforehand = self.version.split('+').next().unwrap_or_default().contains('-');
                let usual = if beforehand { "next" } else { "latest" };
                set("REGISTRY", &format!("{}/", npm.registry.trim_end_matches('/')));
                set("DIST_TAG", npm.tag.as_deref().unwrap_or(usual));
                set(
                    "ACCESS",
                    npm.access.map_or("", |access| match access {
                        Access::Public => "public",
                        Access::Restricted => "restricted",
                    }),
                );
                (NPM_UPLOAD, "NODE_AUTH_TOKEN".into())
            }
            Target::Debian(debian) => {
                set("REPOSITORY", &debian.repository);
                set("CODENAME", &debian.codename);
                set("COMPONENT", &debian.component);
                (DEBIAN_UPLOAD, "REPOSITORY_TOKEN".into())
            }
            Target::Oci(oci) => {
                set("FROM", &exact(&oci.from, kept));
                set("FROM_TLS", tls(&oci.from));
                set("TO", &oci.to);
                set("TO_TLS", tls(&oci.to));
                set("REGISTRY", &self.target.registry());
                set("REGISTRY_USER", oci.user.as_deref().unwrap_or(REGISTRY_USER));
                if self.same_registry() {
                    set("SAME_REGISTRY", "true");
                }
                (IMAGE_UPLOAD, REGISTRY_TOKEN.into())
            }
        };
        if let (Target::Pypi(pypi), Some(_)) = (&self.target, &self.token) {
            variables.insert("TWINE_USERNAME".into(), pypi.user.clone());
        }
        self.cargo_registry(&mut variables);
        let secrets = self.token.iter().map(|secret| (token.clone(), secret.clone())).collect();
        let with_source = matches!(self.target, Target::Crates(_));
        Uploading { command: command.to_owned(), variables, secrets, with_source }
    }

    /// Whether an image comes from the registry that it goes to, so that one token opens both.
    fn same_registry(&self) -> bool {
        let Target::Oci(oci) = &self.target else { return false };
        let host = |image: &str| image.parse::<Image>().ok().map(|image| image.host);
        host(&oci.from).is_some_and(|from| Some(from) == host(&oci.to))
    }

    fn cargo_registry(&self, variables: &mut BTreeMap<String, String>) {
        if let Target::Crates(crates) = &self.target
            && let Some(registry) = &crates.registry
        {
            variables.insert("TOLLGATE_REGISTRY".into(), registry.clone());
            let index = format!("sparse+{}/", crates.index.trim_end_matches('/'));
            variables.insert(cargo_variable(Some(registry), "INDEX"), index);
        }
    }
}

/// The variable in which cargo looks for something of a registry.
fn cargo_variable(registry: Option<&str>, what: &str) -> String {
    match registry {
        None => format!("CARGO_REGISTRY_{what}"),
        Some(name) => format!("CARGO_REGISTRIES_{}_{what}", name.to_ascii_uppercase().replace('-', "_")),
    }
}

/// A pattern of the team, from the folder above the source: that is as far up as one may go.
pub(crate) fn below_source(pattern: &str) -> String {
    match pattern.strip_prefix("../") {
        Some(above) => above.to_owned(),
        None => format!("source/{}", pattern.trim_start_matches("./")),
    }
}

/// Whether the registry of an image is asked with TLS, as the tool takes it.
fn tls(image: &str) -> &'static str {
    match image.parse::<Image>() {
        Ok(image) if image.is_local() => "false",
        _ => "true",
    }
}

/// The image by the digest that was seen, so that nobody can move the tag in between.
fn exact(from: &str, kept: &Artifacts) -> String {
    match (from.parse::<Image>(), kept.get(MANIFEST)) {
        (Ok(image), Some(manifest)) => {
            Image { reference: Reference::Digest(manifest.sha256.clone()), ..image }.to_string()
        }
        _ => from.to_owned(),
    }
}
