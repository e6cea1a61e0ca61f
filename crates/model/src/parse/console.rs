//! The text console: whether the host's is a screen, which of the kernel's
//! drivers draws it, and where.
//!
//! In: the list of active consoles, `name` of a `vtconsole` device, and the
//! kernel's command line. Out: answers, each from one of them.

/// A driver that text consoles are bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawer {
    /// fbcon, on one of the framebuffers.
    Framebuffer,
    /// The text mode of the VGA device that the firmware left in it.
    Vga,
    /// None (`dummy device`), or one that needs no PCI function.
    Other,
}

/// The driver by its name: `(M) frame buffer device`, `(S) VGA+`
/// (`show_name()` in drivers/tty/vt/vt.c; `fbcon_startup()`, `vgacon_startup()`).
pub fn drawer(name: &str) -> Drawer {
    let name = name.trim();
    match name.split_once(") ").map_or(name, |(_, name)| name) {
        "frame buffer device" => Drawer::Framebuffer,
        "VGA+" | "EGA+" | "EGA" | "*VGA" | "*CGA" | "*MDA" => Drawer::Vga,
        _ => Drawer::Other,
    }
}

/// Whether the kernel's messages go to a screen (`tty0`), by the list of its
/// consoles: `tty0 ttyS0` (Documentation/ABI/testing/sysfs-tty).
pub fn is_on_screen(active: &str) -> bool {
    active.split_ascii_whitespace().any(is_screen)
}

/// The same by the command line: without `console=` the kernel takes the
/// screen (Documentation/admin-guide/serial-console.rst).
pub fn boots_on_screen(cmdline: &str) -> bool {
    let words = cmdline.split_ascii_whitespace();
    let mut named = words.filter_map(|word| word.strip_prefix("console=")).peekable();
    named.peek().is_none() || named.any(|name| is_screen(name.split(',').next().unwrap_or(name)))
}

/// `tty0`, and not `ttyS0`.
fn is_screen(name: &str) -> bool {
    let number = name.strip_prefix("tty").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The framebuffers that `fbcon=map:0123` gives consoles to; empty where the
/// kernel chose (Documentation/fb/fbcon.rst).
pub fn mapped(cmdline: &str) -> Vec<u32> {
    let options = cmdline.split_ascii_whitespace().filter_map(|word| word.strip_prefix("fbcon="));
    let mut maps =
        options.flat_map(|all| all.split(',')).filter_map(|one| one.strip_prefix("map:"));
    let digits = maps.next_back().unwrap_or_default().chars().map_while(|digit| digit.to_digit(10));
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawers() {
        for (name, drawer_of) in [
            ("(M) frame buffer device\n", Drawer::Framebuffer),
            ("(S) VGA+\n", Drawer::Vga),
            ("(S) dummy device\n", Drawer::Other),
            ("", Drawer::Other),
        ] {
            assert_eq!(drawer(name), drawer_of, "{name:?}");
        }
    }

    #[test]
    fn where_the_kernel_talks() {
        for (active, cmdline, is_on) in [
            ("tty0\n", "ro quiet", true),
            ("tty0 ttyS0\n", "console=ttyS0,115200n8 console=tty0", true),
            ("ttyS0\n", "console=ttyS0,115200n8 ro", false),
            ("hvc0 ttyAMA0\n", "console=hvc0 console=ttyAMA0", false),
        ] {
            assert_eq!(is_on_screen(active), is_on, "{active}");
            assert_eq!(boots_on_screen(cmdline), is_on, "{cmdline}");
        }
    }

    #[test]
    fn maps() {
        assert_eq!(mapped("quiet fbcon=map:1 ro\n"), [1]);
        assert_eq!(mapped("fbcon=font:8x8,map:02x"), [0, 2]);
        assert_eq!(mapped("quiet fbcon=nodefer"), [0u32; 0]);
    }
}
