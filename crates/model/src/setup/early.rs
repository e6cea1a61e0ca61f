//! What the kernel has before it sees a disk: its initramfs, in which the
//! first drivers take their devices.

use std::collections::BTreeSet;

use crate::boot::initramfs::Initramfs;
use crate::boot::modprobe::{File, Settings};
use crate::fact::Fact;

/// The initramfs of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Early {
    /// Where its image is.
    pub path: String,
    /// The modules that the kernel finds in it.
    pub modules: BTreeSet<String>,
    /// The copy of what modprobe is told.
    pub modprobe: Settings,
}

/// Folders of modprobe's configuration (modprobe.d(5)), as they are called
/// from the root: of files with one name, the first counts.
pub const MODPROBE: [&str; 5] = [
    "etc/modprobe.d",
    "run/modprobe.d",
    "usr/local/lib/modprobe.d",
    "usr/lib/modprobe.d",
    "lib/modprobe.d",
];

impl Early {
    /// What an image means for the kernel of a release. Not known where a
    /// file of modprobe's in it is not.
    pub fn of(path: &str, image: &Initramfs, release: &str) -> Fact<Self> {
        let mut files = Vec::new();
        for folder in MODPROBE {
            for (path, text) in image.texts_in(folder) {
                let name = path.rsplit('/').next().unwrap_or_default();
                match text {
                    Fact::Known(text) => files.push(File { folder, name, text }),
                    Fact::Unknown(why) => return Fact::Unknown(why),
                }
            }
        }
        Fact::Known(Self {
            path: path.to_owned(),
            modules: image.modules_for(release).map(str::to_owned).collect(),
            modprobe: Settings::read(&files),
        })
    }

    /// Whether a module is in it. Names have underscores only.
    pub fn has(&self, module: &str) -> bool {
        self.modules.contains(module)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::initramfs::{self, Module};
    use crate::fact::Why;

    fn image(files: &[(&str, Fact<&str>)]) -> Initramfs {
        let module = |name: &str, release: &str| Module {
            name: name.to_owned(),
            release: Some(release.to_owned()),
        };
        let text = |text: &Fact<&str>| initramfs::File::Text(text.clone().map(str::to_owned));
        Initramfs {
            modules: [module("nouveau", "6.12"), module("amdgpu", "6.1")].into(),
            files: files.iter().map(|(name, found)| ((*name).to_owned(), text(found))).collect(),
            ..Initramfs::default()
        }
    }

    #[test]
    fn what_counts_in_an_image() {
        let image = image(&[
            ("usr/lib/modprobe.d/a.conf", Fact::Known("blacklist amdgpu\n")),
            ("etc/modprobe.d/a.conf", Fact::Known("blacklist nouveau\n")),
            ("etc/modprobe.d/sub/b.conf", Fact::Known("blacklist radeon\n")),
        ]);
        let early = Early::of("/boot/initrd", &image, "6.12");
        let early = early.known().unwrap();
        assert!(early.has("nouveau") && !early.has("amdgpu"), "of that kernel only");
        assert_eq!(early.modprobe.blacklisted("nouveau").map(|place| place.line), Some(1));
        for hidden in ["amdgpu", "radeon"] {
            assert_eq!(early.modprobe.blacklisted(hidden), None, "{hidden}");
        }
    }

    #[test]
    fn a_file_that_is_not_known() {
        let why = Why::Failed("too long".to_owned());
        let image = image(&[("etc/modprobe.d/a.conf", Fact::Unknown(why.clone()))]);
        assert_eq!(Early::of("/boot/initrd", &image, "6.12"), Fact::Unknown(why));
    }
}
