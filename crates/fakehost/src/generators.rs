//! The pretended system's programs that make what it boots by: images and menus.
//!
//! They read the tree as the real ones read theirs: an image has a copy of
//! what modprobe is told where the real one would take it along, a menu has
//! the arguments that a shell finds in GRUB's settings. What they make can be
//! ordered to be wrong.

use std::path::Path;
use std::process::Command;

use model::port::{Cmd, Output};

use crate::host::FakeHost;
use crate::image::archive;
use crate::machine::Machine;
use crate::runner::ended;

/// How a program fails at what it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Botch {
    /// It ends with status 1, having made nothing.
    Fails,
    /// A signal ends it when half is made.
    Killed,
    /// It says that all is well and has made nothing.
    Nothing,
    /// What it makes has no bytes.
    Empty,
    /// What it makes ends in the middle.
    Half,
    /// What it makes is nothing of the kind.
    Garbage,
    /// What it makes is whole, and lacks what it is for: no module, no kernel.
    Bare,
}

/// Programs that make things.
impl FakeHost {
    /// A program fails from now on whenever it makes something.
    pub fn botch(&self, program: &str, botch: Botch) {
        self.shared.lock().machine.botches.insert(program.to_owned(), botch);
    }

    /// Every program does again as it should.
    pub fn mend(&self) {
        self.shared.lock().machine.botches.clear();
    }
}

/// The path of a variable of the Boot Loader Interface.
pub(crate) fn variable(name: &str) -> String {
    format!("sys/firmware/efi/efivars/{name}-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f")
}

/// Such a text: attributes (it lasts, and is there at run time), then UTF-16.
pub(crate) fn variable_text(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes);
    [7, 0, 0, 0].into_iter().chain(units).collect()
}

impl Machine {
    /// What a program makes, if it is one that makes something.
    pub(crate) fn generate(&self, cmd: &Cmd) -> Option<Output> {
        let args: Vec<&str> = cmd.args.iter().map(String::as_str).collect();
        let program = cmd.program.as_str();
        let botch = self.botches.get(program).copied();
        let bare = botch == Some(Botch::Bare);
        let (out, made) = match (program, &args[..]) {
            ("mkinitramfs", ["-o", out, release])
            | ("dracut", ["--force", out, release])
            | ("mkinitcpio", ["-k", release, "-g", out])
            | ("booster", ["build", "--force", "--kernel-version", release, out]) => {
                (*out, self.image(program, release, bare))
            }
            ("grub-mkconfig" | "grub2-mkconfig", ["-o", out]) => (*out, self.menu(bare)),
            _ => return self.chosen(program, &args),
        };
        let half = made.len() / 2;
        let written = match botch {
            Some(Botch::Fails | Botch::Nothing) => None,
            Some(Botch::Killed | Botch::Half) => Some(&made[..half]),
            Some(Botch::Empty) => Some(&[][..]),
            Some(Botch::Garbage) => Some(&b"\0no such thing {"[..]),
            Some(Botch::Bare) | None => Some(&made[..]),
        };
        let given = self.tree.given(Path::new(out));
        if let Some(written) = written {
            self.tree.put(given, written);
        }
        Some(match botch {
            Some(Botch::Fails) => ended(1, "", &format!("{program}: it does not work\n")),
            Some(Botch::Killed) => Output { status: None, ..ended(0, "", "") },
            _ => ended(0, "", ""),
        })
    }

    /// What a program does that tells the boot loader which entry is next.
    fn chosen(&self, program: &str, args: &[&str]) -> Option<Output> {
        match (program, args) {
            ("grub-reboot", [entry]) => self.remember(Some(entry)),
            ("grub-editenv", [_, "unset", "next_entry"]) => self.remember(None),
            ("bootctl", ["set-oneshot", entry]) => {
                let path = variable("LoaderEntryOneShot");
                match *entry {
                    "" => self.tree.remove(&path),
                    entry => self.tree.put(&path, variable_text(entry)),
                }
            }
            _ => return None,
        }
        Some(ended(0, "", ""))
    }

    /// In GRUB's environment block, which is as long as it was.
    fn remember(&self, entry: Option<&str>) {
        const BLOCK: &str = "boot/grub/grubenv";
        let text = self.tree.text(BLOCK).unwrap_or_default();
        let others =
            text.lines().filter(|line| !line.starts_with("next_entry=") && !line.starts_with("##"));
        let mut block: String = others.map(|line| format!("{line}\n")).collect();
        block.extend(entry.map(|entry| format!("next_entry={entry}\n")));
        let mut block = block.into_bytes();
        block.resize(1024, b'#');
        self.tree.put(BLOCK, block);
    }

    /// An image for a release, which is made by this program.
    pub(crate) fn image(&self, program: &str, release: &str, bare: bool) -> Vec<u8> {
        let texts = |folder: &str, ending: &str| -> Vec<(String, String)> {
            let names = self.tree.names(folder).into_iter().filter(|name| name.ends_with(ending));
            let paths = names.map(|name| format!("{folder}/{name}"));
            paths.filter_map(|path| Some((path.clone(), self.tree.text(&path)? + "\n"))).collect()
        };
        let modprobe = texts("etc/modprobe.d", ".conf");
        let own = match program {
            "dracut" => texts("etc/dracut.conf.d", ".conf"),
            "mkinitcpio" => texts("etc/mkinitcpio.conf.d", ".conf"),
            "booster" => texts("etc", "booster.yaml"),
            _ => texts("etc/initramfs-tools/hooks", ""),
        };
        let says = |what: &str| own.iter().any(|(_, text)| text.contains(what));
        // initramfs-tools takes along what a soft dependency names.
        let softdep = |(_, text): &(String, String)| text.contains("pre: vfio-pci");
        let by_softdep = program == "mkinitramfs" && modprobe.iter().any(softdep);
        let takes_vfio = by_softdep || says("vfio_pci");
        let omits = match program {
            "dracut" => says("omit_drivers") && says("nouveau"),
            "booster" => says("-nouveau"),
            _ => false,
        };
        let kernel = format!("usr/lib/modules/{release}/kernel/drivers");
        let mut files = vec![("init".to_owned(), b"#!/bin/sh\n".to_vec())];
        if !omits && !bare {
            files.push((format!("{kernel}/gpu/drm/nouveau/nouveau.ko"), vec![0; 64]));
        }
        if takes_vfio && !bare {
            files.push((format!("{kernel}/vfio/pci/vfio-pci.ko"), vec![0; 64]));
        }
        let taken = modprobe.into_iter().filter(|(path, _)| {
            let named = || says("install_items") && says(&format!("/{path}"));
            !bare && program != "booster" && (program != "dracut" || named())
        });
        let rules = texts("etc/udev/rules.d", ".rules").into_iter();
        let rules = rules.filter(|(path, _)| !bare && says(&format!("/{path}")));
        files.extend(taken.chain(rules).map(|(path, text)| (path, text.into_bytes())));
        archive(&files)
    }

    /// A menu for each kernel, with the arguments that the settings give.
    pub(crate) fn menu(&self, bare: bool) -> Vec<u8> {
        let (all, default) =
            (self.setting("GRUB_CMDLINE_LINUX"), self.setting("GRUB_CMDLINE_LINUX_DEFAULT"));
        let names = self.tree.names("boot");
        let kernels = names.iter().filter(|name| name.starts_with("vmlinu") && !bare);
        let mut menu = "### BEGIN 10_linux ###\nset default=\"0\"\n".to_owned();
        for kernel in kernels {
            let release = kernel.split_once('-').map_or("", |(_, release)| release);
            let mut images =
                names.iter().filter(|name| name.contains(release) && name.starts_with("init"));
            let initrd = images.next().map(|name| format!("\tinitrd\t/boot/{name}\n"));
            let initrd = initrd.unwrap_or_default();
            for (title, kind, arguments) in [
                (format!("Linux {release}"), "advanced", format!("{all} {default}")),
                (format!("Linux {release} (recovery mode)"), "recovery", format!("single {all}")),
            ] {
                menu += &format!(
                    "menuentry '{title}' --class gnu-linux $menuentry_id_option 'gnulinux-{release}-{kind}-4d574a87' {{\n\
                     \tlinux\t/boot/{kernel} root=UUID=4d574a87 ro {arguments}\n{initrd}}}\n"
                );
            }
        }
        // Scripts behind the distribution's own.
        for name in self.tree.names("etc/grub.d") {
            menu += &self.by_shell(&format!("etc/grub.d/{name}"));
        }
        menu.into_bytes()
    }

    /// What a shell's script prints.
    fn by_shell(&self, path: &str) -> String {
        let output = Command::new("sh").arg(self.tree.at(path)).env_clear().output();
        let output = output.unwrap_or_else(|error| panic!("sh: {error}"));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What a shell finds in GRUB's settings.
    fn setting(&self, name: &str) -> String {
        let script = format!(
            "for file in ./grub grub.d/*.cfg; do if [ -e \"$file\" ]; then . \"$file\"; fi; done
             printf %s \"${name}\""
        );
        let output = Command::new("sh")
            .args(["-c", &script])
            .env_clear()
            .current_dir(self.tree.at("etc/default"))
            .output();
        let output = output.unwrap_or_else(|error| panic!("sh: {error}"));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
