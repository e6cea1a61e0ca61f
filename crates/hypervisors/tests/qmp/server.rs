//! A server that greets, and then does what a test says.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hypervisors::qemu::Qmp;
use serde_json::{Value, json};

pub const GREETING: &str = r#"{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": ""}, "capabilities": ["oob"]}}"#;
/// Long enough for a busy machine wherever an answer is expected.
pub const PATIENT: Duration = Duration::from_secs(30);
/// Where none is.
pub const SHORT: Duration = Duration::from_millis(100);

/// What a server does at each command, capabilities excepted.
pub type Script = Box<dyn FnMut(&Value, &mut UnixStream) + Send>;

/// A server that greets, and then follows the script.
pub fn serve(mut script: Script) -> (UnixStream, JoinHandle<()>) {
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

pub fn answer(stream: &mut UnixStream, request: &Value, value: Value) {
    // The client may have gone: its own answer is what the test looks at.
    let _ = writeln!(stream, "{}\r", json!({ "return": value, "id": request["id"] }));
}

pub fn fail(stream: &mut UnixStream, request: &Value, class: &str, text: &str) {
    let error = json!({ "class": class, "desc": text });
    let _ = writeln!(stream, "{}\r", json!({ "error": error, "id": request["id"] }));
}

pub fn client(script: Script, deadline: Duration) -> Qmp {
    let (stream, _) = serve(script);
    Qmp::greet(stream, deadline).unwrap()
}
