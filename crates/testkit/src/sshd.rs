//! A real sshd on a high port of this machine, for one test.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where distributions put it; it wants to be started by its full path.
const PLACES: &[&str] = &["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];

/// A running sshd. It lets the current user in with one key, and ends with its value.
#[derive(Debug)]
pub struct Sshd {
    child: Child,
    folder: PathBuf,
    user: String,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sshd {
    /// Starts one whose files are in `folder`. `None` if no sshd is installed, after saying so; where `CI` is set, that is
    /// a failure.
    pub fn start(folder: &Path) -> Option<Sshd> {
        let Some(program) = PLACES.iter().find(|place| Path::new(place).exists()) else {
            skipped("sshd is not installed (Debian: openssh-server)");
            return None;
        };
        std::fs::create_dir_all(folder).expect("a folder for sshd");
        for key in ["host", "user", "stranger"] {
            let file = folder.join(key);
            if !file.exists() {
                run(Command::new("ssh-keygen")
                    .args(["-q", "-t", "ed25519", "-N", "", "-C", key, "-f"])
                    .arg(file));
            }
        }
        std::fs::copy(folder.join("user.pub"), folder.join("authorized")).expect("the authorized keys");
        let user = run(Command::new("id").arg("-un"));
        // As root it insists on this folder; for anybody else it does not matter.
        let _ = std::fs::create_dir_all("/run/sshd");
        // Another test may take a port between our look and sshd's start.
        (0..5)
            .find_map(|_| Sshd::on_free_port(program, folder, &user))
            .or_else(|| panic!("sshd did not start"))
    }

    fn on_free_port(program: &str, folder: &Path, user: &str) -> Option<Sshd> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let text = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {0}/host\nAuthorizedKeysFile {0}/authorized\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\nAllowUsers {user}\nMaxStartups 50\nLogLevel ERROR\n",
            folder.display()
        );
        let config = folder.join("sshd_config");
        std::fs::write(&config, text).expect("sshd's configuration");
        let host = std::fs::read_to_string(folder.join("host.pub")).expect("the host's key");
        std::fs::write(folder.join("known_hosts"), format!("[127.0.0.1]:{port} {host}"))
            .expect("known hosts");
        let log = std::fs::File::create(folder.join("log")).expect("a log");
        let child = Command::new(program)
            .args(["-D", "-e", "-f"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("sshd");
        let mut sshd = Sshd { child, folder: folder.to_owned(), user: user.to_owned(), port };
        for _ in 0..500 {
            if sshd.child.try_wait().expect("sshd's state").is_some() {
                return None;
            }
            if answers(port) {
                return Some(sshd);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// The address of a path on this machine through it.
    pub fn url(&self, path: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", self.user, self.port, path.display())
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a path through another port of this machine, behind which it stands. The host's key is the same.
    pub fn url_through(&self, port: u16, path: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{port}{}", self.user, path.display())
    }

    /// An ssh command that gets in through another port.
    pub fn command_through(&self) -> String {
        format!("{} -o HostKeyAlias=[127.0.0.1]:{}", self.command(), self.port)
    }

    /// An ssh command that gets in.
    pub fn command(&self) -> String {
        self.command_with("user", "known_hosts")
    }

    /// An ssh command whose key is not let in.
    pub fn command_of_stranger(&self) -> String {
        self.command_with("stranger", "known_hosts")
    }

    /// An ssh command that does not know the host.
    pub fn command_without_host(&self) -> String {
        self.command_with("user", "no_known_hosts")
    }

    fn command_with(&self, key: &str, hosts: &str) -> String {
        let folder = self.folder.display();
        format!(
            "ssh -F none -i {folder}/{key} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes \
             -o UserKnownHostsFile={folder}/{hosts} -o GlobalKnownHostsFile=/dev/null"
        )
    }
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let mut greeting = [0; 4];
    stream.read_exact(&mut greeting).is_ok() && &greeting == b"SSH-"
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Says that a test cannot run here; where `CI` is set, that is a failure.
#[allow(clippy::print_stderr, reason = "the reader of the test's output is told")]
pub fn skipped(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    eprintln!("SKIPPED: {why}");
}
