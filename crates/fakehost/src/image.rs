//! An initramfs image, as `cpio -H newc` writes it
//! (Documentation/driver-api/early-userspace/buffer-format.rst).

/// An archive of these files, by name from the root.
pub(crate) fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let last = ("TRAILER!!!".to_owned(), Vec::new());
    for (number, (name, content)) in files.iter().chain([&last]).enumerate() {
        let mode = if name == &last.0 { 0 } else { 0o100_644 };
        let length = content.len();
        let numbers = [number + 1, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name.len() + 1, 0];
        bytes.extend(b"070701");
        numbers.iter().for_each(|number| bytes.extend(format!("{number:08x}").bytes()));
        bytes.extend(name.bytes().chain([0]));
        fill(&mut bytes);
        bytes.extend(content);
        fill(&mut bytes);
    }
    bytes
}

/// Everything begins at a multiple of four.
fn fill(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}
