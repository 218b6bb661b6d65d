//! Asking services for facts, against a server on this machine.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use jiff::SignedDuration;
use tollgate_connect::facts::{BODY_MAX_BYTES, HttpFacts};
use tollgate_connect::probe::HttpProber;
use tollgate_connect::process::{Secret, Secrets};
use tollgate_engine::ports::{FactQuestion, Facts};

/// A server that gives these answers, one a connection; and the heads of the requests that it got.
fn server(answers: Vec<String>) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = String::new();
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                let line = line.unwrap();
                if line.is_empty() {
                    break;
                }
                head.push_str(&line);
                head.push('\n');
            }
            tell.send(head).unwrap();
            // Who does not want all of it cuts the connection.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (port, told)
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

fn question(port: u16) -> FactQuestion {
    FactQuestion {
        url: format!("http://127.0.0.1:{port}/issues?label=severe"),
        headers: BTreeMap::from([("X-Team".into(), "shop".into())]),
        secrets: BTreeMap::new(),
        bearer: None,
        timeout: SignedDuration::from_secs(20),
    }
}

async fn ask(question: &FactQuestion) -> Result<String, String> {
    let secrets: BTreeMap<String, Secret> =
        BTreeMap::from([("TRACKER".to_owned(), Secret::new("hunter2-hunter2\n"))]);
    let secrets: Arc<dyn Secrets> = Arc::new(secrets);
    let answer = HttpFacts::new(HttpProber::new().unwrap(), secrets).ask(question).await?;
    Ok(String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn the_body_is_the_answer_and_headers_are_sent() {
    let (port, told) = server(vec![ok("[]")]);
    assert_eq!(ask(&question(port)).await.as_deref(), Ok("[]"));
    let head = told.recv().unwrap();
    assert!(head.starts_with("GET /issues?label=severe HTTP/1.1\n"), "{head}");
    assert!(head.contains("x-team: shop\n") && !head.contains("authorization"), "{head}");
}

#[tokio::test]
async fn secrets_are_headers_and_never_come_back() {
    let (port, told) = server(vec![ok(r#"["you said Bearer hunter2-hunter2"]"#)]);
    let mut question = question(port);
    question.bearer = Some("TRACKER".into());
    question.secrets.insert("Private-Token".into(), "TRACKER".into());
    assert_eq!(ask(&question).await.as_deref(), Ok(r#"["you said Bearer …"]"#));
    let head = told.recv().unwrap();
    assert!(head.contains("authorization: Bearer hunter2-hunter2\n"), "{head}");
    assert!(head.contains("private-token: hunter2-hunter2\n"), "{head}");
}

#[tokio::test]
async fn whatever_is_no_answer_is_told() {
    let (port, _told) = server(vec!["HTTP/1.1 500 Oops\r\ncontent-length: 2\r\n\r\n[]".into()]);
    assert_eq!(ask(&question(port)).await.unwrap_err(), "it answered 500 Internal Server Error");
    assert_eq!(ask(&question(1)).await.unwrap_err(), "connection refused");
    let (port, _told) = server(vec![ok(&"x".repeat(BODY_MAX_BYTES + 1))]);
    assert_eq!(ask(&question(port)).await.unwrap_err(), "the answer is longer than 1024 KiB");
    let missing = FactQuestion { bearer: Some("OTHER".into()), ..question(1) };
    assert!(ask(&missing).await.unwrap_err().starts_with("there is no secret named `OTHER`: "));
}

#[tokio::test]
async fn a_secret_is_shown_to_nobody_else() {
    let with_secret = |port| FactQuestion { bearer: Some("TRACKER".into()), ..question(port) };
    let (other, told_other) = server(vec![ok("[]"), ok("[]")]);
    let (port, _told) = server(vec![redirect(&format!("http://127.0.0.1:{other}/"))]);
    let refused = ask(&with_secret(port)).await.unwrap_err();
    assert_eq!(refused, "it redirects to another port, which is not shown the secret");
    assert!(told_other.try_recv().is_err(), "it was not even asked");
    let (port, _told) = server(vec![redirect(&format!("http://localhost:{other}/"))]);
    assert_eq!(ask(&with_secret(port)).await.unwrap_err(), "it redirects to another host, localhost");
    // Said back in the name of a host, it is told to nobody either.
    let (port, _told) = server(vec![redirect("http://hunter2-hunter2.example.org/")]);
    assert_eq!(ask(&with_secret(port)).await.unwrap_err(), "it redirects to another host, ….example.org");
    let (port, told) = server(vec![redirect("/there"), ok("[1]")]);
    assert_eq!(ask(&with_secret(port)).await.as_deref(), Ok("[1]"));
    assert_eq!(told.iter().take(2).filter(|head| head.contains("Bearer hunter2-hunter2")).count(), 2);
}
