//! A pretended QEMU: it speaks its protocol, has ports and devices, and does
//! what the files in its instance's folder say. A guest is not in it.
//!
//! | file | what it means |
//! |---|---|
//! | `keeps` | the guest lets go of nothing as long as the file is there |
//! | `slow` | `device_add` is answered when the file is gone |
//! | `asked` | written at each `device_add` and `device_del` |

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// The variable that holds its command line.
pub const ARGS: &str = "PRETENDED_QEMU";

/// One device, or port.
struct Device {
    /// Empty for one without a name.
    id: String,
    kind: String,
    bus: String,
    /// Its number on that bus: the slot and, in the low three bits, the function.
    devfn: u8,
}

impl Device {
    /// What it is told to be: the property of each key.
    fn told(kind: &str, property: impl Fn(&str) -> String) -> Self {
        let devfn = devfn(&property("addr"));
        Self { id: property("id"), kind: kind.to_owned(), bus: property("bus"), devfn }
    }

    fn shares_slot(&self, bus: &str, devfn: u8) -> bool {
        self.bus == bus && self.devfn >> 3 == devfn >> 3
    }
}

/// A slot and a function as QEMU is told them (`0x1.0x2`).
fn devfn(addr: &str) -> u8 {
    let number = |text: &str| u8::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or(0);
    let (slot, function) = addr.split_once('.').unwrap_or((addr, ""));
    number(slot) << 3 | number(function)
}

struct Qemu {
    folder: PathBuf,
    paused: bool,
    devices: Mutex<Vec<Device>>,
    clients: Mutex<Vec<UnixStream>>,
}

/// The program that behaves as QEMU does.
pub fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/instances/pretended-qemu")
}

#[test]
#[ignore = "a program for the other tests to start"]
fn program() {
    let Ok(args) = std::env::var(ARGS) else { return };
    let words: Vec<&str> = args.split(' ').collect();
    let options = |name: &'static str| {
        words.windows(2).filter(move |pair| pair[0] == name).map(|pair| pair[1])
    };
    let property = |text: &str, key: &str| {
        let found = text.split(',').find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
        found.unwrap_or_default().to_owned()
    };
    let devices = options("-device")
        .map(|text| Device::told(text.split(',').next().unwrap(), |key| property(text, key)));
    let sockets = options("-chardev").filter(|text| property(text, "id").starts_with("qmp"));
    let sockets: Vec<PathBuf> = sockets.map(|text| property(text, "path").into()).collect();
    let qemu = Arc::new(Qemu {
        folder: sockets[0].parent().unwrap().to_owned(),
        paused: words.contains(&"-S"),
        devices: Mutex::new(devices.collect()),
        clients: Mutex::default(),
    });
    // All are there before any is answered, as QEMU's are.
    let listeners: Vec<UnixListener> =
        sockets.iter().map(|socket| UnixListener::bind(socket).unwrap()).collect();
    for listener in listeners {
        let qemu = Arc::clone(&qemu);
        thread::spawn(move || listener.incoming().flatten().for_each(|it| qemu.serve(&it)));
    }
    let mut ends = signal_hook::iterator::Signals::new([signal_hook::consts::SIGTERM]).unwrap();
    let _ = ends.forever().next();
    std::process::exit(0);
}

impl Qemu {
    /// One client at a time, as QEMU does.
    fn serve(self: &Arc<Self>, mut stream: &UnixStream) {
        let _ = writeln!(stream, r#"{{"QMP": {{}}}}"#);
        self.clients.lock().unwrap().push(stream.try_clone().unwrap());
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let request: Value = serde_json::from_str(&line).unwrap();
            let mut answer = self.answer(&request);
            answer["id"] = request["id"].clone();
            if say(stream, &answer).is_err() {
                return;
            }
        }
    }

    fn answer(self: &Arc<Self>, request: &Value) -> Value {
        let arguments = &request["arguments"];
        let text = |key: &str| arguments[key].as_str().unwrap_or_default().to_owned();
        let returned = match request["execute"].as_str().unwrap() {
            "query-status" => {
                json!({ "status": if self.paused { "prelaunch" } else { "running" } })
            }
            "qom-list" if text("path") == "/machine/peripheral" => self.list(true),
            "qom-list" if text("path") == "/machine/peripheral-anon" => self.list(false),
            "qom-list" => json!([]),
            "qom-get" => match self.get(&text("path"), &text("property")) {
                Some(value) => value,
                None => return refusal("GenericError", "no such property"),
            },
            "device_add" => {
                self.asked();
                while self.folder.join("slow").exists() {
                    thread::sleep(Duration::from_millis(5));
                }
                self.devices.lock().unwrap().push(Device::told(&text("driver"), text));
                json!({})
            }
            "device_del" => {
                let known = self.devices.lock().unwrap().iter().any(|it| it.id == text("id"));
                if !known {
                    return refusal("DeviceNotFound", "no such device");
                }
                self.asked();
                let (qemu, id) = (Arc::clone(self), text("id"));
                thread::spawn(move || qemu.let_go(&id));
                json!({})
            }
            _ => json!({}),
        };
        json!({ "return": returned })
    }

    fn list(&self, named: bool) -> Value {
        let devices = self.devices.lock().unwrap();
        let devices = devices.iter().filter(|device| device.id.is_empty() != named);
        let entry = |device: &Device| json!({ "name": device.id, "type": format!("child<{}>", device.kind) });
        devices.map(entry).collect()
    }

    fn get(&self, path: &str, property: &str) -> Option<Value> {
        let id = path.strip_prefix("/machine/peripheral/")?;
        let devices = self.devices.lock().unwrap();
        let Device { bus, devfn, .. } = devices.iter().find(|it| it.id == id)?;
        Some(match property {
            "addr" => json!(devfn),
            "parent_bus" => json!(format!("/machine/peripheral/{bus}/{bus}")),
            _ => json!(1_u64 << 40),
        })
    }

    /// The guest's operating system takes its time, and lets go of the whole
    /// slot at the first request.
    fn let_go(&self, id: &str) {
        while self.folder.join("keeps").exists() {
            thread::sleep(Duration::from_millis(5));
        }
        let mut devices = self.devices.lock().unwrap();
        // A request for its sibling was first.
        let Some(at) = devices.iter().position(|it| it.id == id) else { return };
        let Device { bus, devfn, .. } = devices.swap_remove(at);
        devices.retain(|it| !it.shares_slot(&bus, devfn));
        drop(devices);
        let event = json!({ "event": "DEVICE_DELETED", "data": { "device": id } });
        let mut clients = self.clients.lock().unwrap();
        clients.retain_mut(|client| say(client, &event).is_ok());
    }

    fn asked(&self) {
        let _ = std::fs::write(self.folder.join("asked"), "");
    }
}

/// One line in one piece: two that speak at once do not mix.
fn say(mut stream: &UnixStream, message: &Value) -> std::io::Result<()> {
    stream.write_all(format!("{message}\n").as_bytes())
}

fn refusal(class: &str, text: &str) -> Value {
    json!({ "error": { "class": class, "desc": text } })
}
