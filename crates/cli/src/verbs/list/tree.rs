//! `list --tree`: functions below the bridges that lead to them.
//!
//! In: a snapshot. Out: rows in the order of the tree, each with its branch
//! drawn in front of its address.

use std::collections::BTreeMap;

use model::{Bdf, Function, Snapshot};

/// The rows. Without `all`, bridges that lead to nothing are left out.
pub fn rows(snapshot: &Snapshot, all: bool) -> Vec<(String, &Function)> {
    let mut below: BTreeMap<Option<Bdf>, Vec<&Function>> = BTreeMap::new();
    for function in snapshot.functions.values() {
        // A bridge that could not be read leaves its functions at the root.
        let bridge = function.upstream.first().filter(|bridge| snapshot.get(**bridge).is_some());
        below.entry(bridge.copied()).or_default().push(function);
    }
    let mut drawing = Drawing { below, all, rows: Vec::new() };
    drawing.draw(None, "", 0);
    drawing.rows
}

/// Deeper than any real hierarchy; a tree that lies about its bridges ends here.
const DEEPEST: usize = 64;

struct Drawing<'a> {
    below: BTreeMap<Option<Bdf>, Vec<&'a Function>>,
    all: bool,
    rows: Vec<(String, &'a Function)>,
}

impl<'a> Drawing<'a> {
    fn draw(&mut self, bridge: Option<Bdf>, branch: &str, depth: usize) {
        let children = self.below.get(&bridge).cloned().unwrap_or_default();
        let children: Vec<&Function> =
            children.into_iter().filter(|child| self.leads_somewhere(child, depth)).collect();
        for (n, child) in children.iter().enumerate() {
            let last = n + 1 == children.len();
            let (own, further) = match (bridge, last) {
                (None, _) => ("", ""),
                (Some(_), false) => ("├─", "│ "),
                (Some(_), true) => ("└─", "  "),
            };
            self.rows.push((format!("{branch}{own}{}", child.bdf), child));
            if depth < DEEPEST {
                self.draw(Some(child.bdf), &format!("{branch}{further}"), depth + 1);
            }
        }
    }

    /// Shown for itself, or for what is below it.
    fn leads_somewhere(&self, function: &Function, depth: usize) -> bool {
        if self.all || !function.stays() {
            return true;
        }
        let children = self.below.get(&Some(function.bdf));
        depth < DEEPEST
            && children
                .is_some_and(|all| all.iter().any(|child| self.leads_somewhere(child, depth + 1)))
    }
}
