//! Publishing: names that a registry takes, and where things are.

use tollgate_core::ids::ComponentName;
use tollgate_core::model::{Access, Crates, Debian, Npm, Oci, PublishSpec, Pypi, StepKind, Target, Template};
use tollgate_core::publish::{Image, ImageError};
use tollgate_core::version_file::RepoPath;

use super::Lower;
use super::scope::Scope;
use crate::diagnostic::Code;
use crate::grammar::REGISTRIES;
use crate::tree::{Entry, Node};
use crate::words::{name_hint, shown};

impl Lower<'_> {
    pub(super) fn publish(&mut self, node: &Node, scope: &Scope) -> Option<StepKind> {
        let kind = node.entries().iter().find(|entry| REGISTRIES.contains(&entry.key.as_str()))?;
        let token = kind.value.get("token").and_then(|token| self.secret_name(token));
        let target = match kind.key.as_str() {
            "crates" => Target::Crates(self.crates(&kind.value)?),
            "pypi" => Target::Pypi(self.pypi(&kind.value)?),
            "npm" => Target::Npm(self.npm(&kind.value, scope)?),
            "debian" => Target::Debian(self.debian(&kind.value)?),
            _ => Target::Oci(self.oci(kind, scope)?),
        };
        Some(StepKind::Publish(PublishSpec { target, token }))
    }

    fn crates(&mut self, node: &Node) -> Option<Crates> {
        let package = self.package(node, "-_", false)?;
        let manifest = self.path_of(node, "manifest").unwrap_or_else(|| "Cargo.toml".into());
        let index = node.get("index").and_then(|index| self.address(index));
        Some(Crates {
            package,
            manifest,
            registry: self.text_of(node, "registry"),
            index: index.unwrap_or_else(|| "https://index.crates.io".into()),
            verify: node.get("verify").and_then(Node::boolean).unwrap_or(true),
        })
    }

    fn pypi(&mut self, node: &Node) -> Option<Pypi> {
        let package = self.package(node, "-_.", false)?;
        let url = node.get("url").and_then(|url| self.address(url));
        let index = node.get("index").and_then(|index| self.address(index));
        Some(Pypi {
            package,
            build: self.command_of(node, "build").unwrap_or_else(|| "python3 -m build".into()),
            files: self.patterns(node, Some("dist/*")),
            url: url.unwrap_or_else(|| "https://upload.pypi.org/legacy/".into()),
            index: index.unwrap_or_else(|| "https://pypi.org/simple".into()),
            user: self.text_of(node, "user").unwrap_or_else(|| "__token__".into()),
        })
    }

    fn npm(&mut self, node: &Node, scope: &Scope) -> Option<Npm<Template>> {
        let package = self.package(node, "-_.", true)?;
        let registry = node.get("registry").and_then(|registry| self.address(registry));
        let access = node.get("access").and_then(Node::text).map(|access| match access {
            "restricted" => Access::Restricted,
            _ => Access::Public,
        });
        Some(Npm {
            package,
            folder: self.path_of(node, "folder").unwrap_or_default(),
            build: self.command_of(node, "build"),
            tag: self.template_of(node, "tag", scope),
            registry: registry.unwrap_or_else(|| "https://registry.npmjs.org".into()),
            access,
        })
    }

    fn debian(&mut self, node: &Node) -> Option<Debian> {
        let package = self.package(node, "-+.", false)?;
        let repository = node.get("repository").and_then(|repository| {
            let text = self.text(repository)?;
            if text.starts_with('/') && !text.contains(char::is_control) {
                return Some(text);
            }
            let message = format!("`{}` is no folder that everybody means the same by", shown(&text));
            self.report
                .error(Code::BadPath, repository.span, message)
                .hint("write the whole path, from `/` on");
            None
        });
        let url = node.get("url").and_then(|url| self.address(url));
        Some(Debian {
            package,
            build: self.command_of(node, "build").unwrap_or_else(|| "dpkg-buildpackage -b -us -uc".into()),
            files: self.patterns(node, Some("../*.deb")),
            repository: repository?,
            url,
            codename: self.text_of(node, "codename")?,
            component: self.text_of(node, "component").unwrap_or_else(|| "main".into()),
            architecture: self.text_of(node, "architecture").unwrap_or_else(|| "amd64".into()),
        })
    }

    fn oci(&mut self, kind: &Entry, scope: &Scope) -> Option<Oci<Template>> {
        let node = &kind.value;
        let from = node.get("from").and_then(|from| self.image_template(from, scope, false));
        let to = node.get("to").and_then(|to| self.image_template(to, scope, true));
        let component = match node.get("component") {
            Some(component) => Some(self.component(component)?),
            None => None,
        };
        Some(Oci { from: from?, to: to?, component, user: self.text_of(node, "user") })
    }

    pub(super) fn component(&mut self, node: &Node) -> Option<ComponentName> {
        let text = node.text()?;
        if let Some(found) = self.declared.components.iter().find(|name| name.as_str() == text) {
            return Some(found.clone());
        }
        let names = self.declared.components.iter().map(ComponentName::as_str);
        let hint = name_hint(text, names, "declare it under `components`");
        let message = format!("there is no component `{}`", shown(text));
        self.report.error(Code::Unknown, node.span, message).hint(hint);
        None
    }

    /// An image is looked at with its holes filled by something harmless. What it is called from now on holds the version: a
    /// tag that is used again would say something else tomorrow.
    fn image_template(&mut self, node: &Node, scope: &Scope, is_new: bool) -> Option<Template> {
        let template = self.template(node, scope)?;
        let filled = super::kinds::sample(&template);
        let has_holes = filled != template.0;
        let digest_comes_later = has_holes && template.0.contains('@');
        if let (Err(error), false) = (filled.trim().parse::<Image>(), digest_comes_later) {
            let message = match error {
                ImageError::Part(part) => {
                    format!("`{}` cannot be a part of the name of an image", shown(&part))
                }
                other => other.to_string(),
            };
            self.report.error(Code::BadValue, node.span, message);
            return None;
        }
        let tag = template.0.rsplit_once('/').map_or(template.0.as_str(), |(_, last)| last);
        if is_new && (template.0.contains('@') || !tag.contains("{{")) {
            let message = "the tag is the same for every release";
            let hint = "a tag is never moved: put the version into it, such as `:{{ version }}`";
            self.report.error(Code::BadValue, node.span, message).hint(hint);
            return None;
        }
        Some(template)
    }

    /// The name of a package: letters, digits and `others`.
    fn package(&mut self, node: &Node, others: &str, scoped: bool) -> Option<String> {
        let value = node.get("package")?;
        let text = self.text(value)?;
        let plain = |part: &str| {
            let fine = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
            part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(fine)
        };
        let fine = match text.strip_prefix('@').filter(|_| scoped).and_then(|rest| rest.split_once('/')) {
            Some((scope, name)) => plain(scope) && plain(name),
            None => plain(&text),
        };
        if fine && text.len() <= 200 {
            return Some(text);
        }
        let message = format!("`{}` cannot be the name of a package", shown(&text));
        self.report.error(Code::BadName, value.span, message);
        None
    }

    fn path_of(&mut self, node: &Node, key: &str) -> Option<String> {
        node.get(key).and_then(|path| self.relative(path))
    }

    /// A command, into which nothing is filled.
    pub(super) fn command_of(&mut self, node: &Node, key: &str) -> Option<String> {
        let value = node.get(key)?;
        let text = value.text()?.trim_end_matches('\n').to_owned();
        self.nothing_filled_in(&text, value);
        Some(text)
    }

    /// Patterns of files, from the folder above the source at most.
    pub(super) fn patterns(&mut self, node: &Node, usual: Option<&str>) -> Vec<String> {
        let given = self.one_or_more(node, "files", |_, item| item.text().map(ToOwned::to_owned));
        let Some(value) = node.get("files") else {
            return usual.map(ToOwned::to_owned).into_iter().collect();
        };
        for pattern in &given {
            let below = pattern.strip_prefix("../").unwrap_or(pattern);
            if let Err(error) = RepoPath::new(below) {
                let message = format!("`{}` is no pattern of files: {}", shown(pattern), error.fault);
                self.report.error(Code::BadPath, value.span, message);
            }
        }
        given
    }
}
