//! What `version` and `changelog` look at: the repository here, by its procedure file, or without one by its tags.

use std::path::Path;

use clap::Args;
use tollgate_core::changelog::{ChangelogRules, Links};
use tollgate_core::ids::ObjectId;
use tollgate_core::model::{ChangelogSpec, Definition};
use tollgate_core::version::VersionFormat;
use tollgate_engine::World;
use tollgate_engine::labelling::{LabelFiles, LabelPlace};
use tollgate_engine::looking::{Asked, VersionSurvey};
use tollgate_engine::ports::{LocalTag, Repository};
use tollgate_engine::versioning::{Line, Wanted};

use crate::app::App;
use crate::error::CliError;
use crate::output::{WAITS, line, styled};

/// How tags are taken to be written where none tells.
const USUAL_FORMAT: &str = "vX.Y.Z";

/// What is looked at.
#[derive(Debug, Clone, Args)]
pub(crate) struct LookArgs {
    /// Only changes of this path; `*` and `**` as in patterns, `!` before what does not count
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<String>,
    /// How versions are written in tags, such as `vX.Y.Z`, whatever a procedure file says
    #[arg(long, value_name = "FORMAT")]
    format: Option<VersionFormat>,
}

/// A repository, and by what it is looked at.
pub(crate) struct Looked {
    pub(crate) world: World,
    pub(crate) definition: Definition,
    pub(crate) repository: Repository,
    pub(crate) head: ObjectId,
    /// Its tags, where they had to be read to guess the form of versions.
    pub(crate) tags: Option<Vec<LocalTag>>,
    /// Whether there is a procedure file.
    pub(crate) by_file: bool,
}

impl App {
    /// Looks at the repository here. Nothing is fetched and nothing written, so this needs neither network nor state.
    pub(crate) async fn looked(&self, args: &LookArgs) -> Result<Looked, CliError> {
        let project = self.find_project()?;
        let (folder, definition) = match &project {
            Some(project) => (project.folder(), Some(project.rules(self)?.definition)),
            None => (self.folder()?, None),
        };
        let folder = std::path::absolute(&folder)
            .map_err(|error| CliError::error("folder", format!("{}: {error}", folder.display())))?;
        // Only commands that ask for labels need a folder of their own.
        let by_labels = definition.as_ref().filter(|one| one.version.next.label_rules().is_some());
        let work = match by_labels {
            Some(definition) => self.state_folder(&definition.service)?,
            None => folder.clone(),
        };
        let world = crate::app::world(&work)?;
        // Both questions take a process of their own, and neither has to wait for the other.
        let guess = likely_repository(&folder).filter(|_| project.is_none() && args.format.is_none());
        let early = async {
            match &guess {
                Some(guess) => world.source.tags(guess).await.ok(),
                None => None,
            }
        };
        let (found, early) = tokio::join!(world.source.find_repository(&folder), early);
        let found = found?.ok_or_else(|| {
            CliError::refused("no-repository", format!("{} is in no git repository", folder.display()))
                .hint("go to the repository, or make one with `git init`")
        })?;
        let head = found.head.ok_or_else(|| {
            let place = found.repository.checkout.as_ref().unwrap_or(&found.repository.clone);
            CliError::refused("no-commit", format!("{} has no commit yet", place.display()))
                .hint("commit something first: versions and changelogs are made of commits")
        })?;
        if found.shallow {
            let how = "fetch the rest with `git fetch --unshallow --tags`";
            self.note(format!("this is a shallow clone, where tags and commits may be missing: {how}"));
        }
        if found.partial && !args.paths.is_empty() {
            self.note("this is a partial clone: nothing is fetched for a look".into());
        }
        let repository = found.repository;
        let mut tags = None;
        let mut definition = match definition {
            Some(definition) => definition,
            None => {
                let format = match &args.format {
                    Some(format) => format.clone(),
                    None => {
                        let early =
                            early.filter(|_| guess.is_some_and(|guess| guess.clone == repository.clone));
                        let read = match early {
                            Some(early) => early,
                            None => world.source.tags(&repository).await?,
                        };
                        let read = tags.insert(read);
                        self.guessed(&world, &repository, &head, read).await?
                    }
                };
                usual(&format)?
            }
        };
        if let Some(format) = &args.format {
            definition.version.format = format.as_str().to_owned();
        }
        if !args.paths.is_empty() {
            definition.version.next.paths.clone_from(&args.paths);
        }
        Ok(Looked { world, definition, repository, head, tags, by_file: project.is_some() })
    }

    async fn guessed(
        &self,
        world: &World,
        repository: &Repository,
        head: &ObjectId,
        tags: &[LocalTag],
    ) -> Result<VersionFormat, CliError> {
        match world.guess_format(repository, head, tags).await? {
            Some(guess) => {
                let (format, tag) = (guess.format.as_str(), line(&guess.tag));
                self.note(format!(
                    "versions are read as `{format}`, by tag `{tag}`; `--format` says otherwise"
                ));
                Ok(guess.format)
            }
            None => {
                self.note(format!(
                    "no tag looks like a version, so `{USUAL_FORMAT}` it is; `--format` says otherwise"
                ));
                USUAL_FORMAT.parse().map_err(|error| CliError::error("no-format", format!("{error}")))
            }
        }
    }

    fn note(&self, text: String) {
        self.output.say(format!("{} {text}", styled(WAITS, "note:")));
    }
}

/// Where the repository most likely is that contains a folder.
fn likely_repository(folder: &Path) -> Option<Repository> {
    let folder = folder.canonicalize().ok()?;
    let clone = folder.ancestors().map(|folder| folder.join(".git")).find(|clone| clone.exists())?;
    clone.is_dir().then(|| Repository { url: String::new(), clone, checkout: None })
}

/// What a procedure file says that says nothing but how versions are written.
fn usual(format: &VersionFormat) -> Result<Definition, CliError> {
    let format = serde_json::to_string(format.as_str()).unwrap_or_default();
    let text = format!(
        "tollgate: 1\nservice: repository\nrepository: {{ branch: main }}\nversion: {{ format: {format} }}\n\
         procedures: {{ release: {{ steps: [{{ git.tag: {{}} }}, {{ git.push: [tag] }}] }} }}\n"
    );
    let loaded = tollgate_procedure::load(&text, crate::project::FILE, &|_| Err("there is none".into()));
    loaded.definition.ok_or_else(|| {
        CliError::refused("no-format", format!("{format} cannot be the form of a tag here"))
            .hint("write it like `vX.Y.Z`")
    })
}

impl Looked {
    /// What the tags and commits say, and the labels of pull requests, where they decide.
    pub(crate) async fn survey(&self, wanted: &Wanted) -> Result<VersionSurvey, CliError> {
        let head = match &wanted.line {
            Some(line) => self.branch_of(line).await?,
            None => self.head.clone(),
        };
        let mut survey = self.world.versions(&self.repository, &head, &self.asked()?).await?;
        let here = self.repository.checkout.as_ref().unwrap_or(&self.repository.clone);
        let files = LabelFiles::Here(here);
        let place = LabelPlace { repository: &self.repository, heads: std::slice::from_ref(&head), files };
        self.world.labels(place, &self.definition, &mut survey, wanted).await?;
        Ok(survey)
    }

    /// What is asked of the tags and commits.
    pub(crate) fn asked(&self) -> Result<Asked, CliError> {
        Ok(Asked { tags: self.tags.clone(), ..Asked::of(&self.definition)? })
    }

    /// The newest commit of a line that is known here: of the remote's branch, or of one's own.
    async fn branch_of(&self, of: &Line) -> Result<ObjectId, CliError> {
        let branch = &of.spec.branch;
        for name in [format!("refs/remotes/origin/{branch}"), format!("refs/heads/{branch}")] {
            if let Some(commit) = self.world.source.resolve(&self.repository, &name).await? {
                return Ok(commit);
            }
        }
        let why = format!("this repository has no branch `{}`", line(branch));
        Err(CliError::refused("no-branch", why).hint("fetch it, or correct `branch` of the line"))
    }

    /// The rules of the changelog. Without a procedure file, commits are linked to the page of the remote, if it has one.
    pub(crate) async fn changelog_rules(&mut self, style: Option<ChangelogRules>) -> Result<(), CliError> {
        let mut rules = match (style, &self.definition.changelog) {
            (Some(rules), Some(spec)) => ChangelogRules { links: spec.rules.links.clone(), ..rules },
            (Some(rules), None) => rules,
            (None, Some(_)) => return Ok(()),
            (None, None) => ChangelogRules::default(),
        };
        if !self.by_file {
            let url = self.world.source.remote_url(&self.repository).await?;
            let page = url.as_deref().and_then(page_of);
            rules.links = page.and_then(|page| Links::to_page(&page).ok()).unwrap_or(Links::None);
        }
        let file = "CHANGELOG.md".to_owned();
        match &mut self.definition.changelog {
            Some(spec) => spec.rules = rules,
            none => *none = Some(ChangelogSpec { file, whole: false, rules }),
        }
        Ok(())
    }

    /// The commit that people name by a tag, a version or a whole id.
    pub(crate) async fn commit(&self, named: &str) -> Result<ObjectId, CliError> {
        let format = tollgate_engine::planning::format_of(&self.definition)?;
        let of_version = format.parse_text(named).and_then(|version| format.tag_name(&version).ok());
        let tags = self.world.source.tags(&self.repository).await?;
        let tag = tags.iter().find(|tag| tag.name == named || Some(&tag.name) == of_version.as_ref());
        if let Some(tag) = tag {
            return Ok(tag.commit.clone());
        }
        let id = matches!(named.len(), 40 | 64) && named.bytes().all(|b| b.is_ascii_hexdigit());
        let found = match id {
            true => self.world.source.resolve(&self.repository, named).await?,
            false => None,
        };
        found.ok_or_else(|| {
            CliError::refused("no-such-commit", format!("there is no tag and no commit `{}`", line(named)))
                .hint("name a tag, a version that has one, or a commit by its whole id")
        })
    }
}

/// The page of a repository on the web, from an address that holds no secret.
fn page_of(url: &str) -> Option<String> {
    if url.starts_with("https://") || url.starts_with("http://") {
        return (!url.contains('@')).then(|| url.to_owned());
    }
    let place = match url.strip_prefix("ssh://git@") {
        Some(place) => place.split_once('/')?,
        None => url.strip_prefix("git@")?.split_once(':')?,
    };
    let (host, path) = place;
    let plain = |text: &str| !text.is_empty() && !text.contains([':', '@', ' ']);
    (plain(host) && plain(path)).then(|| format!("https://{host}/{}", path.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::page_of;

    #[test]
    fn pages_are_told_from_addresses_without_secrets() {
        let cases = [
            ("https://example.org/a/b.git", Some("https://example.org/a/b.git")),
            ("https://user:secret@example.org/a/b.git", None),
            ("https://token@example.org/a/b.git", None),
            ("git@example.org:a/b.git", Some("https://example.org/a/b.git")),
            ("ssh://git@example.org/a/b.git", Some("https://example.org/a/b.git")),
            ("ssh://git@example.org:2222/a/b.git", None),
            ("ssh://git:pw@example.org/a", None),
            ("me@host:a/b", None),
            ("/srv/git/a.git", None),
            ("file:///srv/git/a.git", None),
            ("git@host:", None),
        ];
        for (url, want) in cases {
            assert_eq!(page_of(url).as_deref(), want, "{url}");
        }
    }
}
