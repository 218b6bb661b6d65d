//! One case: its world, its commands, what comes out.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tempfile::TempDir;

use crate::redact::redact;
use crate::transcript::{Transcript, fits, shown};
use crate::web;

/// How long one command may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Runs a case; an error is what does not fit.
pub(crate) fn run(folder: &Path) -> Result<(), String> {
    let file = folder.join("case.console");
    let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let mut transcript = Transcript::read(&text);
    let mut world = World::new(folder).map_err(|error| format!("the world of the case: {error}"))?;
    let (mut wrong, mut skipped) = (false, None);
    for block in &mut transcript.blocks {
        let found = world.run(&block.command).map_err(|error| format!("{}: {error}", block.command))?;
        if let Some(why) = found.iter().find_map(|line| line.strip_prefix("SKIPPED: ")) {
            skipped = Some(why.to_owned());
            break;
        }
        if !fits(&block.expected, &found) {
            wrong = true;
            block.expected = found;
        }
    }
    if let Some(why) = skipped {
        report(&format!("SKIPPED: {}: {why}", file.display()));
        return Ok(());
    }
    let found = transcript.write();
    if !wrong {
        return Ok(());
    }
    if switch("UPDATE_CASES") {
        return fs::write(&file, found).map_err(|error| error.to_string());
    }
    let difference = similar::TextDiff::from_lines(&text, &found);
    let difference = difference.unified_diff().context_radius(4).header("expected", "found").to_string();
    Err(format!("{} (UPDATE_CASES=1 takes it over)\n{difference}", file.display()))
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests has to see what was not tested")]
fn report(text: &str) {
    eprintln!("{text}");
}

#[expect(clippy::disallowed_methods, reason = "switches for whoever runs the tests")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn switch(name: &str) -> bool {
    variable(name).is_some_and(|value| value != "0" && !value.is_empty())
}

/// Where the commands of a case run.
struct World {
    root: TempDir,
    path: PathBuf,
    case: PathBuf,
    port: u16,
    login: String,
    groups: Vec<Pid>,
}

impl World {
    fn new(case: &Path) -> std::io::Result<Self> {
        // In memory where that can be: what a disk makes of it is tested elsewhere, and it is twice as fast.
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let root = tempfile::Builder::new().prefix("tollgate-case-").tempdir_in(place)?;
        let path = root.path().canonicalize()?;
        for folder in ["home/www", "work", "bin", "tmp"] {
            fs::create_dir_all(path.join(folder))?;
        }
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tollgate"), path.join("bin/tollgate"))?;
        fs::write(
            path.join("home/.gitconfig"),
            "[user]\n\tname = Ada Adams\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n\
             [advice]\n\tdetachedHead = false\n[gc]\n\tauto = 0\n",
        )?;
        let port = web::serve(path.join("home/www"))?;
        let login = Command::new("id").arg("-un").output()?;
        let login = String::from_utf8_lossy(&login.stdout).trim().to_owned();
        Ok(Self { root, path, case: case.to_owned(), port, login, groups: Vec::new() })
    }

    /// Runs a command; gives what comes out, redacted.
    fn run(&mut self, command: &str) -> std::io::Result<Vec<String>> {
        let (out, err) = (self.path.join("tmp/.stdout"), self.path.join("tmp/.stderr"));
        let mut child = self.bash(command, File::create(&out)?, File::create(&err)?)?;
        let status = self.wait(&mut child)?;
        // Files instead of pipes: what a command leaves running does not hold up the case.
        let read = |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let clean = |text: String| redact(&text, &self.path, &self.login);
        Ok(shown(&clean(read(&out)?), &clean(read(&err)?), status.code()))
    }

    fn bash(&mut self, command: &str, out: File, err: File) -> std::io::Result<Child> {
        let variable = |name: &str| variable(name).unwrap_or_default();
        let path = &self.path;
        let child = Command::new("bash")
            .args(["--noprofile", "--norc", "-c", command])
            .current_dir(path.join("work"))
            .env_clear()
            .env("PATH", format!("{}:{}", path.join("bin").display(), variable("PATH")))
            .env("BASH_ENV", self.case.with_file_name("lib.sh"))
            .env("ROOT", path)
            .env("IN", &self.case)
            .env("PORT", self.port.to_string())
            .env("HOME", path.join("home"))
            .env("TMPDIR", path.join("tmp"))
            .env("XDG_STATE_HOME", path.join("state"))
            .env("XDG_CONFIG_HOME", path.join("home/.config"))
            .env("GIT_CONFIG_GLOBAL", path.join("home/.gitconfig"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_DATE", "@1700000000 +0000")
            .env("GIT_COMMITTER_DATE", "@1700000000 +0000")
            .env("TOLLGATE_AS", "ada")
            .env("COLUMNS", "80")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()?;
        self.groups.extend(i32::try_from(child.id()).ok().and_then(Pid::from_raw));
        Ok(child)
    }

    #[expect(clippy::disallowed_methods, reason = "a command that hangs must not hang the tests")]
    fn wait(&self, child: &mut Child) -> std::io::Result<ExitStatus> {
        let end = Instant::now() + TIMEOUT;
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > end {
                return Err(std::io::Error::other(format!("it still runs after {TIMEOUT:?}")));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for group in &self.groups {
            if test_kill_process_group(*group).is_ok() {
                let _ = kill_process_group(*group, Signal::KILL);
            }
        }
        if switch("KEEP_CASES") {
            self.root.disable_cleanup(true);
            report(&format!("kept {}", self.path.display()));
        }
    }
}
