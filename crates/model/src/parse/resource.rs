//! `resource` of a PCI function: the ranges that the kernel gave it.
//!
//! In: one line per range, `start end flags` (`resource_show()` in
//! drivers/pci/pci-sysfs.c). Out: base address registers, those of the
//! virtual functions, and the ROM. A bridge's windows are left out.

use crate::fact::Why;
use crate::function::{Bar, BarKind};
use crate::parse::attribute::{hex, malformed};

/// The ranges of one function.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Resources {
    pub bars: Vec<Bar>,
    pub vf_bars: Vec<Bar>,
    /// Size of the expansion ROM in bytes.
    pub rom: Option<u64>,
}

// `include/linux/ioport.h`.
const IORESOURCE_IO: u64 = 0x100;
const IORESOURCE_MEM: u64 = 0x200;
const IORESOURCE_PREFETCH: u64 = 0x2000;
const IORESOURCE_MEM_64: u64 = 0x10_0000;
const IORESOURCE_UNSET: u64 = 0x2000_0000;

// `include/linux/pci.h`: what each line stands for.
const ROM: usize = 6;
const VF_FIRST: usize = 7;
const VF_LAST: usize = 12;

/// Read the table. Ranges that are not implemented (all zero) are left out.
pub fn parse(text: &str) -> Result<Resources, Why> {
    let mut resources = Resources::default();
    // A kernel without CONFIG_PCI_IOV prints 7 lines, 11 for a bridge, and
    // then lines 7-10 are the bridge's windows; with it 13, or 17.
    let with_vfs = || text.lines().count() > VF_LAST;
    for (line, row) in text.lines().enumerate() {
        let Some((start, size, flags)) = range(row)? else { continue };
        let bar = |first: usize| -> Option<Bar> {
            let index = u8::try_from(line - first).ok()?;
            Some(Bar { index, start, size, kind: kind(flags)? })
        };
        match line {
            0..ROM => resources.bars.extend(bar(0)),
            ROM => resources.rom = Some(size),
            VF_FIRST..=VF_LAST if with_vfs() => resources.vf_bars.extend(bar(VF_FIRST)),
            _ => {}
        }
    }
    Ok(resources)
}

/// What the kernel prints of a range that is not implemented: most of the
/// rows of most functions, so they are known at a glance.
const NONE: &str = "0x0000000000000000 0x0000000000000000 0x0000000000000000";

/// Start, size and flags of one line; `None` when it is not implemented.
fn range(row: &str) -> Result<Option<(u64, u64, u64)>, Why> {
    if row == NONE {
        return Ok(None);
    }
    let mut words = row.split_whitespace();
    let (Some(start), Some(end), Some(flags), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(malformed(row));
    };
    let (start, end, flags) = (hex(start)?, hex(end)?, hex(flags)?);
    if flags & (IORESOURCE_IO | IORESOURCE_MEM) == 0 || (start, end) == (0, 0) {
        return Ok(None);
    }
    // An empty range ends one before its start (`resource_size()`).
    let Some(size) = end.checked_sub(start).and_then(|last| last.checked_add(1)) else {
        return if end.checked_add(1) == Some(start) { Ok(None) } else { Err(malformed(row)) };
    };
    let start = if flags & IORESOURCE_UNSET == 0 { start } else { 0 };
    Ok(Some((start, size, flags)))
}

fn kind(flags: u64) -> Option<BarKind> {
    if flags & IORESOURCE_MEM != 0 {
        let wide = flags & IORESOURCE_MEM_64 != 0;
        let prefetchable = flags & IORESOURCE_PREFETCH != 0;
        return Some(BarKind::Memory { wide, prefetchable });
    }
    (flags & IORESOURCE_IO != 0).then_some(BarKind::Io)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &str = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";

    fn bar(index: u8, start: u64, size: u64, kind: BarKind) -> Bar {
        Bar { index, start, size, kind }
    }

    #[test]
    fn of_a_graphics_card() {
        // GeForce RTX 3090, resizable BAR off.
        let text = [
            "0x00000000fb000000 0x00000000fbffffff 0x0000000000040200\n",
            "0x000000d000000000 0x000000d00fffffff 0x000000000014220c\n",
            NONE,
            "0x000000d010000000 0x000000d011ffffff 0x000000000014220c\n",
            NONE,
            "0x000000000000e000 0x000000000000e07f 0x0000000000040101\n",
            "0x00000000fc000000 0x00000000fc07ffff 0x0000000000046200\n",
        ];
        let wide = BarKind::Memory { wide: true, prefetchable: true };
        let narrow = BarKind::Memory { wide: false, prefetchable: false };
        let got = parse(&text.concat()).unwrap();
        assert_eq!(
            got.bars,
            [
                bar(0, 0xfb00_0000, 16 << 20, narrow),
                bar(1, 0xd0_0000_0000, 256 << 20, wide),
                bar(3, 0xd0_1000_0000, 32 << 20, wide),
                bar(5, 0xe000, 128, BarKind::Io),
            ]
        );
        assert_eq!((got.rom, got.vf_bars), (Some(512 << 10), vec![]));
    }

    #[test]
    fn virtual_functions_and_bridge_windows() {
        let window = "0x00000000f0000000 0x00000000f00fffff 0x0000000000000200\n";
        let vf = "0x0000004018000000 0x000000401807ffff 0x000000000014220c\n";
        let with_vfs = [NONE.repeat(7), vf.to_owned(), NONE.repeat(5)].concat();
        let got = parse(&with_vfs).unwrap();
        let wide = BarKind::Memory { wide: true, prefetchable: true };
        assert_eq!(got.vf_bars, [bar(0, 0x40_1800_0000, 512 << 10, wide)]);

        let bridge_without_iov = [NONE.repeat(7), window.repeat(4)].concat();
        assert_eq!(parse(&bridge_without_iov), Ok(Resources::default()));
        let bridge_with_iov = [NONE.repeat(13), window.repeat(4)].concat();
        assert_eq!(parse(&bridge_with_iov), Ok(Resources::default()));
    }

    #[test]
    fn ranges_without_a_place_keep_their_size() {
        let unset = "0x0000000000000000 0x0000001fffffffff 0x000000002014220c\n";
        let got = parse(unset).unwrap();
        assert_eq!((got.bars[0].start, got.bars[0].size), (0, 128 << 30));
        let empty = "0x0000000000001000 0x0000000000000fff 0x0000000000000101\n";
        assert_eq!(parse(empty), Ok(Resources::default()));
    }

    #[test]
    fn garbage_is_named() {
        for text in ["hello\n", "0x1 0x2\n", "0x9 0x1 0x200\n", "0x0 0xffffffffffffffff 0x200\n"] {
            assert!(matches!(parse(text), Err(Why::Malformed(_))), "{text}");
        }
        assert_eq!(parse(""), Ok(Resources::default()));
    }
}
