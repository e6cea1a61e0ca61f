//! Which modules are loaded in which order: `modules.dep` and `modules.builtin` as text in, paths out.

use std::collections::HashMap;

/// Paths relative to `/lib/modules/RELEASE`, dependencies first, each once; what is built into the kernel is
/// left out. The error is the name that is in neither index.
pub(super) fn load_order(names: &[&str], dep: &str, builtin: &str) -> Result<Vec<String>, String> {
    // `a.ko.xz: b.ko.xz c.ko.xz`: a needs b needs c
    let lines = dep.lines().filter_map(|line| line.split_once(':'));
    let index: HashMap<String, (&str, &str)> =
        lines.map(|(path, needs)| (module_name(path), (path, needs))).collect();
    let mut order = Vec::new();
    for name in names {
        let Some((path, needs)) = index.get(*name) else {
            if builtin.lines().any(|path| module_name(path) == *name) {
                continue;
            }
            return Err((*name).to_owned());
        };
        for path in needs.split_whitespace().rev().chain([*path]) {
            if !order.iter().any(|known| known == path) {
                order.push(path.to_owned());
            }
        }
    }
    Ok(order)
}

/// `kernel/drivers/nvme/host/nvme-core.ko.xz` is `nvme_core`.
fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "k/nvme.ko.xz: k/nvme-core.ko.xz k/nvme-auth.ko.xz\nk/nvme-core.ko.xz: k/nvme-auth.ko.xz\nk/nvme-auth.ko.xz:\nk/igb.ko.xz: k/dca.ko.xz\nk/dca.ko.xz:\n";

    #[test]
    fn dependencies_come_first_and_once() {
        let order =
            load_order(&["nvme_core", "nvme", "igb", "virtio_pci"], DEP, "k/virtio_pci.ko\n");
        let expected = ["auth", "core", ""].map(|part| match part {
            "" => "k/nvme.ko.xz".to_owned(),
            part => format!("k/nvme-{part}.ko.xz"),
        });
        let order = order.unwrap();
        assert_eq!(order[..3], expected);
        assert_eq!(order[3..], ["k/dca.ko.xz", "k/igb.ko.xz"]);
    }

    #[test]
    fn an_unknown_module_is_named() {
        assert_eq!(load_order(&["nvme", "no_such"], DEP, ""), Err("no_such".to_owned()));
    }
}
