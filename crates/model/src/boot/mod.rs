//! How a machine is told what to boot, as text.
//!
//! In: the text of a configuration file, and what is to change in it. Out: the
//! new text, which differs in nothing else, or why it could not be understood.
//! Never: a guess. A file that is not understood is left to a person.

pub mod cmdline;
mod pattern;
mod pieces;
pub mod source;
pub mod version;

pub mod shell;

pub mod grub_cfg;
pub mod grub_default;
pub mod grubenv;

pub mod bls;
pub mod loader_conf;

pub mod extlinux;
pub mod kernel_cmdline;
pub mod kernelstub;
pub mod u_boot_menu;

pub mod format;

pub mod modprobe;
pub mod udev_rules;

pub mod booster;

pub mod initramfs;
