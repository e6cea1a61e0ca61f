//! Many alike reads, shared out to the processors.
//!
//! In: items, and how a part of them is read. Out: the results in order.
//! A few are read by one thread: to start another, and to ask how many are
//! worth it, costs as much as reading some functions.

use std::num::NonZero;
use std::thread;

/// The least that is worth a thread of its own.
const PART: usize = 16;
/// The kernel's own locks of sysfs make more of them useless.
const THREADS: usize = 8;

/// Apply `read` to parts of `items`, side by side.
pub(super) fn parts<T: Sync, R: Send>(items: &[T], read: impl Fn(&[T]) -> Vec<R> + Sync) -> Vec<R> {
    let threads = match items.len() / PART {
        // Their number is in twenty files of cgroups: asked only if it matters.
        0 | 1 => 1,
        worth => thread::available_parallelism().map_or(1, NonZero::get).min(THREADS).min(worth),
    };
    if threads == 1 {
        return read(items);
    }
    let (first, others) = items.split_at(items.len() / threads);
    thread::scope(|scope| {
        let read = &read;
        let others: Vec<_> = others
            .chunks(others.len().div_ceil(threads - 1))
            .map(|part| scope.spawn(move || read(part)))
            .collect();
        let mut results = read(first);
        for other in others {
            // A panic in there is one here.
            results.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order() {
        for count in [0, 1, PART - 1, 2 * PART, 10 * PART + 7] {
            let items: Vec<usize> = (0..count).collect();
            let doubled = parts(&items, |part| part.iter().map(|item| 2 * item).collect());
            assert_eq!(doubled, items.iter().map(|item| 2 * item).collect::<Vec<_>>());
        }
    }
}
