//! The client against a server that misbehaves: scripted, on a real socket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::needless_pass_by_value)]

mod cases;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use cases::*;
use hypervisors::qemu::{Qmp, QmpError, hotplug};
use hypervisors::{ControlError, Guest};
use proptest::prelude::*;
use serde_json::{Value, json};

const GREETING: &str = r#"{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": ""}, "capabilities": ["oob"]}}"#;
/// Long enough for a busy machine wherever an answer is expected.
const PATIENT: Duration = Duration::from_secs(30);
/// Where none is.
const SHORT: Duration = Duration::from_millis(100);

/// What a server does at each command, capabilities excepted.
type Script = Box<dyn FnMut(&Value, &mut UnixStream) + Send>;

/// A server that greets, and then follows the script.
fn serve(mut script: Script) -> (UnixStream, JoinHandle<()>) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || {
        writeln!(theirs, "{GREETING}\r").unwrap();
        let lines = BufReader::new(theirs.try_clone().unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            let request: Value = serde_json::from_str(&line).unwrap();
            if request["execute"] == "qmp_capabilities" {
                answer(&mut theirs, &request, json!({}));
            } else {
                script(&request, &mut theirs);
            }
        }
    });
    (ours, server)
}

fn answer(stream: &mut UnixStream, request: &Value, value: Value) {
    // The client may have gone: its own answer is what the test looks at.
    let _ = writeln!(stream, "{}\r", json!({ "return": value, "id": request["id"] }));
}

fn fail(stream: &mut UnixStream, request: &Value, class: &str, text: &str) {
    let error = json!({ "class": class, "desc": text });
    let _ = writeln!(stream, "{}\r", json!({ "error": error, "id": request["id"] }));
}

fn client(script: Script, deadline: Duration) -> Qmp {
    let (stream, _) = serve(script);
    Qmp::greet(stream, deadline).unwrap()
}

/// A server that answers whatever it is asked with these bytes, then closes.
fn says(bytes: Vec<u8>) -> Result<Value, QmpError> {
    let script: Script = Box::new(move |_, stream| {
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Both);
    });
    client(script, PATIENT).execute("query-status", &Value::Null)
}

#[test]
fn events_that_nobody_knows_are_data() {
    let mut qmp = client(
        Box::new(|request, stream| {
            for n in 0..3 {
                let event = json!({ "event": "NOVELTY_OF_2031", "data": { "n": n }, "timestamp": { "seconds": 1, "microseconds": 2 } });
                writeln!(stream, "{event}\r").unwrap();
            }
            writeln!(stream, "{}\r", json!({ "event": "WITHOUT_DATA" })).unwrap();
            answer(stream, request, json!({ "status": "running", "running": true }));
        }),
        PATIENT,
    );
    assert_eq!(qmp.query_status().unwrap(), "running");
    assert_eq!(qmp.query_status().unwrap(), "running");
    let event = qmp.next_event(SHORT).unwrap().unwrap();
    assert_eq!((event.name.as_str(), &event.data), ("NOVELTY_OF_2031", &json!({ "n": 0 })));
    let rest: Vec<_> = qmp.take_events().into_iter().map(|event| event.name).collect();
    assert_eq!(rest.len(), 7);
    assert_eq!(rest[2], "WITHOUT_DATA");
    assert_eq!(qmp.next_event(SHORT).unwrap(), None);
}

#[test]
fn an_answer_may_come_in_pieces() {
    let mut qmp = client(
        Box::new(|request, stream| {
            let text = format!("{}\r\n", json!({ "return": "ü".repeat(9), "id": request["id"] }));
            for byte in text.bytes() {
                stream.write_all(&[byte]).unwrap();
            }
        }),
        PATIENT,
    );
    assert_eq!(qmp.execute("x", &Value::Null).unwrap(), "ü".repeat(9));
}

#[test]
fn an_answer_may_be_long() {
    let mut qmp = client(
        Box::new(|request, stream| answer(stream, request, json!("x".repeat(3 << 20)))),
        PATIENT,
    );
    assert_eq!(qmp.execute("x", &Value::Null).unwrap().as_str().unwrap().len(), 3 << 20);
}

#[test]
fn a_line_without_end_is_given_up() {
    let mut qmp = client(
        Box::new(|_, stream| {
            // Until the client closes.
            while stream.write_all(&[b'x'; 1 << 16]).is_ok() {}
        }),
        PATIENT,
    );
    assert!(matches!(qmp.execute("x", &Value::Null), Err(QmpError::TooLong)));
}

#[test]
fn what_is_no_answer_is_an_error() {
    for bytes in ["garbage\n", "[]\n", "17\n", "{\"return\": \n", "\u{0}\u{1}\n", "null\n"] {
        let error = says(bytes.into()).unwrap_err();
        assert!(matches!(error, QmpError::Malformed(_)), "{bytes:?}: {error:?}");
    }
    for bytes in ["", "\r\n\r\n", "{\"return\": {}", "{\"event\": \"X\"}\n"] {
        let error = says(bytes.into()).unwrap_err();
        assert!(matches!(error, QmpError::Closed), "{bytes:?}: {error:?}");
    }
    let error = says(vec![0xff, 0xfe, b'\n']).unwrap_err();
    assert!(matches!(error, QmpError::Malformed(_)), "{error:?}");
    let long = says(format!("{}\n", "é".repeat(500)).into()).unwrap_err().to_string();
    assert!(long.chars().count() < 200 && long.contains('…'), "{long}");
}

#[test]
fn garbage_does_not_spoil_what_follows() {
    let mut first = true;
    let mut qmp = client(
        Box::new(move |request, stream| {
            if std::mem::take(&mut first) {
                writeln!(stream, "what?").unwrap();
            }
            answer(stream, request, json!(request["id"]));
        }),
        PATIENT,
    );
    assert!(matches!(qmp.execute("a", &Value::Null), Err(QmpError::Malformed(_))));
    // The first one's own answer is passed over by its id.
    assert_eq!(qmp.execute("b", &Value::Null).unwrap(), json!(2));
}

#[test]
fn a_late_answer_is_told_from_the_next() {
    let mut held = None;
    let mut qmp = client(
        Box::new(move |request, stream| match held.take() {
            None => held = Some(request.clone()),
            Some(old) => {
                answer(stream, &old, json!("late"));
                fail(stream, &old, "GenericError", "late too");
                answer(stream, request, json!("now"));
            }
        }),
        SHORT,
    );
    let error = qmp.execute("slow", &Value::Null).unwrap_err();
    assert_eq!(error.to_string(), "no answer to `slow` within 100 ms");
    // The server is quick from now on, the machine may not be.
    let answer = (0..50).find_map(|_| qmp.execute("quick", &Value::Null).ok());
    assert_eq!(answer, Some(json!("now")));
}

#[test]
fn events_do_not_extend_the_wait() {
    let mut qmp = client(
        Box::new(|_, stream| {
            while writeln!(stream, "{}", json!({ "event": "TICK" })).is_ok() {
                thread::sleep(Duration::from_millis(1));
            }
        }),
        SHORT,
    );
    let error = qmp.execute("x", &Value::Null).unwrap_err();
    assert!(matches!(error, QmpError::Deadline { .. }), "{error:?}");
    assert!(!qmp.take_events().is_empty());
}

#[test]
fn a_full_socket_does_not_hang_the_sender() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    writeln!(theirs, "{GREETING}").unwrap();
    writeln!(theirs, "{}", json!({ "return": {}, "id": 0 })).unwrap();
    let mut qmp = Qmp::greet(ours, SHORT).unwrap();
    // Nobody reads: at some point nothing more goes in.
    let big = json!({ "text": "x".repeat(4 << 20) });
    let error = qmp.execute("x", &big).unwrap_err();
    assert!(matches!(error, QmpError::Deadline { .. }), "{error:?}");
}

#[test]
fn errors_carry_qemus_words() {
    let mut qmp = client(
        Box::new(|request, stream| match request["execute"].as_str().unwrap() {
            "device_del" => fail(stream, request, "DeviceNotFound", "Device 'x' not found"),
            // A command that QEMU cannot parse is answered without an id.
            _ => {
                let error = json!({ "class": "GenericError", "desc": "JSON parse error" });
                writeln!(stream, "{}", json!({ "error": error })).unwrap();
            }
        }),
        PATIENT,
    );
    let error = qmp.device_del("x").unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.to_string(), "`device_del` failed: Device 'x' not found");
    let error = qmp.execute("x", &Value::Null).unwrap_err();
    assert_eq!(error.to_string(), "`x` failed: JSON parse error");
}

#[test]
fn a_server_that_is_not_qemu() {
    for (bytes, want) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", "Malformed"),
        ("{\"return\": {}}\n", "Malformed"),
        ("", "Deadline"),
    ] {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(bytes.as_bytes()).unwrap();
        let error = Qmp::greet(ours, SHORT).unwrap_err();
        assert!(format!("{error:?}").starts_with(want), "{bytes:?}: {error:?}");
    }
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    assert!(matches!(Qmp::greet(ours, PATIENT), Err(QmpError::Closed)));
    let dir = tempfile::tempdir().unwrap();
    let error = Qmp::connect(&dir.path().join("none"), PATIENT).unwrap_err();
    assert!(error.to_string().starts_with("cannot connect to `/"), "{error}");
}

#[test]
fn quit_may_close_before_it_answers() {
    let close: Script = Box::new(|_, stream| stream.shutdown(std::net::Shutdown::Both).unwrap());
    client(close, PATIENT).quit().unwrap();
}

/// A pretended machine of ports and devices, with a log of what it was told.
struct Machine {
    devices: Vec<(String, String)>,
    fails_at: Option<&'static str>,
    on_delete: fn(&str, &mut Vec<(String, String)>, &mut UnixStream),
    log: std::sync::mpsc::Sender<String>,
}

impl Machine {
    fn step(&mut self, request: &Value, stream: &mut UnixStream) {
        let arguments = &request["arguments"];
        let text = |key: &str| arguments[key].as_str().unwrap_or("").to_owned();
        match request["execute"].as_str().unwrap() {
            "qom-list" if text("path") == "/machine/peripheral" => {
                let ports =
                    ["rp1", "rp2"].map(|id| json!({ "name": id, "type": "child<pcie-root-port>" }));
                let others = self
                    .devices
                    .iter()
                    .map(|(id, _)| json!({ "name": id, "type": "child<vfio-pci>" }));
                let kind = json!({ "name": "type", "type": "string" });
                let all: Vec<Value> = ports.into_iter().chain(others).chain([kind]).collect();
                answer(stream, request, json!(all));
            }
            "qom-list" => answer(stream, request, json!([])),
            "qom-get" => {
                let id = text("path").rsplit('/').next().unwrap().to_owned();
                let device = self.devices.iter().find(|device| device.0 == id);
                answer(
                    stream,
                    request,
                    match (text("property").as_str(), device) {
                        ("parent_bus", Some((_, bus))) => {
                            json!(format!("/machine/peripheral/{bus}/{bus}"))
                        }
                        ("parent_bus", None) => json!("/machine/q35/pcie.0"),
                        (_, _) if id == "rp2" => json!(64 * GIB),
                        _ => json!(u64::MAX),
                    },
                );
            }
            "device_add" => {
                self.log.send(format!("add {arguments}")).unwrap();
                if self.fails_at == Some(text("id").as_str()) {
                    return fail(stream, request, "GenericError", "vfio: group is not viable");
                }
                self.devices.push((text("id"), text("bus")));
                answer(stream, request, json!({}));
            }
            "device_del" => {
                let id = text("id");
                self.log.send(format!("del {id}")).unwrap();
                if !self.devices.iter().any(|device| device.0 == id) {
                    return fail(stream, request, "DeviceNotFound", "not found");
                }
                answer(stream, request, json!({}));
                (self.on_delete)(&id, &mut self.devices, stream);
            }
            other => panic!("{other}"),
        }
    }
}

fn goes(id: &str, devices: &mut Vec<(String, String)>, stream: &mut UnixStream) {
    devices.retain(|device| device.0 != id);
    let data = json!({ "device": id, "path": format!("/machine/peripheral/{id}") });
    let _ = writeln!(stream, "{}", json!({ "event": "DEVICE_DELETED", "data": data }));
}

/// A slot leaves whole at the first request, and only what was asked for is announced.
fn goes_whole(id: &str, devices: &mut Vec<(String, String)>, stream: &mut UnixStream) {
    devices.clear();
    goes(id, devices, stream);
}

fn stays(_: &str, _: &mut Vec<(String, String)>, _: &mut UnixStream) {}

fn says_no(id: &str, _: &mut Vec<(String, String)>, stream: &mut UnixStream) {
    let data = json!({ "device": id, "path": format!("/machine/peripheral/{id}") });
    let _ = writeln!(stream, "{}", json!({ "event": "DEVICE_UNPLUG_GUEST_ERROR", "data": data }));
}

type OnDelete = fn(&str, &mut Vec<(String, String)>, &mut UnixStream);

fn machine(
    fails_at: Option<&'static str>,
    on_delete: OnDelete,
) -> (Qmp, std::sync::mpsc::Receiver<String>) {
    let (log, lines) = std::sync::mpsc::channel();
    let mut machine = Machine { devices: Vec::new(), fails_at, on_delete, log };
    let qmp = client(Box::new(move |request, stream| machine.step(request, stream)), PATIENT);
    (qmp, lines)
}

#[test]
fn function_0_comes_last_and_leaves_last() {
    let (mut qmp, log) = machine(None, goes);
    let ids = hotplug::attach(&mut qmp, &gpu()).unwrap();
    assert_eq!(ids, ["pci-0000-65-00.0", "pci-0000-65-00.1"]);
    let error = hotplug::attach(&mut qmp, &gpu()).unwrap_err();
    assert!(error.to_string().contains("has it already"), "{error}");
    qmp.detach(&gpu(), &PATIENT.into()).unwrap();
    let lines: Vec<String> = log.try_iter().collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_guest_without_remapping_is_not_given_what_needs_it() {
    let (mut qmp, log) = machine(None, goes);
    let error = qmp.attach(&device(vec![aic100("0000:81:00.0", 81)])).unwrap_err();
    assert!(matches!(error, ControlError::Refused(_)), "{error:?}");
    assert!(error.to_string().contains("interrupt remapping"), "{error}");
    assert_eq!(log.try_iter().count(), 0);
}

#[test]
fn a_slot_may_leave_whole() {
    let (mut qmp, log) = machine(None, goes_whole);
    qmp.attach(&gpu()).unwrap();
    qmp.detach(&gpu(), &PATIENT.into()).unwrap();
    // Function 0 was asked for as well, and not found is gone.
    assert_eq!(log.try_iter().filter(|line| line.starts_with("del")).count(), 2);
}

#[test]
fn a_failure_half_way_is_taken_back() {
    let (mut qmp, log) = machine(Some("pci-0000-65-00.0"), goes);
    let error = qmp.attach(&gpu()).unwrap_err();
    let ControlError::Socket(error) = error else { panic!("{error:?}") };
    assert!(error.to_string().contains("not viable"), "{error}");
    assert_eq!(log.try_iter().last().unwrap(), "del pci-0000-65-00.1");
    assert_eq!(qmp.peripherals().unwrap().len(), 2);
}

#[test]
fn a_failure_that_cannot_be_taken_back_says_both() {
    let (mut qmp, _log) = machine(Some("pci-0000-65-00.0"), stays);
    let error = qmp.attach(&gpu()).unwrap_err();
    let ControlError::InPart { text, source, .. } = error else { panic!("{error:?}") };
    assert!(text.contains("not viable"), "{text}");
    assert!(matches!(*source, ControlError::NotLetGo { .. }), "{source:?}");
}

#[test]
fn a_guest_that_refuses_is_believed_at_once() {
    let (mut qmp, _log) = machine(None, says_no);
    qmp.attach(&gpu()).unwrap();
    let error = qmp.detach(&gpu(), &PATIENT.into()).unwrap_err();
    assert!(matches!(error, ControlError::GuestRefused { .. }), "{error:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_end_in_an_answer_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = says(bytes);
    }

    #[test]
    fn any_lines_end_in_an_answer_or_an_error(
        lines in proptest::collection::vec(
            prop_oneof![
                Just("{\"return\": {\"status\": \"running\"}, \"id\": 1}"),
                Just("{\"event\": 5}"),
                Just("{\"event\": \"E\", \"data\": [1]}"),
                Just("{\"error\": \"x\", \"id\": 1}"),
                Just("{\"error\": {\"class\": 5}}"),
                Just("{\"id\": 1}"),
                Just("{\"return\": 1, \"id\": \"1\"}"),
            ],
            0..6,
        )
    ) {
        let _ = says(lines.join("\n").into_bytes());
    }
}
