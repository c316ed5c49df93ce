//! A network that a test can break: a proxy in front of a component's port.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What happens to what is sent through a [`Proxy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Network {
    /// All goes through.
    Healthy,
    /// Connections break, new ones too.
    Cut,
    /// Requests arrive, answers never do; the connection breaks in place of an answer. What a client asked for then
    /// happens without its knowing.
    AnswersLost,
    /// As [`Network::AnswersLost`], but for requests of HTTP's POST only: what changes something.
    PostAnswersLost,
    /// A change of an Iceberg table loses its requirements, as if the catalog behind checked none.
    RequirementsLost,
}

/// A proxy on 127.0.0.1; dropping it breaks all connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    network: AtomicU8,
    delay_ms: AtomicU64,
    ended: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Starts a proxy in front of `target`, a port of 127.0.0.1.
    pub fn start(target: u16) -> Self {
        Self::listen(crate::process::free_port(), target)
    }

    /// As [`Proxy::start`], on a port that was promised to clients.
    pub(crate) fn listen(port: u16, target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap_or_else(|error| panic!("no proxy: {error}"));
        let network = AtomicU8::new(Network::Healthy as u8);
        let delay_ms = AtomicU64::new(0);
        let shared =
            Arc::new(Shared { network, delay_ms, ended: AtomicBool::new(false), open: Mutex::new(Vec::new()) });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || serve(&listener, target, &serving));
        Self { port, shared }
    }

    /// The port that clients use in place of the component's.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Has each piece of an answer, of 64 KiB at the most, take so much longer from now on.
    pub fn delay(&self, by: Duration) {
        self.shared.delay_ms.store(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Changes the network, for connections that are open as well.
    pub fn set(&self, network: Network) {
        self.shared.network.store(network as u8, Ordering::SeqCst);
        if network == Network::Cut {
            self.shared.break_all();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.break_all();
        // Wakes the listener, which then sees that it has ended.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn is(&self, network: Network) -> bool {
        self.network.load(Ordering::SeqCst) == network as u8
    }

    fn break_all(&self) {
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn serve(listener: &TcpListener, target: u16, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        if shared.is(Network::Cut) {
            continue;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
        let both = [client.try_clone(), server.try_clone()];
        shared.open.lock().unwrap_or_else(PoisonError::into_inner).extend(both.into_iter().flatten());
        let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else { continue };
        let posting = Arc::new(AtomicBool::new(false));
        let (posts, asked, demands) = (Arc::clone(&posting), Arc::clone(shared), Arc::clone(shared));
        std::thread::spawn(move || {
            pump(from_client, server, |sent| {
                if demands.is(Network::RequirementsLost) {
                    lose_requirements(sent);
                }
                // A client sends a request at once when the answer before it is there.
                let begins =
                    [&b"POST "[..], b"GET ", b"HEAD ", b"PUT ", b"DELETE "].iter().any(|m| sent.starts_with(m));
                if begins {
                    posts.store(sent.starts_with(b"POST "), Ordering::SeqCst);
                }
                true
            });
        });
        std::thread::spawn(move || {
            pump(from_server, client, |_| {
                std::thread::sleep(Duration::from_millis(asked.delay_ms.load(Ordering::SeqCst)));
                let posting = posting.load(Ordering::SeqCst);
                !(asked.is(Network::AnswersLost) || posting && asked.is(Network::PostAnswersLost))
            });
        });
    }
}

/// Puts blanks in the place of what a commit requires, so that its length stays.
fn lose_requirements(sent: &mut [u8]) {
    const FIELD: &[u8] = b"\"requirements\":[";
    let Some(begin) = sent.windows(FIELD.len()).position(|at| at == FIELD) else { return };
    let list = &mut sent[begin + FIELD.len()..];
    // None of them has a list inside.
    if let Some(length) = list.iter().position(|byte| *byte == b']') {
        list[..length].fill(b' ');
    }
}

/// Copies until either side ends or `passes` says no, then breaks both.
fn pump(mut from: TcpStream, mut to: TcpStream, passes: impl Fn(&mut [u8]) -> bool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !passes(&mut buffer[..length]) || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
