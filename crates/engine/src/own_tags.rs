//! Tags that were made in the clone and of which it is not known that the remote has them: they count for no release, and go
//! when their run was given up.
//!
//! The journal says which these are; the remote has the last word. A tag is dropped before the clone is brought up to date, so
//! that one that the remote has after all comes back with the same look: also where its push was in doubt, and also where the
//! remote has another one of that name. Whoever crashes in between drops it the next time.

use tollgate_core::ids::{ObjectId, ServiceName};
use tollgate_core::state::OwnTag;
use tollgate_core::version::{Version, VersionFormat};

use crate::ports::{LocalTag, Repository};
use crate::versioning::RELEASES_MAX;
use crate::{Engine, EngineError};

impl Engine {
    async fn own_tags(&self, service: &ServiceName) -> Result<Vec<OwnTag>, EngineError> {
        let rows = self.releases(service, RELEASES_MAX).await?;
        Ok(rows.into_iter().flat_map(|row| row.own_tags).collect())
    }

    /// Drops the tags of runs that are over, and of which it is not known that they were pushed.
    pub(crate) async fn drop_void_tags(
        &self,
        service: &ServiceName,
        repository: &Repository,
    ) -> Result<(), EngineError> {
        let own = self.own_tags(service).await?;
        let void = own.into_iter().filter(OwnTag::is_void);
        let void: Vec<(String, ObjectId)> = void.filter_map(|tag| Some((tag.name, tag.object?))).collect();
        if void.is_empty() {
            return Ok(());
        }
        Ok(self.world.source.drop_tags(repository, &void).await?)
    }

    /// The tags of the clone without those that no remote has: of runs that were given up, or that are under way.
    pub(crate) async fn tags_of_releases(
        &self,
        service: &ServiceName,
        repository: &Repository,
    ) -> Result<Vec<LocalTag>, EngineError> {
        let source = &self.world.source;
        let mut tags = source.tags(repository).await?;
        let own = self.own_tags(service).await?;
        let mut here: Vec<&LocalTag> = Vec::new();
        for tag in &tags {
            let same = |own: &&OwnTag| own.object.as_ref().is_none_or(|object| *object == tag.object);
            if own.iter().filter(|own| own.name == tag.name).any(|own| same(&own)) {
                here.push(tag);
            }
        }
        if here.is_empty() {
            return Ok(tags);
        }
        // Also those that were never pushed by a run: somebody else may have.
        let names: Vec<String> = here.iter().map(|tag| format!("refs/tags/{}", tag.name)).collect();
        let there = source.remote_refs(repository, &names).await?;
        let missing = here.iter().zip(&names).filter(|(tag, name)| there.get(*name) != Some(&tag.object));
        let missing: Vec<String> = missing.map(|(tag, _)| tag.name.clone()).collect();
        tags.retain(|tag| !missing.contains(&tag.name));
        Ok(tags)
    }

    /// The versions of a service that were given up when they may have been out already.
    pub(crate) async fn lost_versions(
        &self,
        service: &ServiceName,
        format: &VersionFormat,
    ) -> Result<Vec<Version>, EngineError> {
        let rows = self.releases(service, RELEASES_MAX).await?;
        Ok(rows.iter().flat_map(|row| &row.lost).filter_map(|text| format.parse_text(text)).collect())
    }
}
