//! The doors to a machine that several processes change, and the death of one
//! of them.
//!
//! In: the root of a pretended machine that somebody made. Out: both doors,
//! which remember nothing: each operation begins with what is in the tree.
//! Units and what was ordered to go wrong are in the memory of whoever made
//! the machine, so there are none here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::port::{AttrWriter, Cmd, Output, RunError, Runner, Showed, Wrote};
use rustix::process::{Signal, getpid, kill_process};

use crate::host::FakeHost;
use crate::inject::Moment;

/// The doors of one process; clones count together.
#[derive(Clone, Debug)]
pub struct Visitor {
    root: PathBuf,
    drivers: Vec<(String, (u16, u16))>,
    death: Option<Moment>,
    count: Arc<AtomicUsize>,
}

impl Visitor {
    /// The doors to the machine below this folder.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), drivers: Vec::new(), death: None, count: Arc::default() }
    }

    /// The folder that stands for `/`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A driver that knows these devices whether it has one now or not.
    #[must_use]
    pub fn knowing(mut self, driver: &str, ids: (u16, u16)) -> Self {
        self.drivers.push((driver.to_owned(), ids));
        self
    }

    /// This process is killed at this operation (SIGKILL): nothing of it runs
    /// any more, no destructor either.
    #[must_use]
    pub fn dying(mut self, moment: Moment) -> Self {
        self.death = Some(moment);
        self
    }

    /// How many operations there were.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn host(&self) -> FakeHost {
        let host = FakeHost::from_dir(&self.root);
        self.drivers.iter().fold(host, |host, (name, ids)| host.driver(name, &[*ids]))
    }

    fn operate<T>(&self, work: impl FnOnce(FakeHost) -> T) -> T {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        self.die_at(Moment::Before(count));
        let done = work(self.host());
        self.die_at(Moment::After(count));
        done
    }

    fn die_at(&self, moment: Moment) {
        while self.death == Some(moment) {
            kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
        }
    }
}

impl AttrWriter for Visitor {
    fn write(&mut self, path: &Path, value: &str) -> Wrote {
        self.operate(|host| host.kernel().write(path, value))
    }

    fn read(&mut self, path: &Path) -> Showed {
        match std::fs::read(path) {
            Ok(content) => Showed::Content(content),
            Err(error) => Showed::failed(error.raw_os_error().unwrap_or_default()),
        }
    }
}

impl Runner for Visitor {
    fn run(&mut self, cmd: &Cmd) -> Result<Output, RunError> {
        self.operate(|host| host.runner().run(cmd))
    }
}
