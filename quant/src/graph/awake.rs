//! Threads that wait for work with open eyes. A model is hundreds of short loops, and to wake a thread
//! that sleeps takes as long as many of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rayon::Yield;

/// How long a thread looks for work before it sleeps: longer than what lies between two loops, far shorter
/// than a job on an engine that has one thread.
const PATIENCE: Duration = Duration::from_micros(400);

/// Keeps the other threads of the caller's rayon pool awake while it lives.
#[derive(Debug, Default)]
pub(crate) struct Awake {
    done: Arc<AtomicBool>,
    /// Threads that look for work.
    watching: Arc<AtomicUsize>,
}

impl Awake {
    /// Calls back threads that went to sleep. Outside a pool there are none.
    pub(crate) fn call(&self) {
        let Some(home) = rayon::current_thread_index() else {
            return;
        };
        let others = rayon::current_num_threads() - 1;
        if others == 0 || self.watching.load(Ordering::Relaxed) > 0 {
            return;
        }
        self.watching.store(others, Ordering::Relaxed);
        let (done, watching) = (Arc::clone(&self.done), Arc::clone(&self.watching));
        rayon::spawn_broadcast(move |context| {
            // The caller's thread may come here while it waits for others, and must not stay.
            if context.index() != home {
                watch(&done);
                watching.fetch_sub(1, Ordering::Relaxed);
            }
        });
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
    }
}

/// Works on whatever there is, until there was nothing for a while.
fn watch(done: &AtomicBool) {
    let mut since = Instant::now();
    while !done.load(Ordering::Relaxed) {
        match rayon::yield_now() {
            Some(Yield::Executed) => since = Instant::now(),
            Some(Yield::Idle) if since.elapsed() < PATIENCE => std::thread::yield_now(),
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    #[test]
    fn threads_that_watch_still_work_and_end() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build();
        let watching = pool.unwrap().install(|| {
            let awake = Awake::default();
            for round in 0..200u64 {
                awake.call();
                let sum: u64 = (0..1000u64).into_par_iter().map(|i| i + round).sum();
                assert_eq!(sum, 499_500 + 1000 * round);
            }
            Arc::clone(&awake.watching)
        });
        let patience = Instant::now();
        while watching.load(Ordering::Relaxed) > 0 {
            assert!(
                patience.elapsed() < Duration::from_secs(20),
                "a thread watches on"
            );
            std::thread::yield_now();
        }
        Awake::default().call();
    }
}
