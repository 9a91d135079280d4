use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard};

/// Lets many callers share one commit: the first to come commits for all who came while the commit before
/// was under way, so that one fsync serves them all. There is no thread of its own and no waiting for
/// company: a lone caller commits at once.
pub(super) struct Group<T, R> {
    state: Mutex<State<T, R>>,
    turn: Condvar,
}

struct State<T, R> {
    next: u64,
    waiting: Vec<(u64, T)>,
    leading: bool,
    done: HashMap<u64, R>,
}

impl<T, R> Group<T, R> {
    pub fn new() -> Self {
        let state = State { next: 0, waiting: Vec::new(), leading: false, done: HashMap::new() };
        Self { state: Mutex::new(state), turn: Condvar::new() }
    }

    /// `commit` answers each item in its place. It is called by one caller at a time.
    pub fn submit(&self, item: T, commit: impl Fn(Vec<T>) -> Vec<R>) -> R {
        let mut state = self.lock();
        let ticket = state.next;
        state.next += 1;
        state.waiting.push((ticket, item));
        loop {
            if let Some(result) = state.done.remove(&ticket) {
                return result;
            }
            if state.leading {
                state = self.turn.wait(state).expect("no holder of this lock can panic");
                continue;
            }
            state.leading = true;
            let (tickets, items): (Vec<_>, Vec<_>) = std::mem::take(&mut state.waiting).into_iter().unzip();
            drop(state);
            let results = commit(items);
            state = self.lock();
            state.done.extend(tickets.into_iter().zip(results));
            state.leading = false;
            self.turn.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T, R>> {
        self.state.lock().expect("no holder of this lock can panic")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn everybody_gets_the_answer_to_their_own_item() {
        let group = Group::new();
        let commits = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for caller in 0..8u32 {
                let (group, commits) = (&group, &commits);
                scope.spawn(move || {
                    for item in 0..200 {
                        let answer = group.submit(caller * 1000 + item, |items| {
                            commits.fetch_add(1, Ordering::Relaxed);
                            items.into_iter().map(|item| item * 2).collect()
                        });
                        assert_eq!(answer, (caller * 1000 + item) * 2);
                    }
                });
            }
        });
        assert!(commits.into_inner() <= 1600);
    }
}
