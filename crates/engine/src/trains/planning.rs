//! What a departure would release: the plan, made of the newest commit and of the procedure file in it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tollgate_core::ids::ServiceName;
use tollgate_core::model::{Definition, Train};
use tollgate_core::plan::Plan;
use tollgate_core::train::Prospect;
use tollgate_core::view::Refusal;

use super::LoadedTrain;
use crate::planning::{Origin, Surveyed};
use crate::ports::FileLoader;
use crate::versioning::{Line, Wanted};
use crate::{Engine, EngineError};

/// The name of the procedure file.
pub(super) const FILE: &str = "tollgate.yaml";

impl Engine {
    /// Reads the procedure file of a surveyed commit, with the files that it names; `None` when it has none.
    pub async fn procedure_of<T>(
        &self,
        surveyed: &Surveyed,
        read: impl Fn(&str, FileLoader<'_>) -> T,
    ) -> Result<Option<T>, EngineError> {
        let Some(text) = self.surveyed_file(surveyed, FILE).await? else { return Ok(None) };
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut files: BTreeMap<String, Result<String, String>> = BTreeMap::new();
        loop {
            let missing = {
                let missing: RefCell<BTreeSet<String>> = RefCell::default();
                let loader = |path: &str| {
                    files.get(path).cloned().unwrap_or_else(|| {
                        missing.borrow_mut().insert(path.to_owned());
                        Err("it is being read".into())
                    })
                };
                let loaded = read(&text, &loader);
                let missing = missing.into_inner();
                if missing.is_empty() {
                    return Ok(Some(loaded));
                }
                missing
            };
            // The files that it names are read from the same commit, and it is loaded anew.
            for path in missing {
                let content = match self.surveyed_file(surveyed, &path).await? {
                    Some(bytes) => String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()),
                    None => Err(format!("it is not in commit {}", surveyed.base.short())),
                };
                files.insert(path, content);
            }
        }
    }

    /// Where a train finds the source. Nobody's working copy takes part in what starts by itself.
    pub(super) async fn origin_of(
        &self,
        service: &ServiceName,
        train: &Train,
    ) -> Result<Origin, EngineError> {
        let here = self.procedures.as_ref().and_then(|procedures| procedures.folder(service));
        let last = match self.releases(service, 1).await?.pop() {
            Some(row) => self.view(service, row.release).await?.release.runs.last().map(|run| run.plan),
            None => None,
        };
        let last: Option<Arc<Plan>> = match last {
            Some(plan) => Some(self.plan_blob(&plan).await?),
            None => None,
        };
        let folder = here.as_ref().map(|folder| folder.display().to_string());
        let folder = folder.or_else(|| last.as_ref().and_then(|plan| plan.folder.clone()));
        let known = train.url.clone().or_else(|| last.map(|plan| plan.url.clone()));
        if let Some(url) = known {
            return Ok(Origin { url, checkout: None, folder });
        }
        let checkout = match &here {
            Some(folder) => self.world.working_copy(folder).await?,
            None => None,
        };
        let url = checkout
            .map(|checkout| checkout.remote_url.unwrap_or_else(|| checkout.root.display().to_string()));
        let url = url.ok_or_else(|| {
            Refusal::new("no-repository", format!("nothing tells where the source of {service} is"))
                .hint("name it in the procedure file: `repository: { url: … }`, and adopt it")
        })?;
        Ok(Origin { url, checkout: None, folder })
    }

    /// The plan of what a train would release now.
    pub(super) async fn plan_departure(
        &self,
        loaded: &LoadedTrain,
        train: &Train,
    ) -> Result<Plan, EngineError> {
        let service = &loaded.service;
        let origin = self.origin_of(service, train).await?;
        let surveyed = self.survey(service, origin, &train.branch).await?;
        let definition = self.definition_of(service, &surveyed, train).await?;
        let line = match &train.line {
            Some(name) => {
                let spec = definition.lines.get(name).cloned().ok_or_else(|| {
                    let why = format!("commit {} has no line `{name}`", surveyed.base.short());
                    Refusal::new("no-line", why).hint("declare it under `lines`, with its branch")
                })?;
                Some(Line { name: name.clone(), spec })
            }
            None => None,
        };
        // The day that its departure is told from, or that of the departure itself.
        let today = || train.departs.zone().map(|zone| zone.date(self.now()));
        let departs = loaded.state.told.or_else(today);
        let wanted = Wanted { line, departs, ..Wanted::default() };
        self.plan(&surveyed, &definition, &loaded.policy, &train.runs, &wanted).await
    }

    async fn definition_of(
        &self,
        service: &ServiceName,
        surveyed: &Surveyed,
        train: &Train,
    ) -> Result<Definition, EngineError> {
        let at = surveyed.base.short().to_owned();
        let procedures = self
            .procedures
            .clone()
            .ok_or_else(|| EngineError::Damaged("this process cannot read procedure files".into()))?;
        let read = self.procedure_of(surveyed, |text, files| procedures.read(text, files)).await?;
        let definition = match read {
            Some(Ok(definition)) => definition,
            Some(Err(mistakes)) => {
                let why = format!("{FILE} of commit {at}: {mistakes}");
                return Err(Refusal::new("procedure", why).hint("mend it in a commit, and push that").into());
            }
            None => {
                let why = format!("commit {at} of `{}` has no {FILE}", train.branch);
                return Err(Refusal::new("not-committed", why).hint("commit and push it").into());
            }
        };
        if definition.service != *service {
            let why = format!("{FILE} of commit {at} is of `{}`, not of `{service}`", definition.service);
            return Err(Refusal::new("other-service", why).into());
        }
        if train.line.is_none() && definition.repository.branch != train.branch {
            let branch = &definition.repository.branch;
            let why = format!(
                "by {FILE} of commit {at}, releases are cut from `{branch}`, and the train releases `{}`",
                train.branch
            );
            let hint = "put the rules of that file in force with `tollgate policy adopt`";
            return Err(Refusal::new("other-branch", why).hint(hint).into());
        }
        Ok(definition)
    }

    /// What a train would release as things stand. What stands in the way is a part of it.
    pub(super) async fn prospect(
        &self,
        loaded: &LoadedTrain,
        train: &Train,
    ) -> Result<Prospect, EngineError> {
        match self.plan_departure(loaded, train).await {
            Ok(plan) => Ok(Prospect::of(&plan)),
            Err(error @ (EngineError::Planning(_) | EngineError::Refused(_) | EngineError::Port(_))) => {
                Ok(Prospect::problem(error.to_string()))
            }
            Err(error) => Err(error),
        }
    }
}
