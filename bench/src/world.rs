//! A world in which nothing takes time: what is measured is Tollgate and its store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tollgate_connect::depot::FolderDepot;
use tollgate_connect::process::{Supervised, SupervisorProgram};
use tollgate_connect::system::{RandomIds, SystemClock};
use tollgate_engine::ports::{
    Checkout, CommitRequest, CommitSink, Diff, FactQuestion, Facts, FileEdit, FoundRepository, HistoryQuery,
    LocalTag, Lookup, Mail, Mailer, MergeOutcome, MergeRequest, ObjectId, PickOutcome, PickRequest,
    PortError, ProbeAnswer, ProbeRequest, Prober, PushOutcome, RefUpdate, Registries, RegistryAnswer,
    Repository, Source, TagFound, TagRequest,
};
use tollgate_engine::ports::{SignedObject, Signers, Verdict};
use tollgate_engine::{Engine, Places, World};
use tollgate_store::SqliteStore;

/// Counts mails instead of sending them.
#[derive(Debug, Default)]
pub(crate) struct Counter(pub(crate) AtomicU64);

#[async_trait]
impl Mailer for Counter {
    async fn delivered(&self, _: &Mail) -> Result<Option<bool>, PortError> {
        Ok(Some(false))
    }
    async fn deliver(&self, _: &Mail) -> Result<(), PortError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[derive(Debug)]
struct Nothing;

fn nothing(what: &str) -> PortError {
    PortError {
        class: tollgate_core::act::FailureClass::Permanent,
        what: what.into(),
        why: "there is none in this benchmark".into(),
        hint: None,
        retry_at: None,
    }
}

#[async_trait]
impl Facts for Nothing {
    async fn ask(&self, _: &FactQuestion) -> Result<Vec<u8>, String> {
        Err("nothing answers".into())
    }
}

#[async_trait]
impl Prober for Nothing {
    async fn probe(&self, _: &ProbeRequest) -> ProbeAnswer {
        ProbeAnswer { status: None, value: None, problem: None }
    }
}

#[async_trait]
impl Registries for Nothing {
    async fn ask(&self, _: &Lookup) -> Result<RegistryAnswer, PortError> {
        Err(nothing("registry"))
    }
}

#[async_trait]
impl Source for Nothing {
    async fn checkout(&self, _: &Path) -> Result<Checkout, PortError> {
        Err(nothing("checkout"))
    }
    async fn refresh(&self, _: &Repository) -> Result<(), PortError> {
        Err(nothing("refresh"))
    }
    async fn resolve(&self, _: &Repository, _: &str) -> Result<Option<ObjectId>, PortError> {
        Err(nothing("resolve"))
    }
    async fn find_repository(&self, _: &Path) -> Result<Option<FoundRepository>, PortError> {
        Err(nothing("repository"))
    }
    async fn remote_url(&self, _: &Repository) -> Result<Option<String>, PortError> {
        Err(nothing("remote"))
    }
    async fn commits(
        &self,
        _: &Repository,
        _: &HistoryQuery,
        _: &mut CommitSink<'_>,
    ) -> Result<(), PortError> {
        Err(nothing("commits"))
    }
    async fn tags(&self, _: &Repository) -> Result<Vec<LocalTag>, PortError> {
        Err(nothing("tags"))
    }
    async fn distances(
        &self,
        _: &Repository,
        _: &ObjectId,
        _: &[ObjectId],
    ) -> Result<Vec<Option<u64>>, PortError> {
        Err(nothing("distances"))
    }
    async fn remote_refs(
        &self,
        _: &Repository,
        _: &[String],
    ) -> Result<BTreeMap<String, ObjectId>, PortError> {
        Err(nothing("refs"))
    }
    async fn changed_paths(
        &self,
        _: &Repository,
        _: &ObjectId,
        _: &ObjectId,
    ) -> Result<Vec<String>, PortError> {
        Err(nothing("paths"))
    }
    async fn diff(&self, _: &Repository, _: &ObjectId, _: &ObjectId) -> Result<Diff, PortError> {
        Err(nothing("diffs"))
    }
    async fn read_file(&self, _: &Repository, _: &ObjectId, _: &str) -> Result<Option<Vec<u8>>, PortError> {
        Err(nothing("file"))
    }
    async fn list_files(
        &self,
        _: &Repository,
        _: &ObjectId,
        _: &str,
        _: &str,
    ) -> Result<Vec<String>, PortError> {
        Err(nothing("files"))
    }
    async fn working_file(&self, _: &Checkout, _: &str) -> Result<Option<Vec<u8>>, PortError> {
        Err(nothing("file"))
    }
    async fn working_files(&self, _: &Checkout, _: &str, _: &str) -> Result<Vec<String>, PortError> {
        Err(nothing("files"))
    }
    async fn edit_tree(&self, _: &Repository, _: &ObjectId, _: &[FileEdit]) -> Result<ObjectId, PortError> {
        Err(nothing("tree"))
    }
    async fn commit(&self, _: &Repository, _: &CommitRequest) -> Result<ObjectId, PortError> {
        Err(nothing("commit"))
    }
    async fn merge(&self, _: &Repository, _: &MergeRequest) -> Result<MergeOutcome, PortError> {
        Err(nothing("merge"))
    }
    async fn cherry_pick(&self, _: &Repository, _: &PickRequest) -> Result<PickOutcome, PortError> {
        Err(nothing("pick"))
    }
    async fn verify(&self, _: &Repository, _: &SignedObject, _: &Signers) -> Result<Verdict, PortError> {
        Err(nothing("signature"))
    }
    async fn find_tag(&self, _: &Repository, _: &str) -> Result<Option<TagFound>, PortError> {
        Err(nothing("tag"))
    }
    async fn tag(&self, _: &Repository, _: &TagRequest) -> Result<TagFound, PortError> {
        Err(nothing("tag"))
    }
    async fn drop_tags(&self, _: &Repository, _: &[(String, ObjectId)]) -> Result<(), PortError> {
        Err(nothing("push"))
    }

    async fn push(&self, _: &Repository, _: &[RefUpdate]) -> Result<PushOutcome, PortError> {
        Err(nothing("push"))
    }
    async fn lay_out(&self, _: &Repository, _: &ObjectId, _: &Path) -> Result<(), PortError> {
        Err(nothing("files"))
    }
}

/// An engine on a state file, with mails that are only counted.
pub(crate) fn engine(store: Arc<SqliteStore>, folder: &Path) -> (Arc<Engine>, Arc<Counter>) {
    let mailer = Arc::new(Counter::default());
    let supervisor = SupervisorProgram { program: "/nonexistent".into(), arguments: Vec::new() };
    let secrets: Arc<dyn tollgate_connect::process::Secrets> = Arc::new(BTreeMap::new());
    let world = World {
        source: Arc::new(Nothing),
        runner: Arc::new(Supervised::new(folder, supervisor, Vec::new(), secrets)),
        prober: Arc::new(Nothing),
        facts: Arc::new(Nothing),
        registries: Arc::new(Nothing),
        depot: Arc::new(FolderDepot::new(folder)),
        mailer: mailer.clone(),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
    };
    let places = Places { work: folder.to_path_buf(), holder: "bench".into() };
    (Arc::new(Engine::new(store, world, places)), mailer)
}
