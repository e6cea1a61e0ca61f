//! What others have told modprobe and the kernel already, so that it stays in
//! effect beside what is said in a file of ours (docs/decisions/0020).

use std::cmp::Ordering;

use crate::boot::cmdline::Cmdline;
use crate::boot::modprobe::Place;
use crate::check::Subject;
use crate::list::add;
use crate::ours::MODPROBE;

/// How vfio-pci is given ids by the kernel's arguments.
pub(super) const VFIO_IDS: &str = "vfio-pci.ids";

/// The rule that has a module wait for vfio-pci, and what a person has to do
/// for it to count: of several rules for a module the first one does, by the
/// names of their files (`libkmod/libkmod-module.c`). So what another one says
/// is said in ours, too.
pub(super) fn softdep(subject: &Subject<'_>, name: &str) -> (String, Option<String>) {
    let mut line = format!("softdep {name} pre: vfio-pci");
    let settings = subject.setup.modprobe.known();
    let Some(other) = settings.and_then(|settings| settings.softdep(name)) else {
        return (line, None);
    };
    let (own, is_vfio) = (ours_is(other.place), |module: &&String| *module == "vfio_pci");
    for module in other.pre.iter().filter(|module| !is_vfio(module)) {
        line += &format!(" {module}");
    }
    if !other.post.is_empty() {
        line += &format!(" post: {}", other.post.join(" "));
    }
    let hides = own == Ordering::Less && !other.pre.iter().any(|module| is_vfio(&module));
    let by_hand = format!(
        "write `{line}` in place of what {} says of {name}: of two such lines the first one counts",
        other.place
    );
    (line, hides.then_some(by_hand))
}

/// Where a file of modprobe's comes, and ours.
fn ours_is(place: &Place) -> Ordering {
    let ours = MODPROBE.rsplit('/').next().unwrap_or(MODPROBE);
    place.name.as_str().cmp(ours)
}

/// The ids that vfio-pci is given by others.
pub(super) struct Given {
    pub ids: Vec<String>,
    /// By somebody whose word comes behind that of our file.
    pub later: bool,
}

pub(super) fn given(subject: &Subject<'_>) -> Given {
    let mut given = Given { ids: Vec::new(), later: false };
    let settings = subject.setup.modprobe.known();
    let options = settings.into_iter().flat_map(|settings| settings.options("vfio_pci"));
    for (line, place) in options.filter(|(_, place)| ours_is(place) != Ordering::Equal) {
        for ids in line.split_whitespace().filter_map(|word| word.strip_prefix("ids=")) {
            given.later |= ours_is(place) == Ordering::Greater;
            ids.split(',').for_each(|one| add(&mut given.ids, one.to_owned()));
        }
    }
    let cmdline = Cmdline::new(subject.setup.cmdline.known().map_or("", String::as_str));
    for ids in cmdline.list(VFIO_IDS) {
        given.later = true;
        add(&mut given.ids, ids.to_owned());
    }
    given
}
