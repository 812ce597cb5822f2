//! Threads that stay alive between steps.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};

/// How often a thread looks for work before it sleeps: some tens of microseconds, longer than the serial stretches
/// between two jobs of a step and far shorter than a time slice.
const SPINS: u32 = 20_000;

type Job = *const (dyn Fn() + Sync);

struct Shared {
    /// Counts jobs; a worker runs each once.
    epoch: AtomicUsize,
    /// Workers that have not finished the current job.
    busy: AtomicUsize,
    stopping: AtomicBool,
    job: UnsafeCell<Option<Job>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `job` is written by the caller of `run` only while no worker is busy, and published by `epoch`; the pointer is
// used by workers only until `busy` is 0, which `run` waits for before the closure dies.
unsafe impl Sync for Shared {}
// SAFETY: as above; nothing in it belongs to a thread.
unsafe impl Send for Shared {}

struct Worker {
    thread: Thread,
    asleep: Arc<AtomicBool>,
    handle: Option<JoinHandle<()>>,
}

/// The caller and `threads − 1` others.
pub(crate) struct Team {
    shared: Arc<Shared>,
    workers: Vec<Worker>,
}

impl Team {
    /// Starts them; fewer where the system gives no more threads.
    pub(crate) fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            epoch: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            job: UnsafeCell::new(None),
            panic: Mutex::new(None),
        });
        let workers = (1..threads).map_while(|_| {
            let asleep = Arc::new(AtomicBool::new(false));
            let (shared, sleeps) = (Arc::clone(&shared), Arc::clone(&asleep));
            let builder = std::thread::Builder::new().name("kernels".into());
            let handle = builder.spawn(move || work(&shared, &sleeps)).ok()?;
            Some(Worker {
                thread: handle.thread().clone(),
                asleep,
                handle: Some(handle),
            })
        });
        let workers = workers.collect();
        Team { shared, workers }
    }

    pub(crate) fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `job` on every thread and returns when all are through. A panic of any of them is the caller's then.
    ///
    /// Takes `&mut`: one job at a time.
    pub(crate) fn run(&mut self, job: &(dyn Fn() + Sync)) {
        let shared = &*self.shared;
        // SAFETY: only the lifetime is erased; the wait below outlives every use.
        let erased =
            unsafe { std::mem::transmute::<&(dyn Fn() + Sync), &'static (dyn Fn() + Sync)>(job) };
        // SAFETY: no worker is busy, so that none reads it.
        unsafe { *shared.job.get() = Some(std::ptr::from_ref(erased)) };
        shared.busy.store(self.workers.len(), Ordering::Relaxed);
        shared.epoch.fetch_add(1, Ordering::SeqCst);
        for worker in &self.workers {
            if worker.asleep.load(Ordering::SeqCst) {
                worker.thread.unpark();
            }
        }
        let own = catch_unwind(AssertUnwindSafe(job));
        let mut looks = 0;
        while shared.busy.load(Ordering::Acquire) > 0 {
            looks += 1;
            if looks < SPINS {
                std::hint::spin_loop();
            } else {
                // A worker has lost its processor to another program: it may have this one.
                std::thread::yield_now();
            }
        }
        let theirs = shared
            .panic
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(panic) = own.err().or(theirs) {
            resume_unwind(panic);
        }
    }
}

fn work(shared: &Shared, asleep: &AtomicBool) {
    let mut done = 0;
    loop {
        wait_for_job(shared, asleep, done);
        if shared.stopping.load(Ordering::Acquire) {
            return;
        }
        done += 1;
        // SAFETY: `epoch` has published the job, and `run` keeps it alive until `busy` is 0.
        let job = unsafe { (*shared.job.get()).map(|job| &*job) };
        if let Some(job) = job
            && let Err(panic) = catch_unwind(AssertUnwindSafe(job))
        {
            *shared.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
        shared.busy.fetch_sub(1, Ordering::Release);
    }
}

fn wait_for_job(shared: &Shared, asleep: &AtomicBool, done: usize) {
    let idle =
        || shared.epoch.load(Ordering::SeqCst) == done && !shared.stopping.load(Ordering::SeqCst);
    for _ in 0..SPINS {
        if !idle() {
            return;
        }
        std::hint::spin_loop();
    }
    // `asleep` before the last look, and in `run` `epoch` before the look at `asleep`: one of the two sees the other.
    asleep.store(true, Ordering::SeqCst);
    while idle() {
        std::thread::park();
    }
    asleep.store(false, Ordering::SeqCst);
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        for worker in &mut self.workers {
            worker.thread.unpark();
            if let Some(handle) = worker.handle.take() {
                // A worker catches the panics of its jobs.
                let _ = handle.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Team;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_thread_runs_every_job_once() {
        let mut team = Team::new(3);
        let count = AtomicUsize::new(0);
        for _ in 0..1000 {
            team.run(&|| {
                count.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert_eq!(count.into_inner(), 3 * 1000);
    }

    #[test]
    fn a_panic_in_a_job_reaches_the_caller_and_the_team_goes_on() {
        let mut team = Team::new(2);
        let caller = std::thread::current().id();
        let run = std::panic::AssertUnwindSafe(|| {
            team.run(&|| assert_eq!(std::thread::current().id(), caller, "a worker's"));
        });
        assert!(std::panic::catch_unwind(run).is_err());
        let count = AtomicUsize::new(0);
        team.run(&|| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 2);
    }

    #[test]
    fn threads_that_sleep_wake_for_the_next_job() {
        let mut team = Team::new(2);
        let count = AtomicUsize::new(0);
        let job = || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        team.run(&job);
        while !team.workers[0].asleep.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        team.run(&job);
        assert_eq!(count.load(Ordering::Relaxed), 4);
    }
}
