//! Hosts that are set up, for tests of checks and preparations.

use model::boot::modprobe::Settings;
use model::plan::prepare::Preparation;
use model::setup::boot::{Boot, Generator, Loader, Menu};
use model::setup::{
    Access, Firmware, Maker, Memory, Modules, Processor, Programs, Screens, Setup, Smt,
};
use model::snapshot::ModuleState;
use model::{Fact, Why};

/// A host on which everything is as it should be.
pub fn ready() -> Setup {
    let modules = ["vfio", "vfio_pci", "vfio_iommu_type1", "irqbypass", "iommufd"];
    let states = modules.map(|name| (name.to_owned(), ModuleState::Loaded.into()));
    let nested = ("kvm_intel".to_owned(), "nested".to_owned());
    let parameters = [(nested, "Y".to_owned().into())].into();
    Setup {
        guests: Vec::new().into(),
        os: Fact::Unknown(Why::NotProvided),
        cmdline: "root=/dev/sda1 iommu=pt".to_owned().into(),
        processor: Processor { maker: Maker::Intel, virtualization: Some(true), hypervisor: false }
            .into(),
        product: "Some Maker Some Board".to_owned().into(),
        kvm: Access::Usable.into(),
        remapping: Some(true).into(),
        modules: Modules { states: states.into(), parameters, ..Modules::default() },
        modprobe: Settings::default().into(),
        early: Fact::Unknown(Why::NotObserved),
        boot: grub(),
        planned: Vec::new().into(),
        smt: Smt { control: "on".to_owned(), active: true }.into(),
        firmware: Firmware {
            efi: true.into(),
            secure_boot: Some(false).into(),
            lockdown: Some("none".to_owned()).into(),
        },
        memory: Memory { pools: Vec::new().into(), lock_limit: None.into() },
        programs: Programs { qemu: Some((10, 0, 2)).into(), libvirt: None.into(), uefi: 3.into() },
        screens: Screens { services: Vec::new().into(), xorg: Vec::new().into() },
        security: vec!["capability".to_owned()].into(),
    }
}

/// GRUB with a menu, and Debian's initramfs.
pub fn grub() -> Boot {
    let menu =
        Menu { path: "/boot/grub/grub.cfg".to_owned(), program: Some("grub-mkconfig".to_owned()) };
    let loader = Loader {
        name: "GRUB".to_owned(),
        settings: vec!["/etc/default/grub".to_owned()],
        menu: Some(menu),
        ..Loader::default()
    };
    Boot {
        loader: loader.into(),
        generator: Some(Generator::InitramfsTools).into(),
        images: [("6.12".to_owned(), "/boot/initrd.img-6.12".to_owned())].into(),
        configuration: "/etc".to_owned(),
        files: [("/boot/grub/grub.cfg".to_owned(), MENU.into())].into(),
    }
}

const MENU: &str = "menuentry 'Linux' {\n linux /vmlinuz root=/dev/sda1 iommu=pt\n}\n";

/// The same host, booted by something else.
pub fn booted_by(setup: &Setup, boot: &Boot) -> Setup {
    Setup { boot: boot.clone(), ..setup.clone() }
}

/// Steps with their diffs, and what is left to a person.
pub fn shown(preparation: &Preparation) -> String {
    let steps = preparation.steps.iter().map(|step| format!("{step}\n{}", step.diff()));
    let by_hand = preparation.by_hand.iter().map(|text| format!("by hand: {text}\n"));
    steps.chain(by_hand).collect()
}
