use std::cell::Cell;
use std::panic::AssertUnwindSafe;

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Runs what may panic on damaged data, as sled does, without taking the program down: its panic hook asks [`is_caught`].
pub fn catch<T>(run: impl FnOnce() -> T) -> std::thread::Result<T> {
    let before = CATCHING.replace(true);
    let result = std::panic::catch_unwind(AssertUnwindSafe(run));
    CATCHING.set(before);
    result
}

/// Whether a panic of this thread ends in [`catch`], or in a thread of sled's own, whose user hears of it as an error.
pub fn is_caught() -> bool {
    let is_sleds = std::thread::current().name().is_some_and(|name| name.starts_with("sled"));
    CATCHING.get() || is_sleds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_where_that_was_asked_for_and_only_there() {
        assert!(!is_caught());
        assert!(catch(|| assert!(!is_caught(), "within it is")).is_err());
        assert_eq!(catch(is_caught).ok(), Some(true));
        assert!(!is_caught());
    }
}
