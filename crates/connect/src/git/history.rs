//! Reading history: commits in one pass, as they come out of git.
//!
//! One `git log` for any number of commits. What it prints is taken apart where it lies; only a commit that is torn between
//! two reads is copied together. Nothing here grows with the history, and no message is kept beyond its limit.

use std::borrow::Cow;
use std::ops::ControlFlow;

use jiff::Timestamp;
use memchr::memchr;
use tollgate_engine::ports::{
    CommitFields, CommitRef, CommitSink, HistoryOrder, HistoryQuery, LocalTag, ObjectId, PathFilter,
    PortError, Repository,
};

use super::Git;
use super::fault::permanent;
use super::names;
use super::read::object;
use super::refresh::need_clone;
use super::run::Call;
use super::text;

/// How much of the start and of the end of a commit message is kept, in bytes. Together it is more than anybody reads of one,
/// so that whoever cuts it further, in its middle, sees that it is too long, and nothing of where it was put together.
const MESSAGE_START_BYTES: usize = 64 << 10;
const MESSAGE_END_BYTES: usize = 32 << 10;
const MESSAGE_BYTES: usize = MESSAGE_START_BYTES + MESSAGE_END_BYTES;
/// Longest name or mail address that is kept, in bytes.
const PERSON_BYTES: usize = 1024;
/// Longest list of parents that is read, in bytes; git's own limit for merges is far lower.
const PARENTS_BYTES: usize = 65 * 1024;
/// From so many ends of a range on they are not told in the command line.
const ENDS_MAX: usize = 64;
/// Longest pattern or path of a filter, in bytes.
const PATH_BYTES: usize = 4096;
/// Longest line of `show-ref`, in bytes. git's own names end before that.
const REF_LINE_BYTES: usize = 8 << 10;

/// The fields of a commit in the order in which `git log` is told to print them, each ended by a zero byte.
const ALL: &str = "--format=tformat:%H%x00%P%x00%an%x00%ae%x00%at%x00%ct%x00%B";
const WITHOUT_MESSAGE: &str = "--format=tformat:%H%x00%P%x00%an%x00%ae%x00%at%x00%ct%x00";
const FIELDS: usize = 7;
/// The place of the message among them.
const MESSAGE: usize = FIELDS - 1;
/// How much of each field is kept, and of a longer one as many bytes more as show that it was cut, and where.
const CAPS: [usize; FIELDS] = [64, PARENTS_BYTES, PERSON_BYTES + 4, PERSON_BYTES + 4, 24, 24, MESSAGE_BYTES];

/// Reads commits, and hands each on.
pub(super) async fn commits(
    git: &Git,
    repository: &Repository,
    query: &HistoryQuery,
    sink: &mut CommitSink<'_>,
) -> Result<(), PortError> {
    let to = query.to.iter().map(object).collect::<Result<Vec<_>, _>>()?;
    let what = match to[..] {
        // git would take the head.
        [] => return Ok(()),
        [to] => format!("read the history of {to}"),
        [to, ..] => format!("read the history of {to} and others"),
    };
    need_clone(repository, &what)?;
    let mut call = looking(git, repository, &what).args(["log", "-z", "--no-mailmap", "--no-notes"]).args([
        "--no-patch",
        match query.fields {
            CommitFields::All => ALL,
            CommitFields::WithoutMessage => WITHOUT_MESSAGE,
        },
    ]);
    // For each commit git would else empty its buffer into the pipe, and wake us up for it.
    call = call.variable("GIT_FLUSH", "0");
    if query.order == HistoryOrder::ChildrenFirst {
        call = call.arg("--date-order");
    }
    if !query.paths.is_empty() {
        // Without it git leaves out side branches that came to nothing in the end, with all that they say.
        call = call.arg("--full-history").variable("GIT_LITERAL_PATHSPECS", "0");
    }
    let without = query.without.iter().map(|from| Ok(format!("^{}", object(from)?)));
    let without = without.collect::<Result<Vec<_>, PortError>>()?;
    let ends = to.iter().copied().chain(without.iter().map(String::as_str));
    // So many that they would not fit into a command line go by the input.
    call = match to.len() + without.len() {
        0..ENDS_MAX => call.args(ends),
        _ => call.arg("--stdin").input(ends.flat_map(|end| [end, "\n"]).collect::<String>()),
    };
    call = call.arg("--");
    for path in &query.paths {
        call = call.arg(pathspec(path)?);
    }
    let mut parser = Parser::default();
    let mut broken = false;
    let stopped = call
        .stream(|bytes| match parser.feed(bytes, sink) {
            Ok(flow) => flow,
            Err(Unreadable) => {
                broken = true;
                ControlFlow::Break(())
            }
        })
        .await?;
    if broken || !stopped && parser.is_open() {
        return Err(permanent(what, "a commit could not be read: git printed something unexpected", None));
    }
    Ok(())
}

/// A call that reads a repository, which may be the user's own, and fetches nothing that a partial clone left out.
pub(super) fn looking<'a>(git: &'a Git, repository: &Repository, what: &str) -> Call<'a> {
    Call::within(git, repository, what)
        .configured(&["protocol.allow=never"])
        .variable("GIT_NO_LAZY_FETCH", "1")
}

/// How git is told of paths. Whatever stands in them, it can be nothing but a path or a pattern.
fn pathspec(filter: &PathFilter) -> Result<String, PortError> {
    let path = filter.path.trim_matches('/');
    let refuse = |why: &str| {
        let shown = text::cut(&text::plain(&filter.path), 100);
        let hint = "name it from the top of the repository, such as `packages/web` or `docs/**`";
        Err(permanent(format!("use the path `{shown}`"), why, Some(hint)))
    };
    if path.is_empty() || path == "." {
        return refuse("it names nothing in particular");
    }
    if path.len() > PATH_BYTES {
        return refuse("it is too long");
    }
    if path.chars().any(char::is_control) {
        return refuse("it contains a control character");
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refuse("it has a part that is empty, `.` or `..`");
    }
    let kind = if filter.pattern { "glob" } else { "literal" };
    let except = if filter.except { ",exclude" } else { "" };
    Ok(format!(":(top,{kind}{except}){path}"))
}

/// What git printed is not what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unreadable;

/// Takes the output of `git log` apart, in pieces of any size.
#[derive(Debug, Default)]
struct Parser {
    /// The fields so far of a commit whose end has not come yet, each cut to its limit.
    torn: Vec<u8>,
    /// Where its finished fields end in `torn`.
    ends: Vec<usize>,
    /// Whether bytes of a commit came.
    open: bool,
    texts: Texts,
}

impl Parser {
    /// Whether the output ended in the middle of a commit.
    fn is_open(&self) -> bool {
        self.open
    }

    fn feed(&mut self, mut bytes: &[u8], sink: &mut CommitSink<'_>) -> Result<ControlFlow<()>, Unreadable> {
        while !bytes.is_empty() {
            if !self.open
                && let Some((fields, length)) = whole(bytes)
            {
                if self.texts.emit(fields, sink)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                bytes = &bytes[length..];
                continue;
            }
            bytes = self.piece(bytes);
            if self.ends.len() == FIELDS {
                let mut from = 0;
                let fields = std::array::from_fn(|n| {
                    let field = &self.torn[from..self.ends[n]];
                    from = self.ends[n];
                    field
                });
                let flow = self.texts.emit(fields, sink)?;
                self.torn.clear();
                self.ends.clear();
                self.open = false;
                if flow.is_break() {
                    return Ok(flow);
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes bytes of one field, and gives back what follows.
    fn piece<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        self.open = true;
        let number = self.ends.len();
        let from = self.ends.last().copied().unwrap_or(0);
        let end = memchr(0, bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        if number == MESSAGE {
            keep_ends(&mut self.torn, from, part, end.is_some());
        } else {
            let room = CAPS[number].saturating_sub(self.torn.len() - from);
            self.torn.extend_from_slice(&part[..part.len().min(room)]);
        }
        match end {
            Some(end) => {
                self.ends.push(self.torn.len());
                &bytes[end + 1..]
            }
            None => &[],
        }
    }
}

/// Adds a part of a message that starts at a place, and keeps its start and its end.
fn keep_ends(torn: &mut Vec<u8>, from: usize, part: &[u8], last: bool) {
    let room = MESSAGE_START_BYTES.saturating_sub(torn.len() - from);
    let (start, rest) = part.split_at(part.len().min(room));
    torn.extend_from_slice(start);
    torn.extend_from_slice(&rest[rest.len().saturating_sub(MESSAGE_END_BYTES)..]);
    // Now and then, not for every few bytes that come.
    let most = MESSAGE_BYTES + if last { 0 } else { MESSAGE_END_BYTES };
    if torn.len() - from > most {
        torn.drain(from + MESSAGE_START_BYTES..torn.len() - MESSAGE_END_BYTES);
    }
}

/// The fields of a commit that is there as a whole, each cut to its limit, and how long it is. One whose message is too long is
/// taken piece by piece.
fn whole(bytes: &[u8]) -> Option<([&[u8]; FIELDS], usize)> {
    let mut fields = [&bytes[..0]; FIELDS];
    let mut at = 0;
    for (number, (field, cap)) in fields.iter_mut().zip(CAPS).enumerate() {
        let end = at + memchr(0, &bytes[at..])?;
        if number == MESSAGE && end - at > cap {
            return None;
        }
        *field = &bytes[at..end.min(at + cap)];
        at = end + 1;
    }
    Some((fields, at))
}

/// Room for texts that are not UTF-8 and have to be mended.
#[derive(Debug, Default)]
struct Texts {
    name: String,
    email: String,
    message: String,
}

impl Texts {
    fn emit(
        &mut self,
        fields: [&[u8]; FIELDS],
        sink: &mut CommitSink<'_>,
    ) -> Result<ControlFlow<()>, Unreadable> {
        let [id, parents, name, email, authored, committed, message] = fields;
        let id = std::str::from_utf8(id).ok().filter(|id| names::is_object(id)).ok_or(Unreadable)?;
        let parents = std::str::from_utf8(parents).map_err(|_| Unreadable)?;
        if !parents.is_empty() && !parents.split(' ').all(names::is_object) {
            return Err(Unreadable);
        }
        Ok(sink(CommitRef {
            id,
            parents,
            author_name: readable(name, PERSON_BYTES, &mut self.name),
            author_email: readable(email, PERSON_BYTES, &mut self.email),
            authored_at: timestamp(authored),
            committed_at: timestamp(committed),
            // What is mended may be longer than what was kept.
            message: readable(message, usize::MAX, &mut self.message),
        }))
    }
}

/// The text of some bytes: as it lies there, or mended in `room`.
fn readable<'a>(bytes: &'a [u8], limit: usize, room: &'a mut String) -> &'a str {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= limit => text,
        Ok(text) => &text[..text.floor_char_boundary(limit)],
        Err(_) => {
            *room = text::lossy(bytes, limit);
            room
        }
    }
}

/// Commits made by broken tools have dates that are none, or thousands of years away.
fn timestamp(seconds: &[u8]) -> Timestamp {
    let seconds = std::str::from_utf8(seconds).ok().and_then(|text| text.trim().parse().ok());
    seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// All tags, by name.
///
/// `show-ref` knows what most of them lead to without reading an object, since packed refs say it: with thousands of
/// annotated tags `for-each-ref` takes ten times as long.
pub(super) async fn tags(git: &Git, repository: &Repository) -> Result<Vec<LocalTag>, PortError> {
    let what = "list the tags";
    need_clone(repository, what)?;
    let mut tags: Vec<LocalTag> = Vec::new();
    let listed = looking(git, repository, what)
        .args(["show-ref", "--tags", "--dereference"])
        .records(b'\n', REF_LINE_BYTES, |line| {
            if let Some((id, name)) = tag_line(line) {
                match (name.strip_suffix("^{}"), tags.last_mut()) {
                    (Some(name), Some(tag)) if tag.name == name => tag.commit = ObjectId(id.to_owned()),
                    _ => tags.push(LocalTag {
                        name: name.into_owned(),
                        object: ObjectId(id.to_owned()),
                        commit: ObjectId(id.to_owned()),
                        is_commit: true,
                    }),
                }
            }
            ControlFlow::Continue(())
        })
        .await;
    match listed {
        // It fails when there is none, and says nothing.
        Err(error) if !(tags.is_empty() && error.why == NOTHING_FOUND) => Err(error),
        _ => {
            tell_kinds(git, repository, what, &mut tags).await?;
            Ok(tags)
        }
    }
}

/// Finds out which tags stand on no commit. What is not there, as in a clone that is not whole, is taken for one.
async fn tell_kinds(
    git: &Git,
    repository: &Repository,
    what: &str,
    tags: &mut [LocalTag],
) -> Result<(), PortError> {
    if tags.is_empty() {
        return Ok(());
    }
    let asked: String = tags.iter().flat_map(|tag| [tag.commit.0.as_str(), "\n"]).collect();
    let mut at = 0;
    looking(git, repository, what)
        .args(["cat-file", "--buffer", "--batch-check=%(objecttype)"])
        .input(asked)
        .records(b'\n', REF_LINE_BYTES, |kind| {
            if let Some(tag) = tags.get_mut(at) {
                tag.is_commit = !matches!(kind, b"tree" | b"blob");
            }
            at += 1;
            ControlFlow::Continue(())
        })
        .await?;
    match at == tags.len() {
        true => Ok(()),
        false => Err(permanent(what, "git answered something unexpected", None)),
    }
}

/// How the failure of a call reads that ended with status 1 and said nothing.
const NOTHING_FOUND: &str = "git ended with status 1 and said nothing";

/// A line of `show-ref`: an object, and the name of a tag, or of what it leads to with `^{}` behind it.
fn tag_line(line: &[u8]) -> Option<(&str, Cow<'_, str>)> {
    let end = line.iter().position(|byte| *byte == b' ')?;
    let id = std::str::from_utf8(&line[..end]).ok().filter(|id| names::is_object(id))?;
    let name = line[end + 1..].strip_prefix(b"refs/tags/")?;
    Some((id, String::from_utf8_lossy(name)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tollgate_engine::ports::RawCommit;

    use super::*;

    /// What the parser makes of some output that comes in pieces.
    fn read(output: &[u8], cuts: &[usize]) -> Result<Vec<RawCommit>, Unreadable> {
        let mut commits = Vec::new();
        let mut parser = Parser::default();
        let mut sink = |commit: CommitRef<'_>| {
            commits.push(commit.to_raw());
            ControlFlow::Continue(())
        };
        let mut from = 0;
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (output.len() + 1)).collect();
        cuts.push(output.len());
        cuts.sort_unstable();
        for cut in cuts {
            let _ = parser.feed(&output[from..cut], &mut sink)?;
            from = cut;
        }
        assert!(!parser.is_open());
        Ok(commits)
    }

    fn record(fields: [&[u8]; FIELDS]) -> Vec<u8> {
        fields.iter().flat_map(|field| [*field, b"\0"].concat()).collect()
    }

    #[test]
    fn wrong_dates_do_not_lose_a_commit() {
        let id = "a".repeat(40);
        let of = |at: &str| {
            let output = record([id.as_bytes(), b"", b"n", b"e", at.as_bytes(), b"0", b"m"]);
            read(&output, &[]).unwrap()[0].authored_at
        };
        assert_eq!(of("5"), Timestamp::from_second(5).unwrap());
        for wrong in ["", "x", "99999999999999999999", "9223372036854775807"] {
            assert_eq!(of(wrong), Timestamp::UNIX_EPOCH, "{wrong}");
        }
        assert_eq!(read(&record([b""; FIELDS]), &[]), Err(Unreadable));
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same(
            texts in prop::collection::vec((".{0,40}", prop::collection::vec(1_u8.., 0..200), 0..3_usize), 0..8),
            long in 0..4_usize,
            cuts in prop::collection::vec(any::<usize>(), 0..20),
        ) {
            let id = "0123456789abcdef".repeat(4);
            let mut output = Vec::new();
            for (name, message, parents) in &texts {
                let message = message.repeat(if long == 0 { 500 } else { 1 });
                let parents = vec![&id[..40]; *parents].join(" ");
                let name = name.replace('\0', "");
                output.extend(record([id.as_bytes(), parents.as_bytes(), name.as_bytes(), b"\xff", b"1", b"2", &message]));
            }
            let all = read(&output, &[]).unwrap();
            prop_assert_eq!(all.len(), texts.len());
            for (commit, (name, message, parents)) in all.iter().zip(&texts) {
                prop_assert_eq!(&commit.author_name, &name.replace('\0', ""));
                prop_assert_eq!(&commit.author_email, "\u{fffd}");
                prop_assert_eq!(commit.parents.len(), *parents);
                let message = message.repeat(if long == 0 { 500 } else { 1 });
                let kept = match message.len() {
                    0..=MESSAGE_BYTES => message,
                    long => [&message[..MESSAGE_START_BYTES], &message[long - MESSAGE_END_BYTES..]].concat(),
                };
                prop_assert_eq!(&commit.message, &text::lossy(&kept, usize::MAX));
            }
            prop_assert_eq!(read(&output, &cuts).unwrap(), all);
        }
    }

    #[test]
    fn paths_are_nothing_but_paths() {
        let cases = [
            ("web", Some(":(top,literal)web")),
            ("web/", Some(":(top,literal)web")),
            ("packages/*/src", Some(":(top,glob)packages/*/src")),
            ("!docs/**", Some(":(top,glob,exclude)docs/**")),
            ("--all", Some(":(top,literal)--all")),
            (":(glob)x", Some(":(top,literal):(glob)x")),
            (":!x", Some(":(top,literal):!x")),
            ("../x", None),
            ("a//b", None),
            ("", None),
            (".", None),
            ("/", None),
            ("a\nb", None),
        ];
        for (text, want) in cases {
            assert_eq!(pathspec(&PathFilter::read(text)).ok().as_deref(), want, "{text}");
        }
        assert!(pathspec(&PathFilter::read(&"x".repeat(5000))).is_err());
    }
}
