//! What can go wrong between a cut and its remote, as a person sees it, over every way there is to a remote: files, ssh and HTTP.
#![allow(clippy::disallowed_methods, reason = "the real binary, in real time and a real environment")]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tollgate_testkit::git::{GitHome, Repo};
use tollgate_testkit::git_http::{Gateway, Mood};
use tollgate_testkit::sshd::Sshd;

const MAIN: &str = "refs/heads/main";
const TAG: &str = "refs/tags/v1.1.0";

const PROCEDURE: &str = "\
tollgate: 1
service: shop
repository: { branch: main }
version: { format: vX.Y.Z, files: [VERSION] }
procedures:
  release:
    steps:
      - version.bump: {}
      - git.commit: \"Release {{ version }}\"
      - git.tag: {}
      - git.push: [branch, tag]
";

/// What says no before anything is written.
const DECLINES: &str = "#!/bin/sh\necho 'only on weekdays' >&2\nexit 1\n";
/// What says no to tags alone, one by one.
const DECLINES_TAGS: &str = "#!/bin/sh\ncase $1 in refs/tags/*) echo 'no tags today' >&2; exit 1;; esac\n";
/// Ends the server's side once, after it has taken everything in.
const CUTS: &str = "#!/bin/sh\ntest -e cut && exit 0\ntouch cut\nkill -9 $PPID\n";

#[derive(Debug, Clone, Copy)]
enum Transport {
    File,
    Ssh,
    Http,
}

/// Two people's homes, states and checkouts, and a remote that both reach over one transport.
struct Scene {
    folder: tempfile::TempDir,
    home: GitHome,
    transport: Transport,
    _sshd: Option<Sshd>,
}

impl Scene {
    /// One release, and a fix since. `None` where it cannot be tried on this machine.
    fn over(transport: Transport) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("home")).expect("a folder");
        let home = GitHome::new(path("home"));
        let mut sshd = None;
        let remote = path("remote.git");
        home.init_bare(&remote).git(&["config", "core.logAllRefUpdates", "always"]);
        let url = match transport {
            Transport::File => remote.display().to_string(),
            Transport::Http => {
                home.repo(&remote).git(&["config", "http.receivepack", "true"]);
                Gateway::start(folder.path(), Mood::Open).url("")
            }
            Transport::Ssh => {
                let server = sshd.insert(Sshd::start(&path("sshd"))?);
                home.configure("core.sshCommand", &server.command());
                server.url(&remote)
            }
        };
        let ours = home.init(path("ours"));
        ours.git(&["remote", "add", "origin", &url]);
        for (file, content) in [("VERSION", "1.0.0\n"), ("tollgate.yaml", PROCEDURE)] {
            ours.commit(file, content, "feat: open the shop");
        }
        ours.git(&["tag", "-m", "first", "v1.0.0"]);
        ours.commit("prices", "3\n", "feat: prices");
        ours.git(&["push", "--quiet", "-u", "origin", "main", "v1.0.0"]);
        ours.git(&["clone", "--quiet", &url, &path("theirs").display().to_string()]);
        let scene = Self { folder, home, transport, _sshd: sshd };
        for who in ["ours", "theirs"] {
            let adopted = scene.tollgate(who, &["policy", "adopt"]);
            assert!(adopted.status.success(), "{}", text(&adopted));
        }
        Some(scene)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn repo(&self, name: &str) -> Repo<'_> {
        self.home.repo(self.path(name))
    }

    fn remote(&self) -> Repo<'_> {
        self.repo("remote.git")
    }

    /// Somebody's command: `ours` or `theirs`, each with a state of their own.
    fn command(&self, who: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command
            .current_dir(self.path(who))
            .env_clear()
            .envs(self.home.environment())
            .arg("--state")
            .arg(self.path(&format!("state-{who}")))
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    fn tollgate(&self, who: &str, arguments: &[&str]) -> Output {
        self.command(who, arguments).output().expect("tollgate runs")
    }

    /// All that a command says; it has to end with this code.
    #[track_caller]
    fn says(&self, who: &str, arguments: &[&str], code: i32) -> String {
        let output = self.tollgate(who, arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?} over {:?}: {said}", self.transport);
        said
    }

    /// All that a command says, however it ends.
    fn said(&self, who: &str, arguments: &[&str]) -> String {
        text(&self.tollgate(who, arguments))
    }

    /// Everything that is on the remote.
    fn refs(&self) -> String {
        self.remote().refs()
    }

    /// How often a ref of the remote was written.
    fn writes(&self, name: &str) -> usize {
        let log = self.path("remote.git/logs").join(name);
        std::fs::read_to_string(log).map_or(0, |text| text.lines().count())
    }

    fn hook(&self, name: &str, script: &str) {
        self.remote().hook(name, script);
    }

    fn unhook(&self, name: &str) {
        std::fs::remove_file(self.path("remote.git/hooks").join(name)).expect("a hook");
    }

    fn status(&self, who: &str) -> String {
        let said = self.tollgate(who, &["--json", "status"]);
        let rows: Value = serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{}", text(&said)));
        rows[0]["status"].as_str().unwrap_or_default().to_owned()
    }

    /// The release is out: branch and tag together, each written as often as there was something to write.
    #[track_caller]
    fn is_out(&self, who: &str, main_writes: usize) {
        let over = self.transport;
        assert_eq!(self.status(who), "done", "over {over:?}: {}", self.said(who, &["why"]));
        let on = |name: &str| self.remote().git(&["rev-parse", &format!("{name}^{{commit}}")]);
        assert_eq!(on(MAIN), on(TAG), "over {over:?}");
        assert_eq!(self.remote().git(&["show", "main:VERSION"]), "1.1.0", "over {over:?}");
        assert_eq!((self.writes(TAG), self.writes(MAIN)), (1, main_writes), "over {over:?}");
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn holds(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in:\n{said}");
    }
}

/// A tag that only the remote has: nothing is planned, and nothing is written.
fn tag_on_the_remote_alone(scene: &Scene) {
    let theirs = scene.repo("theirs");
    let other = theirs.git(&["commit-tree", "-m", "another line", "main^{tree}"]);
    theirs.git(&["push", "--quiet", "origin", &format!("{other}:{TAG}")]);
    let before = scene.refs();
    for command in ["plan", "start"] {
        let said = scene.says("ours", &[command], 3);
        holds(&said, &["1.1.0 is taken: the tag `v1.1.0` stands on", "--set-version"]);
    }
    assert_eq!(scene.refs(), before);
    assert_eq!(scene.repo("ours").git(&["tag"]), "v1.0.0", "the checkout is never written to");
    // Another version is free.
    scene.says("ours", &["start", "--set-version", "1.2.0"], 0);
    assert_eq!(scene.writes("refs/tags/v1.2.0"), 1);
}

/// Somebody pushes between the plan and the push: nothing is overwritten, and the way on is the one that is told.
fn moved_between_plan_and_push(scene: &Scene) {
    scene.says("ours", &["start", "--no-work"], 11);
    let theirs = scene.repo("theirs");
    theirs.commit("more", "1\n", "fix: faster");
    theirs.git(&["push", "--quiet", "origin", "main"]);
    let before = scene.refs();
    holds(&scene.said("ours", &["work", "--once"]), &["refs/heads/main has moved on to"]);
    // Tried again it is the same.
    holds(&scene.said("ours", &["retry"]), &["refs/heads/main has moved on to"]);
    holds(
        &scene.said("ours", &["why"]),
        &["stuck at push", "abort this run and start another one from the newer commit"],
    );
    assert_eq!(scene.refs(), before);
    scene.said("ours", &["abort", "--why", "somebody was faster"]);
    scene.says("ours", &["start"], 0);
    scene.is_out("ours", 3);
    assert_eq!(scene.remote().git(&["show", "main:more"]), "1");
}

/// A hook that declines: what it says is told, and once it does not any more, a retry is all.
fn declined_by_a_hook(scene: &Scene) {
    scene.hook("pre-receive", DECLINES);
    let before = scene.refs();
    let said = scene.says("ours", &["start"], 4);
    holds(&said, &["the remote declines it", "only on weekdays", "tollgate retry push"]);
    assert_eq!(scene.refs(), before);
    scene.unhook("pre-receive");
    scene.said("ours", &["retry"]);
    scene.is_out("ours", 2);
}

/// The server's side ends in the middle: before anything is written, or when all is. It is tried again by itself.
fn cut_off_in_the_middle(scene: &Scene, hook: &str) {
    scene.hook(hook, CUTS);
    let said = scene.says("ours", &["start"], 0);
    assert!(scene.path("remote.git/cut").exists(), "it was cut");
    // What arrived whole is found by the look behind the cut.
    if hook == "pre-receive" {
        holds(&said, &["↻ push: push to", "tried again at"]);
    }
    scene.is_out("ours", 2);
}

/// Two machines push at the same time: one of them has the version, and the other is told.
fn two_cuts_at_once(scene: &Scene) {
    scene.says("ours", &["start", "--no-work"], 11);
    scene.repo("theirs").git(&["config", "user.name", "Brian Tester"]);
    scene.says("theirs", &["start", "--no-work"], 11);
    let [one, other] = ["ours", "theirs"].map(|who| {
        let mut command = scene.command(who, &["work", "--once"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tollgate runs")
    });
    let said = [one, other].map(|child| text(&child.wait_with_output().expect("its end")));
    let (winner, loser, told) = match ["ours", "theirs"].map(|who| scene.status(who) == "done") {
        [true, false] => ("ours", "theirs", &said[1]),
        [false, true] => ("theirs", "ours", &said[0]),
        neither => panic!("over {:?}: {neither:?} {said:?}", scene.transport),
    };
    scene.is_out(winner, 2);
    // At the very same time the remote itself says no, and a try later what stands there is told.
    let told = told.clone() + &scene.said(loser, &["retry"]);
    holds(&told, &["refs/tags/v1.1.0 is there already, on"]);
    let before = scene.refs();
    let said = scene.said(loser, &["abort", "--why", "the other one was first"]);
    holds(&said, &["`v1.1.0`"]);
    assert_eq!(scene.refs(), before);
    // The next one goes on from there.
    let repo = scene.repo(loser);
    repo.git(&["pull", "--quiet"]);
    repo.commit("prices", "4\n", "fix: prices");
    repo.git(&["push", "--quiet", "origin", "main"]);
    scene.says(loser, &["start"], 0);
    assert_eq!(scene.writes("refs/tags/v1.1.1"), 1);
}

/// A remote that takes one ref at a time and declines the second: what arrived is told, stays, and is not pushed again.
fn one_by_one(scene: &Scene) {
    scene.remote().git(&["config", "receive.advertiseAtomic", "false"]);
    scene.hook("update", DECLINES_TAGS);
    let said = scene.says("ours", &["start"], 4);
    let told = ["no tags today", "refs/heads/main is on the remote, refs/tags/v1.1.0 is not"];
    holds(&said, &told);
    assert_eq!((scene.writes(MAIN), scene.writes(TAG)), (2, 0));
    holds(&scene.said("ours", &["retry"]), &told);
    assert_eq!((scene.writes(MAIN), scene.writes(TAG)), (2, 0));
    scene.unhook("update");
    scene.said("ours", &["retry"]);
    scene.is_out("ours", 2);
}

fn whatever_goes_wrong(transport: Transport) {
    let cases: [fn(&Scene); 7] = [
        tag_on_the_remote_alone,
        moved_between_plan_and_push,
        declined_by_a_hook,
        |scene| cut_off_in_the_middle(scene, "pre-receive"),
        |scene| cut_off_in_the_middle(scene, "post-receive"),
        two_cuts_at_once,
        one_by_one,
    ];
    for case in cases {
        let Some(scene) = Scene::over(transport) else { return };
        case(&scene);
    }
}

#[test]
fn whatever_goes_wrong_over_files_is_told_and_comes_to_an_end() {
    whatever_goes_wrong(Transport::File);
}

#[test]
fn whatever_goes_wrong_over_ssh_is_told_and_comes_to_an_end() {
    whatever_goes_wrong(Transport::Ssh);
}

#[test]
fn whatever_goes_wrong_over_http_is_told_and_comes_to_an_end() {
    whatever_goes_wrong(Transport::Http);
}
