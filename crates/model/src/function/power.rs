//! Whether a function sleeps, and may: the words of `power/` in sysfs
//! (Documentation/ABI/testing/sysfs-devices-power).

/// `power/control`: whether the kernel may suspend the device at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerControl {
    Auto,
    On,
}

/// `power/runtime_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeStatus {
    Active,
    Suspended,
    Suspending,
    Resuming,
    Error,
    Unsupported,
}

impl PowerControl {
    /// The kernel's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::On => "on",
        }
    }
}

impl RuntimeStatus {
    /// From the kernel's word for it, `None` for one it does not use.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "active" => Self::Active,
            "suspended" => Self::Suspended,
            "suspending" => Self::Suspending,
            "resuming" => Self::Resuming,
            "error" => Self::Error,
            "unsupported" => Self::Unsupported,
            _ => return None,
        })
    }

    /// The kernel's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Suspending => "suspending",
            Self::Resuming => "resuming",
            Self::Error => "error",
            Self::Unsupported => "unsupported",
        }
    }

    /// Whether reading its configuration space leaves it asleep or awake as
    /// it was. A read through sysfs resumes a suspended device.
    pub fn may_read_config(self) -> bool {
        matches!(self, Self::Active | Self::Unsupported)
    }
}
