//! Lines that are late, long, cut off or nonsense, and a server that is none.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use hypervisors::qemu::{Qmp, QmpError};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::server::*;

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
