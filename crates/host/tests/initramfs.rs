//! Images of an initramfs, by the programs that make them: whole, joined, damaged.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../../model/tests/fuzz/mod.rs"]
mod fuzz;

use std::error::Error as _;
use std::fs;
use std::io::Cursor;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use host::initramfs::{Error, Fault, read, read_from};
use model::boot::initramfs::{Compression, Generator, Initramfs, is_configuration};
use model::{Fact, Why};
use proptest::prelude::*;

const SAMPLES: &[(&str, Compression)] = &[
    ("cpio.img", Compression::None),
    ("cpio-crc.img", Compression::None),
    ("gzip.img", Compression::Gzip),
    ("bzip2.img", Compression::Bzip2),
    ("lzma.img", Compression::Lzma),
    ("xz.img", Compression::Xz),
    ("xz-x86.img", Compression::Xz),
    ("lzop.img", Compression::Lzo),
    ("lz4-legacy.img", Compression::Lz4Legacy),
    ("lz4-frame.img", Compression::Lz4Frame),
    ("zstd.img", Compression::Zstd),
];

const OPTIONS: &str = "options vfio-pci ids=10de:2204\n";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/initramfs").join(name)
}

fn sample(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap()
}

fn parsed(bytes: &[u8]) -> Result<Initramfs, Error> {
    read_from("image", Cursor::new(bytes), is_configuration)
}

/// What is wrong with these bytes, with all causes.
fn told(bytes: &[u8]) -> String {
    let error = parsed(bytes).unwrap_err();
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{cause}")
}

/// An archive of one file, with its trailer, and zeros up to a block of cpio's.
fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in [(name, content), ("TRAILER!!!", b"")] {
        let numbers = [1, 0o10_0644, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        bytes.extend_from_slice(b"070701");
        bytes.extend(numbers.iter().flat_map(|number| format!("{number:08x}").into_bytes()));
        bytes.extend_from_slice(format!("{name}\0").as_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

#[test]
fn each_compression() {
    let plain = sample("cpio.img");
    for (name, compression) in SAMPLES {
        let image = read(&path(name), is_configuration).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let [segment] = &image.segments[..] else { panic!("{name}: {:?}", image.segments) };
        assert_eq!(segment.compression, *compression, "{name}");
        let length = fs::metadata(path(name)).unwrap().len();
        assert_eq!((segment.offset, segment.length), (0, length), "{name}");
        assert_eq!(segment.unpacked, plain.len() as u64, "{name}");
        assert!(image.has_module("nouveau") && image.has_module("vfio-pci"), "{name}");
        assert_eq!(image.modules_for("6.12.1-test").count(), 2, "{name}");
        assert_eq!(image.generator, Some(Generator::InitramfsTools), "{name}");
        for file in ["vfio.conf", "again.conf", "link.conf"] {
            let file = format!("etc/modprobe.d/{file}");
            assert_eq!(image.text(&file), Fact::Known(OPTIONS), "{name}: {file}");
        }
        assert_eq!(image.text("conf/modules"), Fact::Known("vfio_pci\n"), "{name}");
        assert_eq!(image.unified, None, "{name}");
    }
}

#[test]
fn only_what_is_wanted_is_kept() {
    let image = read(&path("zstd.img"), |name| name == "conf/modules").unwrap();
    assert_eq!(image.files.keys().collect::<Vec<_>>(), ["conf/modules"]);
    assert!(image.has_module("nouveau"));
}

/// Microcode first, then modules, then the rest, as distributions put them together.
#[test]
fn segments_of_all_kinds_follow_each_other() {
    let early = archive("kernel/x86/microcode/AuthenticAMD.bin", b"microcode");
    let modules = archive("usr/lib/modules/6.12.1-test/kernel/fs/xfs/xfs.ko.zst", b"xfs");
    for (name, compression) in SAMPLES {
        for (zeros, of) in [(0, "zstd.img"), (3, "gzip.img"), (512, "lz4-legacy.img")] {
            let filled = vec![0; zeros];
            let last = sample(of);
            let sample = sample(name);
            let bytes = [&early[..], &modules, &sample, &filled, &last].concat();
            let image = parsed(&bytes).unwrap_or_else(|e| panic!("{name}, {of}: {e:?}"));
            let entries: u64 = image.segments.iter().map(|segment| segment.entries).sum();
            assert!(image.has_module("xfs") && image.has_module("nouveau"), "{name}, {of}");
            let alone = parsed(&last).unwrap().segments[0].entries;
            assert_eq!(entries, 2 + 2 * alone, "{name}, {of}");
            let kinds: Vec<_> = image.segments.iter().map(|segment| segment.compression).collect();
            assert_eq!(kinds[0], Compression::None);
            assert!(kinds.contains(compression), "{name}, {of}: {kinds:?}");
        }
    }
}

#[test]
fn an_archive_may_be_compressed_in_pieces() {
    let plain = sample("cpio.img");
    let skippable = b"\x50\x2a\x4d\x18\x04\0\0\0abcd";
    let pieces: Vec<Vec<u8>> =
        plain.chunks(700).map(|piece| [&skippable[..], &zstd(piece)].concat()).collect();
    let image = parsed(&pieces.concat()[skippable.len()..]).unwrap();
    let [segment] = &image.segments[..] else { panic!("{:?}", image.segments) };
    assert_eq!(segment.unpacked, plain.len() as u64);
    let whole = parsed(&zstd(&plain)).unwrap();
    assert_eq!((&image.files, &image.modules), (&whole.files, &whole.modules));
}

#[test]
fn a_unified_kernel_image() {
    let image = read(&path("unified.efi"), is_configuration).unwrap();
    let unified = image.unified.as_ref().unwrap();
    assert_eq!(unified.cmdline.as_deref(), Some("root=/dev/sda2 vfio-pci.ids=10de:2204"));
    assert_eq!(unified.uname.as_deref(), Some("6.12.1-test"));
    assert!(image.has_module("nouveau"));
    let [segment] = &image.segments[..] else { panic!("{:?}", image.segments) };
    assert_eq!(segment.length, sample("zstd.img").len() as u64);
}

/// As `bootconfig -a` of the kernel's tools appends it.
#[test]
fn a_boot_configuration_behind_an_image() {
    let text = b"kernel.vfio-pci.ids = \"10de:2204\"\n\0\0";
    let sum: u32 = text.iter().map(|byte| u32::from(*byte)).sum();
    let size = text.len() as u32;
    for (name, _) in SAMPLES {
        let image = sample(name);
        let mut bytes = [&image, &text[..], &size.to_le_bytes(), &sum.to_le_bytes()].concat();
        bytes.extend_from_slice(b"#BOOTCONFIG\n");
        for filled in 0..4 {
            let found = parsed(&bytes).unwrap_or_else(|e| panic!("{name}, {filled}: {e:?}"));
            let text = found.bootconfig.as_deref();
            assert_eq!(text, Some("kernel.vfio-pci.ids = \"10de:2204\"\n"), "{name}, {filled}");
            assert!(found.has_module("nouveau"), "{name}");
            bytes.push(0);
        }
        bytes[image.len()] ^= 1;
        assert!(parsed(&bytes).is_err(), "{name}, with a bad sum");
    }
}

#[test]
fn what_is_broken_is_said_with_what_came_before() {
    let early = archive("usr/lib/modules/6.12.1-test/kernel/fs/xfs/xfs.ko.zst", b"xfs");
    let damaged = |name: &str, at: usize| {
        let mut bytes = sample(name);
        let text = bytes.windows(4).position(|bytes| bytes == b"\n399");
        let at = text.filter(|_| at == 0).unwrap_or(at);
        bytes[at] ^= 0x55;
        [&early[..], &bytes].concat()
    };
    let cut = |name: &str| [&early[..], &sample(name)[..700]].concat();
    let mut text = String::new();
    for (bytes, what) in [
        (damaged("gzip.img", 800), "gzip, damaged"),
        (damaged("xz.img", 800), "xz, damaged"),
        (damaged("lz4-frame.img", 800), "lz4 frames, damaged"),
        (damaged("zstd.img", 1200), "zstd, damaged"),
        (damaged("cpio-crc.img", 0), "archive with sums, damaged"),
        (cut("cpio.img"), "archive, cut"),
        (cut("gzip.img"), "gzip, cut"),
        (cut("bzip2.img"), "bzip2, cut"),
        (cut("lzma.img"), "lzma, cut"),
        (cut("xz.img"), "xz, cut"),
        (cut("lzop.img"), "lzo, cut"),
        (cut("lz4-legacy.img"), "lz4, cut"),
        (cut("lz4-frame.img"), "lz4 frames, cut"),
        (cut("zstd.img"), "zstd, cut"),
        ([&early[..], b"rubbish"].concat(), "no segment"),
        ([&early[..], &zstd(b"rubbish")].concat(), "no archive within"),
        ([&early[..], &zstd(b"0707rubbish"), &early].concat(), "an archive without an end"),
    ] {
        text += &format!("{what}: {}\n", told(&bytes));
        let error = parsed(&bytes).unwrap_err();
        assert!(error.so_far().unwrap().has_module("xfs"), "{what}");
        assert!(matches!(error.why(), Why::Failed(_)), "{what}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_cut_image_is_never_taken_for_a_whole_one() {
    for (name, compression) in SAMPLES {
        let bytes = sample(name);
        for length in 1..bytes.len() {
            let cut = parsed(&bytes[..length]);
            // An archive may end with any entry, and lz4's legacy format with any block.
            let may_end = match compression {
                Compression::None => length % 4 == 0 || bytes[length..].iter().all(|b| *b == 0),
                Compression::Lz4Legacy => length < 8,
                _ => false,
            };
            assert!(may_end || cut.is_err(), "{name}, {length} bytes");
        }
    }
}

#[test]
fn kernels_are_no_images() {
    let mut bytes = sample("unified.efi");
    let at = bytes.windows(6).position(|name| name == b".linux").unwrap();
    bytes[at] = b'_';
    let error = parsed(&bytes).unwrap_err();
    assert!(matches!(&error, Error::Broken(broken) if matches!(broken.fault, Fault::NotUnified)));
    assert!(told(b"MZ and nothing more").contains("bad headers"));
    assert!(told(&sample("unified.efi")[..1000]).contains("`.cmdline`"));
    assert!(told(&sample("unified.efi")[..3000]).contains("before its initramfs"));
    assert!(told(&sample("unified.efi")[..4000]).contains("ends within zstd"));
}

#[test]
fn an_image_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // As a replay refuses a read, for root as well.
    symlink("refused", at("refused")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
    for (name, want) in [
        ("refused", Some(Why::NotPermitted)),
        ("missing", Some(Why::NotProvided)),
        ("folder", None),
        ("fifo", None),
    ] {
        let error = read(&at(name), is_configuration).unwrap_err();
        assert!(error.so_far().is_none_or(|so_far| so_far.segments.is_empty()), "{name}");
        match want {
            Some(want) => assert_eq!(error.why(), want, "{name}"),
            None => assert!(matches!(error.why(), Why::Failed(_)), "{name}: {error:?}"),
        }
    }
}

/// Samples cut up and put together anew, with zeros and noise between.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let index = any::<prop::sample::Index>;
    let name = (0..=SAMPLES.len()).prop_map(|at| match SAMPLES.get(at) {
        Some((name, _)) => *name,
        None => "unified.efi",
    });
    let edit = proptest::collection::vec((index(), any::<u8>()), 0..3);
    let piece = (name, prop::option::weighted(0.3, index()), edit, 0..6usize);
    let piece = piece.prop_map(|(name, length, edits, zeros)| {
        let mut bytes = sample(name);
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(length.map_or(bytes.len(), |length| length.index(bytes.len())));
        bytes.resize(bytes.len() + zeros, 0);
        bytes
    });
    proptest::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(fuzz::seconds())]

    #[test]
    fn garbage_is_refused(bytes in garbage()) {
        let (image, whole) = match parsed(&bytes) {
            Ok(image) => (image, true),
            Err(Error::Broken(broken)) => {
                let is_there = !matches!(broken.fault, Fault::NoSection(_) | Fault::Short);
                prop_assert!(!is_there || broken.offset <= bytes.len() as u64);
                (broken.so_far, false)
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        let mut from = 0;
        for segment in &image.segments {
            prop_assert!(segment.offset >= from);
            from = segment.offset + segment.length;
        }
        prop_assert!(from <= bytes.len() as u64);
        prop_assert!(!whole || image.unified.is_some() || bytes[from as usize..].iter().all(|b| *b == 0));
    }
}
