//! Runs what [`tollgate_core`] decides: streams, leases, timers, the outbox, reconciliation. Owns the ports.
//!
//! The engine never decides anything about a release itself. It loads what a decision looks at, hands it to the pure core, and
//! writes what comes back in one transaction that holds only if nothing the decision read has changed.

pub mod agreeing;
mod along;
mod audit;
mod cache;
pub mod change_files;
mod changelog;
mod coming;
pub mod editing;
mod error;
mod execute;
mod facts;
mod feeds;
mod follow;
mod forecasting;
mod guessing;
pub mod inject;
pub mod labelling;
pub mod listing;
mod load;
pub mod looking;
mod merging;
mod notifying;
mod order;
mod own_tags;
mod pack;
pub mod planning;
pub mod ports;
mod preview;
mod publish;
mod reconcile;
pub mod rehearsal;
pub mod respin;
mod risk;
pub mod rollback;
mod rules;
mod since;
pub mod store;
mod submit;
mod sweep;
mod telling;
mod trains;
mod verifying;
pub mod versioning;
pub mod whole;
mod work;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tollgate_core::event::Entry;
use tollgate_core::ids::ServiceName;
use tollgate_core::journal::{BlobId, Hash, StreamId};
use tollgate_core::model::Policy;
use tollgate_core::plan::Plan;

pub use error::EngineError;
pub use follow::ReleaseRow;
pub use guessing::Guess;
pub use reconcile::Repair;
pub use rules::{AdoptOutcome, PolicyInForce};
pub use submit::Submitted;
pub use trains::{Gone, TrainStanding};
pub use work::{Idle, WorkEnd};

use crate::cache::Cache;
use crate::inject::Inject;
use crate::load::LoadedView;
use crate::ports::{
    Clock, Depot, Facts, Ids, Mailer, Prober, Procedures, Registries, Repository, Runner, Source,
};
use crate::store::Store;
use crate::telling::Telling;

/// Everything outside that the engine acts on.
#[derive(Debug, Clone)]
pub struct World {
    /// Git repositories.
    pub source: Arc<dyn Source>,
    /// Child processes.
    pub runner: Arc<dyn Runner>,
    /// Running services.
    pub prober: Arc<dyn Prober>,
    /// Facts that are asked for.
    pub facts: Arc<dyn Facts>,
    /// Registries of packages and images.
    pub registries: Arc<dyn Registries>,
    /// Files that were packed.
    pub depot: Arc<dyn Depot>,
    /// Mail.
    pub mailer: Arc<dyn Mailer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids and salts.
    pub ids: Arc<dyn Ids>,
}

/// Where the engine keeps what is not in the store.
#[derive(Debug, Clone)]
pub struct Places {
    /// The folder for clones and laid-out files. Everything in it can be made again.
    pub work: PathBuf,
    /// A text that names this process, for people.
    pub holder: String,
}

impl Places {
    /// Tollgate's own clone of a service's repository.
    pub fn clone_of(&self, service: &ServiceName) -> PathBuf {
        self.work.join("clones").join(format!("{service}.git"))
    }

    /// The repository of a plan.
    pub fn repository(&self, plan: &Plan) -> Repository {
        Repository {
            url: plan.url.clone(),
            clone: self.clone_of(&plan.definition.service),
            checkout: plan.checkout.as_ref().map(PathBuf::from),
        }
    }
}

/// How many plans and policies are remembered.
const BLOBS_MAX: usize = 128;
/// How many releases are remembered as they were when last written.
const VIEWS_MAX: usize = 256;

/// Told of every commit of this process, after it.
pub type Observer = Arc<dyn Fn(&[Entry]) + Send + Sync>;

/// The engine. Cheap to share; holds no state of its own beside caches.
pub struct Engine {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// What it acts on.
    pub world: World,
    /// Where it keeps the rest.
    pub places: Places,
    inject: Arc<dyn Inject>,
    telling: Telling,
    procedures: Option<Arc<dyn Procedures>>,
    plans: Cache<BlobId, Arc<Plan>, BLOBS_MAX>,
    policies: Cache<BlobId, Arc<Policy>, BLOBS_MAX>,
    /// Rules with what was known last of the calendars that they ask, by the rules, and what that was.
    knowing: Cache<BlobId, (Hash, Arc<Policy>), BLOBS_MAX>,
    views: Cache<StreamId, LoadedView, VIEWS_MAX>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("store", &self.store)
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine without faults.
    pub fn new(store: Arc<dyn Store>, world: World, places: Places) -> Self {
        Self {
            store,
            world,
            places,
            inject: Arc::new(inject::Never),
            telling: Telling::default(),
            procedures: None,
            plans: Cache::default(),
            policies: Cache::default(),
            knowing: Cache::default(),
            views: Cache::default(),
        }
    }

    /// The same with faults, for tests.
    #[must_use]
    pub fn with_faults(self, inject: Arc<dyn Inject>) -> Self {
        Self { inject, ..self }
    }

    /// The same with somebody who is told of every commit, in the order of each stream.
    #[must_use]
    pub fn with_observer(self, observer: Observer) -> Self {
        Self { telling: Telling::to(observer), ..self }
    }

    /// The same with somebody who reads procedure files: without, no train departs by itself.
    #[must_use]
    pub fn with_procedures(self, procedures: Arc<dyn Procedures>) -> Self {
        Self { procedures: Some(procedures), ..self }
    }

    fn now(&self) -> Timestamp {
        self.world.clock.now()
    }
}
