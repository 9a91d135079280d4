//! The thread that waits for the disk in place of `health`. A disk that takes its time over a sync, or hangs, must neither
//! keep a report back nor keep the watchdog from being fed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

type Work = Box<dyn FnOnce() + Send>;

enum Job {
    Work(Work),
    End,
}

/// Takes work and does it in order. Cheap to share.
#[derive(Clone)]
pub struct Clerk {
    jobs: Sender<Job>,
    waiting: Arc<AtomicUsize>,
}

impl Clerk {
    pub fn start() -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, taken) = mpsc::channel();
        let clerk = Self { jobs, waiting: Arc::default() };
        let waiting = clerk.waiting.clone();
        let thread = std::thread::Builder::new().name("clerk".into()).spawn(move || run(&taken, &waiting))?;
        Ok((clerk, thread))
    }

    /// Has it done behind all that was handed over before; does not wait for it.
    pub fn later(&self, work: impl FnOnce() + Send + 'static) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if let Err(mpsc::SendError(Job::Work(work))) = self.jobs.send(Job::Work(Box::new(work))) {
            // The thread has ended with the unit: whoever comes later does it alone.
            work();
        }
    }

    /// The same, and returns when it is done.
    pub fn now(&self, work: impl FnOnce() + Send + 'static) {
        let (done, wait) = mpsc::sync_channel(1);
        self.later(move || {
            work();
            let _ = done.send(());
        });
        let _ = wait.recv();
    }

    /// Whether all that was handed over is done: what comes again by itself then need not be handed over twice.
    pub fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0
    }

    /// Lets the thread end behind what it was handed.
    pub fn end(&self) {
        let _ = self.jobs.send(Job::End);
    }
}

fn run(jobs: &Receiver<Job>, waiting: &AtomicUsize) {
    while let Ok(Job::Work(work)) = jobs.recv() {
        work();
        waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn work_is_done_in_order_and_whoever_hands_it_over_does_not_wait() {
        let (clerk, thread) = Clerk::start().unwrap();
        let (go, gate) = mpsc::channel();
        let done = Arc::new(Mutex::new(Vec::new()));
        let note = |number| {
            let done = done.clone();
            move || done.lock().unwrap().push(number)
        };
        clerk.later(move || gate.recv().unwrap());
        clerk.later(note(1));
        assert!(!clerk.is_idle());
        assert!(done.lock().unwrap().is_empty(), "the disk has not answered yet");
        go.send(()).unwrap();
        clerk.now(note(2));
        assert_eq!(*done.lock().unwrap(), [1, 2]);
        clerk.later(note(3));
        clerk.end();
        thread.join().unwrap();
        clerk.now(note(4));
        assert_eq!(*done.lock().unwrap(), [1, 2, 3, 4], "behind its end nothing is lost");
    }
}
