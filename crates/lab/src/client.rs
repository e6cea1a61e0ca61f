//! Talks to the agent of a lab host: one request, its answer, with a deadline. Whatever else is on the line
//! (answers that nobody waited for, halves of frames) is skipped.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::qemu::AGENT;
use crate::socket::connect;
use crate::wire::{Answer, Frames, Op, Reply, Request, write_frame};

#[derive(Debug)]
pub(crate) struct Client {
    stream: UnixStream,
    frames: Frames,
    next_id: u64,
}

impl Client {
    pub fn connect(dir: &Path) -> io::Result<Self> {
        let stream = connect(dir, AGENT)?;
        // Several clients follow each other on one line: no two may use the same ids.
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
        Ok(Self { stream, frames: Frames::default(), next_id: now })
    }

    /// Sends a request; [`Client::hear`] gets its answer.
    pub fn send(&mut self, op: Op, body: &[u8], within: Duration) -> io::Result<()> {
        self.next_id += 1;
        self.stream.set_write_timeout(Some(within))?;
        let request = Request { id: self.next_id, op };
        write_frame(&mut self.stream, &request, body).map_err(blocked_is_late)
    }

    /// Waits for the answer to the last request; `TimedOut` when there is none by then, or when there was no sign of
    /// life for `silence`.
    pub fn hear(&mut self, until: Instant, silence: Duration) -> io::Result<(Answer, Vec<u8>)> {
        let mut silent = Instant::now() + silence;
        let mut piece = vec![0; 64 << 10];
        loop {
            while let Some((reply, body)) = self.frames.take::<Reply>() {
                match reply.answer {
                    _ if reply.id != self.next_id => {}
                    // That it came is all that it says.
                    Answer::Alive => {}
                    answer => return Ok((answer, body)),
                }
            }
            let left = until.min(silent).saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut piece).map_err(blocked_is_late) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => {
                    self.frames.push(&piece[..len]);
                    silent = Instant::now() + silence;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// A socket's timeout is reported as "would block".
fn blocked_is_late(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}
