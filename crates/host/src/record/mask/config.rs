//! The Device Serial Number inside of configuration space.
//!
//! In: configuration space. Out: the same with another serial number. Never:
//! a change anywhere else.

use super::words::Words;

/// Where extended capabilities start, and the id of the Device Serial Number
/// (PCI Express Base Specification 6.0, 7.9.3).
const EXTENDED: usize = 0x100;
const SERIAL_NUMBER: u16 = 0x0003;

/// Replaces the serial number: that of a network card is made from its MAC
/// address and follows it.
pub(super) fn mask_serial(config: &mut [u8], words: &mut Words) {
    let Some(at) = find_serial(config) else { return };
    // Two registers, the lower half first, each little endian.
    let mut id: [u8; 8] = [0; 8];
    id.copy_from_slice(&config[at..at + 8]);
    id.reverse();
    let mut masked = words.eui64(id);
    masked.reverse();
    config[at..at + 8].copy_from_slice(&masked);
}

fn find_serial(config: &[u8]) -> Option<usize> {
    let mut at = EXTENDED;
    // Each capability takes at least 4 bytes: a chain that is longer runs in circles.
    for _ in 0..(4096 - EXTENDED) / 4 {
        let header = config.get(at..at + 4)?;
        let header = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        if header == 0 || header == u32::MAX {
            return None;
        }
        if header as u16 == SERIAL_NUMBER {
            return (at + 12 <= config.len()).then_some(at + 4);
        }
        at = (header >> 20) as usize & !3;
        if at < EXTENDED {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn space(at: usize, serial: [u8; 8]) -> Vec<u8> {
        let mut config = vec![0; 4096];
        config[0x100..0x104].copy_from_slice(&(1 | 1 << 16 | (at as u32) << 20).to_le_bytes());
        config[at..at + 4].copy_from_slice(&(3u32 | 1 << 16).to_le_bytes());
        config[at + 4..at + 12].copy_from_slice(&serial);
        config
    }

    #[test]
    fn only_the_serial_number_changes() {
        let mut words = Words::default();
        let mut config = space(0x140, [3, 2, 1, 0xff, 0xff, 0xef, 0xec, 0x3c]);
        let before = config.clone();
        mask_serial(&mut config, &mut words);
        assert_eq!(config[0x144..0x14c], [1, 0, 0, 0xff, 0xff, 0, 0, 2]);
        config[0x144..0x14c].copy_from_slice(&before[0x144..0x14c]);
        assert_eq!(config, before);
    }

    #[test]
    fn a_chain_in_circles_ends() {
        let mut config = vec![0; 4096];
        config[0x100..0x104].copy_from_slice(&(1u32 | 1 << 16 | 0x100 << 20).to_le_bytes());
        let before = config.clone();
        mask_serial(&mut config, &mut Words::default());
        assert_eq!(config, before);
    }

    proptest! {
        #[test]
        fn garbage_is_survived(mut config: Vec<u8>, next in 0u32..0x1000, len in 0x100usize..0x1000) {
            mask_serial(&mut config, &mut Words::default());
            let mut config = vec![0x03; len];
            if len >= 0x104 {
                config[0x100..0x104].copy_from_slice(&(next << 20 | 1 << 16 | 1).to_le_bytes());
            }
            mask_serial(&mut config, &mut Words::default());
        }
    }
}
