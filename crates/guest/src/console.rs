//! Commands typed on the console, a line each: `ls`, `sector DISK N`, `write DISK N TEXT`, `poweroff`.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::watch::Watch;
use crate::{disks, say};

#[derive(Debug, PartialEq, Eq)]
enum Order<'a> {
    List,
    Sector { disk: &'a str, number: u64 },
    Write { disk: &'a str, number: u64, text: &'a str },
    PowerOff,
}

#[derive(Debug)]
pub struct Console {
    line: Vec<u8>,
    closed: bool,
    pub asked_for_poweroff: bool,
}

impl Console {
    pub fn open() -> Self {
        Self { line: Vec::new(), closed: false, asked_for_poweroff: false }
    }

    /// Obeys what is typed within `limit`, and returns then.
    pub fn serve(&mut self, limit: Duration) {
        if self.closed || !typed_within(limit) {
            if self.closed {
                std::thread::sleep(limit);
            }
            return;
        }
        let mut piece = [0; 256];
        match io::stdin().lock().read(&mut piece) {
            Ok(0) | Err(_) => self.closed = true,
            Ok(len) => self.take(&piece[..len]),
        }
    }

    fn take(&mut self, piece: &[u8]) {
        for &byte in piece {
            if byte != b'\n' && byte != b'\r' {
                self.line.push(byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            if !line.trim().is_empty() {
                self.obey(&line);
            }
        }
    }

    fn obey(&mut self, line: &str) {
        match parse(line) {
            Some(Order::List) => Watch::default().tell_all(),
            Some(Order::PowerOff) => self.asked_for_poweroff = true,
            Some(Order::Sector { disk, number }) => match disks::hash(disk, number) {
                Ok(hash) => say(&format!("sector {disk} {number} sha256 {hash}")),
                Err(error) => say(&format!("sector {disk} {number} unreadable: {error}")),
            },
            Some(Order::Write { disk, number, text }) => match disks::write(disk, number, text) {
                Ok(()) => say(&format!("wrote {disk} {number}")),
                Err(error) => say(&format!("cannot write {disk} {number}: {error}")),
            },
            None => say("commands: ls, sector DISK N, write DISK N TEXT, poweroff"),
        }
    }
}

fn parse(line: &str) -> Option<Order<'_>> {
    let mut words = line.trim().splitn(4, ' ');
    let order = match words.next()? {
        "ls" => Order::List,
        "poweroff" => Order::PowerOff,
        "sector" => Order::Sector { disk: words.next()?, number: words.next()?.parse().ok()? },
        "write" => {
            let (disk, number) = (words.next()?, words.next()?.parse().ok()?);
            return Some(Order::Write { disk, number, text: words.next()? });
        }
        _ => return None,
    };
    words.next().is_none().then_some(order)
}

fn typed_within(limit: Duration) -> bool {
    let Ok(limit) = Timespec::try_from(limit) else { return false };
    let stdin = io::stdin();
    let mut fds = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
    poll(&mut fds, Some(&limit)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders() {
        let table = [
            ("ls", Some(Order::List)),
            (" poweroff ", Some(Order::PowerOff)),
            ("sector nvme0n1 7", Some(Order::Sector { disk: "nvme0n1", number: 7 })),
            (
                "write vda 1 two words",
                Some(Order::Write { disk: "vda", number: 1, text: "two words" }),
            ),
            ("write vda 1", None),
            ("sector nvme0n1", None),
            ("sector nvme0n1 -1", None),
            ("ls now", None),
            ("rm", None),
        ];
        for (line, order) in table {
            assert_eq!(parse(line), order, "{line}");
        }
    }
}
