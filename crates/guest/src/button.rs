//! The ACPI power button, as an input device of the kernel (modules `button` and `evdev`).

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::OFlags;

/// `struct input_event` on 64-bit machines: time (16 bytes), type, code, value.
const EVENT: usize = 24;
const EV_KEY: u16 = 1;
const KEY_POWER: u16 = 116;

#[derive(Debug)]
pub struct Buttons {
    devices: Vec<File>,
}

impl Buttons {
    /// All input devices: only buttons send `KEY_POWER`.
    pub fn open() -> Self {
        let entries = fs::read_dir("/dev/input").into_iter().flatten().flatten();
        let events =
            entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("event"));
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        Self { devices: events.filter_map(|entry| options.open(entry.path()).ok()).collect() }
    }

    /// Whether it was pressed since the last time.
    pub fn pressed(&mut self) -> bool {
        let mut pressed = false;
        let mut event = [0; EVENT];
        for device in &mut self.devices {
            while device.read(&mut event).is_ok_and(|len| len == EVENT) {
                pressed |= is_press(&event);
            }
        }
        pressed
    }
}

fn is_press(event: &[u8; EVENT]) -> bool {
    let word = |at: usize| u16::from_ne_bytes([event[at], event[at + 1]]);
    word(16) == EV_KEY && word(18) == KEY_POWER && word(20) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_press_of_the_power_button_counts() {
        let mut event = [0; EVENT];
        event[16..18].copy_from_slice(&EV_KEY.to_ne_bytes());
        event[18..20].copy_from_slice(&KEY_POWER.to_ne_bytes());
        assert!(!is_press(&event), "its release");
        event[20] = 1;
        assert!(is_press(&event));
        event[18] = 30;
        assert!(!is_press(&event), "another key");
    }
}
