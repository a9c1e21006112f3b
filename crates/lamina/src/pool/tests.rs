//! The pool's bounds hold, and every test waits on a signal.

use std::sync::mpsc;

use tokio::sync::oneshot;

use super::{PictureError, Pool, PoolError, PoolSize};
use crate::jobs::OwnerId;

fn pool(threads: usize, megapixels: u32, queue: usize) -> Pool {
    Pool::new(PoolSize {
        threads,
        megapixels,
        queue,
    })
}

/// Work that says when it runs and then waits for leave to end.
fn held() -> (
    oneshot::Receiver<()>,
    mpsc::Sender<()>,
    impl FnOnce() + Send,
) {
    let (started, running) = oneshot::channel();
    let (leave, wait) = mpsc::channel();
    let work = move || {
        started.send(()).ok();
        wait.recv().ok();
    };
    (running, leave, work)
}

#[tokio::test]
async fn work_runs_and_its_result_comes_back() {
    assert_eq!(pool(1, 1, 0).run(1, || 6 * 7).await, Ok(42));
}

#[tokio::test]
async fn a_full_queue_is_said_at_once_and_empties_again() {
    let pool = pool(1, 10, 1);
    let (running, leave, work) = held();
    let first = tokio::spawn({
        let pool = pool.clone();
        async move { pool.run(1, work).await }
    });
    running.await.unwrap();
    let mut second = Box::pin(pool.run(1, || "second"));
    assert!(futures_util::poll!(&mut second).is_pending());
    assert_eq!(pool.run(1, || "third").await, Err(PoolError::Busy));
    leave.send(()).unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(second.await, Ok("second"));
    assert_eq!(pool.run(1, || "fourth").await, Ok("fourth"));
}

#[tokio::test]
async fn whoever_waits_in_turn_neither_meets_a_full_queue_nor_fills_it() {
    let pool = pool(1, 10, 1);
    let (running, leave, work) = held();
    let first = tokio::spawn({
        let pool = pool.clone();
        async move { pool.run_in_turn(1, work).await }
    });
    running.await.unwrap();
    let mut patient = [0, 1, 2].map(|n| Box::pin(pool.run_in_turn(1, move || n)));
    for one in &mut patient {
        assert!(futures_util::poll!(one).is_pending());
    }
    let mut queued = [3, 4].map(|n| Box::pin(pool.run(1, move || n)));
    for one in &mut queued {
        assert!(futures_util::poll!(one).is_pending());
    }
    assert_eq!(pool.run(1, || 5).await, Err(PoolError::Busy));
    leave.send(()).unwrap();
    first.await.unwrap().unwrap();
    for (n, one) in (0..).zip(patient) {
        assert_eq!(one.await, Ok(n));
    }
    for (n, one) in (3..).zip(queued) {
        assert_eq!(one.await, Ok(n));
    }
}

#[tokio::test]
async fn turns_and_places_in_the_queue_are_shared_by_owner() {
    let pool = pool(1, 10, 5);
    let [many, few] = ["many", "few"].map(|name| pool.of(&OwnerId::named(name)));
    let (running, leave, work) = held();
    let first = tokio::spawn({
        let many = many.clone();
        async move { many.run(1, work).await }
    });
    running.await.unwrap();
    let (order, ran) = mpsc::channel();
    let say = |name: &'static str| {
        let order = order.clone();
        move || order.send(name).unwrap()
    };
    let mut waiting = Vec::new();
    // Six places: one owner leaves some of them to others.
    loop {
        let mut one = Box::pin(many.run(1, say("many")));
        if futures_util::poll!(&mut one).is_ready() {
            break;
        }
        waiting.push(one);
    }
    assert!((2..5).contains(&waiting.len()), "{}", waiting.len());
    let mut other = Box::pin(few.run(1, say("few")));
    assert!(futures_util::poll!(&mut other).is_pending());
    leave.send(()).unwrap();
    first.await.unwrap().unwrap();
    let ((), ended) = tokio::join!(
        async { other.await.unwrap() },
        futures_util::future::join_all(waiting)
    );
    assert!(ended.iter().all(Result::is_ok));
    let place = ran.try_iter().position(|name| name == "few").unwrap();
    assert!(place <= 1, "turns go round, and {place} came before");
}

#[tokio::test]
async fn megapixels_bound_what_threads_would_allow() {
    let pool = pool(4, 10, 4);
    let (running, leave, work) = held();
    let first = tokio::spawn({
        let pool = pool.clone();
        async move { pool.run(8, work).await }
    });
    running.await.unwrap();
    let mut heavy = Box::pin(pool.run(3, || "heavy"));
    assert!(futures_util::poll!(&mut heavy).is_pending());
    leave.send(()).unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(heavy.await, Ok("heavy"));
}

#[tokio::test]
async fn work_that_does_not_fit_beside_what_is_reserved_waits_and_other_work_goes_on() {
    let pool = pool(1, 10, 4);
    let mut reserved = pool.reserve(6).await;
    let mut heavy = Box::pin(pool.run(5, || "heavy"));
    assert!(futures_util::poll!(&mut heavy).is_pending());
    assert_eq!(pool.run_in_turn(4, || "light").await, Ok("light"));
    assert!(futures_util::poll!(&mut heavy).is_pending());
    reserved.lower(5);
    assert_eq!(heavy.await, Ok("heavy"));
    drop(reserved);
    assert_eq!(pool.load().megapixels, 0);
}

#[tokio::test]
async fn work_heavier_than_the_pool_runs_alone_instead_of_never() {
    assert_eq!(pool(2, 5, 0).run(1_000, || "done").await, Ok("done"));
}

#[tokio::test]
async fn a_panic_is_caught_and_the_pool_goes_on() {
    let pool = pool(1, 1, 0);
    let outcome: Result<(), _> = pool.run(1, || panic!("bad picture")).await;
    assert_eq!(outcome, Err(PoolError::Panicked));
    assert_eq!(pool.run(1, || "next").await, Ok("next"));
}

#[tokio::test]
async fn running_work_counts_until_it_ends_even_when_nobody_waits_for_it() {
    let pool = pool(1, 1, 0);
    let (running, leave, work) = held();
    let (ended, end) = oneshot::channel();
    let abandoned = tokio::spawn({
        let pool = pool.clone();
        async move {
            pool.run(1, move || {
                work();
                // Dropped with the closure's captures, before the permits are.
                ended.send(()).ok();
            })
            .await
        }
    });
    running.await.unwrap();
    abandoned.abort();
    assert!(abandoned.await.unwrap_err().is_cancelled());
    assert_eq!(pool.run(1, || ()).await, Err(PoolError::Busy));
    leave.send(()).unwrap();
    end.await.unwrap();
    // The permit returns a moment after the work's last line; each try yields to let it.
    loop {
        match pool.run(1, || "free again").await {
            Ok(text) => break assert_eq!(text, "free again"),
            Err(PoolError::Busy) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn waiting_work_is_forgotten_when_nobody_waits_for_it() {
    let pool = pool(1, 1, 1);
    let (running, leave, work) = held();
    let first = tokio::spawn({
        let pool = pool.clone();
        async move { pool.run(1, work).await }
    });
    running.await.unwrap();
    let mut waiting = Box::pin(pool.run(1, || panic!("must never run")));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    drop(waiting);
    leave.send(()).unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(pool.run(1, || "next").await, Ok("next"));
}

#[test]
fn a_pool_that_takes_no_more_is_no_fault_of_the_picture() {
    for (error, code) in [
        (PoolError::Busy, "image_busy"),
        (PoolError::Stopped, "image_busy"),
        (PoolError::Panicked, "image_internal"),
    ] {
        assert_eq!(PictureError::from(error).code(), code);
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("../../docs/errors.md")).unwrap();
    let row = format!("| `{}` |", PictureError::BUSY);
    let row = text.lines().find(|line| line.starts_with(&row));
    assert!(
        row.is_some_and(|row| row.contains("a job waits")),
        "{row:?}"
    );
}
