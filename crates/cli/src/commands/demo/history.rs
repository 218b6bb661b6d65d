//! The history of the demo's repository: written in one stream, with fixed dates, so that it is the same everywhere but for the
//! addresses in its last commit.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use jiff::Timestamp;
use jiff::civil::Date;
use tollgate_core::changelog::{ChangelogRules, Links, Release, prepend, render};
use tollgate_core::commits::{Change, CommitText};
use tollgate_core::version::VersionFormat;

use super::git;
use crate::error::CliError;

const ANA: (&str, &str) = ("Ana Alves", "ana@example.org");
const KIM: (&str, &str) = ("Kim Kato", "kim@example.org");
const LEE: (&str, &str) = ("Lee Lindqvist", "lee@example.org");
const NOOR: (&str, &str) = ("Noor Nasser", "noor@example.org");

/// The page that the changelog links to.
const PAGE: &str = "https://git.example.org/sync/server-syncstorage";
/// The first line of every changelog section is made in this form.
const FORMAT: &str = "X.Y.Z";

/// What one commit does to a file.
enum Edit {
    /// It is this now.
    Is(&'static str, &'static str),
    /// It has this more at its end.
    More(&'static str, &'static str),
}

use Edit::{Is, More};

/// One entry of the history.
enum Past {
    /// A commit: when, who, the message, the edits.
    Commit(&'static str, (&'static str, &'static str), &'static str, &'static [Edit]),
    /// A release: when, its version.
    Release(&'static str, &'static str),
}

const HISTORY: &[Past] = &[
    Past::Commit(
        "2026-01-12T09:14:00Z",
        ANA,
        "feat: serve collections and their objects",
        &[
            Is("README.md", include_str!("files/README.md")),
            Is("tests.sh", include_str!("files/tests.sh")),
            Is("deploy.sh", include_str!("files/deploy.sh")),
            Is("syncstorage/__init__.py", "\"\"\"The storage service for synchronised data.\"\"\"\n"),
            Is(
                "syncstorage/storage.py",
                "\"\"\"Collections of objects, one set for each user.\"\"\"\n\n\n\
                 def get(user, collection):\n    return user.collections[collection]\n",
            ),
        ],
    ),
    Past::Commit(
        "2026-01-15T15:40:00Z",
        NOOR,
        "fix(storage): keep the order of objects that have one timestamp\n\nCloses #31",
        &[More(
            "syncstorage/storage.py",
            "\n\ndef in_order(objects):\n    return sorted(objects, key=lambda o: (o.modified, o.id))\n",
        )],
    ),
    Past::Commit(
        "2026-01-20T10:05:00Z",
        LEE,
        "feat(metrics): count requests by collection",
        &[Is(
            "syncstorage/metrics.py",
            "\"\"\"What is counted.\"\"\"\n\nrequests = {}\n\n\ndef count(collection):\n    \
             requests[collection] = requests.get(collection, 0) + 1\n",
        )],
    ),
    Past::Release("2026-01-22T13:00:00Z", "1.7.0"),
    Past::Commit(
        "2026-01-29T08:32:00Z",
        KIM,
        "fix(tokens): refuse a token that comes from the future",
        &[Is(
            "syncstorage/tokens.py",
            "\"\"\"Who asks.\"\"\"\n\n\ndef valid(token, now):\n    return token.issued <= now < token.expires\n",
        )],
    ),
    Past::Commit(
        "2026-02-03T16:21:00Z",
        NOOR,
        "feat(storage): remove expired objects in batches\n\nCloses #44",
        &[More(
            "syncstorage/storage.py",
            "\n\ndef purge(objects, now, batch=1000):\n    return [o for o in objects if o.expires < now][:batch]\n",
        )],
    ),
    Past::Commit(
        "2026-02-05T11:11:00Z",
        LEE,
        "docs: explain how objects expire",
        &[More(
            "README.md",
            "\nAn object with a time to live is removed once that has passed, a thousand at a time.\n",
        )],
    ),
    Past::Release("2026-02-09T13:30:00Z", "1.8.0"),
    Past::Commit(
        "2026-02-16T09:48:00Z",
        NOOR,
        "feat(storage): limit the size of one upload\n\nCloses #52",
        &[More(
            "syncstorage/storage.py",
            "\n\nUPLOAD_MAX_BYTES = 2 * 1024 * 1024\n\n\ndef fits(upload):\n    return len(upload) <= UPLOAD_MAX_BYTES\n",
        )],
    ),
    Past::Commit(
        "2026-02-18T14:02:00Z",
        KIM,
        "fix(storage): try once more when the database is locked\n\nCloses #57",
        &[More(
            "syncstorage/storage.py",
            "\n\ndef patiently(query):\n    try:\n        return query()\n    except Locked:\n        return query()\n",
        )],
    ),
    Past::Commit(
        "2026-02-24T10:37:00Z",
        LEE,
        "perf(metrics): count without a lock",
        &[More("syncstorage/metrics.py", "\n\ndef total():\n    return sum(requests.values())\n")],
    ),
    Past::Commit(
        "2026-02-26T17:15:00Z",
        NOOR,
        "docs: say how large an upload can be",
        &[More("README.md", "\nOne upload holds at most 2 MiB.\n")],
    ),
];

/// When the procedure file was committed, last of all, and by whom.
const LAST: (&str, (&str, &str), &str) =
    ("2026-03-02T09:00:00Z", ANA, "chore: describe the release procedure in tollgate.yaml");

/// Writes the history into a bare repository. `procedure` is the text of its procedure file. Gives the number of commits.
pub(super) fn write(repository: &Path, procedure: &str) -> Result<usize, CliError> {
    let mut writer = Writer::new(repository)?;
    for past in HISTORY {
        match past {
            Past::Commit(at, author, message, edits) => {
                for edit in *edits {
                    writer.edit(edit);
                }
                writer.commit(at, *author, message)?;
            }
            Past::Release(at, version) => writer.release(at, version)?,
        }
    }
    let (at, author, message) = LAST;
    writer.files.insert("tollgate.yaml".to_owned(), procedure.to_owned());
    writer.commit(at, author, message)?;
    writer.end()
}

/// `git fast-import`, and what it was given so far.
struct Writer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// All files, as the next commit has them.
    files: BTreeMap<String, String>,
    changes: Vec<Change>,
    commits: usize,
}

fn broken(error: &std::io::Error) -> CliError {
    git::failed("git fast-import", &error.to_string())
}

fn wrong(error: impl std::fmt::Display) -> CliError {
    CliError::error("demo", format!("the demo's history: {error}"))
}

impl Writer {
    fn new(repository: &Path) -> Result<Self, CliError> {
        let mut command = git::command(repository);
        command.args(["fast-import", "--quiet", "--done"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(|error| git::not_run("git fast-import", &error))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(git::failed("git fast-import", "it has no pipes"));
        };
        let output = BufReader::new(output);
        let files = BTreeMap::from([("setup.py".to_owned(), setup_py("1.6.0"))]);
        Ok(Self { process, input, output, files, changes: Vec::new(), commits: 0 })
    }

    fn edit(&mut self, edit: &Edit) {
        match edit {
            Is(path, text) => {
                self.files.insert((*path).to_owned(), (*text).to_owned());
            }
            More(path, text) => self.files.entry((*path).to_owned()).or_default().push_str(text),
        }
    }

    /// Commits all files as they are.
    fn commit(&mut self, at: &str, author: (&str, &str), message: &str) -> Result<(), CliError> {
        self.commits += 1;
        let who = person(at, author)?;
        let mut stream = format!(
            "commit refs/heads/master\nmark :{}\nauthor {who}\ncommitter {who}\n{}deleteall\n",
            self.commits,
            data(&format!("{message}\n"))
        );
        for (path, text) in &self.files {
            let mode = if path.ends_with(".sh") { "100755" } else { "100644" };
            stream.push_str(&format!("M {mode} inline {path}\n{}", data(text)));
        }
        stream.push_str(&format!("get-mark :{}\n", self.commits));
        self.send(&stream)?;
        let mut commit = String::new();
        self.output.read_line(&mut commit).map_err(|error| broken(&error))?;
        let (author_name, author_email) = author;
        let text = CommitText { commit: commit.trim(), author_name, author_email, message };
        self.changes.insert(0, Change::read(text, &[]));
        Ok(())
    }

    /// Commits the version and its changelog section, and tags that, as Tollgate will do it for the next one.
    fn release(&mut self, at: &str, version: &str) -> Result<(), CliError> {
        let format = VersionFormat::new(FORMAT).map_err(wrong)?;
        let parsed = format.parse_text(version).ok_or_else(|| wrong(version))?;
        let rules =
            ChangelogRules { links: Links::to_page(PAGE).map_err(wrong)?, ..ChangelogRules::default() };
        let day: Date = at.get(..10).unwrap_or_default().parse().map_err(wrong)?;
        let release = Release {
            version: &parsed,
            tag: version,
            previous_tag: None,
            date: day,
            changes: &self.changes,
            newcomers: &[],
        };
        let section = render(&rules, &release).map_err(wrong)?;
        let before = self.files.get("CHANGELOG.md").cloned().unwrap_or_default();
        let after = prepend(before.as_bytes(), &section).map_err(wrong)?;
        self.files.insert("CHANGELOG.md".to_owned(), String::from_utf8_lossy(&after).into_owned());
        self.files.insert("setup.py".to_owned(), setup_py(version));
        let message = format!("chore: tag {version}");
        self.commit(at, ANA, &message)?;
        self.changes.clear();
        let tagger = person(at, ANA)?;
        let tag = format!(
            "tag {version}\nfrom :{}\ntagger {tagger}\n{}",
            self.commits,
            data(&format!("{message}\n"))
        );
        self.send(&tag)
    }

    fn send(&mut self, stream: &str) -> Result<(), CliError> {
        self.input
            .write_all(stream.as_bytes())
            .and_then(|()| self.input.flush())
            .map_err(|error| broken(&error))
    }

    fn end(mut self) -> Result<usize, CliError> {
        self.send("done\n")?;
        let commits = self.commits;
        drop(self.input);
        let status = self.process.wait().map_err(|error| broken(&error))?;
        if status.success() { Ok(commits) } else { Err(git::failed("git fast-import", &status.to_string())) }
    }
}

fn setup_py(version: &str) -> String {
    include_str!("files/setup.py").replace("@VERSION@", version)
}

fn data(text: &str) -> String {
    format!("data {}\n{text}\n", text.len())
}

fn person(at: &str, (name, mail): (&str, &str)) -> Result<String, CliError> {
    let at: Timestamp = at.parse().map_err(wrong)?;
    Ok(format!("{name} <{mail}> {} +0000", at.as_second()))
}
