//! Mail into a Maildir folder of this machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use async_trait::async_trait;
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use tollgate_engine::ports::{FailureClass, Mail, MailRoute, Mailer, PortError};

/// The longest Message-ID: it is a file name, and other programs add flags to it.
const MESSAGE_ID_MAX_BYTES: usize = 200;

/// The last second that the date of a message can name: 9998-12-31.
const LATEST_SECOND: i64 = 253_370_764_799;

/// Delivers into Maildir folders.
///
/// The name of the file is the Message-ID, so that a message that is there is found again and never delivered twice. One that
/// its reader has moved to another folder or deleted is not found.
#[derive(Debug, Clone, Copy, Default)]
pub struct MaildirMailer;

#[async_trait]
impl Mailer for MaildirMailer {
    async fn delivered(&self, mail: &Mail) -> Result<Option<bool>, PortError> {
        let MailRoute::Maildir(folder) = &mail.via;
        check_message_id(mail)?;
        let (folder, name) = (folder.clone(), mail.message_id.clone());
        let found = blocking(mail, move || find(&folder, &name)).await?;
        Ok(Some(found))
    }

    async fn deliver(&self, mail: &Mail) -> Result<(), PortError> {
        let MailRoute::Maildir(folder) = &mail.via;
        let content = compose(mail)?;
        let (folder, name) = (folder.clone(), mail.message_id.clone());
        blocking(mail, move || if find(&folder, &name)? { Ok(()) } else { write(&folder, &name, &content) })
            .await
    }
}

// ---------------------------------------------------------------- the message

/// The message as it stands in the file: with line feeds alone, as is the custom in a Maildir.
fn compose(mail: &Mail) -> Result<Vec<u8>, PortError> {
    check_message_id(mail)?;
    let seconds = mail.at.as_second();
    if !(0..=LATEST_SECOND).contains(&seconds) {
        return Err(refused(mail, "at", "the date is out of range"));
    }
    if let Some(why) = not_one_line(&mail.subject) {
        return Err(refused(mail, "subject", why));
    }
    if mail.to.is_empty() {
        return Err(refused(mail, "to", "nobody is to receive it"));
    }
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    let mut builder = Message::builder()
        .message_id(Some(format!("<{}>", mail.message_id)))
        .date(SystemTime::from(mail.at))
        .from(mailbox(mail, "from", &mail.from)?)
        .subject(mail.subject.clone())
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()));
    for receiver in &mail.to {
        builder = builder.to(mailbox(mail, "to", receiver)?);
    }
    // The builder ends the body with a line break of its own.
    let body = mail.body.strip_suffix('\n').unwrap_or(&mail.body).to_owned();
    let message = builder
        .singlepart(SinglePart::plain(body))
        .map_err(|error| refused(mail, "body", &error.to_string()))?;
    Ok(with_line_feeds(&message.formatted()))
}

/// Every encoding of a body has CR LF only at the end of lines.
fn with_line_feeds(content: &[u8]) -> Vec<u8> {
    let before_feed = |at: usize| content.get(at + 1) == Some(&b'\n');
    let kept = content.iter().enumerate().filter(|(at, byte)| **byte != b'\r' || !before_feed(*at));
    kept.map(|(_, byte)| *byte).collect()
}

fn mailbox(mail: &Mail, field: &str, text: &str) -> Result<Mailbox, PortError> {
    if let Some(why) = not_one_line(text) {
        return Err(refused(mail, field, why));
    }
    text.parse().map_err(|error| refused(mail, field, &format!("`{text}` is not an address: {error}")))
}

/// Why a text cannot stand in a header. A line break would begin a header of its own.
fn not_one_line(text: &str) -> Option<&'static str> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.contains(breaks).then_some("it has a line break or another control character")
}

fn check_message_id(mail: &Mail) -> Result<(), PortError> {
    let id = &mail.message_id;
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    let part = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(good);
    let is_good = id.split_once('@').is_some_and(|(left, right)| part(left) && part(right));
    if is_good && id.len() <= MESSAGE_ID_MAX_BYTES {
        Ok(())
    } else {
        Err(refused(mail, "message-id", "it is not of the form left@right, or too long"))
    }
}

// ---------------------------------------------------------------- the folder

/// What failed in the folder.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} {}: {source}", path.display())]
struct MaildirError {
    act: &'static str,
    path: PathBuf,
    source: io::Error,
}

fn failed(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MaildirError {
    let path = path.to_owned();
    move |source| MaildirError { act, path, source }
}

/// Whether a message is there. A mail program moves it from `new` to `cur` and adds flags to its name.
fn find(folder: &Path, name: &str) -> Result<bool, MaildirError> {
    for part in ["new", "cur"] {
        let part = folder.join(part);
        let entries = match fs::read_dir(&part) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed("read", &part)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(failed("read", &part))?.file_name();
            let rest = entry.to_str().and_then(|entry| entry.strip_prefix(name));
            // None of these can stand in a Message-ID as we take it.
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', ';', '!', ','])) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Puts a message into `new`, whole or not at all. On the disk when it returns.
fn write(folder: &Path, name: &str, content: &[u8]) -> Result<(), MaildirError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    for part in ["cur", "new", "tmp"] {
        let part = folder.join(part);
        fs::create_dir_all(&part).map_err(failed("make the folder", &part))?;
    }
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let draft = folder.join("tmp").join(format!("{name}.{}.{count}", std::process::id()));
    let new = folder.join("new");
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, new.join(name))
    };
    if let Err(error) = written() {
        // Nothing reads what is left in `tmp`; if it cannot be removed either, no harm is done.
        let _ = fs::remove_file(&draft);
        return Err(failed("write", &draft)(error));
    }
    File::open(&new).and_then(|new| new.sync_all()).map_err(failed("write", &new))
}

// ---------------------------------------------------------------- failures

fn what_of(mail: &Mail) -> String {
    let MailRoute::Maildir(folder) = &mail.via;
    format!("deliver mail to {}", folder.display())
}

/// A message that cannot be delivered as it is. Control characters of what was given are not passed on.
fn refused(mail: &Mail, field: &str, why: &str) -> PortError {
    let why: String = why.chars().filter(|c| !c.is_control()).take(300).collect();
    PortError {
        class: FailureClass::Permanent,
        what: what_of(mail),
        why: format!("`{field}` cannot be used: {why}"),
        hint: None,
        retry_at: None,
    }
}

/// Does something with the folder where it may block.
async fn blocking<T: Send + 'static>(
    mail: &Mail,
    act: impl FnOnce() -> Result<T, MaildirError> + Send + 'static,
) -> Result<T, PortError> {
    let why = match tokio::task::spawn_blocking(act).await {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    Err(PortError { class: FailureClass::Permanent, what: what_of(mail), why, hint: None, retry_at: None })
}
