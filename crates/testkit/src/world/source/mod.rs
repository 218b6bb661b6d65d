//! A git repository in memory, with a remote that others push to as well.

mod port;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tollgate_core::commits::co_authors;
use tollgate_core::ids::ObjectId;
use tollgate_core::journal::Hash;
use tollgate_engine::ports::{
    Checkout, Clash, HistoryQuery, MergeHow, MergeOutcome, MergeRequest, PathFilter, PickOutcome,
    PickRequest, PushOutcome, PushRefusal, RefUpdate, Sign, TagFound,
};

use super::SimWorld;

/// Reads and writes the world's repository.
#[derive(Debug, Clone)]
pub struct SimSource(pub SimWorld);

/// The files of a tree.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The name of a key whose signature counts whoever is asked for.
const KNOWN: &str = "a key";

/// The repository: one store of objects, the refs of the remote, and those of Tollgate's clone.
#[derive(Debug, Default)]
pub struct Git {
    objects: BTreeMap<ObjectId, Object>,
    /// The refs of the remote, by full name.
    pub remote: BTreeMap<String, ObjectId>,
    /// The refs of Tollgate's clone, by full name.
    pub clone: BTreeMap<String, ObjectId>,
    /// Every ref that Tollgate wrote on the remote, in order.
    pub written: Vec<(String, ObjectId)>,
    /// Starts of refs that the remote's hooks decline.
    pub declined: BTreeSet<String>,
    /// The user's working copy, if there is one.
    pub checkout: Option<Checkout>,
    signatures: u64,
    /// The fingerprint of the key that is signed with; without one, a key that everybody knows.
    pub signing_key: Option<String>,
    signed: BTreeMap<ObjectId, String>,
}

#[derive(Debug, Clone)]
enum Object {
    Tree(Files),
    Commit(Commit),
    Tag { target: ObjectId },
}

#[derive(Debug, Clone)]
struct Commit {
    tree: ObjectId,
    parents: Vec<ObjectId>,
    author: (String, String),
    at: Timestamp,
    message: String,
}

impl Git {
    /// A remote with one commit on `main`, one more on `develop`, and no clone yet.
    pub fn new() -> Self {
        let mut git = Self::default();
        let files = [("VERSION", "0.1.0\n"), ("app.txt", "an app\n"), ("CHANGELOG.md", "# Changes\n\n")];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        let tree = git.add_tree(files.into_iter().collect());
        let first = Commit {
            tree,
            parents: Vec::new(),
            author: ("First".into(), "first@example.org".into()),
            at: Timestamp::UNIX_EPOCH,
            message: "feat: the first commit".into(),
        };
        let id = git.add_commit(first, None);
        git.remote.insert("refs/heads/main".into(), id);
        git.others_commit("develop", "dan@example.org", "feat: the next thing", Timestamp::UNIX_EPOCH);
        git
    }

    fn add(&mut self, parts: &[&[u8]], object: Object) -> ObjectId {
        let id = ObjectId(Hash::of_parts(parts.iter().copied()).to_string()[..40].to_owned());
        self.objects.insert(id.clone(), object);
        id
    }

    fn add_tree(&mut self, files: Files) -> ObjectId {
        let parts: Vec<&[u8]> = [b"tree".as_slice()]
            .into_iter()
            .chain(files.iter().flat_map(|(path, content)| [path.as_bytes(), content.as_slice()]))
            .collect();
        self.add(&parts, Object::Tree(files.clone()))
    }

    fn add_commit(&mut self, commit: Commit, signature: Option<u64>) -> ObjectId {
        let parents: Vec<&str> = commit.parents.iter().map(|parent| parent.0.as_str()).collect();
        let text = format!(
            "{} {parents:?} {:?} {} {} {signature:?}",
            commit.tree, commit.author, commit.at, commit.message
        );
        let id = self.add(&[b"commit", text.as_bytes()], Object::Commit(commit));
        self.sign(&id, signature);
        id
    }

    /// A signature is another one each time.
    fn signature(&mut self, signed: bool) -> Option<u64> {
        self.signatures += u64::from(signed);
        signed.then_some(self.signatures)
    }

    fn commit(&self, id: &ObjectId) -> Option<(&ObjectId, &Commit)> {
        match self.objects.get_key_value(id)? {
            (id, Object::Commit(commit)) => Some((id, commit)),
            (_, Object::Tag { target }) => self.commit(target),
            (_, Object::Tree(_)) => None,
        }
    }

    fn files(&self, id: &ObjectId) -> Option<&Files> {
        match self.objects.get(id)? {
            Object::Tree(files) => Some(files),
            Object::Commit(commit) => self.files(&commit.tree),
            Object::Tag { target } => self.files(target),
        }
    }

    fn sign(&mut self, id: &ObjectId, signature: Option<u64>) {
        let key = self.signing_key.clone().unwrap_or_else(|| KNOWN.into());
        self.signed.extend(signature.map(|_| (id.clone(), key)));
    }

    /// The tags and commits that were made with a signature, and with which key.
    pub fn signatures(&self) -> &BTreeMap<ObjectId, String> {
        &self.signed
    }

    /// A commit and everything before it.
    fn ancestry(&self, from: &ObjectId) -> BTreeSet<ObjectId> {
        let mut found = BTreeSet::new();
        let mut todo = vec![from.clone()];
        while let Some(id) = todo.pop() {
            let Some((id, commit)) = self.commit(&id) else { continue };
            if found.insert(id.clone()) {
                todo.extend(commit.parents.iter().cloned());
            }
        }
        found
    }

    /// The commits of a query: children before their parents, otherwise the newest first.
    fn history(&self, query: &HistoryQuery) -> Vec<ObjectId> {
        let mut left: BTreeSet<ObjectId> = query.to.iter().flat_map(|to| self.ancestry(to)).collect();
        for known in &query.without {
            left = left.difference(&self.ancestry(known)).cloned().collect();
        }
        let parents =
            |id: &ObjectId| self.commit(id).map(|(_, commit)| commit.parents.clone()).unwrap_or_default();
        let mut children: BTreeMap<ObjectId, usize> = left.iter().map(|id| (id.clone(), 0)).collect();
        for parent in left.iter().flat_map(parents) {
            children.entry(parent).and_modify(|count| *count += 1);
        }
        let mut sorted = Vec::new();
        let at = |id: &ObjectId| self.commit(id).map(|(_, commit)| commit.at);
        while let Some(next) = left.iter().filter(|id| children[*id] == 0).max_by_key(|id| at(id)).cloned() {
            left.remove(&next);
            for parent in parents(&next) {
                children.entry(parent).and_modify(|count| *count -= 1);
            }
            sorted.push(next);
        }
        sorted.retain(|id| self.touches(id, &query.paths));
        sorted
    }

    /// Whether a commit differs from every parent at one of these paths.
    fn touches(&self, id: &ObjectId, paths: &[PathFilter]) -> bool {
        if paths.is_empty() {
            return true;
        }
        let Some((_, commit)) = self.commit(id) else { return false };
        let within = |filter: &PathFilter, path: &str| {
            // Patterns are git's business: here they are what they begin with.
            let start = filter.path.split(['*', '?', '[']).next().unwrap_or_default().trim_end_matches('/');
            path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let counts = |path: &str| {
            let some = |except: bool| paths.iter().any(|one| one.except == except && within(one, path));
            (some(false) || paths.iter().all(|one| one.except)) && !some(true)
        };
        let own = |tree: &ObjectId| -> Files {
            let files = self.files(tree).cloned().unwrap_or_default();
            files.into_iter().filter(|(path, _)| counts(path)).collect()
        };
        let mine = own(&commit.tree);
        match commit.parents.is_empty() {
            true => !mine.is_empty(),
            false => commit.parents.iter().all(|parent| own(parent) != mine),
        }
    }

    fn is_ancestor(&self, old: &ObjectId, new: &ObjectId) -> bool {
        self.ancestry(new).contains(old)
    }

    fn tag_found(&self, object: &ObjectId) -> Option<TagFound> {
        let annotated = matches!(self.objects.get(object)?, Object::Tag { .. });
        Some(TagFound { object: object.clone(), commit: self.commit(object)?.0.clone(), annotated })
    }

    /// Somebody else commits to a branch of the remote.
    pub fn others_commit(&mut self, branch: &str, email: &str, message: &str, at: Timestamp) -> ObjectId {
        // Branches change files of their own, so that some merges are clean.
        let path = if branch == "main" { "app.txt".to_owned() } else { format!("{branch}.txt") };
        let content = format!("{message} at {at}\n");
        self.others_write(branch, (&path, &content), email, message, at)
    }

    /// Somebody else writes a file, and commits it to a branch of the remote.
    pub fn others_write(
        &mut self,
        branch: &str,
        (path, content): (&str, &str),
        email: &str,
        message: &str,
        at: Timestamp,
    ) -> ObjectId {
        let name = format!("refs/heads/{branch}");
        let parent = self.remote.get(&name).or_else(|| self.remote.get("refs/heads/main")).cloned();
        let mut files = parent.as_ref().and_then(|parent| self.files(parent)).cloned().unwrap_or_default();
        files.insert(path.to_owned(), content.as_bytes().to_vec());
        let tree = self.add_tree(files);
        let parents = parent.into_iter().collect();
        let author = (email.to_owned(), email.to_owned());
        let id = self.add_commit(Commit { tree, parents, author, at, message: message.into() }, None);
        self.remote.insert(name, id.clone());
        id
    }

    /// A clean merge's files, or the paths that do not go together.
    fn merged(&self, base: &Files, ours: &Files, theirs: &Files) -> Result<Files, Vec<String>> {
        let paths: BTreeSet<&String> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
        let (mut files, mut clashes) = (Files::new(), Vec::new());
        for path in paths {
            let (before, own, other) = (base.get(path), ours.get(path), theirs.get(path));
            let content = match (own == other || other == before, own == before) {
                (true, _) => own,
                (false, true) => other,
                (false, false) => {
                    clashes.push(path.clone());
                    continue;
                }
            };
            if let Some(content) = content {
                files.insert(path.clone(), content.clone());
            }
        }
        if clashes.is_empty() { Ok(files) } else { Err(clashes) }
    }

    fn merge(&mut self, request: &MergeRequest) -> MergeOutcome {
        let (ours, theirs) = (&request.ours, &request.theirs);
        if self.is_ancestor(theirs, ours) {
            return MergeOutcome::Contained;
        }
        if request.how == MergeHow::FfOnly {
            let forward = self.is_ancestor(ours, theirs);
            return if forward { MergeOutcome::Merged(theirs.clone()) } else { MergeOutcome::NotFastForward };
        }
        let known = self.ancestry(ours);
        // The newest that both have: it has the most before it.
        let common = self.ancestry(theirs).into_iter().filter(|id| known.contains(id));
        let Some(base) = common.max_by_key(|id| self.ancestry(id).len()) else {
            return MergeOutcome::Unrelated;
        };
        let files = |id: &ObjectId| self.files(id).cloned().unwrap_or_default();
        match self.merged(&files(&base), &files(ours), &files(theirs)) {
            Err(paths) => MergeOutcome::Conflict(paths.into_iter().map(clash).collect()),
            Ok(files) => {
                let signature = self.signature(request.sign == Sign::Always);
                let tree = self.add_tree(files);
                let parents = vec![ours.clone(), theirs.clone()];
                let author = ("Tollgate".into(), "tollgate@example.org".into());
                let message = request.message.clone();
                let commit = Commit { tree, parents, author, at: request.at, message };
                MergeOutcome::Merged(self.add_commit(commit, signature))
            }
        }
    }

    fn pick(&mut self, request: &PickRequest) -> PickOutcome {
        let refused = |why: &str| PickOutcome::Refused { why: why.to_owned(), hint: None };
        let Some((_, original)) = self.commit(&request.commit) else {
            return refused("is not in the repository");
        };
        let original = original.clone();
        let [parent] = original.parents.as_slice() else { return refused("has not one parent") };
        if self.is_ancestor(&request.commit, &request.onto) {
            return PickOutcome::Contained;
        }
        let files = |id: &ObjectId| self.files(id).cloned().unwrap_or_default();
        let own = files(&request.onto);
        match self.merged(&files(parent), &own, &files(&request.commit)) {
            Err(paths) => PickOutcome::Conflict(paths.into_iter().map(clash).collect()),
            Ok(files) if files == own => PickOutcome::Contained,
            Ok(files) => {
                let signature = self.signature(request.sign == Sign::Always);
                let tree = self.add_tree(files);
                let parents = vec![request.onto.clone()];
                let message =
                    format!("{}\n\n(cherry picked from commit {})", original.message, request.commit);
                let author = original.author.clone();
                let others = co_authors(&original.message).into_iter().map(|person| person.email);
                let authors = std::iter::once(author.1.clone()).chain(others).collect();
                let commit = Commit { tree, parents, author, at: request.at, message };
                PickOutcome::Picked { commit: self.add_commit(commit, signature), authors }
            }
        }
    }

    /// Whether a commit contains another one.
    pub fn contains(&self, newer: &ObjectId, older: &ObjectId) -> bool {
        self.is_ancestor(older, newer)
    }

    /// Somebody else puts a tag on the remote's `main`, where there is none of that name.
    pub fn others_tag(&mut self, name: &str) {
        if let Some(main) = self.remote.get("refs/heads/main").cloned() {
            self.remote.entry(format!("refs/tags/{name}")).or_insert(main);
        }
    }

    /// The merges among the commits that Tollgate wrote to a branch: what was merged, each time.
    pub fn merged_into(&self, branch: &str) -> Vec<ObjectId> {
        let name = format!("refs/heads/{branch}");
        let written = self.written.iter().filter(|(written, _)| *written == name);
        written.filter_map(|(_, object)| self.commit(object)?.1.parents.get(1).cloned()).collect()
    }

    /// What a push comes to: nothing is written when anything is refused.
    fn push(&mut self, refs: &[RefUpdate]) -> PushOutcome {
        let new: Vec<&RefUpdate> =
            refs.iter().filter(|update| self.remote.get(&update.name) != Some(&update.object)).collect();
        let refusals: Vec<(String, Option<PushRefusal>)> =
            new.iter().map(|update| (update.name.clone(), self.refusal(update))).collect();
        if refusals.iter().any(|(_, refusal)| refusal.is_some()) {
            let words = |(name, refusal): (String, Option<PushRefusal>)| {
                (name, refusal.unwrap_or(PushRefusal::WithTheOthers))
            };
            return PushOutcome::Rejected { refs: refusals.into_iter().map(words).collect() };
        }
        let new: Vec<RefUpdate> = new.into_iter().cloned().collect();
        for update in new {
            self.written.push((update.name.clone(), update.object.clone()));
            self.remote.insert(update.name, update.object);
        }
        PushOutcome::Done
    }

    fn refusal(&self, update: &RefUpdate) -> Option<PushRefusal> {
        if self.declined.iter().any(|start| update.name.starts_with(start.as_str())) {
            return Some(PushRefusal::Declined("the branch is locked".into()));
        }
        let there = self.remote.get(&update.name)?;
        if update.name.starts_with("refs/tags/") {
            return self.tag_found(there).map(PushRefusal::TagExists);
        }
        (!self.is_ancestor(there, &update.object)).then(|| PushRefusal::NotFastForward(Some(there.clone())))
    }
}

fn clash(path: String) -> Clash {
    Clash { path, changed_by: Vec::new() }
}
