//! The way to a hypervisor's socket: a connection, or a wait that ends.
//!
//! In: a path, and patience. Out: a stream. QEMU serves one client at a time
//! and keeps one more waiting; connect(2) of the next one would wait for as
//! long as those stay.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::client::QmpError;
use crate::patience::Patience;

/// Between two tries.
const RETRY: Duration = Duration::from_millis(20);

pub(super) fn connect_within(path: &Path, patience: &Patience) -> Result<UnixStream, QmpError> {
    let until = Instant::now() + patience.wait();
    loop {
        match try_connect(path) {
            Ok(stream) => return Ok(stream),
            // The queue is full (unix_stream_connect(), net/unix/af_unix.c).
            Err(Errno::AGAIN) if patience.is_lost() => return Err(QmpError::Interrupted),
            Err(Errno::AGAIN) if Instant::now() < until => thread::sleep(RETRY),
            Err(Errno::AGAIN) => {
                let (to, waited) = ("a connection".to_owned(), patience.wait());
                return Err(QmpError::Deadline { to, waited });
            }
            Err(errno) => {
                let path = path.display().to_string();
                return Err(QmpError::Connect { path, source: errno.into() });
            }
        }
    }
}

fn try_connect(path: &Path) -> rustix::io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::io::ioctl_fionbio(&socket, false)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{bind, listen};
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_queue_that_is_full_is_not_waited_in_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qmp.sock");
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
        let socket = socket.unwrap();
        bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        listen(&socket, 0).unwrap();
        let now = Patience::from(Duration::ZERO);
        let waiting: Vec<UnixStream> =
            std::iter::from_fn(|| connect_within(&path, &now).ok()).take(8).collect();
        assert!(waiting.len() < 8, "the queue has an end");
        let error = connect_within(&path, &now).unwrap_err();
        assert!(matches!(error, QmpError::Deadline { .. }), "{error}");
        let lost =
            Patience::from(Duration::from_secs(600)).unless(&Arc::new(AtomicBool::new(true)));
        let error = connect_within(&path, &lost).unwrap_err();
        assert!(matches!(error, QmpError::Interrupted), "{error}");
        let error = connect_within(&folder.path().join("none"), &now).unwrap_err();
        assert!(matches!(error, QmpError::Connect { .. }), "{error}");
    }
}
