//! What an image of an initramfs holds, in a few lines: `cargo run --example initramfs IMAGE`.
//!
//! In: an image's path. Out: its segments, kernels, generator and configuration
//! files, or what is wrong with it. Never: a change.

use std::path::Path;
use std::process::ExitCode;

use host::initramfs::{Error, read};
use model::boot::initramfs::{Initramfs, is_configuration};

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("initramfs: the path of an image is missing");
        return ExitCode::from(2);
    };
    match read(Path::new(&path), is_configuration) {
        Ok(image) => {
            print(&image);
            ExitCode::SUCCESS
        }
        Err(error) => {
            if let Some(so_far) = error.so_far() {
                print(so_far);
            }
            match &error {
                Error::Broken(broken) => eprintln!("initramfs: {error}: {}", broken.fault),
                Error::Unread { .. } => eprintln!("initramfs: {error}"),
            }
            ExitCode::FAILURE
        }
    }
}

fn print(image: &Initramfs) {
    for segment in &image.segments {
        let entries = segment.entries;
        println!(
            "segment at {}: {} bytes, {}, of {} bytes unpacked, {entries} entries",
            segment.offset, segment.length, segment.compression, segment.unpacked
        );
    }
    for release in image.releases() {
        println!("kernel {release}: {} modules", image.modules_for(release).count());
    }
    let generator = image.generator.map_or("unknown".to_owned(), |generator| generator.to_string());
    println!("generator: {generator}");
    if let Some(unified) = &image.unified {
        println!("unified: {unified:?}");
    }
    for name in image.files.keys() {
        match image.text(name).known() {
            Some(text) => println!("file {name}: {} bytes", text.len()),
            None => println!("file {name}: {:?}", image.text(name).why()),
        }
    }
    println!("udev rules: {}", image.rules.len());
}
