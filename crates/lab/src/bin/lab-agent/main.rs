//! Runs inside a lab host: reads requests from the virtio serial port, does them one after the other, answers.
//!
//! It never ends because of what a request asks, and never waits for a command beyond its deadline.

mod command;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, sleep};
use std::time::Duration;

use lab::wire::{ALIVE, Answer, Frames, Op, PORT, Reply, Request, write_frame};

fn main() -> io::Result<()> {
    let mut port = open_port()?;
    let mut frames = Frames::default();
    let mut piece = vec![0; 64 << 10];
    loop {
        let len = match port.read(&mut piece) {
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if len == 0 {
            // Nobody is connected outside; the port does not block then.
            frames.clear();
            sleep(Duration::from_millis(20));
            continue;
        }
        frames.push(&piece[..len]);
        while let Some((request, body)) = frames.take::<Request>() {
            let (answer, body) = saying_so(&port, request.id, || answer(&request.op, &body));
            // Whoever asked may be gone: the next one matters.
            let _ = write_frame(&mut port, &Reply { id: request.id, answer }, &body);
        }
    }
}

/// Says again and again that the machine is alive while something is done in it.
fn saying_so<T>(port: &File, id: u64, work: impl FnOnce() -> T) -> T {
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut port = port;
            while let Err(RecvTimeoutError::Timeout) = is_done.recv_timeout(ALIVE) {
                let _ = write_frame(&mut port, &Reply { id, answer: Answer::Alive }, b"");
            }
        });
        let result = work();
        drop(done);
        result
    })
}

/// udev names the port a moment after the driver made it.
fn open_port() -> io::Result<File> {
    let path = Path::new("/dev/virtio-ports").join(PORT);
    for _ in 0..1000 {
        match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, format!("no {}", path.display())))
}

fn answer(op: &Op, body: &[u8]) -> (Answer, Vec<u8>) {
    let done = match op {
        Op::Ping => fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map(|id| (Answer::Pong { boot_id: id.trim().to_owned() }, Vec::new())),
        Op::Run { command, deadline_ms } => {
            command::run(command, body, Duration::from_millis(*deadline_ms))
        }
        Op::Write { path, mode } => {
            write(path, *mode, body).map(|()| (Answer::Written, Vec::new()))
        }
        Op::Read { path } => fs::read(path).map(|content| (Answer::Content, content)),
    };
    done.unwrap_or_else(|error| {
        (Answer::Failed { message: format!("{op:?}: {error}") }, Vec::new())
    })
}

fn write(path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
    let path = Path::new(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    // No O_TRUNC for attributes of sysfs: they have no length.
    let mut options = OpenOptions::new();
    options.write(true).create(!path.starts_with("/sys")).mode(mode);
    options.truncate(!path.starts_with("/sys"));
    options.open(path)?.write_all(content)
}
