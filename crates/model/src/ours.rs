//! What passthru leaves on a host: its files, its entries of boot menus.
//!
//! Who plans them, who looks for them and who checks them name them alike, so
//! their names stand in a module that needs no other. Paths are below the
//! folder of the host's configuration (`/etc`).

/// The first line of a file that `prepare` makes.
pub const PREPARED: &str =
    "# Made by `passthru prepare`; `passthru prepare --undo` takes it back.\n";
/// The first line of a file that `bind --persist` makes.
pub const PERSISTED: &str =
    "# Made by `passthru bind --persist`; `passthru release --forget` takes devices out.\n";

/// Options and aliases of modules (modprobe.d(5)).
pub const MODPROBE: &str = "modprobe.d/passthru.conf";
/// Modules that are loaded at every boot (modules-load.d(5)).
pub const LOAD: &str = "modules-load.d/passthru.conf";
/// What dracut puts into images, and what not.
pub const DRACUT: &str = "dracut.conf.d/passthru.conf";
/// What mkinitcpio puts into images.
pub const MKINITCPIO: &str = "mkinitcpio.conf.d/passthru.conf";
/// Booster's settings, in which names of modules are ours.
pub const BOOSTER: &str = "booster.yaml";
/// The script that has GRUB's menu made with an entry of ours.
pub const SCRIPT: &str = "grub.d/42_passthru";
/// Whose the nodes of VFIO are; behind those of systemd (50).
pub const ACCESS: &str = "udev/rules.d/70-passthru-access.rules";
/// Limits of those who log in (pam_limits(8)).
pub const LIMITS: &str = "security/limits.d/70-passthru.conf";
/// What the administrator lets libvirt's guests do (AppArmor): lines of ours
/// in a file of theirs.
pub const APPARMOR: &str = "apparmor.d/local/abstractions/libvirt-qemu";

/// The rules of bindings that persist. They come before those that load
/// drivers (`80-drivers.rules`).
pub const RULES: &str = "udev/rules.d/10-passthru.rules";
/// The unit that binds what a driver was faster to take.
pub const UNIT: &str = "systemd/system/passthru-bindings.service";
/// What has it started at boot.
pub const WANTS: &str = "systemd/system/multi-user.target.d/passthru-bindings.conf";
/// What initramfs-tools runs for each image, so that the rules are in it.
pub const BINDINGS_HOOK: &str = "initramfs-tools/hooks/passthru";
/// The same for dracut.
pub const BINDINGS_DRACUT: &str = "dracut.conf.d/passthru-bindings.conf";
/// The same for mkinitcpio.
pub const BINDINGS_MKINITCPIO: &str = "mkinitcpio.conf.d/passthru-bindings.conf";

/// All of them; there is one more for each unit that is held ([`drop_in`]), or
/// may lock memory ([`limit`]).
pub const FILES: &[&str] = &[
    MODPROBE,
    LOAD,
    DRACUT,
    MKINITCPIO,
    BOOSTER,
    SCRIPT,
    ACCESS,
    LIMITS,
    APPARMOR,
    RULES,
    UNIT,
    WANTS,
    BINDINGS_HOOK,
    BINDINGS_DRACUT,
    BINDINGS_MKINITCPIO,
];

/// Where a unit is told not to start.
pub fn drop_in(unit: &str) -> String {
    format!("systemd/system/{unit}.d/passthru.conf")
}

/// Where a unit is told how much memory it may lock. Another file: a unit may
/// be held, too.
pub fn limit(unit: &str) -> String {
    format!("systemd/system/{unit}.d/passthru-memlock.conf")
}

/// What the ids of entries of ours begin with. They start no kernel that
/// anybody else's preparation has to see to.
pub const ENTRY: &str = "passthru-";
/// How the name of an entry's file begins: a first part of one letter sorts
/// behind all others (`bls::compare`), of which the first is the usual one.
pub const LAST: &str = "a-";

/// Whether an entry by the Boot Loader Specification is one of ours, by its id.
pub fn is_entry(id: &str) -> bool {
    id.strip_prefix(LAST).is_some_and(|id| id.starts_with(ENTRY))
}
