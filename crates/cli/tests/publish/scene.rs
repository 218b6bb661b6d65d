//! A repository with a release to publish, registries on this machine, and the real tools.

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

/// The token that the registries want.
pub(crate) const TOKEN: &str = "s3same-token";
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether all of these programs are there; says so where one is not, which is a failure where `CI` is set.
pub(crate) fn there(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |program: &&&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let missing: Vec<&&str> = programs.iter().filter(|program| !is_there(program)).collect();
    if !missing.is_empty() {
        assert!(std::env::var_os("CI").is_none(), "there is no {missing:?}");
        eprintln!("SKIPPED: publishing: there is no {missing:?}");
    }
    missing.is_empty()
}

/// A process that ends with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A folder with a home, a repository and its remote, and a state.
pub(crate) struct Scene {
    folder: tempfile::TempDir,
    /// Another one, whose folder is still needed.
    beside: Option<Box<Scene>>,
}

impl Scene {
    /// With these steps after the push of the tag, and these files.
    pub(crate) fn new(steps: &str, files: &[(&str, &str)]) -> Self {
        let scene = Self { folder: tempfile::tempdir().expect("a temporary folder"), beside: None };
        for name in ["home", "registry", "repository"] {
            std::fs::create_dir_all(scene.path(name)).expect("a folder");
        }
        scene.git(&["init", "-q", "--bare", "-b", "main", "../origin.git"]);
        scene.git(&["init", "-q", "-b", "main"]);
        scene.git(&["config", "user.name", "Ana"]);
        scene.git(&["config", "user.email", "ana@example.org"]);
        scene.git(&["remote", "add", "origin", "../origin.git"]);
        let procedure = format!(
            "tollgate: 1\nservice: shop\nrepository: {{ branch: main, url: {} }}\n\
             version: {{ format: vX.Y.Z, files: [VERSION], initial: 1.0.0 }}\n\
             procedures:\n  release:\n    steps:\n      - version.bump: {{}}\n      \
             - git.commit: \"Release {{{{ version }}}}\"\n      - git.tag: {{}}\n      - git.push: [branch, tag]\n{steps}",
            scene.path("origin.git").display()
        );
        scene.write("tollgate.yaml", &procedure);
        scene.write("VERSION", "1.0.0\n");
        for (name, text) in files {
            scene.write(name, text);
        }
        scene.git(&["add", "-A"]);
        scene.git(&["commit", "-q", "-m", "feat: open the shop"]);
        scene.git(&["push", "-q", "-u", "origin", "main"]);
        let adopted = scene.tollgate(&["policy", "adopt"]);
        assert!(adopted.status.success(), "{}", text(&adopted));
        scene
    }

    /// The same, with another one that is needed as long.
    pub(crate) fn and_keep(mut self, other: Self) -> Self {
        self.beside = Some(Box::new(other));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let file = self.path("repository").join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, content).expect("a file");
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        let rustup = std::env::var_os("RUSTUP_HOME").map_or_else(|| home.join(".rustup"), PathBuf::from);
        command
            .current_dir(self.path("repository"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("CARGO_HOME", self.path("home/cargo"))
            .env("RUSTUP_HOME", rustup)
            .env("SHOP_TOKEN", TOKEN)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).output().expect("it runs");
        assert!(output.status.success(), "{program} {arguments:?}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn git(&self, arguments: &[&str]) {
        self.run("git", arguments);
    }

    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_tollgate"));
        command.arg("--state").arg(self.path("state")).args(arguments);
        command
    }

    pub(crate) fn tollgate(&self, arguments: &[&str]) -> Output {
        self.program(arguments).output().expect("tollgate runs")
    }

    /// Starts the release, and lets it come as far as it goes by itself.
    pub(crate) fn release(&self) -> String {
        text(&self.tollgate(&["start", "--set-version", "1.1.0"]))
    }

    /// Goes on until nothing is due any more.
    pub(crate) fn work(&self) -> String {
        text(&self.tollgate(&["work", "--once"]))
    }

    pub(crate) fn status(&self) -> String {
        let output = self.tollgate(&["--json", "status"]);
        let rows: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
        rows[0]["status"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub(crate) fn is_done(&self, said: &str) {
        let why = text(&self.tollgate(&["why"]));
        assert_eq!(self.status(), "done", "{said}\n{why}\n{}", text(&self.tollgate(&["log", "--all"])));
        // Nothing of the token is left anywhere.
        let found =
            self.command("grep").args(["-rl", TOKEN]).arg(self.path("state")).output().expect("grep runs");
        assert_eq!(String::from_utf8_lossy(&found.stdout), "", "the token");
        let log = text(&self.tollgate(&["--json", "log", "--all"]));
        assert!(!log.contains(TOKEN), "{log}");
    }

    /// Starts the registry of crates, Python and npm packages; gives its port.
    pub(crate) fn registry(&self) -> (Running, u16) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/publish/registry.py");
        let mut command = self.command("python3");
        command.arg("-B").arg(script).arg(self.path("registry"));
        let running = Running(command.spawn().expect("python3 runs"));
        let port = self.path("registry/port");
        until("the registry listens", || port.exists());
        let port = std::fs::read_to_string(port).expect("its port").trim().parse().expect("a number");
        (running, port)
    }

    /// Sets a fault of the registry.
    pub(crate) fn fault(&self, name: &str, content: &str) {
        std::fs::write(self.path("registry").join(name), content).expect("a file");
    }

    /// What the registry was asked that starts with this.
    pub(crate) fn requests(&self, start: &str) -> Vec<String> {
        let all = std::fs::read_to_string(self.path("registry/requests")).unwrap_or_default();
        all.lines().filter(|line| line.starts_with(start)).map(ToOwned::to_owned).collect()
    }
}

/// All that a command said.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A port that nobody listens at.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

/// Waits until somebody listens.
pub(crate) fn listens(port: u16) {
    until("a server listens", || {
        let request = format!("GET /v2/ HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        TcpStream::connect(("127.0.0.1", port))
            .is_ok_and(|mut stream| stream.write_all(request.as_bytes()).is_ok())
    });
}
