//! A line between a client and a server that can be cut after so many bytes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// What comes after the line was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// New connections work.
    Heals,
    /// New connections are cut at once, until [`Proxy::heal`].
    Stays,
}

#[derive(Debug, Default)]
struct Line {
    /// Bytes that went up and down since the line was made or changed.
    passed: (u64, u64),
    /// The way that is cut, after how many bytes, and what then.
    cut: Option<(Way, u64, Then)>,
    broken: bool,
    cuts: u32,
}

impl Line {
    fn passed(&mut self, way: Way) -> &mut u64 {
        match way {
            Way::Up => &mut self.passed.0,
            Way::Down => &mut self.passed.1,
        }
    }

    /// How many of so many bytes may pass. Fewer than all: the line is cut behind them.
    fn let_pass(&mut self, way: Way, count: u64) -> u64 {
        let allowed = match self.cut {
            _ if self.broken => 0,
            Some((cut, after, _)) if cut == way => count.min(after.saturating_sub(*self.passed(way))),
            _ => count,
        };
        *self.passed(way) += allowed;
        if allowed < count && !self.broken {
            self.cuts += 1;
            self.broken = matches!(self.cut, Some((_, _, Then::Stays)));
            self.cut = None;
        }
        allowed
    }
}

/// A port of this machine behind which another one stands. It ends with the process.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    line: Arc<Mutex<Line>>,
}

impl Proxy {
    /// Starts one before a port of this machine.
    pub fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let line = Arc::new(Mutex::new(Line::default()));
        let shared = line.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let line = shared.clone();
                std::thread::spawn(move || connect(&client, server, &line));
            }
        });
        Self { port, line }
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Counts anew, and cuts the line once so many bytes have passed on a way, over all connections together.
    pub fn cut_after(&self, way: Way, bytes: u64, then: Then) {
        *lock(&self.line) = Line { cut: Some((way, bytes, then)), ..Line::default() };
    }

    /// Counts anew, and lets everything pass.
    pub fn heal(&self) {
        *lock(&self.line) = Line::default();
    }

    /// How many bytes have passed on a way since the line was last changed.
    pub fn passed(&self, way: Way) -> u64 {
        *lock(&self.line).passed(way)
    }

    /// How often the line was cut since it was last changed: once at most.
    pub fn cuts(&self) -> u32 {
        lock(&self.line).cuts
    }
}

fn lock(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(client: &TcpStream, server: u16, line: &Arc<Mutex<Line>>) -> Option<()> {
    if lock(line).broken {
        return client.shutdown(Shutdown::Both).ok();
    }
    let server = TcpStream::connect(("127.0.0.1", server)).ok()?;
    let (from, to, shared) = (client.try_clone().ok()?, server.try_clone().ok()?, line.clone());
    let up = std::thread::spawn(move || pump(&from, &to, Way::Up, &shared));
    pump(&server, client, Way::Down, line);
    up.join().ok()
}

fn pump(mut from: &TcpStream, mut to: &TcpStream, way: Way, line: &Mutex<Line>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let allowed = usize::try_from(lock(line).let_pass(way, count as u64)).unwrap_or(count);
        let sent = to.write_all(&buffer[..allowed]);
        if allowed < count || sent.is_err() {
            // Cut: neither side hears of the other any more.
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says a text through the line, and gives back what came back.
    fn echoed(proxy: &Proxy, text: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        let _ = stream.write_all(text.as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    #[test]
    fn a_line_is_cut_where_it_should_be() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut text = Vec::new();
                let _ = stream.read_to_end(&mut text);
                let _ = stream.write_all(&text);
            }
        });
        let proxy = Proxy::before(port);
        assert_eq!(echoed(&proxy, "hello"), "hello");
        assert_eq!((proxy.passed(Way::Up), proxy.passed(Way::Down)), (5, 5));
        proxy.cut_after(Way::Down, 7, Then::Heals);
        assert_eq!(echoed(&proxy, "hello"), "hello");
        assert_eq!(echoed(&proxy, "hello"), "he");
        assert_eq!(proxy.cuts(), 1);
        assert_eq!(echoed(&proxy, "hello"), "hello");
        proxy.cut_after(Way::Up, 3, Then::Stays);
        assert_eq!((echoed(&proxy, "hello"), echoed(&proxy, "hello")), (String::new(), String::new()));
        assert_eq!((proxy.cuts(), proxy.passed(Way::Up)), (1, 3));
        proxy.heal();
        assert_eq!(echoed(&proxy, "hello"), "hello");
    }
}
