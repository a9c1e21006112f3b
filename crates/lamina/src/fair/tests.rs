//! The gate lets in who is next, and nobody twice.

use std::pin::Pin;

use futures_util::FutureExt as _;

use super::*;

type Waiter = Pin<Box<dyn Future<Output = Place<&'static str>>>>;

fn wait(gate: &Gate<&'static str>, party: &'static str, weight: u32) -> Waiter {
    let gate = gate.clone();
    let mut waiter: Waiter = Box::pin(async move { gate.enter(party, weight).await });
    assert!((&mut waiter).now_or_never().is_none());
    waiter
}

fn got(waiter: &mut Waiter) -> Option<Place<&'static str>> {
    waiter.now_or_never()
}

#[tokio::test]
async fn turns_go_round_however_many_one_party_has_waiting() {
    let gate = Gate::new(1, 1);
    let mut held = Some(gate.enter("a", 1).await);
    let mut many: VecDeque<Waiter> = (0..100).map(|_| wait(&gate, "a", 1)).collect();
    let mut few: VecDeque<Waiter> = (0..2).map(|_| wait(&gate, "b", 1)).collect();
    let mut turns = String::new();
    for _ in 0..5 {
        drop(held.take());
        // Only the one whose turn it is finds a place.
        for (party, line) in [("a", &mut many), ("b", &mut few)] {
            if let Some(place) = line.front_mut().and_then(got) {
                line.pop_front();
                turns.push_str(party);
                held = Some(place);
            }
        }
    }
    assert_eq!(turns, "ababa");
    assert_eq!(gate.load(), (1, 1, 97));
}

#[tokio::test]
async fn whoever_holds_least_is_next() {
    let gate = Gate::new(3, 9);
    let first = gate.enter("a", 1).await;
    let held = [gate.enter("a", 1).await, gate.enter("a", 1).await];
    let mut more = wait(&gate, "a", 1);
    let mut other = wait(&gate, "b", 1);
    drop(first);
    assert!(got(&mut more).is_none());
    drop(got(&mut other).unwrap());
    assert!(got(&mut more).is_some());
    drop(held);
}

#[tokio::test]
async fn what_is_heavy_gets_its_turn() {
    let gate = Gate::new(9, 10);
    let light = gate.enter("a", 6).await;
    let mut heavy = wait(&gate, "b", 1_000);
    let mut later = wait(&gate, "c", 1);
    drop(light);
    let held = got(&mut heavy).unwrap();
    assert!(got(&mut later).is_none());
    drop(held);
    assert!(got(&mut later).is_some());
}

#[tokio::test]
async fn whoever_gives_up_holds_nothing_and_nobody_up() {
    let gate = Gate::new(1, 10);
    let first = gate.enter("a", 1).await;
    let gives_up = wait(&gate, "b", 10);
    let mut waits = wait(&gate, "c", 1);
    drop(first);
    drop(gives_up);
    let place = got(&mut waits).unwrap();
    drop(place);
    assert_eq!(gate.load(), (0, 0, 0));
    assert!(gate.0.lock().lines.len() <= 1);
}

fn reserve(gate: &Gate<&'static str>, party: &'static str, weight: u32) -> Waiter {
    let gate = gate.clone();
    Box::pin(async move { gate.reserve(party, weight).await })
}

#[tokio::test]
async fn what_is_reserved_takes_weight_and_no_place() {
    let gate = Gate::new(1, 10);
    let reserved = gate.reserve("a", 4).await;
    let light = gate.enter("b", 6).await;
    assert_eq!(gate.load(), (1, 10, 0));
    let mut waits = wait(&gate, "c", 6);
    drop(light);
    drop(got(&mut waits).unwrap());
    drop(reserved);
    assert_eq!(gate.load(), (0, 0, 0));
}

#[tokio::test]
async fn what_does_not_fit_beside_a_reservation_waits_for_its_end_and_holds_nobody_up() {
    let gate = Gate::new(2, 10);
    let reserved = gate.reserve("a", 4).await;
    let mut heavy = wait(&gate, "b", 7);
    for party in ["b", "c"] {
        assert!(gate.enter(party, 6).now_or_never().is_some());
    }
    drop(reserved);
    assert!(got(&mut heavy).is_some());
}

#[tokio::test]
async fn reservations_wait_for_what_an_earlier_one_holds_up() {
    let gate = Gate::new(2, 10);
    let reserved = gate.reserve("a", 4).await;
    let mut heavy = wait(&gate, "b", 7);
    let mut later = reserve(&gate, "a", 1);
    assert!(got(&mut later).is_none());
    drop(reserved);
    let held = got(&mut heavy).unwrap();
    assert!(got(&mut later).is_some());
    drop(held);
}

#[tokio::test]
async fn a_reservation_waits_for_its_weight_and_nobody_takes_it_meanwhile() {
    let gate = Gate::new(4, 10);
    let [first, second] = [gate.enter("a", 5).await, gate.enter("b", 5).await];
    let mut reserved = reserve(&gate, "c", 9);
    assert!(got(&mut reserved).is_none());
    let mut later = wait(&gate, "d", 1);
    drop(first);
    assert!(got(&mut later).is_none());
    drop(second);
    let held = got(&mut reserved).unwrap();
    assert!(got(&mut later).is_some());
    drop(held);
}

#[tokio::test]
async fn a_reservation_can_be_lowered() {
    let gate = Gate::new(2, 10);
    let mut reserved = gate.reserve("a", 9).await;
    let mut heavy = wait(&gate, "b", 8);
    reserved.lower(20);
    assert!(got(&mut heavy).is_none());
    reserved.lower(2);
    let held = got(&mut heavy).unwrap();
    drop(reserved);
    assert_eq!(gate.load(), (1, 8, 0));
    drop(held);
    assert_eq!(gate.load(), (0, 0, 0));
}
