//! `instance console`: a terminal on the guest's serial console.
//!
//! In: an instance, and the terminal. Out: bytes, both ways, until the guest
//! ends or the escape key is typed. The terminal is given back as it was.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};

use crate::Engine;
use crate::error::Error;
use crate::name::Name;

/// Ctrl-], as in telnet and `virsh console`.
pub const ESCAPE: u8 = 0x1d;

/// Why a console was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The escape key was typed.
    Escape,
    /// The guest ended, or somebody else took the console.
    Closed,
    /// There is no more input, and the guest has taken all of it.
    InputEnded,
}

impl Engine {
    /// Connects the terminal with an instance's console. One at a time: a
    /// second one waits until the first has left.
    pub fn console(&self, name: &Name) -> Result<Left, Error> {
        let socket = self.instance(name)?.files.console();
        let stream = UnixStream::connect(&socket).map_err(|error| Error::file(&socket, error))?;
        let (input, output) = (io::stdin(), io::stdout());
        let _raw = Raw::new(input.as_fd()).map_err(Error::Terminal)?;
        carry(&stream, input.as_fd(), output.lock()).map_err(Error::Terminal)
    }
}

/// Carries bytes both ways until one side ends.
pub fn carry(
    stream: &UnixStream,
    input: BorrowedFd<'_>,
    mut output: impl Write,
) -> io::Result<Left> {
    let mut buffer = [0; 4096];
    let mut input = Some(input);
    loop {
        let (from_guest, from_user) = readable(stream.as_fd(), input)?;
        if from_guest {
            match (&mut &*stream).read(&mut buffer) {
                Ok(0) if input.is_none() => return Ok(Left::InputEnded),
                Ok(0) => return Ok(Left::Closed),
                Ok(count) => {
                    output.write_all(&buffer[..count])?;
                    output.flush()?;
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Ok(Left::Closed);
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(user) = input.filter(|_| from_user) {
            let count = rustix::io::retry_on_intr(|| rustix::io::read(user, &mut buffer))?;
            let typed = &buffer[..count];
            let escape = typed.iter().position(|byte| *byte == ESCAPE);
            let sent = (&mut &*stream).write_all(&typed[..escape.unwrap_or(count)]);
            match sent {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Left::Closed),
                other => other?,
            }
            match (escape, count) {
                (Some(_), _) => return Ok(Left::Escape),
                // A guest takes a line as slowly as it was typed on a serial
                // port. QEMU drops what it has not read when the socket closes;
                // so it is told that no more comes, and closes it itself.
                (None, 0) => {
                    stream.shutdown(Shutdown::Write)?;
                    input = None;
                }
                _ => {}
            }
        }
    }
}

/// Waits until there is something to read, and says where.
fn readable(stream: BorrowedFd<'_>, input: Option<BorrowedFd<'_>>) -> io::Result<(bool, bool)> {
    loop {
        let mut fds = vec![PollFd::from_borrowed_fd(stream, PollFlags::IN)];
        fds.extend(input.map(|input| PollFd::from_borrowed_fd(input, PollFlags::IN)));
        let ready =
            |fds: &[PollFd<'_>], at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
        match poll(&mut fds, None) {
            Ok(_) => return Ok((ready(&fds, 0), ready(&fds, 1))),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// A terminal that hands over each key as it is typed, until it is dropped.
struct Raw<'a> {
    terminal: BorrowedFd<'a>,
    before: Option<Termios>,
}

impl<'a> Raw<'a> {
    fn new(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        if !isatty(terminal) {
            return Ok(Self { terminal, before: None });
        }
        let before = tcgetattr(terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(terminal, OptionalActions::Now, &raw)?;
        Ok(Self { terminal, before: Some(before) })
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(self.terminal, OptionalActions::Now, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn bytes_go_both_ways_until_the_escape_key() {
        let (ours, mut guest) = UnixStream::pair().unwrap();
        let (mut user, input) = UnixStream::pair().unwrap();
        let terminal = thread::spawn(move || {
            let mut output = Vec::new();
            let left = carry(&ours, input.as_fd(), &mut output).unwrap();
            (left, output)
        });
        guest.write_all(b"login: ").unwrap();
        user.write_all(b"root\n").unwrap();
        let mut got = [0; 5];
        guest.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"root\n");
        user.write_all(b"ls\x1dnever sent").unwrap();
        let mut rest = Vec::new();
        guest.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"ls");
        let (left, output) = terminal.join().unwrap();
        assert_eq!((left, output.as_slice()), (Left::Escape, b"login: ".as_slice()));
    }

    /// As `echo ls | passthru instance console` does it, with QEMU at the other end: it reads as fast as its guest.
    #[test]
    fn input_that_ends_is_heard_to_its_end() {
        let (ours, mut guest) = UnixStream::pair().unwrap();
        let (mut user, input) = UnixStream::pair().unwrap();
        user.write_all(b"ls\n").unwrap();
        drop(user);
        let terminal = thread::spawn(move || {
            let mut output = Vec::new();
            let left = carry(&ours, input.as_fd(), &mut output).unwrap();
            (left, output)
        });
        thread::sleep(std::time::Duration::from_millis(100));
        assert!(!terminal.is_finished(), "nobody has read it yet");
        let mut heard = Vec::new();
        guest.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, b"ls\n");
        guest.write_all(b"bin etc").unwrap();
        drop(guest);
        let (left, output) = terminal.join().unwrap();
        assert_eq!((left, output.as_slice()), (Left::InputEnded, b"bin etc".as_slice()));
    }

    #[test]
    fn a_guest_that_ends_closes_its_console() {
        let (ours, guest) = UnixStream::pair().unwrap();
        let (_user, input) = UnixStream::pair().unwrap();
        drop(guest);
        assert_eq!(carry(&ours, input.as_fd(), Vec::new()).unwrap(), Left::Closed);
    }
}
