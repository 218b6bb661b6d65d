//! Probes against small servers that answer as they are told.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tollgate_connect::probe::{HttpProber, TrustedCertificate};
use tollgate_engine::ports::{ProbeAnswer, ProbeRead, ProbeRequest, Prober};

/// A server that knows one answer for each path; it notes what it is asked. A path it does not know is never answered.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answers: Vec<(&'static str, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answers, noted) = (answers.clone(), noted.clone());
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        request.push(stream.read_u8().await.unwrap());
                    }
                    let request = String::from_utf8(request).unwrap();
                    let path = request.split(' ').nth(1).unwrap().to_owned();
                    noted.lock().unwrap().push(request.to_lowercase());
                    match answers.iter().find(|(known, _)| *known == path) {
                        Some((_, answer)) => drop(stream.write_all(answer).await),
                        None => std::future::pending().await,
                    }
                });
            }
        });
        Self { address, asked }
    }

    async fn probe(&self, path: &str, read: ProbeRead) -> ProbeAnswer {
        probe(&format!("http://{}{path}", self.address), read, 20_000).await
    }
}

fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())
            .into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn redirect(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .into_bytes()
}

async fn probe(url: &str, read: ProbeRead, timeout_ms: i64) -> ProbeAnswer {
    let timeout = SignedDuration::from_millis(timeout_ms);
    HttpProber::new().unwrap().probe(&ProbeRequest { url: url.to_owned(), read, timeout }).await
}

#[track_caller]
fn check(answer: &ProbeAnswer, status: Option<u16>, value: Option<&str>, problem: Option<&str>) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.value.as_deref(), value, "{answer:?}");
    match problem {
        Some(words) => assert!(answer.problem.as_deref().unwrap().contains(words), "{answer:?}"),
        None => assert_eq!(answer.problem, None),
    }
}

fn json() -> ProbeRead {
    ProbeRead::Json("/version".to_owned())
}

#[tokio::test]
async fn what_is_asked_for_is_read() {
    let server = Server::start(vec![
        ("/json", answer("200 OK", br#"{"version": "1.2.3", "n": 7}"#)),
        ("/text", answer("200 OK", b" 1.2.3\x1b[31m\n")),
        ("/sick", answer("503 Service Unavailable", br#"{"version": "1.2.3"}"#)),
        ("/none", answer("200 OK", b"")),
        ("/bytes", answer("200 OK", b"\xff\xfe")),
    ])
    .await;
    check(&server.probe("/json", json()).await, Some(200), Some("1.2.3"), None);
    check(&server.probe("/json", ProbeRead::Json("/n".into())).await, Some(200), Some("7"), None);
    check(
        &server.probe("/json", ProbeRead::Json("/x".into())).await,
        Some(200),
        None,
        Some("nothing at `/x`"),
    );
    check(&server.probe("/text", ProbeRead::Body).await, Some(200), Some("1.2.3[31m"), None);
    check(&server.probe("/text", json()).await, Some(200), None, Some("not JSON"));
    check(&server.probe("/bytes", ProbeRead::Body).await, Some(200), Some("\u{fffd}\u{fffd}"), None);
    check(&server.probe("/none", ProbeRead::Body).await, Some(200), None, Some("empty"));
    check(&server.probe("/sick", json()).await, Some(503), None, Some("answered 503"));
    check(&server.probe("/sick", ProbeRead::Status(503)).await, Some(503), Some("503"), None);
    check(&server.probe("/sick", ProbeRead::Status(200)).await, Some(503), None, Some("instead of 200"));
    for request in server.asked.lock().unwrap().iter() {
        assert!(request.contains("cache-control: no-cache"), "{request}");
    }
}

#[tokio::test]
async fn bodies_are_bounded() {
    let endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".iter().copied();
    let chunk = [b"10000\r\n".as_slice(), &[b'a'; 65536], b"\r\n"].concat();
    let endless: Vec<u8> = endless.chain(chunk.repeat(40)).collect();
    let server = Server::start(vec![
        ("/endless", endless),
        ("/full", answer("200 OK", &[b'a'; 64 * 1024])),
        ("/over", answer("200 OK", &[b'a'; 64 * 1024 + 1])),
    ])
    .await;
    check(&server.probe("/full", ProbeRead::Body).await, Some(200), Some(&"a".repeat(256)), None);
    check(&server.probe("/over", ProbeRead::Body).await, Some(200), None, Some("longer than 64 KiB"));
    check(&server.probe("/endless", ProbeRead::Body).await, Some(200), None, Some("longer than 64 KiB"));
    check(&server.probe("/endless", ProbeRead::Status(200)).await, Some(200), Some("200"), None);
}

#[tokio::test]
async fn redirects_stay_on_the_host() {
    let server = Server::start(vec![
        ("/1", redirect("/2")),
        ("/2", redirect("/3")),
        ("/3", redirect("/there")),
        ("/0", redirect("/1")),
        ("/away", redirect("http://localhost:1/there")),
        ("/out", redirect("file:///etc/passwd")),
        ("/there", answer("200 OK", b"here")),
    ])
    .await;
    check(&server.probe("/1", ProbeRead::Body).await, Some(200), Some("here"), None);
    check(&server.probe("/0", ProbeRead::Body).await, None, None, Some("more than 3 times"));
    check(&server.probe("/away", ProbeRead::Body).await, None, None, Some("another host, localhost"));
    check(&server.probe("/out", ProbeRead::Body).await, None, None, Some("neither http nor https"));
    check(&server.probe("/away", ProbeRead::Status(302)).await, Some(302), Some("302"), None);
}

#[tokio::test]
async fn no_answer_is_told_in_plain_words() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = probe(&format!("http://{closed}/"), json(), 20_000).await;
    check(&refused, None, None, Some("connection refused"));

    let unknown = probe("http://no-such-host.invalid/", json(), 20_000).await;
    check(&unknown, None, None, Some("no such host"));

    let server = Server::start(vec![
        ("/garbage", b"\x00\x01 garbage \xff\r\n\r\n".to_vec()),
        ("/nothing", Vec::new()),
        ("/half", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec()),
    ])
    .await;
    check(&server.probe("/garbage", json()).await, None, None, Some("no proper HTTP answer"));
    check(&server.probe("/nothing", json()).await, None, None, Some("connection closed"));
    check(&server.probe("/half", json()).await, Some(200), None, Some(""));
    let hanging = probe(&format!("http://{}/hang", server.address), json(), 200).await;
    check(&hanging, None, None, Some("time-out after 0.2 s"));
}

/// Serves TLS with a certificate that nobody has vouched for, and prints its port.
const TLS_SERVER: &str = "
import http.server, ssl, subprocess, sys
subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=tollgate test', '-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE',
    '-keyout', 'key', '-out', 'cert'], check=True, capture_output=True)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('cert', 'key')
server = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
";

#[tokio::test]
async fn certificates_are_checked() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let mut server = Command::new("python3")
        .args(["-c", TLS_SERVER])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim();
    let untrusted = probe(&format!("https://localhost:{port}/cert"), ProbeRead::Status(200), 20_000).await;
    let plain = probe(&format!("http://localhost:{port}/cert"), ProbeRead::Status(200), 20_000).await;

    let certificate = std::fs::read(folder.path().join("cert")).unwrap();
    let certificate = TrustedCertificate::from_pem(&certificate).unwrap();
    let trusting = HttpProber::trusting(&[certificate]).unwrap();
    let request = |url: String| ProbeRequest {
        url,
        read: ProbeRead::Status(200),
        timeout: SignedDuration::from_secs(20),
    };
    let trusted = trusting.probe(&request(format!("https://localhost:{port}/cert"))).await;
    let misnamed = trusting.probe(&request(format!("https://127.0.0.1:{port}/cert"))).await;
    server.kill().unwrap();
    server.wait().unwrap();

    check(&untrusted, None, None, Some("certificate not valid: "));
    assert!(plain.problem.is_some(), "{plain:?}");
    check(&trusted, Some(200), Some("200"), None);
    check(&misnamed, None, None, Some("certificate not valid: it is for another name"));
}
