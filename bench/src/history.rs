//! How long `tollgate version` and `tollgate changelog --all` take, beside git reading the same.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::durable::println_;
use crate::{Outcome, now};

/// Rounds; in each every command runs once, so that all of them meet the same disturbances.
const ROUNDS: usize = 9;
/// What a changelog needs of each commit.
const FIELDS: &str = "--format=tformat:%H%x00%P%x00%an%x00%ae%x00%at%x00%B";
/// Other tools that write a changelog, where they are found on the `PATH`. Each prints it.
const RIVALS: [&[&str]; 2] =
    [&["git-cliff", "--offline"], &["cz", "changelog", "--dry-run", "--incremental"]];

/// A repository to measure on.
struct Size {
    name: &'static str,
    commits: usize,
    tags: usize,
    /// Every so many commits there is a merge; 0 for none.
    merges: usize,
}

const SIZES: [Size; 2] = [
    Size { name: "50,000 commits, 500 tags", commits: 50_000, tags: 500, merges: 7 },
    Size { name: "27,000 commits, 12,000 tags", commits: 27_000, tags: 12_000, merges: 0 },
];

/// What a command took, each the median of all rounds.
#[derive(Debug, Default, Clone)]
struct Times {
    wall_ms: Vec<f64>,
    cpu_ms: Vec<f64>,
    rss_kib: Vec<f64>,
}

/// Measures the program at a path.
pub(crate) fn run(tollgate: &str, rivals: bool) -> Outcome {
    let tollgate = std::fs::canonicalize(tollgate)?.display().to_string();
    for size in &SIZES {
        let folder = tempfile::tempdir()?;
        let repository = folder.path().join("repository");
        generate(&repository, size)?;
        println_(&format!("\n{}:", size.name));
        let last = output(&repository, &["git", "describe", "--tags", "--abbrev=0"])?;
        let since = format!("{}..HEAD", last.trim());
        let whole: &[&[&str]] = &[&["git", "log", "-z", FIELDS], &[&tollgate, "changelog", "--all"]];
        let next: &[&[&str]] =
            &[&["git", "describe", "--tags"], &["git", "log", "-z", FIELDS, &since], &[&tollgate, "version"]];
        let mut commands: Vec<&[&str]> = whole.iter().chain(next).copied().collect();
        let found = |command: &&&[&str]| rivals && Command::new(command[0]).arg("--version").output().is_ok();
        commands.extend(RIVALS.iter().filter(found));
        let times = measure(&repository, &commands)?;
        for (command, times) in commands.iter().zip(&times) {
            let name = command.join(" ").replace(&tollgate, "tollgate").replace(FIELDS, "…");
            println_(&format!(
                "  {name}: {:.1} ms, processor {:.0} ms, at most {:.0} MiB",
                median(&times.wall_ms),
                median(&times.cpu_ms),
                median(&times.rss_kib) / 1024.0
            ));
        }
        let of = |at: usize| (median(&times[at].wall_ms), median(&times[at].cpu_ms));
        let (log, ours) = (of(0), of(1));
        println_(&format!(
            "  changelog --all: {:.2} times the time of git log, {:.2} times its processor time",
            ours.0 / log.0,
            ours.1 / log.1.max(1.0)
        ));
        println_(&format!("  version: {:.2} times the time of both gits", of(4).0 / (of(2).0 + of(3).0)));
    }
    Ok(())
}

/// Runs every command once a round.
fn measure(folder: &Path, commands: &[&[&str]]) -> Result<Vec<Times>, Box<dyn std::error::Error>> {
    let mut times = vec![Times::default(); commands.len()];
    for round in 0..=ROUNDS {
        for (command, times) in commands.iter().zip(&mut times) {
            let began = now();
            let output = Command::new("/usr/bin/time")
                .args(["-f", "%U %S %M", "--"])
                .args(*command)
                .current_dir(folder)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()?
                .wait_with_output()?;
            let wall_ms = began.elapsed().as_secs_f64() * 1e3;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if !output.status.success() {
                return Err(format!("{}: {said}", command.join(" ")).into());
            }
            let last = said.trim_end().lines().next_back().unwrap_or_default();
            let numbers: Vec<f64> = last.split(' ').filter_map(|number| number.parse().ok()).collect();
            let [user, system, rss] = numbers[..] else { return Err(format!("time said {last}").into()) };
            // The first round only warms the caches.
            if round > 0 {
                times.wall_ms.push(wall_ms);
                times.cpu_ms.push((user + system) * 1e3);
                times.rss_kib.push(rss);
            }
        }
    }
    Ok(times)
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn output(folder: &Path, command: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
    let output = Command::new(command[0]).args(&command[1..]).current_dir(folder).output()?;
    Ok(String::from_utf8(output.stdout)?)
}

/// A stream of numbers that is the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn words(&mut self, count: usize) -> String {
        const WORDS: [&str; 24] = [
            "add", "remove", "the", "user", "list", "of", "cache", "index", "parser", "when", "empty",
            "reading", "config", "retry", "timeout", "session", "token", "page", "query", "order", "batch",
            "worker", "in", "for",
        ];
        let words: Vec<&str> = (0..count).map(|_| self.pick(&WORDS)).collect();
        words.join(" ")
    }
}

/// Makes the repository, packed and with everything else that git keeps to be fast.
fn generate(folder: &Path, size: &Size) -> Outcome {
    let git = |arguments: &[&str]| Command::new("git").arg("-C").arg(folder).args(arguments).status();
    std::fs::create_dir_all(folder)?;
    git(&["init", "--quiet", "--initial-branch=main"])?;
    let mut child = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()?;
    let mut input = BufWriter::new(child.stdin.take().ok_or("no input")?);
    write_history(&mut input, size)?;
    input.flush()?;
    drop(input);
    if !child.wait()?.success() {
        return Err("git fast-import failed".into());
    }
    git(&["gc", "--quiet"])?;
    Ok(())
}

fn write_history(out: &mut impl Write, size: &Size) -> Outcome {
    const TYPES: [&str; 8] = ["feat", "fix", "docs", "chore", "perf", "refactor", "test", "ci"];
    const SCOPES: [&str; 5] = ["", "(api)", "(web)", "(core)", "(cli)"];
    let mut numbers = Numbers(7);
    let (mut at, mut tags, mut version) = (1_400_000_000_usize, 0, (0_usize, 1_usize));
    for n in 1..=size.commits {
        at += 30 + numbers.below(4_000);
        let author = numbers.below(120).min(numbers.below(120));
        let count = 3 + numbers.below(7);
        let mut message =
            format!("{}{}: {}", numbers.pick(&TYPES), numbers.pick(&SCOPES), numbers.words(count));
        if numbers.below(2) == 0 {
            for _ in 0..=numbers.below(6) {
                message = format!(
                    "{message}\n{}{}",
                    if message.contains('\n') { "" } else { "\n" },
                    numbers.words(10)
                );
            }
        }
        if numbers.below(3) == 0 {
            message = format!("{message}\n\nCloses #{}", 1 + numbers.below(9_999));
        }
        if numbers.below(100) == 0 {
            message = format!("{message}\n\nBREAKING CHANGE: the {} is gone", numbers.words(1));
        }
        let who = format!("Dev {author} <dev{author}@example.org> {at} +0000");
        write!(out, "commit refs/heads/main\nmark :{n}\nauthor {who}\ncommitter {who}\n")?;
        writeln!(out, "data {}\n{message}", message.len())?;
        if n > 1 {
            writeln!(out, "from :{}", n - 1)?;
        }
        if size.merges > 0 && n > 20 && n.is_multiple_of(size.merges) {
            writeln!(out, "merge :{}", n - 2 - numbers.below(10))?;
        }
        write!(out, "M 100644 inline f{}.txt\ndata 9\n{n:08}\n\n", n % 50)?;
        // The last hundred commits or so are not released, but where there are tags all over.
        let gap = size.commits / size.tags;
        if n.is_multiple_of(gap) && tags < size.tags && n + gap.min(60) < size.commits {
            tags += 1;
            version = if tags.is_multiple_of(10) { (version.0 + 1, 0) } else { (version.0, version.1 + 1) };
            let name = format!("v0.{}.{}", version.0, version.1);
            write!(out, "tag {name}\nfrom :{n}\ntagger {who}\ndata 8\nrelease\n\n")?;
        }
    }
    Ok(())
}
