use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The place where one stage leaves its newest work for the next.
///
/// Overload policy: newest wins. What was not fetched in time is replaced, and counted. Clones share the slot.
pub struct Latest<T> {
    slot: Arc<Slot<T>>,
}

struct Slot<T> {
    newest: Mutex<Option<T>>,
    filled: Condvar,
    dropped: AtomicU64,
}

impl<T> Latest<T> {
    pub fn new() -> Self {
        let slot = Slot { newest: Mutex::new(None), filled: Condvar::new(), dropped: AtomicU64::new(0) };
        Self { slot: Arc::new(slot) }
    }

    /// Leaves `value`, in place of what was not fetched.
    pub fn put(&self, value: T) {
        let replaced = self.lock().replace(value);
        self.slot.filled.notify_one();
        // The replaced value is dropped here, outside the lock: it may give a buffer back to a decoder.
        if replaced.is_some() {
            self.slot.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Fetches the newest value, waiting at most `patience` for one.
    pub fn take(&self, patience: Duration) -> Option<T> {
        let (mut newest, _) = self
            .slot
            .filled
            .wait_timeout_while(self.lock(), patience, |newest| newest.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        newest.take()
    }

    /// How many values were replaced unseen since the start.
    pub fn dropped(&self) -> u64 {
        self.slot.dropped.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        // An Option is whole at every instant, so a panic elsewhere cannot have left it half-written.
        self.slot.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self { slot: Arc::clone(&self.slot) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_wins_and_the_rest_is_counted() {
        let latest = Latest::new();
        latest.put(1);
        latest.put(2);
        latest.put(3);
        assert_eq!(latest.take(Duration::ZERO), Some(3));
        assert_eq!(latest.take(Duration::ZERO), None);
        assert_eq!(latest.dropped(), 2);
    }

    #[test]
    fn a_waiting_taker_is_woken() {
        let latest = Latest::new();
        let giver = latest.clone();
        let thread = std::thread::spawn(move || giver.put("frame"));
        assert_eq!(latest.take(Duration::from_secs(30)), Some("frame"));
        thread.join().unwrap();
        assert_eq!(latest.dropped(), 0);
    }
}
