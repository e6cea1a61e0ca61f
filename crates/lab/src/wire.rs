//! The language between the machine outside and the agent inside a lab host.
//!
//! A frame is the magic, two lengths (little endian, 32 bits), a JSON header, and a body of raw bytes. The line
//! is a virtio serial port: either side may come and go in the middle of a frame, so a reader looks for the
//! magic and skips what precedes it, and an answer carries the id of its request. No I/O happens here except
//! writing to what the caller hands in.

use std::io::{self, Write};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The virtio serial port's name in the lab host: `/dev/virtio-ports/lab.agent`.
pub const PORT: &str = "lab.agent";
/// A longer output is cut.
pub const LONGEST_BODY: usize = 64 << 20;

const MAGIC: &[u8; 4] = b"LAB\x01";
const HEAD: usize = 12;

/// What is asked of the agent; a body comes with `Run` (standard input) and `Write` (the content).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub id: u64,
    pub op: Op,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Op {
    Ping,
    Run { command: String, deadline_ms: u64 },
    Write { path: String, mode: u32 },
    Read { path: String },
}

/// How often the agent says that it still works on a request.
pub const ALIVE: Duration = Duration::from_secs(2);

/// What the agent says; a body comes with `Ended` (standard output, then standard error) and `Content`. `Alive` is
/// no answer yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    pub id: u64,
    pub answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    Alive,
    Pong { boot_id: String },
    Ended { code: Option<i32>, signal: Option<i32>, timed_out: bool, stdout_len: usize },
    Written,
    Content,
    Failed { message: String },
}

/// Writes one frame.
pub fn write_frame(to: &mut impl Write, header: &impl Serialize, body: &[u8]) -> io::Result<()> {
    let header = serde_json::to_vec(header)?;
    let mut frame = Vec::with_capacity(HEAD + header.len() + body.len());
    frame.extend_from_slice(MAGIC);
    for len in [header.len(), body.len()] {
        let len = u32::try_from(len).map_err(|_| io::Error::other("frame too long"))?;
        frame.extend_from_slice(&len.to_le_bytes());
    }
    frame.extend_from_slice(&header);
    frame.extend_from_slice(body);
    to.write_all(&frame)?;
    to.flush()
}

/// Bytes in, frames out.
#[derive(Debug, Default)]
pub struct Frames {
    pending: Vec<u8>,
}

impl Frames {
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Forgets what is half received: the other side went away.
    pub fn clear(&mut self) {
        self.pending.clear();
    }

    /// The next whole frame whose header reads as a `T`; others are skipped.
    pub fn take<T: DeserializeOwned>(&mut self) -> Option<(T, Vec<u8>)> {
        loop {
            self.skip_to_magic();
            let header_len = self.length_at(4)?;
            let body_len = self.length_at(8)?;
            if header_len > LONGEST_BODY || body_len > 2 * LONGEST_BODY {
                self.pending.drain(..1);
                continue;
            }
            let whole = HEAD + header_len + body_len;
            if self.pending.len() < whole {
                return None;
            }
            let body = self.pending[HEAD + header_len..whole].to_vec();
            let header = serde_json::from_slice(&self.pending[HEAD..HEAD + header_len]);
            self.pending.drain(..if header.is_ok() { whole } else { 1 });
            if let Ok(header) = header {
                return Some((header, body));
            }
        }
    }

    fn skip_to_magic(&mut self) {
        let found = self.pending.windows(MAGIC.len()).position(|window| window == MAGIC);
        let garbage = found.unwrap_or(self.pending.len().saturating_sub(MAGIC.len() - 1));
        self.pending.drain(..garbage);
    }

    fn length_at(&self, offset: usize) -> Option<usize> {
        let bytes = self.pending.get(offset..offset + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping(id: u64) -> Request {
        Request { id, op: Op::Ping }
    }

    #[test]
    fn frames_survive_garbage_and_arbitrary_cuts() {
        let mut line = b"rest of an old frame LAB".to_vec();
        write_frame(&mut line, &ping(1), b"body").unwrap();
        line.extend_from_slice(b"LAB\x01\xff\xff\xff\xff\xff\xff\xff\xff");
        write_frame(&mut line, &ping(2), b"").unwrap();
        for step in [1, 3, 7, line.len()] {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            for piece in line.chunks(step) {
                frames.push(piece);
                while let Some((request, body)) = frames.take::<Request>() {
                    seen.push((request.id, body));
                }
            }
            assert_eq!(seen, [(1, b"body".to_vec()), (2, vec![])], "cut every {step} bytes");
        }
    }
}
