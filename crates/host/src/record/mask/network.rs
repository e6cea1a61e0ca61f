//! Addresses inside of the kernel's network tables.
//!
//! In: `/proc/net/route`, `fib_trie`, `if_inet6`, `ipv6_route`. Out: the same
//! tables with other addresses. Never: a change of their columns.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::words::Words;

/// `route`: destination, gateway and mask are hex numbers in the machine's
/// byte order, as `%08X` of a `__be32` (`fib_route_seq_show()`).
pub(super) fn route(text: &str, words: &mut Words) -> String {
    let mut rows = text.lines();
    let mut out = String::from(rows.next().unwrap_or_default());
    for row in rows {
        out.push('\n');
        let mut columns: Vec<String> = row.split('\t').map(str::to_owned).collect();
        if let [_, destination, gateway, _, _, _, _, mask, ..] = &mut columns[..] {
            let netmask = number(mask).unwrap_or(u32::MAX);
            *destination = swapped(destination, netmask, words);
            *gateway = swapped(gateway, u32::MAX, words);
        }
        out.push_str(&columns.join("\t"));
    }
    end(text, out)
}

fn number(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

/// The recorder runs on the machine that it records, so its byte order is
/// the table's, except for a replay of another machine's recording; then
/// the loopback network and netmasks are what gives a big-endian table away,
/// and hiding half of the wrong end is still hiding.
fn swapped(text: &str, netmask: u32, words: &mut Words) -> String {
    let Some(value) = number(text) else { return text.to_owned() };
    let address = Ipv4Addr::from(value.to_ne_bytes());
    let masked = u32::from_ne_bytes(words.v4(address).octets());
    format!("{:08X}", masked & netmask)
}

/// `fib_trie`: dotted addresses behind `+--` and `|--`.
pub(super) fn fib_trie(text: &str, words: &mut Words) -> String {
    let line = |line: &str| {
        let Some(at) = line.find("-- ").map(|at| at + 3) else { return line.to_owned() };
        let (start, rest) = line.split_at(at);
        let end = rest.find(['/', ' ']).unwrap_or(rest.len());
        let (address, tail) = rest.split_at(end);
        match address.parse() {
            Ok(address) => format!("{start}{}{tail}", cut(words.v4(address), tail)),
            Err(_) => line.to_owned(),
        }
    };
    let lines: Vec<String> = text.lines().map(line).collect();
    end(text, lines.join("\n"))
}

/// The network of `/LEN …`; the address itself without it.
fn cut(address: Ipv4Addr, tail: &str) -> Ipv4Addr {
    let len = tail.strip_prefix('/').and_then(|tail| tail.split(' ').next()?.parse().ok());
    let len: u32 = len.filter(|len| *len <= 32).unwrap_or(32);
    let netmask = u32::MAX.checked_shl(32 - len).unwrap_or(0);
    Ipv4Addr::from_bits(address.to_bits() & netmask)
}

/// `if_inet6` and `ipv6_route`: 32 hex digits for each address. In a route,
/// destination and source are networks, each before its prefix length.
pub(super) fn v6_table(text: &str, words: &mut Words) -> String {
    let line = |line: &str| {
        let columns: Vec<&str> = line.split(' ').collect();
        let is_route = columns.get(2).is_some_and(|column| column.len() == 32);
        let masked = columns.iter().enumerate().map(|(index, column)| {
            let Some(address) = v6(column) else { return (*column).to_owned() };
            let len = columns.get(index + 1).and_then(|len| u32::from_str_radix(len, 16).ok());
            let netmask = match len {
                Some(len @ 0..=127) if is_route && index < 4 => !(u128::MAX >> len),
                _ => u128::MAX,
            };
            format!("{:032x}", words.v6(address).to_bits() & netmask)
        });
        masked.collect::<Vec<_>>().join(" ")
    };
    let lines: Vec<String> = text.lines().map(line).collect();
    end(text, lines.join("\n"))
}

fn v6(text: &str) -> Option<Ipv6Addr> {
    let bits = (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
    Some(Ipv6Addr::from_bits(bits))
}

/// The last line break as it was.
fn end(text: &str, mut out: String) -> String {
    if text.ends_with('\n') {
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_keep_their_columns() {
        let text = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
                    eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\n\
                    eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t0000FFFF\n\
                    tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\n";
        let want = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
                    eth0\t00000000\t0100010A\t0003\t0\t0\t0\t00000000\n\
                    eth0\t0000010A\t00000000\t0001\t0\t0\t0\t0000FFFF\n\
                    tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\n";
        if cfg!(target_endian = "little") {
            assert_eq!(route(text, &mut Words::default()), want);
        }
    }

    #[test]
    fn the_trie_keeps_its_shape() {
        let text = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     +-- 192.168.1.0/24 2 0 2\n\
                    \x20       |-- 192.168.1.7\n           /32 host LOCAL\n";
        let want = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     +-- 10.1.1.0/24 2 0 2\n\
                    \x20       |-- 10.1.1.7\n           /32 host LOCAL\n";
        assert_eq!(fib_trie(text, &mut Words::default()), want);
    }

    #[test]
    fn version_6_tables_keep_their_columns() {
        let text = "\
00000000000000000000000000000001 01 80 10 80       lo
2a0104f8000100020000000000000007 02 40 00 80     eth0
2a0104f8000100000000000000000000 30 00000000000000000000000000000000 00 \
fe80000000000000000000000000cafe 00000040 00000001 00000000 00000001     eth0
";
        let want = "\
00000000000000000000000000000001 01 80 10 80       lo
20010db8000000010000000000000007 02 40 00 80     eth0
20010db8000000000000000000000000 30 00000000000000000000000000000000 00 \
fe80000000000000000000000000cafe 00000040 00000001 00000000 00000001     eth0
";
        assert_eq!(v6_table(text, &mut Words::default()), want);
    }
}
