//! Memory that guests can be made of: pools of hugepages, what is free on a node.
//!
//! In: a root directory. Out: bytes, each number for itself. Never: which of
//! them a guest gets.

use std::path::Path;

use model::parse::attribute::{malformed, number};
use model::parse::machine::{hugepage_size, meminfo, node_meminfo};
use model::{Fact, Why};

use crate::paths::Root;
use crate::read;

/// Bytes of a hugepage that the kernel takes when it is told no size.
pub fn usual_hugepage(root: &Root) -> Fact<u64> {
    read::text(&root.meminfo()).and_then(|text| meminfo(&text, "Hugepagesize")).into()
}

/// Sizes that there are pools of, in bytes, in no order.
pub fn hugepage_sizes(root: &Root) -> Fact<Vec<u64>> {
    let names = read::names(&root.hugepage_sizes());
    names.map(|names| names.iter().filter_map(|name| hugepage_size(name)).collect()).into()
}

/// Bytes of free pages of this size that nobody reserved: on one node, or in
/// all. What is reserved is counted for the whole machine only
/// (Documentation/admin-guide/mm/hugetlbpage.rst).
pub fn free_hugepages(root: &Root, size: u64, node: Option<u32>) -> Fact<u64> {
    let bytes = |pages: u64| pages.checked_mul(size).ok_or_else(|| malformed(&pages.to_string()));
    free_pages(root, size, node).and_then(bytes).into()
}

/// Bytes of all pages of this size, used or free.
pub fn all_hugepages(root: &Root, size: u64) -> Fact<u64> {
    let pages = count(&root.hugepages(size).join("nr_hugepages"));
    let bytes = |pages: u64| pages.checked_mul(size).ok_or_else(|| malformed(&pages.to_string()));
    pages.and_then(bytes).into()
}

fn free_pages(root: &Root, size: u64, node: Option<u32>) -> Result<u64, Why> {
    let pool = root.hugepages(size);
    let reserved = count(&pool.join("resv_hugepages")).unwrap_or_default();
    let free = count(&pool.join("free_hugepages"))?.saturating_sub(reserved);
    let near = match node {
        Some(node) => count(&root.node_hugepages(node, size).join("free_hugepages"))?,
        None => free,
    };
    Ok(free.min(near))
}

/// Bytes of a NUMA node's memory that are free; hugepages are not among them.
pub fn free_on_node(root: &Root, node: u32) -> Fact<u64> {
    let text = read::text(&root.numa_node(node).join("meminfo"));
    text.and_then(|text| node_meminfo(&text, "MemFree")).into()
}

fn count(path: &Path) -> Result<u64, Why> {
    read::text(path).and_then(|text| number(&text))
}
