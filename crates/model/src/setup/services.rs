//! Services that draw on screens, share one, or keep a vendor's cards in use;
//! and what services are called.

use std::fmt;

use thiserror::Error;

/// What a service is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// NVIDIA's cards, and nothing else.
    Nvidia,
    /// A desktop on the host's screens.
    Desktop,
    /// A desktop over the network: often the way to the host, and without a
    /// card it draws by the processor.
    Remote,
}

/// The units that are looked for, each with its purpose.
pub const SERVICES: &[(&str, Purpose)] = &[
    ("dcgm-exporter.service", Purpose::Nvidia),
    ("dcgm.service", Purpose::Nvidia),
    ("display-manager.service", Purpose::Desktop),
    ("gdm.service", Purpose::Desktop),
    ("gdm3.service", Purpose::Desktop),
    ("gnome-remote-desktop.service", Purpose::Remote),
    ("greetd.service", Purpose::Desktop),
    ("lightdm.service", Purpose::Desktop),
    ("lxdm.service", Purpose::Desktop),
    ("ly.service", Purpose::Desktop),
    ("nvidia-dcgm.service", Purpose::Nvidia),
    ("nvidia-fabricmanager.service", Purpose::Nvidia),
    ("nvidia-persistenced.service", Purpose::Nvidia),
    ("nvidia-powerd.service", Purpose::Nvidia),
    ("sddm.service", Purpose::Desktop),
    ("sunshine.service", Purpose::Remote),
    ("xdm.service", Purpose::Desktop),
    ("xrdp.service", Purpose::Remote),
];

/// The name of a service's unit, as in `vm@1.service` (systemd.unit(5)).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceName(String);

/// Why a text is no such name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a service; the form is NAME.service")]
pub struct ServiceNameError(String);

const SUFFIX: &str = ".service";
/// Units of other kinds.
const OTHERS: &[&str] = &[
    ".automount",
    ".device",
    ".mount",
    ".path",
    ".scope",
    ".slice",
    ".socket",
    ".swap",
    ".target",
    ".timer",
];

impl ServiceName {
    /// The suffix may be left out, as for systemctl(1).
    ///
    /// # Errors
    ///
    /// Where systemd would not take it for a service's name: no unit is called
    /// so, and as part of a path it might lead elsewhere.
    pub fn parse(text: &str) -> Result<Self, ServiceNameError> {
        const MAX: usize = 255;
        let prefix = text.strip_suffix(SUFFIX).unwrap_or(text);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        let is_named = !prefix.is_empty() && !prefix.starts_with('@') && !prefix.starts_with('.');
        let is_other = text == prefix && OTHERS.iter().any(|suffix| text.ends_with(suffix));
        match is_named
            && !is_other
            && prefix.chars().all(is_plain)
            && prefix.len() + SUFFIX.len() <= MAX
        {
            true => Ok(Self(format!("{prefix}{SUFFIX}"))),
            false => Err(ServiceNameError(text.to_owned())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether no service has this name, but `vm@1.service` is made of it.
    pub fn is_template(&self) -> bool {
        self.0.ends_with(&format!("@{SUFFIX}"))
    }

    /// The template that it is made of: `vm@.service` for `vm@1.service`.
    pub fn template(&self) -> Option<Self> {
        self.0.split_once('@').map(|(name, _)| Self(format!("{name}@{SUFFIX}")))
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Purpose {
    /// The purpose of a unit; one that is not known holds screens.
    pub fn of(unit: &str) -> Self {
        let known = SERVICES.iter().find(|(name, _)| *name == unit);
        known.map_or(Self::Desktop, |(_, purpose)| *purpose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_services() {
        for (text, want, template) in [
            ("vm.service", "vm.service", None),
            ("vm", "vm.service", None),
            ("vm@1.service", "vm@1.service", Some("vm@.service")),
            ("vm@a\\x2db", "vm@a\\x2db.service", Some("vm@.service")),
            ("vm@.service", "vm@.service", Some("vm@.service")),
            ("vm.v2", "vm.v2.service", None),
        ] {
            let name = ServiceName::parse(text).unwrap();
            assert_eq!(name.as_str(), want);
            assert_eq!(name.is_template(), want.ends_with("@.service"));
            assert_eq!(name.template().as_ref().map(ServiceName::as_str), template, "{text}");
        }
        let long = "x".repeat(248);
        for text in
            ["", ".service", "../vm", "a/b.service", "@1", "a b", "a\n", "..", "vm.socket", &long]
        {
            assert!(ServiceName::parse(text).is_err(), "{text}");
        }
    }
}
