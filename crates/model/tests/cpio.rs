//! Archives of an initramfs: in any pieces the same entries, and never a panic.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod fuzz;

use model::boot::initramfs::{Collector, is_configuration};
use model::parse::cpio::{Content, Entry, Error, Parser};
use proptest::prelude::*;

const FILE: u32 = 0o10_0644;
const FOLDER: u32 = 0o4_0755;
const LINK: u32 = 0o12_0777;

/// Longer contents are not kept, in these tests.
const LONGEST: u32 = 100;

/// Writes archives.
#[derive(Default, Clone)]
struct Writer(Vec<u8>);

/// What stands in a header beside name and content.
struct Head {
    magic: &'static str,
    inode: u32,
    mode: u32,
    links: u32,
    sum: u32,
}

const PLAIN: Head = Head { magic: "070701", inode: 7, mode: FILE, links: 1, sum: 0 };

impl Writer {
    fn put(mut self, head: &Head, name: &[u8], content: &[u8]) -> Self {
        let Head { magic, inode, mode, links, sum } = head;
        let (size, length) = (content.len(), name.len());
        let numbers = format!(
            "{magic}{inode:08X}{mode:08X}{z}{z}{links:08X}{z}{size:08X}{z}{z}{z}{z}{length:08X}{sum:08x}",
            z = "00000000"
        );
        self.0.extend_from_slice(numbers.as_bytes());
        self.0.extend_from_slice(name);
        self.fill();
        self.0.extend_from_slice(content);
        self.fill();
        self
    }

    fn fill(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn file(self, name: &str, content: &[u8]) -> Self {
        self.put(&PLAIN, format!("{name}\0").as_bytes(), content)
    }

    fn of(self, mode: u32, name: &str, content: &[u8]) -> Self {
        self.put(&Head { mode, ..PLAIN }, format!("{name}\0").as_bytes(), content)
    }

    fn linked(self, inode: u32, name: &str, content: &[u8]) -> Self {
        let head = Head { inode, links: 2, ..PLAIN };
        self.put(&head, format!("{name}\0").as_bytes(), content)
    }

    fn trailer(self) -> Self {
        self.file("TRAILER!!!", b"")
    }

    fn zeros(mut self, count: usize) -> Self {
        self.0.resize(self.0.len() + count, 0);
        self
    }
}

/// What came out: entries, how the parser ended, and the bytes that it left.
type Parsed = (Vec<Entry>, Result<(), Error>, Vec<u8>);

fn wanted(entry: &Entry) -> bool {
    entry.name.ends_with(".conf") || entry.is_symlink()
}

/// All at once, or in pieces of these lengths, again and again.
fn parse(bytes: &[u8], pieces: &[usize]) -> Parsed {
    let mut parser = Parser::new(LONGEST, wanted);
    let (mut entries, mut rest) = (Vec::new(), bytes);
    let mut lengths = pieces.iter().cycle();
    while !rest.is_empty() {
        let length = lengths.next().map_or(rest.len(), |length| (*length).min(rest.len()));
        let (mut piece, behind) = rest.split_at(length);
        loop {
            match parser.next(&mut piece) {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) => break,
                Err(error) => return (entries, Err(error), Vec::new()),
            }
        }
        rest = &rest[length - piece.len()..];
        if !piece.is_empty() {
            return (entries, parser.finish(), rest.to_vec());
        }
        assert_eq!(rest, behind);
        assert_eq!(parser.position() as usize, bytes.len() - rest.len());
    }
    (entries, parser.finish(), Vec::new())
}

fn names(parsed: &Parsed) -> Vec<&str> {
    parsed.0.iter().map(|entry| entry.name.as_str()).collect()
}

fn contents(parsed: &Parsed) -> Vec<&Content> {
    parsed.0.iter().map(|entry| &entry.content).collect()
}

fn kept(text: &str) -> Content {
    Content::Bytes(text.as_bytes().to_vec())
}

#[test]
fn names_and_contents() {
    let archive = Writer::default()
        .of(FOLDER, ".", b"")
        .of(FOLDER, "./etc", b"")
        .file("/etc//modprobe.d/a.conf", b"blacklist a\n")
        .file("b", b"not asked for")
        .of(LINK, "c", b"etc/b.conf")
        .file("empty.conf", b"")
        .file("long.conf", &[b'x'; LONGEST as usize + 1])
        .trailer();
    let parsed = parse(&archive.0, &[]);
    let want = ["", "etc", "etc/modprobe.d/a.conf", "b", "c", "empty.conf", "long.conf"];
    assert_eq!(names(&parsed), want);
    let (none, long) = (Content::NotAsked, Content::TooLong);
    let (a, link, empty) = (kept("blacklist a\n"), kept("etc/b.conf"), kept(""));
    assert_eq!(contents(&parsed), [&none, &none, &a, &none, &link, &empty, &long]);
    assert_eq!(parsed.1, Ok(()));
    assert_eq!(parsed.0[1].mode, FOLDER);
    assert_eq!(parsed.0[3].size, 13);
}

#[test]
fn archives_follow_each_other_with_zeros_between() {
    let one = Writer::default().file("one", b"1").trailer();
    let two = one.zeros(512).file("two", b"").zeros(4).file("three", b"").zeros(3);
    let mut bytes = two.0;
    let whole = parse(&bytes, &[]);
    assert_eq!((names(&whole), &whole.1), (vec!["one", "two", "three"], &Ok(())));
    // What is no archive is left to whoever knows what it is.
    bytes.extend_from_slice(b"\x1f\x8brest");
    for pieces in [&[][..], &[1], &[7]] {
        let parsed = parse(&bytes, pieces);
        assert_eq!((&parsed.0, &parsed.1), (&whole.0, &Ok(())));
        assert_eq!(parsed.2, b"\x1f\x8brest");
    }
}

#[test]
fn names_that_the_kernel_passes_over() {
    let long = [b'n'; 4097];
    let archive = Writer::default().put(&PLAIN, b"", b"content").put(&PLAIN, &long, b"content");
    let archive = archive.put(&PLAIN, b"padded\0\0\0\0\0\0", b"content").file("after", b"");
    let parsed = parse(&archive.0, &[]);
    assert_eq!((names(&parsed), &parsed.1), (vec!["padded", "after"], &Ok(())));
}

#[test]
fn hard_links_wait_for_the_name_that_brings_the_content() {
    let archive = Writer::default()
        .linked(1, "a.conf", b"")
        .linked(2, "b.conf", b"")
        .linked(1, "other", b"of a")
        .linked(3, "another", b"of nobody")
        .trailer()
        .linked(2, "too late", b"in another archive");
    let parsed = parse(&archive.0, &[]);
    let (elsewhere, none, of_a) = (Content::Elsewhere, Content::NotAsked, kept("of a"));
    assert_eq!(contents(&parsed), [&elsewhere, &elsewhere, &of_a, &none, &none]);
    assert_eq!(parsed.0[0].inode, parsed.0[2].inode);
    assert_ne!(parsed.0[1].inode, parsed.0[4].inode);
}

#[test]
fn what_is_wrong_is_said() {
    let file = |head: &Head| Writer::default().put(head, b"a\0", b"abc").0;
    let with = |at: usize, text: &str| {
        let mut bytes = file(&PLAIN);
        bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
        bytes
    };
    let sum = |sum| Head { magic: "070702", sum, ..PLAIN };
    let endless = Writer::default().put(&PLAIN, b"abc", b"").0;
    for (bytes, want) in [
        (file(&PLAIN), ""),
        (file(&sum(0x126)), ""),
        (file(&sum(0x127)), "the content of `a` has the sum 0x126 and not 0x127"),
        (with(0, "0x0701"), "no newc header but `0x0701`"),
        (with(0, "070707"), "an archive of cpio's old format, which the kernel does not read"),
        (with(14, "+00081A4"), "`+00081A4` in a header is no hexadecimal number"),
        (endless, "the name `abc` has no end"),
        (Writer::default().zeros(2).file("a", b"").0, "a header is not at a multiple of four"),
        (file(&PLAIN)[..50].to_vec(), "ends within a header"),
        (file(&PLAIN)[..111].to_vec(), "ends within a name"),
        (file(&PLAIN)[..114].to_vec(), "ends within a content"),
        (file(&sum(0))[..114].to_vec(), "ends within `a`"),
    ] {
        let told = parse(&bytes, &[]).1.map_or_else(|error| error.to_string(), |()| String::new());
        assert_eq!(told, want);
    }
}

/// Some archives with all that is special.
fn archives() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof!["[a-z./]{1,9}", "[a-z]{1,9}\\.conf", Just("TRAILER!!!".to_owned())];
    let content = proptest::collection::vec(any::<u8>(), 0..130);
    let mode = prop_oneof![Just(FILE), Just(FOLDER), Just(LINK)];
    let entry = (name, content, mode, 0..3u32, 1..3u32, any::<bool>(), 0..3usize);
    proptest::collection::vec(entry, 0..8).prop_map(|entries| {
        let mut writer = Writer::default();
        for (name, content, mode, inode, links, has_sum, zeros) in entries {
            let sum = content.iter().map(|byte| u32::from(*byte)).sum();
            let magic = if has_sum { "070702" } else { "070701" };
            let head = Head { magic, inode, mode, links, sum };
            writer = writer.put(&head, format!("{name}\0").as_bytes(), &content);
            writer = writer.zeros(4 * zeros);
        }
        writer.0
    })
}

/// Archives cut up and put together anew.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let index = any::<prop::sample::Index>;
    let piece = (archives(), index(), index(), proptest::collection::vec(any::<u8>(), 0..6));
    let piece = piece.prop_map(|(bytes, from, to, noise)| {
        let (from, to) = (from.index(bytes.len() + 1), to.index(bytes.len() + 1));
        [&bytes[from.min(to)..from.max(to)], &noise].concat()
    });
    let damaged = (archives(), index(), any::<u8>()).prop_map(|(mut bytes, at, byte)| {
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    });
    let pieces = proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    prop_oneof![damaged, pieces]
}

proptest! {
    #![proptest_config(fuzz::seconds())]

    #[test]
    fn all_that_was_written_comes_out(bytes in archives(), pieces in proptest::collection::vec(1..200usize, 1..5)) {
        let whole = parse(&bytes, &[]);
        prop_assert_eq!(&whole.1, &Ok(()));
        prop_assert!(whole.2.is_empty());
        prop_assert_eq!(&parse(&bytes, &pieces), &whole);
    }

    #[test]
    fn garbage_in_pieces_is_the_same_garbage(bytes in garbage(), pieces in proptest::collection::vec(1..200usize, 1..5)) {
        let whole = parse(&bytes, &[]);
        prop_assert_eq!(&parse(&bytes, &pieces), &whole);
        let mut collector = Collector::default();
        for entry in whole.0 {
            let kept = match &entry.content {
                Content::Bytes(bytes) => bytes.len(),
                _ => 0,
            };
            prop_assert!(kept <= LONGEST as usize && entry.name.len() <= 3 * 4096);
            let _ = is_configuration(&entry.name);
            collector.add(entry);
        }
        let image = collector.finish();
        for name in image.files.keys() {
            let _ = image.text(name);
        }
    }
}
