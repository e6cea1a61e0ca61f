//! A fact, or the reason why it is not known.
//!
//! "Not permitted to read" and "not there" are different facts, and neither
//! is zero. Whoever decides on a [`Fact`] must say what unknown means for
//! that decision; there is no `Default`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something read from the machine, or why it could not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact<T> {
    Known(T),
    Unknown(Why),
}

/// Why something is not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Why {
    /// The kernel refused the read (EACCES, EPERM): root would know.
    NotPermitted,
    /// Reading would wake the device (`power/runtime_status` is `suspended`).
    Suspended,
    /// The kernel offers no such file here: it is older, or was built without.
    NotProvided,
    /// The file ended early (64 bytes of configuration space for other users).
    Truncated,
    /// The device went away while it was read.
    Vanished,
    /// A change to the device is stuck in the kernel: reading may wait for it.
    InDoubt,
    /// The device answers every read with ones: it fell off the bus.
    AllOnes,
    /// The file held something else than the kernel's documents say.
    Malformed(String),
    /// The read failed otherwise; the kernel's words.
    Failed(String),
    /// This pass did not look (a quick listing leaves the slow facts out).
    NotObserved,
    /// Whoever recorded the machine did not look.
    NotRecorded,
}

impl<T> Fact<T> {
    /// The value, if it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// Why it is not known, if it is not.
    pub fn why(&self) -> Option<&Why> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(why) => Some(why),
        }
    }

    /// A fact about what is inside.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(f(value)),
            Self::Unknown(why) => Fact::Unknown(why),
        }
    }

    /// The same fact, borrowed.
    pub fn as_ref(&self) -> Fact<&T> {
        match self {
            Self::Known(value) => Fact::Known(value),
            Self::Unknown(why) => Fact::Unknown(why.clone()),
        }
    }

    /// Both facts, if both are known.
    pub fn zip<U>(self, other: Fact<U>) -> Fact<(T, U)> {
        self.and_then(|value| other.map(|second| (value, second)))
    }

    /// A further fact that follows from this one.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Fact<U>) -> Fact<U> {
        match self {
            Self::Known(value) => f(value),
            Self::Unknown(why) => Fact::Unknown(why),
        }
    }
}

impl<T: PartialEq> Fact<T> {
    /// Known to be exactly this. Unknown is not.
    pub fn is(&self, value: &T) -> bool {
        self.known() == Some(value)
    }
}

impl<T> From<T> for Fact<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

impl<T> From<Result<T, Why>> for Fact<T> {
    fn from(result: Result<T, Why>) -> Self {
        match result {
            Ok(value) => Self::Known(value),
            Err(why) => Self::Unknown(why),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted => f.write_str("needs root"),
            Self::Suspended => f.write_str("device is suspended, reading would wake it"),
            Self::NotProvided => f.write_str("this kernel does not say"),
            Self::Truncated => f.write_str("only the first bytes could be read; root sees all"),
            Self::InDoubt => {
                f.write_str("a change to it is stuck in the kernel, reading might not come back")
            }
            Self::Vanished => f.write_str("the device vanished while it was read"),
            Self::AllOnes => f.write_str("the device answers with ones only"),
            Self::Malformed(text) => write!(f, "unexpected content `{}`", text.trim()),
            Self::Failed(text) => f.write_str(text),
            Self::NotObserved => f.write_str("not looked at"),
            Self::NotRecorded => f.write_str("the recording does not say"),
        }
    }
}
