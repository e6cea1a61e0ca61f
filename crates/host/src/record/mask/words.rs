//! Words that point at a person or a machine, replaced one for one.
//!
//! In: an address, a serial number, a name. Out: a made-up one of the same
//! form. The same word gives the same replacement, different words different
//! ones; numbers are handed out in order, so nothing can be computed back.
//! Never: a word that means the same on every machine (loopback, multicast).

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What was replaced so far.
#[derive(Debug, Default)]
pub(super) struct Words {
    macs: Numbers<[u8; 6]>,
    guids: Numbers<[u8; 8]>,
    serials: Numbers<String>,
    names: Numbers<String>,
    networks: Numbers<u16>,
    prefixes: Numbers<u64>,
    interfaces: Numbers<u64>,
}

/// A number for each distinct value, from 1, in order of appearance.
#[derive(Debug)]
struct Numbers<T>(HashMap<T, u32>);

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: std::hash::Hash + Eq> Numbers<T> {
    fn of(&mut self, value: T) -> u32 {
        let next = self.0.len() as u32 + 1;
        *self.0.entry(value).or_insert(next)
    }
}

impl Words {
    /// A locally administered address, `02:00:00:…`.
    pub(super) fn mac(&mut self, mac: [u8; 6]) -> [u8; 6] {
        // Nothing, broadcast and multicast name no card.
        if mac == [0; 6] || mac[0] & 1 == 1 {
            return mac;
        }
        let [_, b, c, d] = self.macs.of(mac).to_be_bytes();
        [2, 0, 0, b, c, d]
    }

    /// A 64-bit identifier: around a MAC address if it was made from one
    /// (`ff:fe` in the middle, IEEE EUI-64), else a number.
    pub(super) fn eui64(&mut self, id: [u8; 8]) -> [u8; 8] {
        if id == [0; 8] || id == [0xff; 8] {
            return id;
        }
        if let [a, b, c, 0xff, 0xfe, d, e, f] | [a, b, c, 0xff, 0xff, d, e, f] = id {
            let [a, b, c, d, e, f] = self.mac([a, b, c, d, e, f]);
            return [a, b, c, id[3], id[4], d, e, f];
        }
        u64::from(self.guids.of(id)).to_be_bytes()
    }

    /// A serial number of the same length, at least one digit.
    pub(super) fn serial(&mut self, serial: &str) -> String {
        if serial.trim().is_empty() {
            return serial.to_owned();
        }
        let width = serial.len();
        format!("{:0>width$}", self.serials.of(serial.to_owned()))
    }

    /// A name that somebody chose, with a prefix that tells what it names.
    pub(super) fn name(&mut self, prefix: &str, name: &str) -> String {
        format!("{prefix}{}", self.names.of(name.to_owned()))
    }

    /// `10.N.…`: the first half is replaced, so that an address stays inside
    /// of its network for every prefix of 16 bits and more.
    pub(super) fn v4(&mut self, address: Ipv4Addr) -> Ipv4Addr {
        let [a, b, c, d] = address.octets();
        if a == 0 || a == 127 || a >= 224 {
            return address;
        }
        let [_, _, high, low] = self.networks.of(u16::from_be_bytes([a, b])).to_be_bytes();
        Ipv4Addr::new(10 + high, low, c, d)
    }

    /// `2001:db8:0:N::` (documentation, RFC 3849) or `fe80::`, and an
    /// interface identifier that follows the masked MAC address.
    pub(super) fn v6(&mut self, address: Ipv6Addr) -> Ipv6Addr {
        let bits = address.to_bits();
        let (prefix, id) = ((bits >> 64) as u64, bits as u64);
        let first = (prefix >> 48) as u16;
        if prefix == 0 || first >= 0xff00 {
            return address;
        }
        let prefix = match first & 0xffc0 {
            0xfe80 => prefix,
            _ => 0x2001_0db8_0000_0000 | u64::from(self.prefixes.of(prefix)),
        };
        Ipv6Addr::from_bits(u128::from(prefix) << 64 | u128::from(self.interface(id)))
    }

    /// Bit 57 is turned around in an interface identifier (RFC 4291, appendix A).
    fn interface(&mut self, id: u64) -> u64 {
        const UNIVERSAL: u8 = 2;
        // Numbers given by hand (`::1`, `::1:2`) name no card.
        if id <= 0xffff_ffff {
            return id;
        }
        let mut bytes = id.to_be_bytes();
        if bytes[3..5] != [0xff, 0xfe] {
            return 1 << 32 | u64::from(self.interfaces.of(id));
        }
        bytes[0] ^= UNIVERSAL;
        let mut masked = self.eui64(bytes);
        masked[0] ^= UNIVERSAL;
        u64::from_be_bytes(masked)
    }
}

/// `aa:bb:cc:dd:ee:ff` as bytes; any number of them.
pub(super) fn colon_bytes(text: &str) -> Option<Vec<u8>> {
    let byte = |part: &str| (part.len() == 2).then(|| u8::from_str_radix(part, 16).ok()).flatten();
    text.split(':').map(byte).collect()
}

/// Bytes as `aa:bb:…`.
pub(super) fn colon_text(bytes: &[u8]) -> String {
    let parts: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    parts.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_word_is_replaced_the_same_way() {
        let mut words = Words::default();
        let mac = [0x3c, 0xec, 0xef, 1, 2, 3];
        assert_eq!(words.mac(mac), [2, 0, 0, 0, 0, 1]);
        assert_eq!(words.mac([0x3c, 0xec, 0xef, 1, 2, 4]), [2, 0, 0, 0, 0, 2]);
        assert_eq!(words.mac(mac), [2, 0, 0, 0, 0, 1]);
        assert_eq!(words.mac([0xff; 6]), [0xff; 6]);
        assert_eq!(words.mac([0; 6]), [0; 6]);
        // The card's serial number and its link-local address follow.
        let serial = [0x3c, 0xec, 0xef, 0xff, 0xff, 1, 2, 3];
        assert_eq!(words.eui64(serial), [2, 0, 0, 0xff, 0xff, 0, 0, 1]);
        let local = words.v6("fe80::3eec:efff:fe01:203".parse().unwrap());
        assert_eq!(local.to_string(), "fe80::ff:fe00:1");
    }

    #[test]
    fn addresses_stay_in_their_network() {
        let mut words = Words::default();
        let mut v4 = |text: &str| words.v4(text.parse().unwrap()).to_string();
        for (address, want) in [
            ("192.168.1.0", "10.1.1.0"),
            ("192.168.1.17", "10.1.1.17"),
            ("172.17.0.1", "10.2.0.1"),
            ("192.168.1.255", "10.1.1.255"),
            ("127.0.0.1", "127.0.0.1"),
            ("0.0.0.0", "0.0.0.0"),
            ("255.255.255.255", "255.255.255.255"),
        ] {
            assert_eq!(v4(address), want, "{address}");
        }
        let mut v6 = |text: &str| words.v6(text.parse().unwrap()).to_string();
        for (address, want) in [
            ("2a01:4f8:1:2::1", "2001:db8:0:1::1"),
            ("2a01:4f8:1:2:abcd:1234:5678:9abc", "2001:db8:0:1:0:1:0:1"),
            ("2a01:4f8:1:3::", "2001:db8:0:2::"),
            ("fe80::", "fe80::"),
            ("::1", "::1"),
            ("ff02::1", "ff02::1"),
        ] {
            assert_eq!(v6(address), want, "{address}");
        }
    }

    #[test]
    fn serial_numbers_keep_their_length() {
        let mut words = Words::default();
        assert_eq!(words.serial("S5GXNF0N123456"), "00000000000001");
        assert_eq!(words.serial("S5GXNF0N123457"), "00000000000002");
        assert_eq!(words.serial("S5GXNF0N123456"), "00000000000001");
        assert_eq!(words.serial(""), "");
        assert_eq!(words.serial("\n"), "\n");
    }
}
