//! How versions are written in the tags of a repository that has no procedure file.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use tollgate_core::calendar::Zone;
use tollgate_core::ids::ObjectId;
use tollgate_core::version::{FormatGuesser, VersionFormat};

use crate::ports::{CommitFields, CommitRef, HistoryOrder, HistoryQuery, LocalTag, Repository};
use crate::{EngineError, World};

/// A format, and the tag that tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// The format.
    pub format: VersionFormat,
    /// The nearest tag of this form.
    pub tag: String,
}

impl World {
    /// Guesses how versions are written: as in the nearest tag before a commit that looks like a version, with pre-releases as
    /// other tags of the same form have them. Where other tags of the form tell that it is a date, it is one. `None` when no tag looks
    /// like a version.
    pub async fn guess_format(
        &self,
        repository: &Repository,
        head: &ObjectId,
        tags: &[LocalTag],
    ) -> Result<Option<Guess>, EngineError> {
        let mut guesser = FormatGuesser::default();
        let guessed: Vec<(usize, VersionFormat)> = tags
            .iter()
            .enumerate()
            .filter(|(_, tag)| tag.is_commit)
            .filter_map(|(index, tag)| Some((index, guesser.guess(&tag.name)?)))
            .collect();
        let forms: BTreeSet<&str> = guessed.iter().map(|(_, format)| format.without_guessed_pre()).collect();
        let mut nearest = guessed.last();
        if forms.len() > 1 {
            let mut on: HashMap<&str, &(usize, VersionFormat)> = HashMap::new();
            for one in &guessed {
                // Of several on one commit a final version tells most.
                let place = on.entry(&tags[one.0].commit.0).or_insert(one);
                if place.1.as_str().contains("PRE") {
                    *place = one;
                }
            }
            let mut query = HistoryQuery { order: HistoryOrder::AsWalked, ..HistoryQuery::upto(head) };
            query.fields = CommitFields::WithoutMessage;
            let mut met = None;
            let mut look = |commit: CommitRef<'_>| {
                met = on.get(commit.id).copied();
                if met.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            self.source.commits(repository, &query, &mut look).await?;
            nearest = met.or(nearest);
        }
        let names: Vec<&str> = tags.iter().filter(|tag| tag.is_commit).map(|tag| tag.name.as_str()).collect();
        // Nobody said in which zone days are counted.
        let today = Zone::utc().date(self.clock.now());
        let Some((index, format)) = nearest else {
            let found = VersionFormat::guess_unusual(&names, today);
            return Ok(found.map(|(format, at)| Guess { format, tag: names[at].to_owned() }));
        };
        // With pre-releases and build metadata, if there are any.
        let format = format.with_guessed(guessed.iter().map(|(_, format)| format));
        let tag = tags[*index].name.clone();
        Ok(Some(Guess { format: format.refined(&tag, &names, today), tag }))
    }
}
