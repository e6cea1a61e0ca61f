//! Guests that are nothing but what they have, and say so on their sockets.
//!
//! In: which functions arrive and leave. Out: QEMU's answers to the commands
//! by which a hand-over is settled.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use model::Bdf;
use serde_json::{Value, json};

/// What each guest has.
type Has = BTreeMap<String, BTreeSet<Bdf>>;

#[derive(Debug)]
pub(super) struct Guests {
    has: Arc<Mutex<Has>>,
    sockets: Vec<PathBuf>,
    over: Arc<AtomicBool>,
}

impl Guests {
    /// Guests, each with the socket on which it answers.
    pub fn new(sockets: Vec<(String, PathBuf)>) -> Self {
        let (has, over) = (Arc::<Mutex<Has>>::default(), Arc::<AtomicBool>::default());
        for (guest, socket) in &sockets {
            let listener = UnixListener::bind(socket).unwrap();
            let (guest, has, over) = (guest.clone(), Arc::clone(&has), Arc::clone(&over));
            thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let has = || has.lock().unwrap().get(&guest).cloned().unwrap_or_default();
                    serve(&stream, has);
                }
            });
        }
        let sockets = sockets.into_iter().map(|(_, socket)| socket).collect();
        Self { has, sockets, over }
    }

    pub fn arrives(&self, guest: &str, bdf: Bdf) {
        self.has.lock().unwrap().entry(guest.to_owned()).or_default().insert(bdf);
    }

    /// A function leaves every guest.
    pub fn leaves(&self, bdf: Bdf) {
        self.has.lock().unwrap().values_mut().for_each(|has| {
            has.remove(&bdf);
        });
    }

    pub fn ends(&self, guest: &str) {
        self.has.lock().unwrap().remove(guest);
    }

    /// What every guest has now.
    pub fn all(&self) -> Has {
        self.has.lock().unwrap().clone()
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.sockets.iter().for_each(|socket| drop(UnixStream::connect(socket)));
    }
}

fn serve(mut stream: &UnixStream, has: impl Fn() -> BTreeSet<Bdf>) {
    let _ = writeln!(stream, r#"{{"QMP": {{}}}}"#);
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let request: Value = serde_json::from_str(&line).unwrap();
        let device = |bdf: &Bdf| {
            let name = format!("pci-{}", bdf.to_string().replace(':', "-"));
            json!({ "name": name, "type": "child<vfio-pci>" })
        };
        let returned = match request["execute"].as_str() {
            Some("qom-list") => has().iter().map(device).collect(),
            _ => json!({}),
        };
        let answer = json!({ "return": returned, "id": request["id"] });
        if stream.write_all(format!("{answer}\n").as_bytes()).is_err() {
            return;
        }
    }
}
