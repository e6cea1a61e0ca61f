//! Network interfaces: which function each sits on, and what it is used for.
//!
//! In: `/sys/class/net` and `/proc/net`. Out: a use for each interface of a
//! function. An address or the default route of a bridge, bond or VLAN counts
//! for every interface below it. Never: a socket; a recording tells the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use model::parse::network::{self, Address};
use model::parse::{attribute, link};
use model::usage::{Use, UseKind};
use model::{Bdf, Function, Why};

use super::sight;
use super::uses::Uses;
use crate::paths::Root;
use crate::read::{self, Buffer, Folder};

/// `IFF_UP` of `include/uapi/linux/if.h`.
const IFF_UP: u64 = 1;
/// The switch of Open vSwitch: addresses are on ports of its own that have no
/// link to it.
const OVS: &str = "ovs-system";

/// The use of every function's interfaces.
pub(super) fn uses(root: &Root, uses: &mut Uses<'_>) {
    let path = root.class("net");
    if let Ok(proc) = Folder::open(&root.processes())
        && let Err(why) = sight::network(&proc)
    {
        uses.unlisted(UseKind::Network, &path, why);
    }
    let folder = match Folder::open(&path) {
        Ok(folder) => folder,
        Err(why) => return uses.unlisted(UseKind::Network, &path, why),
    };
    let owners = match owners(&folder) {
        Ok(owners) => owners,
        Err(why) => return uses.unlisted(UseKind::Network, &path, why),
    };
    out_of_sight(uses, &path, &owners);
    if owners.values().all(Option::is_none) {
        return;
    }
    let addressed = Addressed::read(root, uses);
    let physical = owners.iter().filter_map(|(name, owner)| Some((name, (*owner)?)));
    for (name, bdf) in physical {
        let mut stack = above(&folder, name);
        if stack.contains(OVS) {
            let loose = |name: &&String| owners.get(*name).is_some_and(Option::is_none);
            stack.extend(addressed.defaults.iter().filter(loose).cloned());
        }
        uses.add([bdf], &addressed.interface(name, is_up(&folder, name), &stack));
    }
}

/// Cards with a driver and without an interface: a container or a guest may
/// have been given it, by its network namespace. A driver for user space
/// (`uio_pci_generic`, DPDK's) makes none.
fn out_of_sight(uses: &mut Uses<'_>, path: &Path, owners: &BTreeMap<String, Option<Bdf>>) {
    let seen: BTreeSet<Bdf> = owners.values().copied().flatten().collect();
    let card = |function: &Function| {
        let makes_them = function.host_driver().is_some_and(|driver| !driver.contains("uio"));
        makes_them && function.class.known().is_some_and(|class| class.is_network_card())
    };
    let all = uses.functions.values();
    let missing = all.filter(|function| !seen.contains(&function.bdf) && card(function));
    let missing: Vec<Bdf> = missing.map(|function| function.bdf).collect();
    for bdf in missing {
        let text = "its driver shows no interface here: another network namespace may have it";
        uses.unseen(bdf, UseKind::Network, path, Why::Failed(text.to_owned()));
    }
}

/// Interfaces, with the function if it is a function's own.
fn owners(folder: &Folder) -> Result<BTreeMap<String, Option<Bdf>>, Why> {
    let mut buffer = Buffer::default();
    let mut owners = BTreeMap::new();
    for name in folder.names()? {
        // What is no link (`bonding_masters`) is no interface.
        if let Ok(target) = folder.link(&name, &mut buffer) {
            owners.insert(name, link::owner(target));
        }
    }
    Ok(owners)
}

/// An interface and everything that is put on top of it.
fn above(folder: &Folder, name: &str) -> BTreeSet<String> {
    let mut stack = BTreeSet::new();
    let mut todo = vec![name.to_owned()];
    while let Some(name) = todo.pop() {
        if !stack.insert(name.clone()) {
            continue;
        }
        let names = folder.folder(&name).and_then(|interface| interface.names());
        let upper = |name: &String| name.strip_prefix("upper_").map(str::to_owned);
        todo.extend(names.unwrap_or_default().iter().filter_map(upper));
    }
    stack
}

/// Whether it passes traffic. Drivers that do not watch the line say
/// `unknown`; then it counts whether it was switched on.
fn is_up(folder: &Folder, name: &str) -> bool {
    let mut buffer = Buffer::default();
    let state = folder.text(&format!("{name}/operstate"), &mut buffer).map(str::to_owned);
    match state.as_deref().map(str::trim) {
        Ok("up") => true,
        Ok("unknown") | Err(_) => {
            let flags = folder.text(&format!("{name}/flags"), &mut buffer);
            flags.and_then(attribute::hex).is_ok_and(|flags| flags & IFF_UP != 0)
        }
        Ok(_) => false,
    }
}

/// What a table of the network says; nothing, where it is not known.
fn table<T: Default>(
    root: &Root,
    uses: &mut Uses<'_>,
    name: &str,
    parse: impl Fn(&str) -> Result<T, Why>,
) -> T {
    let path = root.net_table(name);
    match read::text(&path).and_then(|text| parse(&text)) {
        Ok(found) => found,
        // A kernel without IPv6 has no tables of it.
        Err(Why::NotProvided) if name.contains('6') => T::default(),
        Err(why) => {
            uses.missed(UseKind::Network, &path, why);
            T::default()
        }
    }
}

/// Which interfaces have addresses, and which lead everywhere.
struct Addressed {
    addresses: Vec<Address>,
    defaults: BTreeSet<String>,
}

impl Addressed {
    fn read(root: &Root, uses: &mut Uses<'_>) -> Self {
        let routes = table(root, uses, "route", network::routes);
        let mut table = |name: &str| table(root, uses, name, |text| Ok(text.to_owned()));
        let local = network::local_addresses(&table("fib_trie"));
        let mut addresses = network::ipv4(&local, &routes);
        addresses.extend(network::ipv6(&table("if_inet6")));
        let mut defaults = network::ipv6_defaults(&table("ipv6_route"));
        let default = routes.into_iter().filter(network::Route::is_default);
        defaults.extend(default.map(|route| route.interface));
        Self { addresses, defaults }
    }

    /// An interface's use, with what all of its stack has.
    fn interface(&self, name: &str, up: bool, stack: &BTreeSet<String>) -> Use {
        let here = |address: &&Address| stack.contains(&address.interface);
        let addresses = self.addresses.iter().filter(here).map(|address| address.text.clone());
        Use::Interface {
            name: name.to_owned(),
            addresses: addresses.collect(),
            up,
            default_route: !self.defaults.is_disjoint(stack),
            carries: stack.iter().filter(|other| *other != name).cloned().collect(),
        }
    }
}
