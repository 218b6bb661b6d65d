//! Mail into a Maildir, read back by another implementation.

use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use tollgate_connect::maildir::MaildirMailer;
use tollgate_engine::ports::{FailureClass, Mail, MailRoute, Mailer};

fn mail(folder: &Path) -> Mail {
    Mail {
        message_id: "0199-7.approve@tollgate.example".to_owned(),
        at: "2026-03-04T05:06:07Z".parse::<Timestamp>().unwrap(),
        from: "Tollgate <tollgate@example.org>".to_owned(),
        to: vec!["Zoë Ü <zoe@example.org>".to_owned(), "ops@example.org".to_owned()],
        subject:
            "Zustimmung nötig: server 1.2.3 → production, and this subject is long enough for a second line"
                .to_owned(),
        body: "Hallo Zoë,\n\nFrom here on it is yours.\n.\n  → https://example.org/r/1\n".to_owned(),
        via: MailRoute::Maildir(folder.join("Maildir")),
    }
}

/// Prints every message as JSON, as Python's own mailbox module reads it.
const READER: &str = "
import email.policy, json, mailbox, sys
box = mailbox.Maildir(sys.argv[1], create=False, factory=lambda f: email.message_from_binary_file(f, policy=email.policy.default))
print(json.dumps([{'id': m['Message-ID'], 'subject': m['Subject'], 'from': m['From'], 'to': m['To'], 'date': m['Date'].datetime.isoformat(),
    'type': m.get_content_type(), 'mime': m['MIME-Version'], 'auto': m['Auto-Submitted'], 'body': m.get_content(), 'defects': len(m.defects)}
    for m in box]))
";

fn read(mail: &Mail) -> Vec<serde_json::Value> {
    let MailRoute::Maildir(folder) = &mail.via;
    let output = Command::new("python3").args(["-c", READER]).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn another_program_reads_what_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mail = mail(folder.path());
    assert_eq!(MaildirMailer.delivered(&mail).await.unwrap(), Some(false));
    MaildirMailer.deliver(&mail).await.unwrap();
    assert_eq!(MaildirMailer.delivered(&mail).await.unwrap(), Some(true));

    let messages = read(&mail);
    assert_eq!(messages.len(), 1);
    let message = &messages[0];
    assert_eq!(message["id"], "<0199-7.approve@tollgate.example>");
    assert_eq!(message["subject"], mail.subject.as_str());
    assert_eq!(message["from"], mail.from.as_str());
    assert_eq!(message["to"], "Zoë Ü <zoe@example.org>, ops@example.org");
    assert_eq!(message["date"], "2026-03-04T05:06:07+00:00");
    assert_eq!(message["body"], mail.body.as_str());
    assert_eq!((&message["type"], &message["mime"]), (&"text/plain".into(), &"1.0".into()));
    assert_eq!(message["auto"], "auto-generated");
    assert_eq!(message["defects"], 0);
}

#[tokio::test]
async fn a_message_is_delivered_once() {
    let folder = tempfile::tempdir().unwrap();
    let mail = mail(folder.path());
    MaildirMailer.deliver(&mail).await.unwrap();
    MaildirMailer.deliver(&mail).await.unwrap();
    assert_eq!(read(&mail).len(), 1);

    // Its reader has seen it.
    let maildir = folder.path().join("Maildir");
    let name = &mail.message_id;
    fs::rename(maildir.join("new").join(name), maildir.join("cur").join(format!("{name}:2,RS"))).unwrap();
    assert_eq!(MaildirMailer.delivered(&mail).await.unwrap(), Some(true));
    MaildirMailer.deliver(&mail).await.unwrap();
    assert_eq!(fs::read_dir(maildir.join("new")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(maildir.join("tmp")).unwrap().count(), 0);

    // Another message whose id begins alike is another message.
    let other = Mail { message_id: format!("{name}.x"), ..mail.clone() };
    assert_eq!(MaildirMailer.delivered(&other).await.unwrap(), Some(false));
    let shorter = Mail { message_id: name[..name.len() - 1].to_owned(), ..mail };
    assert_eq!(MaildirMailer.delivered(&shorter).await.unwrap(), Some(false));
}

#[tokio::test]
async fn bodies_of_every_kind_arrive() {
    let folder = tempfile::tempdir().unwrap();
    for (count, body) in
        ["", "no end", "a\r\nb\n", &"x".repeat(5000), "tab\t= =3D \u{1f980}\n", "\u{1b}[2J\0"]
            .iter()
            .enumerate()
    {
        let mail = Mail {
            message_id: format!("{count}@example.org"),
            body: (*body).to_owned(),
            via: MailRoute::Maildir(folder.path().join(count.to_string())),
            ..mail(folder.path())
        };
        MaildirMailer.deliver(&mail).await.unwrap();
        let read = read(&mail);
        let text = read[0]["body"].as_str().unwrap();
        assert_eq!(text.trim_end_matches('\n'), body.replace("\r\n", "\n").trim_end_matches('\n'));
    }
}

#[tokio::test]
async fn hostile_fields_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let good = mail(folder.path());
    let with = |change: fn(&mut Mail)| {
        let mut mail = good.clone();
        change(&mut mail);
        mail
    };
    let cases = [
        ("subject", with(|m| m.subject = "Hello\r\nBcc: all@example.org".to_owned())),
        ("subject", with(|m| m.subject = "Hello\nBcc: all@example.org".to_owned())),
        ("subject", with(|m| m.subject = "Hello\0".to_owned())),
        ("from", with(|m| m.from = "a@example.org\nBcc: all@example.org".to_owned())),
        ("from", with(|m| m.from = "nobody".to_owned())),
        ("to", with(|m| m.to = Vec::new())),
        ("to", with(|m| m.to.push("Eve\r\n <eve@example.org>".to_owned()))),
        ("to", with(|m| m.to.push("a@example.org, b@example.org".to_owned()))),
        ("message-id", with(|m| m.message_id = "../../x@example.org".to_owned())),
        ("message-id", with(|m| m.message_id = ".x@example.org".to_owned())),
        ("message-id", with(|m| m.message_id = "x@example.org>\r\nBcc: all@example.org".to_owned())),
        ("message-id", with(|m| m.message_id = "x".repeat(300) + "@example.org")),
        ("message-id", with(|m| m.message_id = "x".to_owned())),
        ("at", with(|m| m.at = "1960-01-01T00:00:00Z".parse().unwrap())),
        ("at", with(|m| m.at = Timestamp::MAX)),
    ];
    for (field, mail) in cases {
        let error = MaildirMailer.deliver(&mail).await.unwrap_err();
        assert_eq!(error.class, FailureClass::Permanent);
        assert!(error.why.contains(&format!("`{field}`")), "{field}: {error:?}");
        assert!(!error.why.contains(['\r', '\n']), "{error:?}");
    }
    assert!(!folder.path().join("Maildir").exists());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Maildir"), "a file").unwrap();
    let error = MaildirMailer.deliver(&mail(folder.path())).await.unwrap_err();
    assert!(error.to_string().contains("Maildir"), "{error}");
}
