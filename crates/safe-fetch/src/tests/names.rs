//! Host names: what they resolve to is checked where it is used.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use super::server::*;
use crate::resolver::Lookup;
use crate::{FetchClass, FetchError, FetchPolicy, Fetched, Fetcher};

/// Answers in turn, then fails the test; remembers what it was asked.
struct Script {
    answers: Mutex<VecDeque<io::Result<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

fn script(answers: impl IntoIterator<Item = io::Result<Vec<&'static str>>>) -> Arc<Script> {
    let parsed = |answer: io::Result<Vec<&str>>| {
        answer.map(|texts| texts.iter().map(|text| text.parse().unwrap()).collect())
    };
    Arc::new(Script {
        answers: Mutex::new(answers.into_iter().map(parsed).collect()),
        asked: Mutex::new(Vec::new()),
    })
}

impl Script {
    fn fetcher(self: &Arc<Self>, policy: FetchPolicy) -> Fetcher {
        let script = Arc::clone(self);
        let lookup: Lookup = Arc::new(move |name| {
            script.asked.lock().unwrap().push(name);
            let answer = script.answers.lock().unwrap().pop_front();
            Box::pin(async move { answer.expect("asked more often than the test foresees") })
        });
        Fetcher::with_lookup(policy, tls(), &lookup).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn fetch_from(fetcher: &Fetcher, url: &str) -> Result<Fetched, FetchError> {
    let outcome = fetcher.fetch(&url.parse().unwrap()).await;
    if let Err(error) = &outcome {
        assert_sound(error);
    }
    outcome
}

#[tokio::test]
async fn a_name_with_private_addresses_only_is_refused_without_a_connection() {
    let policy = FetchPolicy {
        allow_http: true,
        ..FetchPolicy::default()
    };
    for address in [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "::ffff:127.0.0.1",
        "fd00::1",
    ] {
        let names = script([Ok(vec![address])]);
        let fetcher = names.fetcher(policy.clone());
        let error = fetch_from(&fetcher, "http://rebind.example/?sig=TOPSECRET")
            .await
            .unwrap_err();
        assert_eq!(
            (error.code(), error.class()),
            ("fetch_address_refused", FetchClass::Refused)
        );
        assert_eq!(names.asked(), ["rebind.example"]);
    }
}

#[tokio::test]
async fn a_name_that_changes_its_answer_never_gets_the_new_one_unchecked() {
    let good = Server::start(|_| Reply::ok(b"image")).await;
    // The same port on an address that is not allowed, so that only the address tells them apart.
    let port = good.address.port();
    let trap = Server::start_at(&format!("127.0.0.2:{port}"), |_| Reply::ok(b"inside")).await;
    let names = script([Ok(vec!["127.0.0.1"]), Ok(vec!["127.0.0.2"])]);
    let fetcher = names.fetcher(local_policy());
    let url = format!("http://rebind.example:{port}/");
    let fetched = fetch_from(&fetcher, &url).await.unwrap();
    assert_eq!(&fetched.bytes[..], b"image");
    // One question a connection: what was checked is what was connected to.
    assert_eq!(names.asked().len(), 1);
    let error = fetch_from(&fetcher, &url).await.unwrap_err();
    assert_eq!(error.code(), "fetch_address_refused");
    assert_eq!((good.connections(), trap.connections()), (1, 0));
}

#[tokio::test]
async fn a_name_that_changes_its_answer_between_two_hops_is_refused_at_the_second() {
    let server = Server::start(|_| Reply::redirect("/second")).await;
    let port = server.address.port();
    let trap = Server::start_at(&format!("127.0.0.2:{port}"), |_| Reply::ok(b"inside")).await;
    let names = script([Ok(vec!["127.0.0.1"]), Ok(vec!["127.0.0.2"])]);
    let fetcher = names.fetcher(local_policy());
    let url = format!("http://rebind.example:{port}/first");
    let error = fetch_from(&fetcher, &url).await.unwrap_err();
    assert_eq!(error.code(), "fetch_address_refused");
    assert_eq!((server.connections(), trap.connections()), (1, 0));
}

#[tokio::test]
async fn of_mixed_answers_only_the_checked_addresses_are_used() {
    let server = Server::start(|_| Reply::ok(b"image")).await;
    let port = server.address.port();
    let trap = Server::start_at(&format!("127.0.0.2:{port}"), |_| Reply::ok(b"inside")).await;
    let names = script([Ok(vec!["127.0.0.2", "10.0.0.1", "127.0.0.1", "::1"])]);
    let fetcher = names.fetcher(local_policy());
    let fetched = fetch_from(&fetcher, &format!("http://mixed.example:{port}/"))
        .await
        .unwrap();
    assert_eq!(&fetched.bytes[..], b"image");
    assert_eq!((server.connections(), trap.connections()), (1, 0));
}

#[tokio::test]
async fn an_unusual_port_is_open_for_allowed_addresses_only() {
    let names = script([Ok(vec!["8.8.8.8", "2606:4700:4700::1111"])]);
    let fetcher = names.fetcher(local_policy());
    let error = fetch_from(&fetcher, "http://public.example:9000/")
        .await
        .unwrap_err();
    assert_eq!(error.code(), "fetch_port_refused");
    // Without any allowed network the name is not even looked up.
    let names = script([]);
    let policy = FetchPolicy {
        allow_http: true,
        ..FetchPolicy::default()
    };
    let error = fetch_from(&names.fetcher(policy), "http://public.example:9000/")
        .await
        .unwrap_err();
    assert_eq!(error.code(), "fetch_port_refused");
    assert!(names.asked().is_empty());
}

#[tokio::test]
async fn a_name_that_is_not_found_may_be_found_later() {
    let missing = io::Error::other("no such host");
    let names = script([Err(missing), Ok(vec![])]);
    let fetcher = names.fetcher(local_policy());
    for _ in 0..2 {
        let error = fetch_from(&fetcher, "http://missing.example/?sig=TOPSECRET")
            .await
            .unwrap_err();
        assert_eq!(
            (error.code(), error.class()),
            ("fetch_dns_failed", FetchClass::Retryable)
        );
    }
}

#[tokio::test]
async fn the_systems_own_names_are_checked_too() {
    let server = Server::start(|_| Reply::ok(b"inside")).await;
    let url = format!("http://localhost:{}/", server.address.port())
        .parse()
        .unwrap();
    // Here the name alone passes, because of ::1, and it is for the resolver to leave 127.0.0.1
    // out. Whether there is a ::1 to fail at then is the machine's affair.
    let policy = FetchPolicy {
        allow_nets: vec!["::1/128".parse().unwrap()],
        ..local_policy()
    };
    let code = fetch(policy, &url).await.unwrap_err().code();
    assert!(
        ["fetch_address_refused", "fetch_connect_failed"].contains(&code),
        "{code}"
    );
    assert_eq!(server.connections(), 0);
    let fetched = fetch(local_policy(), &url).await.unwrap();
    assert_eq!(&fetched.bytes[..], b"inside");
}
