//! What the tests need beside a Rust toolchain: found, or installed where that can be done without asking.

use std::process::Command;

use crate::shell::{cargo, find, in_ci, program, quietly_succeeds, succeeds};

/// A program that tests start.
struct Needed {
    program: &'static str,
    /// Its package on Debian and what comes from it.
    package: &'static str,
}

const fn needed(program: &'static str, package: &'static str) -> Needed {
    Needed { program, package }
}

/// Programs and their packages on Debian.
const NEEDED: &[Needed] = &[
    needed("git", "git"),
    needed("ssh", "openssh-client"),
    needed("ssh-keygen", "openssh-client"),
    needed("sshd", "openssh-server"),
    needed("gpg", "gnupg"),
    needed("gpgsm", "gpgsm"),
    needed("openssl", "openssl"),
    needed("python3", "python3"),
    needed("make", "make"),
    needed("dpkg-deb", "dpkg"),
    needed("reprepro", "reprepro"),
    needed("skopeo", "skopeo"),
    needed("docker-registry", "docker-registry"),
    needed("twine", "twine"),
    needed("npm", "npm"),
];

/// What the calendar is compared with. Debian's package serves Debian's Python alone; any other one brings its own.
const PYTHON_NEEDS: &str = "import zoneinfo, dateutil.rrule; zoneinfo.ZoneInfo('Europe/London')";
const PYTHON_PACKAGE: &str = "python3-dateutil";

/// The runner of the tests. Without its own updater it needs half the crates.
const NEXTEST: &[&str] =
    &["install", "cargo-nextest", "--locked", "--no-default-features", "--features", "default-no-update"];

/// Finds or installs everything. With `CI` set, whatever is missing in the end is a failure; without, it is told.
pub(crate) fn run() -> bool {
    install_packages();
    for part in ["rustfmt", "clippy"] {
        if !has_part(part) {
            succeeds(&mut program("rustup", &["component", "add", part]));
        }
    }
    if !has_nextest() && !succeeds(&mut cargo(NEXTEST)) {
        println!("cargo-nextest cannot be had here: the tests run with `cargo test`");
    }
    if !has_python() && is_root() && find("python3").is_some() {
        let pip = ["-m", "pip", "install", "--quiet", "python-dateutil", "tzdata"];
        succeeds(&mut program("python3", &pip));
    }
    let missing = missing_programs();
    for one in &missing {
        println!("missing: {} (Debian: {})", one.program, one.package);
    }
    if !has_python() {
        println!("missing: a Python with dateutil (Debian: {PYTHON_PACKAGE})");
    }
    let parts = ["rustfmt", "clippy"].into_iter().filter(|part| !has_part(part)).count();
    (missing.is_empty() && parts == 0 && has_python()) || !in_ci()
}

/// Whether one of the Pythons here has what the calendar is compared with; the test takes the same.
fn has_python() -> bool {
    ["python3", "/usr/bin/python3"]
        .iter()
        .any(|python| quietly_succeeds(&mut program(python, &["-c", PYTHON_NEEDS])))
}

/// Whether the toolchain has `rustfmt` or `clippy`.
pub(crate) fn has_part(name: &str) -> bool {
    let command = if name == "rustfmt" { "fmt" } else { name };
    quietly_succeeds(&mut cargo(&[command, "--version"]))
}

/// Whether cargo-nextest is there.
pub(crate) fn has_nextest() -> bool {
    quietly_succeeds(&mut cargo(&["nextest", "--version"]))
}

fn missing_programs() -> Vec<&'static Needed> {
    NEEDED.iter().filter(|one| find(one.program).is_none()).collect()
}

/// Installs what is missing, where that needs nobody's password.
fn install_packages() {
    let mut packages: Vec<&str> = missing_programs().iter().map(|one| one.package).collect();
    if !has_python() {
        packages.push(PYTHON_PACKAGE);
    }
    if packages.is_empty() || find("apt-get").is_none() {
        return;
    }
    if !is_root() {
        println!("not root: packages are left as they are");
        return;
    }
    packages.dedup();
    succeeds(&mut apt(&["update"]));
    let arguments = [&["install", "--yes", "--no-install-recommends"][..], &packages].concat();
    succeeds(&mut apt(&arguments));
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = program("apt-get", &["-qq"]);
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_root() -> bool {
    let id = program("id", &["-u"]).output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
