//! How long to wait, and whether somebody has lost patience meanwhile.
//!
//! In: a time, and a flag that a signal may raise. Out: how much of the time
//! is left. Never: a wait of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A wait that ends at its time, or when its flag is raised.
#[derive(Clone, Debug)]
pub struct Patience {
    wait: Duration,
    flag: Option<Arc<AtomicBool>>,
}

impl Patience {
    /// A wait that a raised flag ends early.
    #[must_use]
    pub fn unless(self, flag: &Arc<AtomicBool>) -> Self {
        Self { flag: Some(Arc::clone(flag)), ..self }
    }

    /// The whole time.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// Whether the flag is raised.
    pub fn is_lost(&self) -> bool {
        self.flag.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

/// So long, whatever happens.
impl From<Duration> for Patience {
    fn from(wait: Duration) -> Self {
        Self { wait, flag: None }
    }
}
