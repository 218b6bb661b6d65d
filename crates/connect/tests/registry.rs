//! Registries that answer as they are told, and what is shown to them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tollgate_connect::probe::HttpProber;
use tollgate_connect::process::Secret;
use tollgate_connect::registry::HttpRegistries;
use tollgate_core::publish::{Credentials, Scheme};
use tollgate_engine::ports::{Answer, FailureClass, Lookup, PortError, Registries, RegistryAnswer};

/// The answer to a path and what was shown.
type Says = fn(&str, Option<&str>, SocketAddr) -> String;

/// A request's line, and what was shown with it.
type Asked = (String, Option<String>);

/// A server that notes what it is asked, and what is shown to it.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    async fn start(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let noted = noted.clone();
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        request.push(stream.read_u8().await.unwrap());
                    }
                    let request = String::from_utf8(request).unwrap();
                    let line = request.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
                    let shown = request.lines().find_map(|line| line.strip_prefix("authorization: "));
                    noted.lock().unwrap().push((line.clone(), shown.map(ToOwned::to_owned)));
                    let answer = says(line.split(' ').nth(1).unwrap(), shown, address);
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { address, asked }
    }

    fn lookup(&self, path: &str) -> Lookup {
        let url = format!("http://{}{path}", self.address);
        Lookup { url, head: false, accept: "*/*".into(), credentials: None }
    }

    async fn ask(&self, lookup: &Lookup) -> Result<RegistryAnswer, PortError> {
        let secrets = BTreeMap::from([("token".to_owned(), Secret::new("s3same"))]);
        HttpRegistries::new(HttpProber::new().unwrap(), Arc::new(secrets)).ask(lookup).await
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(status: &str, more: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{more}\r\n{body}", body.len())
}

fn with_token(lookup: Lookup, scheme: Scheme, always: bool) -> Lookup {
    Lookup { credentials: Some(Credentials { secret: "token".into(), scheme, always }), ..lookup }
}

#[tokio::test]
async fn answers_are_told_apart() {
    let server = Server::start(|path, _, _| match path {
        "/there" => answer("200 OK", "", "a list"),
        "/none" => answer("404 Not Found", "", "<html>"),
        "/gone" => answer("410 Gone", "", ""),
        "/busy" => answer("429 Too Many Requests", "Retry-After: 7\r\n", ""),
        "/busy-without" => {
            answer("429 Too Many Requests", "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n", "")
        }
        "/down" => answer("503 Service Unavailable", "Retry-After: 60\r\n", ""),
        "/broken" => answer("500 Internal Server Error", "", ""),
        "/locked" => answer("403 Forbidden", "", ""),
        "/odd" => answer("418 I'm a teapot", "", ""),
        "/moved" => answer("301 Moved Permanently", "Location: /there\r\n", ""),
        "/away" => answer("302 Found", "Location: http://localhost:1/there\r\n", ""),
        "/circle" => answer("302 Found", "Location: /circle\r\n", ""),
        "/cut" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".into(),
        _ => String::new(),
    })
    .await;
    let there = RegistryAnswer::There(Answer { body: b"a list".to_vec(), digest: None });
    let later = |seconds: Option<i64>| {
        let why = "too many requests".to_owned();
        RegistryAnswer::Later { why, after: seconds.map(SignedDuration::from_secs) }
    };
    for (path, expected) in [
        ("/there", there.clone()),
        ("/moved", there),
        ("/none", RegistryAnswer::Absent),
        ("/gone", RegistryAnswer::Absent),
        ("/busy", later(Some(7))),
        ("/busy-without", later(None)),
    ] {
        assert_eq!(server.ask(&server.lookup(path)).await, Ok(expected), "{path}");
    }
    assert!(matches!(server.ask(&server.lookup("/down")).await, Ok(RegistryAnswer::Later { .. })));
    for (path, class, words) in [
        ("/broken", FailureClass::Transient, "answered 500"),
        ("/cut", FailureClass::Transient, "look at http"),
        ("/silent", FailureClass::Transient, "look at http"),
        ("/locked", FailureClass::Permanent, "answered 403"),
        ("/odd", FailureClass::Permanent, "answered 418"),
        ("/away", FailureClass::Permanent, "redirects to another host"),
        ("/circle", FailureClass::Permanent, "more than 3 times"),
    ] {
        let error = server.ask(&server.lookup(path)).await.unwrap_err();
        assert_eq!(error.class, class, "{path}: {error}");
        assert!(error.to_string().contains(words), "{path}: {error}");
    }
}

#[tokio::test]
async fn a_token_is_shown_when_it_is_asked_for() {
    let server = Server::start(|path, shown, _| match (path, shown) {
        ("/open", _) | (_, Some("s3same" | "Bearer s3same" | "Basic bWU6czNzYW1l")) => {
            answer("200 OK", "", "{}")
        }
        _ => answer("401 Unauthorized", "WWW-Authenticate: Basic realm=\"here\"\r\n", ""),
    })
    .await;
    let lookup = |path: &str, scheme: Scheme| with_token(server.lookup(path), scheme, false);
    server.ask(&lookup("/open", Scheme::Bearer)).await.unwrap();
    assert_eq!(server.asked(), [("GET /open".to_owned(), None)]);
    for scheme in [Scheme::Plain, Scheme::Bearer, Scheme::Basic("me".into())] {
        let answer = server.ask(&lookup("/locked", scheme)).await;
        assert!(matches!(answer, Ok(RegistryAnswer::There(_))), "{answer:?}");
    }
    server.ask(&with_token(server.lookup("/always"), Scheme::Bearer, true)).await.unwrap();
    let last = ("GET /always".to_owned(), Some("Bearer s3same".to_owned()));
    assert_eq!(server.asked().last(), Some(&last));
    let without = server.ask(&server.lookup("/locked")).await.unwrap_err();
    assert!(without.hint.unwrap().contains("`token`"));
    let mut unknown = lookup("/locked", Scheme::Bearer);
    unknown.credentials.as_mut().unwrap().secret = "other".into();
    assert!(server.ask(&unknown).await.unwrap_err().why.contains("no secret named `other`"));
}

#[tokio::test]
async fn a_registry_of_images_names_the_place_for_tokens() {
    let server = Server::start(|path, shown, address| match (path, shown) {
        ("/v2/app/manifests/1", Some("Bearer given")) => {
            answer("200 OK", "Docker-Content-Digest: sha256:1\r\n", "")
        }
        (path, None | Some("Basic bWU6czNzYW1l")) if path.starts_with("/token?service=r&scope=") => {
            answer("200 OK", "", "{\"token\":\"given\"}")
        }
        _ => {
            let realm = format!(
                "Bearer realm=\"http://{address}/token\",service=\"r\",scope=\"repository:app:pull\""
            );
            answer("401 Unauthorized", &format!("WWW-Authenticate: {realm}\r\n"), "")
        }
    })
    .await;
    let stranger = Lookup { head: true, ..server.lookup("/v2/app/manifests/1") };
    let there = RegistryAnswer::There(Answer { body: Vec::new(), digest: Some("sha256:1".into()) });
    assert_eq!(server.ask(&stranger).await, Ok(there.clone()));
    let known = with_token(stranger, Scheme::Basic("me".into()), false);
    assert_eq!(server.ask(&known).await, Ok(there));
    let shown: Vec<Option<String>> = server.asked().into_iter().map(|(_, shown)| shown).collect();
    let (given, basic) = (Some("Bearer given".to_owned()), Some("Basic bWU6czNzYW1l".to_owned()));
    assert_eq!(shown, [None, None, given.clone(), None, basic, given]);
}

#[tokio::test]
async fn lists_in_folders_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _, _| String::new()).await;
    let lookup = |name: &str| Lookup {
        url: format!("file://{}/{name}", folder.path().display()),
        ..server.lookup("/")
    };
    assert_eq!(server.ask(&lookup("Packages")).await, Ok(RegistryAnswer::Absent));
    std::fs::write(folder.path().join("Packages"), "Package: a\n").unwrap();
    let there = RegistryAnswer::There(Answer { body: b"Package: a\n".to_vec(), digest: None });
    assert_eq!(server.ask(&lookup("Packages")).await, Ok(there));
    assert_eq!(server.ask(&lookup("")).await.unwrap_err().class, FailureClass::Permanent);
    assert_eq!(server.asked(), []);
}
