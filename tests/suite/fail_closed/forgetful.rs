//! An object store that answers as S3 does, but for the conditions of a request: it does not read those that it is made
//! to ignore. No real store that can be had does so any longer, and those that users have may.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The objects by their paths, and how often any was written: the newest one's tag.
#[derive(Default)]
struct Objects {
    by_path: HashMap<String, (u64, Vec<u8>)>,
    writes: u64,
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

/// Starts a store that ignores these headers, as long as the test lives. Gives its port.
pub(super) fn start(ignored: &'static [&'static str]) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("a bound port").port();
    let objects = Arc::new(Mutex::new(Objects::default()));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let objects = Arc::clone(&objects);
            std::thread::spawn(move || serve(&client, &objects, ignored));
        }
    });
    port
}

fn serve(client: &TcpStream, objects: &Mutex<Objects>, ignored: &[&str]) -> Option<()> {
    let mut reader = BufReader::new(client);
    loop {
        let mut request = Request::read(&mut reader)?;
        request.headers.retain(|name, _| !ignored.contains(&name.as_str()));
        let (status, tag, body) = objects.lock().ok()?.answer(request);
        let (mut client, length) = (client, body.len());
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nETag: \"{tag}\"\r\n\
             Last-Modified: Fri, 30 Jan 2026 00:00:00 GMT\r\n\r\n"
        );
        client.write_all(&[head.as_bytes(), &body].concat()).ok()?;
    }
}

impl Request {
    fn read(reader: &mut BufReader<&TcpStream>) -> Option<Self> {
        let mut line = || {
            let mut line = String::new();
            (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
        };
        let first = line()?;
        let mut headers = HashMap::new();
        while let Some((name, value)) = line()?.split_once(": ") {
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let mut body = vec![0; headers.get("content-length").map_or(0, |n| n.parse().unwrap_or(0))];
        reader.read_exact(&mut body).ok()?;
        let (method, target) = first.split_once(' ')?;
        let target = target.split(' ').next()?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Some(Self { method: method.into(), path: path.into(), query: query.into(), headers, body })
    }
}

impl Objects {
    fn answer(&mut self, request: Request) -> (&'static str, u64, Vec<u8>) {
        let tag = self.by_path.get(&request.path).map(|(tag, _)| *tag);
        match request.method.as_str() {
            "PUT" => {
                let is_new = request.headers.get("if-none-match").is_none_or(|_| tag.is_none());
                let is_known = request
                    .headers
                    .get("if-match")
                    .is_none_or(|wanted| tag.is_some_and(|tag| *wanted == format!("\"{tag}\"")));
                if !(is_new && is_known) {
                    return ("412 Precondition Failed", 0, Vec::new());
                }
                self.writes += 1;
                self.by_path.insert(request.path, (self.writes, request.body));
                ("200 OK", self.writes, Vec::new())
            }
            "DELETE" => {
                self.by_path.remove(&request.path);
                ("204 No Content", 0, Vec::new())
            }
            _ if request.query.contains("list-type=2") => {
                let nothing =
                    "<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>";
                ("200 OK", 0, nothing.into())
            }
            _ => match self.by_path.get(&request.path) {
                Some((tag, body)) => ("200 OK", *tag, body.clone()),
                None => ("404 Not Found", 0, b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
            },
        }
    }
}
