//! A login as systemd-logind keeps it.
//!
//! In: a file of its sessions, `KEY=value` lines (`session_save()` in systemd's
//! src/login/logind-session.c). Out: whose desktop it is, if it is one.

/// The user whose X server or compositor shows itself on a seat in this
/// session. One that a display manager opened says what it is for; a login on a
/// text console that started an X server later stays `tty`.
pub fn desktop_of(text: &str) -> Option<u32> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let graphical = ["x11", "wayland", "mir"].contains(&value("TYPE")?);
    (graphical && !value("SEAT")?.is_empty()).then(|| value("UID")?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_desktop_on_a_seat_is_one() {
        for (text, want) in [
            ("UID=1000\nTYPE=wayland\nSEAT=seat0\nSERVICE=gdm-password\n", Some(1000)),
            ("UID=120\nSEAT=seat0\nCLASS=greeter\nTYPE=x11\n", Some(120)),
            ("UID=1000\nTYPE=tty\nSEAT=seat0\n", None),
            ("UID=1000\nTYPE=tty\nREMOTE=1\n", None),
            ("UID=1000\nTYPE=x11\nSEAT=\n", None),
            ("UID=you\nTYPE=x11\nSEAT=seat0\n", None),
            ("", None),
        ] {
            assert_eq!(desktop_of(text), want, "{text:?}");
        }
    }
}
