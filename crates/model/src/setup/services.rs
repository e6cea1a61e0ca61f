//! Services that draw on screens, share one, or keep a vendor's cards in use.

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

impl Purpose {
    /// The purpose of a unit; one that is not known holds screens.
    pub fn of(unit: &str) -> Self {
        let known = SERVICES.iter().find(|(name, _)| *name == unit);
        known.map_or(Self::Desktop, |(_, purpose)| *purpose)
    }
}
