//! Whether a function sleeps, and may: the words of `power/` in sysfs
//! (Documentation/ABI/testing/sysfs-devices-power).

/// How much of the device is on: by its power management capability, or as the
/// kernel last set it (`power_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerState {
    D0,
    D1,
    D2,
    D3Hot,
    /// Without power, and so without a register that could say so.
    D3Cold,
}

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

impl PowerState {
    /// From the kernel's word for it (`pci_power_names` in drivers/pci/pci.h).
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [Self::D0, Self::D1, Self::D2, Self::D3Hot, Self::D3Cold];
        all.into_iter().find(|state| state.word() == word)
    }

    /// The kernel's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::D0 => "D0",
            Self::D1 => "D1",
            Self::D2 => "D2",
            Self::D3Hot => "D3hot",
            Self::D3Cold => "D3cold",
        }
    }
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
