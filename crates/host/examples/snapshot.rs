//! Print what is seen of a machine: `snapshot [--whole] [ROOT]`.

use host::observe::{Depth, observe};
use host::paths::Root;

fn main() {
    let (flags, roots): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|arg| arg.starts_with("--"));
    let root = roots.first().map_or_else(Root::real, Root::new);
    let depth =
        if flags.iter().any(|flag| flag == "--whole") { Depth::Whole } else { Depth::Listing };
    let snapshot = observe(&root, depth);
    if flags.iter().any(|flag| flag == "--count") {
        println!("{} functions, {} groups", snapshot.functions.len(), snapshot.groups.len());
    } else {
        println!("{snapshot:#?}");
    }
}
