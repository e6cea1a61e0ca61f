//! Virtual functions: made and removed by writing `sriov_numvfs`.
//!
//! The rules are `sriov_numvfs_store()` in drivers/pci/iov.c. A virtual
//! function is in the configuration space what its physical one says: no ids
//! of its own, type 0, no legacy interrupt.

use model::Bdf;
use model::plan::is_vfio_driver;
use rustix::io::Errno;

use crate::machine::Machine;
use crate::spec::{BarKind, BarSpec, Express, FunctionSpec};

/// Where the SR-IOV regions begin among a function's.
const SRIOV_REGIONS: usize = 7;

impl Machine {
    pub(crate) fn set_numvfs(&mut self, pf: Bdf, value: &str) -> Result<(), Errno> {
        let wanted: u16 = value.trim().parse().map_err(|_| Errno::INVAL)?;
        let number = |name: &str| {
            self.attribute(pf, name).and_then(|text| text.parse::<u16>().ok()).unwrap_or_default()
        };
        if wanted > number("sriov_totalvfs") {
            return Err(Errno::RANGE);
        }
        let now = number("sriov_numvfs");
        if wanted == now {
            return Ok(());
        }
        // vfio-pci offers it only with its parameter enable_sriov.
        if self.driver_of(pf).is_none_or(|driver| is_vfio_driver(&driver)) {
            return Err(Errno::NOENT);
        }
        if wanted > 0 && now > 0 {
            return Err(Errno::BUSY);
        }
        if wanted == 0 {
            self.remove_virtual_functions(pf);
            return Ok(());
        }
        for index in 0..wanted {
            self.add_virtual_function(pf, index);
        }
        self.set_attribute(pf, "sriov_numvfs", &wanted.to_string());
        Ok(())
    }

    fn add_virtual_function(&mut self, pf: Bdf, index: u16) {
        let number = |name: &str, radix: u32| {
            let text = self.attribute(pf, name).unwrap_or_default();
            u16::from_str_radix(&text, radix).unwrap_or_default()
        };
        let (offset, stride) = (number("sriov_offset", 10), number("sriov_stride", 10));
        let device = number("sriov_vf_device", 16);
        let bdf = routed(pf, offset + stride * index);
        let class = self.attribute(pf, "class").unwrap_or_default();
        let class = u32::from_str_radix(class.trim_start_matches("0x"), 16).unwrap_or_default();
        // The bus of a virtual function may have no bridge: it is below its PF's.
        let beside = self.folder(pf).rsplit_once('/').map(|(above, _)| above.to_owned());
        self.buses.insert((bdf.domain(), bdf.bus()), beside.unwrap_or_default());
        self.add_function(FunctionSpec {
            bars: self.bars_of_one(pf),
            express: Some(Express { flr: true, ..Express::default() }),
            msi: None,
            reset_methods: "flr".to_owned(),
            irq: 0,
            ..FunctionSpec::new(bdf, (self.ids(pf).0, device), class)
        });
        self.blank_identity(bdf);
        let folder = self.folder(bdf);
        self.tree.link(format!("{folder}/physfn"), self.folder(pf));
        self.tree.link(format!("{}/virtfn{index}", self.folder(pf)), folder);
        if self.attribute(pf, "sriov_drivers_autoprobe").as_deref() != Some("0") {
            self.attach(bdf);
        }
    }

    /// The registers of one virtual function: a share of each SR-IOV region.
    fn bars_of_one(&self, pf: Bdf) -> Vec<BarSpec> {
        let total = self.attribute(pf, "sriov_totalvfs").and_then(|text| text.parse().ok());
        let regions = self.attribute(pf, "resource").unwrap_or_default();
        let share = |(index, line): (usize, &str)| {
            let number = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok();
            let words: Vec<u64> = line.split(' ').filter_map(number).collect();
            let [start, end, flags] = words[..] else { return None };
            let size = (end - start + 1) / total.unwrap_or(1).max(1);
            let kind = BarKind::of_resource(flags)?;
            Some(BarSpec { index: index as u8, size, kind })
        };
        regions.lines().skip(SRIOV_REGIONS).take(6).enumerate().filter_map(share).collect()
    }

    /// A virtual function's own vendor, device and base address registers
    /// read as ones and zeroes (SR-IOV specification, 3.4.1).
    fn blank_identity(&self, bdf: Bdf) {
        let path = format!("{}/config", self.folder(bdf));
        let mut config = self.tree.bytes(&path).unwrap_or_default();
        config[..4].fill(0xff);
        config[0x10..0x28].fill(0);
        self.tree.put(path, config);
    }

    /// Remove all virtual functions of a physical one, if it has any.
    pub(crate) fn remove_virtual_functions(&mut self, pf: Bdf) {
        let folder = self.folder(pf);
        let links = self.tree.names(&folder).into_iter();
        for link in links.filter(|name| name.starts_with("virtfn")) {
            let path = format!("{folder}/{link}");
            let vf = self.tree.link_name(&path).and_then(|name| name.parse().ok());
            self.tree.remove(path);
            if let Some(vf) = vf {
                self.remove_function(vf);
            }
        }
        if self.attribute(pf, "sriov_numvfs").is_some_and(|count| count != "0") {
            self.set_attribute(pf, "sriov_numvfs", "0");
        }
    }
}

/// The address so many routing ids further on (SR-IOV specification, 2.1.2).
fn routed(pf: Bdf, distance: u16) -> Bdf {
    let id = u16::from(pf.bus()) << 8 | u16::from(pf.device()) << 3 | u16::from(pf.function());
    let id = id + distance;
    let (bus, device, function) = (id >> 8, id >> 3 & 0x1f, id & 7);
    let bdf = Bdf::new(pf.domain(), bus as u8, device as u8, function as u8);
    bdf.unwrap_or_else(|error| panic!("{error}"))
}
