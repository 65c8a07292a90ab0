//! Several threads at one piece of work. How many there were does not show in what comes out.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Most threads.
const MOST: usize = 8;

/// What `work` makes of each block of at most `size` items, in the order of the items. Each thread begins with what `begin`
/// gives it. A single block is done on the spot; where no thread can be made, those that are there do it all.
///
/// ```
/// let sums = plimsoll::base::hands::in_blocks(&[1, 2, 3, 4, 5], 2, || (), |(), block| block.iter().sum::<i32>());
/// assert_eq!(sums, [3, 7, 5]);
/// ```
pub fn in_blocks<T: Sync, H, R: Send>(
    items: &[T],
    size: usize,
    begin: impl Fn() -> H + Sync,
    work: impl Fn(&mut H, &[T]) -> R + Sync,
) -> Vec<R> {
    let blocks: Vec<&[T]> = items.chunks(size.max(1)).collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    let hand = || {
        let mut own = begin();
        while let Some((index, block)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            blocks.get(index).map(|block| (index, block))
        } {
            let made = work(&mut own, block);
            if let Ok(mut done) = done.lock() {
                done.insert(index, made);
            }
        }
    };
    let hands = thread::available_parallelism().map_or(1, NonZero::get).min(MOST).min(blocks.len());
    thread::scope(|scope| {
        for _ in 1..hands {
            drop(thread::Builder::new().spawn_scoped(scope, hand));
        }
        hand();
    });
    done.into_inner().unwrap_or_default().into_values().collect()
}
