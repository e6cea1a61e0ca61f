//! Addresses and routes, as `/proc/net` prints them.
//!
//! In: `route`, `fib_trie`, `if_inet6` and `ipv6_route`. Out: the addresses of
//! each interface, and which of them lead everywhere. Text and not netlink,
//! so that a recording says the same as the machine. Lines that make no sense
//! say nothing, but for routes, one of which the host may hang on.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::fact::Why;
use crate::parse::attribute::malformed;

/// One IPv4 route of the main table (`/proc/net/route`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub interface: String,
    pub destination: Ipv4Addr,
    pub mask: Ipv4Addr,
    pub gateway: Ipv4Addr,
}

/// An address on an interface, with the length of its network's prefix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    pub interface: String,
    /// As in `192.0.2.2/24`.
    pub text: String,
}

// `include/uapi/linux/route.h` and `ipv6_route.h`.
const RTF_UP: u32 = 1;
const RTF_REJECT: u32 = 0x200;
/// Scope of an address that is valid on one link only (`IPV6_ADDR_LINKLOCAL`).
const LINK_LOCAL: u8 = 0x20;

impl Route {
    /// The way to everywhere that no other route leads to.
    pub fn is_default(&self) -> bool {
        self.destination.is_unspecified() && self.mask.is_unspecified()
    }

    fn holds(&self, address: Ipv4Addr) -> bool {
        let direct = self.gateway.is_unspecified() && !self.is_default();
        direct && address.to_bits() & self.mask.to_bits() == self.destination.to_bits()
    }
}

/// `/proc/net/route`, usable routes only. A row that makes no sense may be
/// the way to everywhere, so that the whole table is not known then.
pub fn routes(text: &str) -> Result<Vec<Route>, Why> {
    let mut lines = text.lines();
    // Before the first route was ever made there is not even a heading
    // (`fib_route_seq_start()` in net/ipv4/fib_trie.c).
    let Some(heading) = lines.next() else { return Ok(Vec::new()) };
    if !heading.starts_with("Iface") {
        return Err(malformed(heading));
    }
    let rows = lines.map(|line| route(line).ok_or_else(|| malformed(line)));
    Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// A row: a route, or one that is not usable.
fn route(line: &str) -> Option<Option<Route>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [interface, destination, gateway, flags, _, _, _, mask, ..] = words[..] else {
        return None;
    };
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let usable = flags & (RTF_UP | RTF_REJECT) == RTF_UP;
    // The bytes of the address in memory order, printed as one number: the
    // first byte stands last on the little-endian machines that have VFIO.
    let address = |text| Some(Ipv4Addr::from(u32::from_str_radix(text, 16).ok()?.to_le_bytes()));
    let route = Route {
        interface: interface.to_owned(),
        destination: address(destination)?,
        mask: address(mask)?,
        gateway: address(gateway)?,
    };
    Some(usable.then_some(route))
}

/// The machine's own IPv4 addresses (`/proc/net/fib_trie`), without loopback.
pub fn local_addresses(text: &str) -> BTreeSet<Ipv4Addr> {
    let mut found = BTreeSet::new();
    let mut leaf: Option<Ipv4Addr> = None;
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.trim().parse().ok();
        } else if line.starts_with("/32 host LOCAL") {
            found.extend(leaf.filter(|address| !address.is_loopback()));
        }
    }
    found
}

/// Which interface has which of the machine's addresses: the one whose
/// network, by the narrowest direct route, it lies in. An address without
/// such a network (a lone /32) is on an interface that the tables do not name.
pub fn ipv4(local: &BTreeSet<Ipv4Addr>, routes: &[Route]) -> Vec<Address> {
    let mut found = BTreeSet::new();
    for address in local {
        let holding = || routes.iter().filter(|route| route.holds(*address));
        let narrowest = holding().map(|route| route.mask.to_bits()).max();
        for route in holding().filter(|route| Some(route.mask.to_bits()) == narrowest) {
            let length = route.mask.to_bits().count_ones();
            let interface = route.interface.clone();
            found.insert(Address { interface, text: format!("{address}/{length}") });
        }
    }
    found.into_iter().collect()
}

/// `/proc/net/if_inet6`, without the addresses that every interface gives itself.
pub fn ipv6(text: &str) -> Vec<Address> {
    text.lines().filter_map(inet6).collect()
}

fn inet6(line: &str) -> Option<Address> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [address, _index, length, scope, _flags, interface] = words[..] else { return None };
    let address = Ipv6Addr::from(u128::from_str_radix(address, 16).ok()?);
    let length = u8::from_str_radix(length, 16).ok()?;
    let scope = u8::from_str_radix(scope, 16).ok()?;
    let wide = scope != LINK_LOCAL && !address.is_loopback();
    wide.then(|| Address { interface: interface.to_owned(), text: format!("{address}/{length}") })
}

/// Interfaces with an IPv6 default route (`/proc/net/ipv6_route`).
pub fn ipv6_defaults(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(ipv6_default).map(str::to_owned).collect()
}

fn ipv6_default(line: &str) -> Option<&str> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [destination, length, .., flags, interface] = words[..] else { return None };
    let flags = u32::from_str_radix(flags, 16).ok()?;
    // The kernel keeps a route that refuses everything, on `lo`.
    let usable = flags & (RTF_UP | RTF_REJECT) == RTF_UP;
    let everywhere = length == "00" && destination.bytes().all(|byte| byte == b'0');
    (usable && everywhere).then_some(interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_with_a_row_that_makes_no_sense_is_not_known() {
        assert_eq!(routes(""), Ok(Vec::new()));
        for text in ["garbage\n", "Iface\tDestination\neth0\t00000000\n"] {
            assert!(matches!(routes(text), Err(Why::Malformed(_))), "{text:?}");
        }
    }

    const ROUTES: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
br0\t0000A8C0\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
*\t0000000A\t00000000\t0200\t0\t0\t0\t000000FF\t0\t0\t0
";
    const TRIE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.2
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
     |-- 192.168.7.1
        /32 host LOCAL
     |-- 203.0.113.9
        /32 host LOCAL
";

    #[test]
    fn ipv4_addresses_find_their_interface() {
        let routes = routes(ROUTES).unwrap();
        assert_eq!(routes.len(), 3);
        assert!(routes[0].is_default() && routes[0].interface == "eth0");
        let local = local_addresses(TRIE);
        let got: Vec<_> = ipv4(&local, &routes)
            .into_iter()
            .map(|address| format!("{} {}", address.interface, address.text))
            .collect();
        assert_eq!(got, ["br0 192.168.7.1/16", "eth0 192.0.2.2/24"]);
    }

    #[test]
    fn ipv6_addresses_and_ways_out() {
        let text = "\
00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
fd000000000000000000000000000002 04 40 00 82     eth0
";
        let want = Address { interface: "eth0".into(), text: "fd00::2/64".into() };
        assert_eq!(ipv6(text), [want]);
        let zero = "0".repeat(32);
        let routes = format!(
            "{zero} 00 {zero} 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n\
             fd000000000000000000000000000000 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001     eth1\n"
        );
        assert_eq!(ipv6_defaults(&routes), BTreeSet::from(["eth0".to_owned()]));
    }
}
