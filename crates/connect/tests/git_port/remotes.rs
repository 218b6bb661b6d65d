//! What can go wrong between a cut and its remote, over every way there is to a remote: files, ssh and HTTP. And a line that is
//! cut in the middle of a push, after any number of bytes.

use std::time::Duration;

use tollgate_engine::ports::{
    FailureClass, MergeHow, MergeOutcome, MergeRequest, ObjectId, PushOutcome, PushRefusal, RefUpdate,
    Repository, Sign, Source as _,
};
use tollgate_testkit::git_http::{Gateway, Mood};
use tollgate_testkit::proxy::{Proxy, Then, Way};
use tollgate_testkit::sshd::Sshd;

use crate::{World, at, id, tag_request};

/// How long a remote may take to finish what it has begun when its client is gone.
const SETTLES_WITHIN: Duration = Duration::from_secs(30);
/// In how many places of a push the line is cut, beside its last bytes.
const PLACES: u64 = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    File,
    Ssh,
    Http,
}

const TRANSPORTS: [Transport; 3] = [Transport::File, Transport::Ssh, Transport::Http];

/// A world whose remote is reached over one of them, over a line that can be cut where there is one.
struct Remote {
    world: World,
    repository: Repository,
    line: Option<Proxy>,
    _sshd: Option<Sshd>,
}

impl Remote {
    /// `None` where it cannot be tried on this machine.
    fn over(transport: Transport) -> Option<Self> {
        let world = World::new();
        world.remote().git(&["config", "core.logAllRefUpdates", "always"]);
        let (mut sshd, mut line) = (None, None);
        let url = match transport {
            Transport::File => world.repository.url.clone(),
            Transport::Http => {
                let gateway = Gateway::start(world.folder.path(), Mood::Open);
                let proxy = line.insert(Proxy::before(gateway.port()));
                format!("http://127.0.0.1:{}/remote.git", proxy.port())
            }
            Transport::Ssh => {
                let server = sshd.insert(Sshd::start(&world.path("sshd"))?);
                let proxy = line.insert(Proxy::before(server.port()));
                world.checkout().git(&["config", "core.sshCommand", &server.command_through()]);
                server.url_through(proxy.port(), &world.path("remote.git"))
            }
        };
        let repository = Repository { url, ..world.repository.clone() };
        Some(Self { world, repository, line, _sshd: sshd })
    }

    async fn refresh(&self) {
        self.world.git.refresh(&self.repository).await.unwrap();
    }

    /// A commit on main with a file of so many bytes that cannot be compressed, and a tag on it.
    async fn release(&self, version: u32, size: usize) -> [RefUpdate; 2] {
        let (main, name) = (self.world.main().await, format!("v{version}"));
        let mut state = u64::from(version);
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(33 + u8::try_from((state >> 33) % 90).unwrap())
        };
        let content: String = format!("{version}\n").chars().chain((0..size).map(|_| letter())).collect();
        let commit = self.world.commit(&main, "VERSION", &content).await;
        let request = tag_request(&name, &commit, Sign::Never);
        let tag = self.world.git.tag(&self.repository, &request).await.unwrap();
        [to("refs/heads/main", &commit), to(&format!("refs/tags/{name}"), &tag.object)]
    }

    async fn push(&self, refs: &[RefUpdate]) -> PushOutcome {
        self.world.git.push(&self.repository, refs).await.unwrap()
    }

    fn has(&self, update: &RefUpdate) -> bool {
        self.world.remote().refs().contains(&format!("{} {}", update.object, update.name))
    }

    /// Waits until a push that was cut off has come to what it comes to: all of it or nothing. Tells which.
    async fn all_or_nothing(&self, refs: &[RefUpdate], before: &str) -> bool {
        let settled = async {
            loop {
                let now = self.world.remote().refs();
                match (now == before, refs.iter().all(|update| self.has(update))) {
                    (_, true) => return true,
                    (true, _) => return false,
                    // Between the writes of the two files.
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(SETTLES_WITHIN, settled).await.expect("all of it or nothing")
    }

    /// How often a ref was written since it was made.
    fn writes(&self, name: &str) -> usize {
        let log = self.world.path("remote.git/logs").join(name);
        std::fs::read_to_string(log).map_or(0, |text| text.lines().count())
    }
}

fn to(name: &str, object: &ObjectId) -> RefUpdate {
    RefUpdate { name: name.to_owned(), object: object.clone() }
}

#[track_caller]
fn refusal(outcome: PushOutcome, name: &str) -> PushRefusal {
    let PushOutcome::Rejected { refs } = outcome else { panic!("not refused") };
    refs.into_iter().find(|(other, _)| other == name).expect("a refusal of it").1
}

/// What stands in the way of a push, and what is said of it.
#[derive(Debug, Clone, Copy)]
enum Obstacle {
    /// A hook declines the branch.
    Hook,
    /// Somebody pushed since the plan was made.
    Moved,
    /// Somebody has made the tag on the remote.
    TagThere,
    /// Another cut of the same version from another machine.
    OtherCut,
}

const OBSTACLES: [Obstacle; 4] = [Obstacle::Hook, Obstacle::Moved, Obstacle::TagThere, Obstacle::OtherCut];

impl Obstacle {
    fn put(self, remote: &Remote) {
        let user = remote.world.checkout();
        match self {
            Self::Hook => remote.world.remote().hook(
                "update",
                "#!/bin/sh\ncase $1 in refs/heads/*) echo main is protected >&2; exit 1;; esac\n",
            ),
            Self::Moved => {
                user.commit("a", "1", "faster");
                user.git(&["push", "--quiet", "origin", "main"]);
            }
            Self::TagThere => {
                user.git(&["tag", "-m", "theirs", "v2", "main"]);
                user.git(&["push", "--quiet", "origin", "v2"]);
            }
            Self::OtherCut => {
                user.commit("VERSION", "2\n", "Release 2");
                user.git(&["tag", "-m", "theirs", "v2", "main"]);
                user.git(&["push", "--quiet", "--atomic", "origin", "main", "v2"]);
            }
        }
    }

    #[track_caller]
    fn told(self, outcome: PushOutcome, transport: Transport) {
        let name = match self {
            Self::Hook | Self::Moved => "refs/heads/main",
            Self::TagThere | Self::OtherCut => "refs/tags/v2",
        };
        let refusal = refusal(outcome, name);
        let right = match (&refusal, self) {
            (PushRefusal::Declined(words), Self::Hook) => words.contains("main is protected"),
            (PushRefusal::NotFastForward(Some(_)), Self::Moved) => true,
            (PushRefusal::TagExists(found), Self::TagThere | Self::OtherCut) => found.annotated,
            _ => false,
        };
        assert!(right, "{self:?} over {transport:?}: {refusal:?}");
    }
}

#[tokio::test]
async fn whatever_stands_in_the_way_is_told_and_nothing_is_written() {
    for transport in TRANSPORTS {
        for obstacle in OBSTACLES {
            let Some(remote) = Remote::over(transport) else { continue };
            remote.refresh().await;
            let refs = remote.release(2, 0).await;
            obstacle.put(&remote);
            let before = remote.world.remote().refs();
            // A retry changes nothing, neither here nor there.
            for _ in 0..2 {
                obstacle.told(remote.push(&refs).await, transport);
                assert_eq!(remote.world.remote().refs(), before, "{obstacle:?} over {transport:?}");
            }
        }
    }
}

#[tokio::test]
async fn of_two_cuts_at_once_one_arrives_whole() {
    for transport in TRANSPORTS {
        let Some(remote) = Remote::over(transport) else { continue };
        remote.refresh().await;
        // The second machine: its own clone, its own commit, the same version.
        let other = Repository { clone: remote.world.path("state/other.git"), ..remote.repository.clone() };
        remote.world.git.refresh(&other).await.unwrap();
        let ours = remote.release(2, 0).await;
        let request = crate::commit_request(
            remote.world.git.edit_tree(&other, &remote.world.main().await, &[]).await.unwrap(),
            &remote.world.main().await,
        );
        let commit = remote.world.git.commit(&other, &request).await.unwrap();
        let tag = remote.world.git.tag(&other, &tag_request("v2", &commit, Sign::Never)).await.unwrap();
        let theirs = [to("refs/heads/main", &commit), to("refs/tags/v2", &tag.object)];
        let (one, two) = tokio::join!(
            remote.world.git.push(&remote.repository, &ours),
            remote.world.git.push(&other, &theirs)
        );
        let (won, lost) = match (remote.has(&ours[0]), remote.has(&theirs[0])) {
            (true, false) => (one, two),
            (false, true) => (two, one),
            neither => panic!("over {transport:?}: {neither:?}"),
        };
        assert_eq!(won.unwrap(), PushOutcome::Done, "over {transport:?}");
        assert!(!matches!(lost, Ok(PushOutcome::Done)), "over {transport:?}: {lost:?}");
        assert_eq!(remote.has(&ours[0]), remote.has(&ours[1]), "over {transport:?}: half of one");
        assert_eq!(remote.has(&theirs[0]), remote.has(&theirs[1]), "over {transport:?}: half of one");
        assert_eq!((remote.writes("refs/tags/v2"), remote.writes("refs/heads/main")), (1, 1));
    }
}

#[tokio::test]
async fn merges_go_over_every_remote() {
    for transport in TRANSPORTS {
        let Some(remote) = Remote::over(transport) else { continue };
        let user = remote.world.checkout();
        user.git(&["switch", "--quiet", "-c", "develop"]);
        let develop = id(&user.commit("next.txt", "next\n", "feat: next"));
        user.git(&["push", "--quiet", "origin", "develop"]);
        remote.refresh().await;
        let refs = remote.release(2, 0).await;
        assert_eq!(remote.push(&refs).await, PushOutcome::Done, "over {transport:?}");
        let merge = |ours: &ObjectId| MergeRequest {
            ours: ours.clone(),
            theirs: refs[0].object.clone(),
            how: MergeHow::NoFf,
            message: "Merge v2 into develop".to_owned(),
            at: at(),
            sign: Sign::Never,
        };
        // Somebody is faster: the first push is refused, the branch is looked at anew, and the merge made on top.
        let first = remote.world.git.merge(&remote.repository, &merge(&develop)).await.unwrap();
        let MergeOutcome::Merged(first) = first else { panic!("over {transport:?}: {first:?}") };
        let faster = id(&user.commit("more.txt", "more\n", "feat: more"));
        user.git(&["push", "--quiet", "origin", "develop"]);
        let refused = remote.push(&[to("refs/heads/develop", &first)]).await;
        let want = PushRefusal::NotFastForward(Some(faster.clone()));
        assert_eq!(refusal(refused, "refs/heads/develop"), want, "over {transport:?}");
        remote.refresh().await;
        let second = remote.world.git.merge(&remote.repository, &merge(&faster)).await.unwrap();
        let MergeOutcome::Merged(second) = second else { panic!("over {transport:?}: {second:?}") };
        assert_eq!(remote.push(&[to("refs/heads/develop", &second)]).await, PushOutcome::Done);
        let file = |name: &str| remote.world.remote().git(&["show", &format!("develop:{name}")]);
        assert_eq!(
            (file("VERSION").as_str(), file("more.txt").as_str()),
            ("2", "more"),
            "over {transport:?}"
        );
    }
}

/// A branch, its tag and a merge into another branch: all of it or nothing, also where only the merge is in the way.
#[tokio::test]
async fn a_merge_goes_along_over_every_remote() {
    for transport in TRANSPORTS {
        let Some(remote) = Remote::over(transport) else { continue };
        let user = remote.world.checkout();
        user.git(&["switch", "--quiet", "-c", "develop"]);
        let develop = id(&user.commit("next.txt", "next\n", "feat: next"));
        user.git(&["push", "--quiet", "origin", "develop"]);
        remote.refresh().await;
        let cut = remote.release(2, 0).await;
        let merged = async |ours: &ObjectId| {
            let request = MergeRequest {
                ours: ours.clone(),
                theirs: cut[0].object.clone(),
                how: MergeHow::NoFf,
                message: "Merge v2 into develop".to_owned(),
                at: at(),
                sign: Sign::Never,
            };
            match remote.world.git.merge(&remote.repository, &request).await.unwrap() {
                MergeOutcome::Merged(commit) => to("refs/heads/develop", &commit),
                other => panic!("over {transport:?}: {other:?}"),
            }
        };
        let first = merged(&develop).await;
        let faster = id(&user.commit("more.txt", "more\n", "feat: more"));
        user.git(&["push", "--quiet", "origin", "develop"]);
        let before = remote.world.remote().refs();
        let all = |merge: RefUpdate| [cut[0].clone(), cut[1].clone(), merge];
        let PushOutcome::Rejected { refs } = remote.push(&all(first)).await else { panic!("not refused") };
        let of =
            |name: &str| refs.iter().find(|(other, _)| other == name).map(|(_, refusal)| refusal.clone());
        let behind = PushRefusal::NotFastForward(Some(faster.clone()));
        assert_eq!(of("refs/heads/develop"), Some(behind), "over {transport:?}");
        assert_eq!(of("refs/tags/v2"), Some(PushRefusal::WithTheOthers), "over {transport:?}");
        assert_eq!(remote.world.remote().refs(), before, "over {transport:?}: half of it");
        remote.refresh().await;
        let second = merged(&faster).await;
        assert_eq!(remote.push(&all(second.clone())).await, PushOutcome::Done, "over {transport:?}");
        assert!([&cut[0], &cut[1], &second].iter().all(|update| remote.has(update)), "over {transport:?}");
        // Once more, as after an answer that was lost.
        assert_eq!(remote.push(&all(second)).await, PushOutcome::Done, "over {transport:?}");
        assert_eq!((remote.writes("refs/tags/v2"), remote.writes("refs/heads/main")), (1, 1));
    }
}

/// Cuts the line at many places of a push, each in a world of its own version.
async fn cut_off(transport: Transport, way: Way, then: Then) {
    let Some(remote) = Remote::over(transport) else { return };
    let line = remote.line.as_ref().expect("a line that can be cut");
    remote.refresh().await;
    // How much a push is that nobody cuts.
    line.heal();
    let refs = remote.release(2, 40_000).await;
    assert_eq!(remote.push(&refs).await, PushOutcome::Done);
    let all = line.passed(way);
    let (mut cuts, mut whole, mut nothing) = (0, 0, 0);
    let places = (0..PLACES).map(|place| 1 + all * place / PLACES).chain([all - 40, all - 1]);
    for (version, after) in (3..).zip(places) {
        line.heal();
        remote.refresh().await;
        let refs = remote.release(version, 40_000).await;
        let before = remote.world.remote().refs();
        line.cut_after(way, after, then);
        let cut = remote.world.git.push(&remote.repository, &refs).await;
        cuts += line.cuts();
        match cut {
            // It was looked up behind the cut, or the cut came after the end of what matters.
            Ok(outcome) => assert_eq!(outcome, PushOutcome::Done, "{transport:?} {way:?} after {after}"),
            Err(error) => {
                assert_eq!(error.class, FailureClass::Transient, "{transport:?} {way:?}: {error:?}")
            }
        }
        match remote.all_or_nothing(&refs, &before).await {
            true => whole += 1,
            false => nothing += 1,
        }
        // The next try, as the engine does it by itself.
        line.heal();
        assert_eq!(remote.push(&refs).await, PushOutcome::Done, "{transport:?} {way:?} after {after}");
        assert!(refs.iter().all(|update| remote.has(update)));
        assert_eq!(remote.writes(&refs[1].name), 1, "a tag is written once");
    }
    assert!(cuts >= 6, "{transport:?} {way:?}: only {cuts} cuts");
    // Cut on the way up, nothing has arrived; with the line healed by itself, the look behind the cut finds what did.
    assert!(nothing > 0 || whole > 0 && way == Way::Down, "{transport:?} {way:?}: {whole} and {nothing}");
}

#[tokio::test]
async fn a_push_over_http_that_is_cut_off_on_its_way_leaves_nothing_or_all() {
    cut_off(Transport::Http, Way::Up, Then::Stays).await;
    cut_off(Transport::Http, Way::Up, Then::Heals).await;
}

#[tokio::test]
async fn a_push_over_http_whose_answer_is_cut_off_leaves_nothing_or_all() {
    cut_off(Transport::Http, Way::Down, Then::Stays).await;
    cut_off(Transport::Http, Way::Down, Then::Heals).await;
}

#[tokio::test]
async fn a_push_over_ssh_that_is_cut_off_on_its_way_leaves_nothing_or_all() {
    cut_off(Transport::Ssh, Way::Up, Then::Stays).await;
}

#[tokio::test]
async fn a_push_over_ssh_whose_answer_is_cut_off_leaves_nothing_or_all() {
    cut_off(Transport::Ssh, Way::Down, Then::Heals).await;
}

#[tokio::test]
async fn where_refs_go_one_by_one_a_failure_says_which_arrived() {
    let remote = Remote::over(Transport::Http).expect("HTTP is always there");
    let line = remote.line.as_ref().expect("a line");
    remote.world.remote().git(&["config", "receive.advertiseAtomic", "false"]);
    remote.refresh().await;
    let refs = remote.release(2, 0).await;
    let topic = to("refs/heads/topic", &refs[0].object);
    let three = [refs[1].clone(), refs[0].clone(), topic];
    // The tag is declined: the branches are there, and are not told as refused.
    remote.world.remote().hook("update", "#!/bin/sh\ncase $1 in refs/tags/*) exit 1;; esac\n");
    let PushOutcome::Rejected { refs: told } = remote.push(&three).await else { panic!("not refused") };
    assert!(matches!(&told[..], [(name, PushRefusal::Declined(_))] if name == "refs/tags/v2"), "{told:?}");
    assert!(remote.has(&three[1]) && remote.has(&three[2]) && !remote.has(&three[0]));
    remote.world.remote().hook("update", "#!/bin/sh\n");

    // The line is cut for good while the second of three is written: cut by the hook of the first.
    remote.refresh().await;
    let refs = remote.release(3, 0).await;
    line.heal();
    assert_eq!(remote.push(&refs[..1]).await, PushOutcome::Done);
    let one = line.passed(Way::Up);
    remote.refresh().await;
    let refs = remote.release(4, 0).await;
    line.cut_after(Way::Up, one + one / 2, Then::Stays);
    let error = remote.world.git.push(&remote.repository, &refs).await.expect_err("a line that is cut");
    assert_eq!(error.class, FailureClass::Transient, "{error:?}");
    assert_eq!(
        error.why.contains("refs/heads/main arrived, refs/tags/v4 did not"),
        remote.has(&refs[0]),
        "{error:?}"
    );
    assert!(!remote.has(&refs[1]));
    line.heal();
    assert_eq!(remote.push(&refs).await, PushOutcome::Done);
    assert_eq!((remote.has(&refs[1]), remote.writes("refs/tags/v4")), (true, 1));
}
