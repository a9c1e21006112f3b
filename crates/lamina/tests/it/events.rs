//! News of a job as they happen: event streams, reads that wait, creates that wait. All over real sockets, by both
//! protocols where they may differ.

use std::sync::Arc;
use std::time::Duration;

use fal_emulator::Emulator;
use lamina::clock::ManualClock;
use lamina::jobs::UnixMs;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    Event, EventReader, Said, Setup, TestApp, Way, emulator, held_emulator, json_of, picture,
    png_base64, until,
};

/// A client of HTTP/1, or of HTTP/2.
fn client(http2: bool) -> Client {
    let client = Client::builder().no_proxy();
    let client = if http2 {
        client.http2_prior_knowledge()
    } else {
        client
    };
    client.build().unwrap()
}

fn a_picture() -> Value {
    json!({ "image_base64": png_base64(&picture(64, 48)) })
}

/// A service whose engine holds its runs, and a job that waits there.
async fn waiting(setup: Setup) -> (Emulator, TestApp, String) {
    let emulator = held_emulator().await;
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let id = app.create(&a_picture()).await;
    until("the job to wait", || async {
        (app.job(&id).await["status"] == "processing").then_some(())
    })
    .await;
    (emulator, app, id)
}

async fn complete(emulator: &Emulator) {
    let submitted = emulator.wait_for_submissions(1).await;
    for run in submitted {
        emulator.complete(&run.request_id).await;
    }
}

async fn stop(emulator: Emulator, app: TestApp) {
    app.stop().await;
    emulator.stop().await;
}

fn events(app: &TestApp, id: &str) -> RequestBuilder {
    app.get(&format!("/api/jobs/{id}/events"))
}

async fn opened(request: RequestBuilder) -> EventReader {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["content-type"], "text/event-stream");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-accel-buffering"], "no");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert!(!headers.contains_key("content-length"));
    EventReader::new(answer)
}

async fn refused(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let code = json_of(answer).await["code"].as_str().unwrap().to_owned();
    (status, code)
}

fn polling() -> Setup {
    Setup::new(Way::FalPolling)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_told_to_its_end_as_a_read_shows_it_and_then_the_stream_ends() {
    for http2 in [false, true] {
        let (emulator, app, id) = waiting(polling()).await;
        let url = format!("{}/api/jobs/{id}/events", app.base);
        let mut stream = opened(client(http2).get(url)).await;
        assert!(matches!(stream.said().await, Some(Said::Retry(_))));
        let first = stream.event().await.unwrap();
        assert_eq!(first.name, "status");
        assert_eq!(first.data["status"], "processing");
        complete(&emulator).await;
        let told = stream.until("completed").await;
        let last = told.last().unwrap();
        assert_eq!(last.data, app.job(&id).await);
        assert_eq!(stream.rest().await, []);
        let mut shown = first.data["progress"].as_f64().unwrap();
        for event in &told {
            let progress = event.data["progress"].as_f64().unwrap();
            assert!(progress >= shown, "{told:?}");
            assert_eq!(event.data["job_id"], id, "{told:?}");
            shown = progress;
        }
        stop(emulator, app).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_fails_ends_its_stream_too() {
    let app = TestApp::start(Way::Local, None).await;
    let id = app
        .create(&json!({ "image_url": format!("{}/nothing.png", app.base) }))
        .await;
    let mut stream = opened(events(&app, &id)).await;
    let told = stream.until("failed").await;
    assert_eq!(told.last().unwrap().data, app.job(&id).await);
    assert_eq!(stream.rest().await, []);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_alone_moves_the_progress_that_is_told_and_silence_is_filled() {
    let mut setup = polling();
    setup.tuning.requests.event_silence = Duration::from_millis(100);
    let (emulator, app, id) = waiting(setup).await;
    let mut stream = opened(events(&app, &id)).await;
    let first = stream.until("status").await.remove(0);
    let mut comments = 0;
    let moved = loop {
        match stream.said().await.unwrap() {
            Said::Comment => comments += 1,
            Said::Event(event) => break event,
            Said::Retry(_) => {}
        }
    };
    assert!(comments > 0);
    assert_eq!((moved.name.as_str(), &moved.id), ("progress", &first.id));
    assert!(moved.data["progress"].as_f64() > first.data["progress"].as_f64());
    drop(stream);
    stop(emulator, app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_comes_back_is_told_what_it_has_not_seen_and_nothing_else() {
    let (emulator, app, id) = waiting(polling()).await;
    let mut stream = opened(events(&app, &id)).await;
    let seen = stream.event().await.unwrap();
    drop(stream);

    let mut again = opened(events(&app, &id).header("last-event-id", &seen.id)).await;
    let quiet = again.is_silent_for(Duration::from_millis(300)).await;
    assert!(quiet, "what was seen is not told again");
    drop(again);

    complete(&emulator).await;
    app.finished(&id).await;
    for known in [seen.id.as_str(), "of-another-job"] {
        let mut again = opened(events(&app, &id).header("last-event-id", known)).await;
        let end = again.event().await.unwrap();
        assert_eq!(end.name, "completed");
        assert_eq!(again.rest().await, []);
        // An EventSource connects again behind the end, and 204 tells it to stop.
        let over = events(&app, &id).header("last-event-id", &end.id);
        let over = over.send().await.unwrap();
        assert_eq!(over.status(), StatusCode::NO_CONTENT);
    }
    stop(emulator, app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_deleted_says_so_and_is_gone() {
    for http2 in [false, true] {
        let (emulator, app, id) = waiting(polling()).await;
        let url = format!("{}/api/jobs/{id}/events", app.base);
        let mut stream = opened(client(http2).get(&url)).await;
        stream.until("status").await;
        let job = format!("{}/api/jobs/{id}", app.base);
        let deleted = app.client.delete(&job).send().await.unwrap();
        assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
        let told = stream.until("deleted").await;
        assert_eq!(stream.rest().await, []);
        let mut data = told.last().unwrap().data.clone();
        assert_eq!(data["job_id"], id);
        data.as_object_mut().unwrap().remove("job_id");
        let gone = app.client.get(&job).send().await.unwrap();
        assert_eq!(gone.status(), StatusCode::GONE);
        assert_eq!(data, json_of(gone).await);
        assert_eq!(
            refused(events(&app, &id)).await,
            (410, "job_deleted".into())
        );
        stop(emulator, app).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_time_is_over_says_so() {
    let clock = ManualClock::at(UnixMs(1_795_356_717_000));
    let mut setup = polling();
    setup.clock = Arc::new(clock.clone());
    setup.tuning.requests.event_silence = Duration::from_millis(50);
    let (emulator, app, id) = waiting(setup).await;
    let mut stream = opened(events(&app, &id)).await;
    stream.until("status").await;
    clock.advance(Duration::from_secs(24 * 3600));
    let told = stream.until("expired").await;
    assert_eq!(told.last().unwrap().data["code"], "job_expired");
    assert_eq!(stream.rest().await, []);
    assert_eq!(
        refused(events(&app, &id)).await,
        (410, "job_expired".into())
    );
    stop(emulator, app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_for_their_owner_and_for_those_who_can_read_them() {
    let setup = polling().with("API_KEYS", "a:the-key-of-owner-a,b:the-key-of-owner-b");
    let emulator = held_emulator().await;
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let created = app
        .client
        .post(format!("{}/api/jobs", app.base))
        .bearer_auth("the-key-of-owner-a")
        .json(&a_picture());
    let id = json_of(created.send().await.unwrap()).await["job_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let by = |key: &str| events(&app, &id).bearer_auth(key);
    assert_eq!(
        refused(events(&app, &id)).await,
        (401, "unauthorized".into())
    );
    let other = refused(by("the-key-of-owner-b")).await;
    assert_eq!(other, (404, "job_not_found".into()));
    let html = by("the-key-of-owner-a").header("accept", "text/html, application/json");
    assert_eq!(refused(html).await, (406, "not_acceptable".into()));
    let waits = app
        .get(&format!("/api/jobs/{id}?wait=30"))
        .bearer_auth("the-key-of-owner-b");
    assert_eq!(refused(waits).await, (404, "job_not_found".into()));
    let mut stream = opened(by("the-key-of-owner-a")).await;
    stream.until("status").await;
    drop(stream);
    stop(emulator, app).await;
}

/// The gauge of those who wait so.
async fn open(app: &TestApp, kind: &str) -> String {
    let line = format!("lamina_http_event_streams{{kind=\"{kind}\"}} ");
    let text = app.scrape().await;
    let found = text.lines().find_map(|found| found.strip_prefix(&line));
    found.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_streams_are_bounded_by_owner_and_in_all_and_places_come_back() {
    for (option, code) in [
        ("MAX_EVENT_STREAMS_PER_KEY", (429, "too_many_event_streams")),
        ("MAX_EVENT_STREAMS", (503, "event_streams_exhausted")),
    ] {
        let (emulator, app, id) = waiting(polling().with(option, "2")).await;
        let first = opened(events(&app, &id)).await;
        let second = tokio::spawn(app.get(&format!("/api/jobs/{id}?wait=60")).send());
        until("both to wait", || async {
            let open = (open(&app, "stream").await, open(&app, "poll").await);
            (open == ("1".into(), "1".into())).then_some(())
        })
        .await;
        let one_more = events(&app, &id).send().await.unwrap();
        assert!(one_more.headers().contains_key("retry-after"));
        assert_eq!(one_more.status().as_u16(), code.0);
        assert_eq!(json_of(one_more).await["code"], code.1);
        let waits = refused(app.get(&format!("/api/jobs/{id}?wait=60"))).await;
        assert_eq!(waits, (code.0, code.1.to_owned()));
        // A read that does not wait needs no place.
        assert_eq!(app.job(&id).await["status"], "processing");
        drop(first);
        until("a place", || async {
            let answer = events(&app, &id).send().await.unwrap();
            (answer.status() == StatusCode::OK).then_some(())
        })
        .await;
        complete(&emulator).await;
        let told = second.await.unwrap().unwrap();
        assert_eq!(told.status(), StatusCode::OK);
        until("all to have gone", || async {
            let open = (open(&app, "stream").await, open(&app, "poll").await);
            (open == ("0".into(), "0".into())).then_some(())
        })
        .await;
        stop(emulator, app).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_sends_streams_away_and_the_next_process_goes_on_behind_them() {
    let mut streams = Vec::new();
    let (emulator, app, id) = waiting(polling()).await;
    for http2 in [false, true] {
        let url = format!("{}/api/jobs/{id}/events", app.base);
        let mut stream = opened(client(http2).get(url)).await;
        let seen = stream.until("status").await.remove(0);
        streams.push((stream, seen));
    }
    let waits = tokio::spawn(app.get(&format!("/api/jobs/{id}?wait=60")).send());
    until("the read to wait", || async {
        (open(&app, "poll").await == "1").then_some(())
    })
    .await;
    let begun = std::time::Instant::now();
    let folder = app.stop().await;
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "streams hold up no stop"
    );
    assert_eq!(
        waits.await.unwrap().unwrap().status(),
        StatusCode::OK,
        "the read is answered"
    );
    for (stream, _) in &mut streams {
        let rest = stream.rest().await;
        assert!(matches!(rest.last(), Some(Said::Retry(_))), "{rest:?}");
    }
    let app = TestApp::start_in(folder, polling(), Some(&emulator)).await;
    complete(&emulator).await;
    for (_, seen) in streams {
        let mut stream = opened(events(&app, &id).header("last-event-id", seen.id)).await;
        stream.until("completed").await;
    }
    stop(emulator, app).await;
}

fn etag(answer: &Response) -> String {
    answer.headers()["etag"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_waits_is_answered_when_the_job_has_changed() {
    let (emulator, app, id) = waiting(polling()).await;
    let path = format!("/api/jobs/{id}?wait=60");
    let seen = app.get(&format!("/api/jobs/{id}")).send().await.unwrap();
    let tag = etag(&seen);
    // One of them knows the job, the other takes it as it is now.
    let knows = app.get(&path).header("if-none-match", &tag);
    let waits = [app.get(&path), knows].map(|wait| tokio::spawn(wait.send()));
    until("both to wait", || async {
        (open(&app, "poll").await == "2").then_some(())
    })
    .await;
    complete(&emulator).await;
    let done = app.finished(&id).await;
    for wait in waits {
        let mut answer = wait.await.unwrap().unwrap();
        let mut tag = etag(&answer);
        let mut job = json_of(answer).await;
        // The layers may be on their way yet; whoever goes on waiting gets them.
        while job["status"] == "processing" {
            answer = app
                .get(&path)
                .header("if-none-match", &tag)
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            tag = etag(&answer);
            job = json_of(answer).await;
        }
        assert_eq!(job, done);
    }
    // What has ended is not waited for, and another tag than the job's is answered at once.
    let again = app.get(&path).header("if-none-match", &tag).send().await;
    assert_eq!(again.unwrap().status(), StatusCode::OK);
    let same = app.get(&path).send().await.unwrap();
    let same = app.get(&path).header("if-none-match", etag(&same));
    assert_eq!(
        same.send().await.unwrap().status(),
        StatusCode::NOT_MODIFIED
    );
    stop(emulator, app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_whose_wait_is_over_shows_the_job_as_it_is() {
    let (emulator, app, id) = waiting(polling()).await;
    let path = format!("/api/jobs/{id}?wait=1");
    let begun = std::time::Instant::now();
    let answer = app.get(&path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    // Time has moved its progress, which is no reason to be answered sooner.
    let begun = std::time::Instant::now();
    let again = app.get(&path).header("if-none-match", etag(&answer));
    let again = again.send().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(matches!(again.status().as_u16(), 200 | 304));
    assert_eq!(json_of(answer).await["status"], "processing");
    for wrong in ["61", "-1", "2.5", "soon", ""] {
        let path = format!("/api/jobs/{id}?wait={wrong}");
        let answer = refused(app.get(&path)).await;
        assert_eq!(answer, (422, "invalid_query".into()), "{wrong}");
    }
    stop(emulator, app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_waits_for_a_job_that_is_deleted_is_told() {
    let (emulator, app, id) = waiting(polling()).await;
    let waits = tokio::spawn(app.get(&format!("/api/jobs/{id}?wait=60")).send());
    until("the read to wait", || async {
        (open(&app, "poll").await == "1").then_some(())
    })
    .await;
    let job = format!("{}/api/jobs/{id}", app.base);
    app.client.delete(&job).send().await.unwrap();
    let told = waits.await.unwrap().unwrap();
    assert_eq!(told.status(), StatusCode::GONE);
    assert_eq!(json_of(told).await["code"], "job_deleted");
    stop(emulator, app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_wait_cost_the_database_nothing() {
    let (emulator, app, id) = waiting(polling()).await;
    let reads = async || {
        let text = app.scrape().await;
        let line = "lamina_database_read_duration_seconds_count ";
        let found = text.lines().find_map(|found| found.strip_prefix(line));
        found.unwrap().parse::<f64>().unwrap()
    };
    // A scrape reads as well: one at the start and one at the end.
    let before = reads().await;
    let asked = emulator.counters().status_reads;
    let mut waits = Vec::new();
    for _ in 0..50 {
        waits.push(opened(events(&app, &id)).await);
    }
    for stream in &mut waits {
        stream.until("status").await;
    }
    // fal is asked now and then meanwhile, which writes the job and reads a little, whoever waits.
    emulator
        .wait_until(|counters| counters.status_reads > asked)
        .await;
    complete(&emulator).await;
    for stream in &mut waits {
        let told = stream.until("completed").await;
        assert_eq!(told.last().unwrap().data["progress"], 1.0);
    }
    // Less than one read each, and what the questions read, however long all of it took.
    let (after, asked) = (reads().await, emulator.counters().status_reads - asked);
    let most = 25.0 + 4.0 * asked as f64;
    assert!(
        after - before < most,
        "{before} {after}, asked {asked} times"
    );
    stop(emulator, app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_prefers_to_wait_is_answered_with_the_job() {
    let emulator = emulator().await;
    let app = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    let create = |prefer: &str| {
        let post = app.client.post(format!("{}/api/jobs", app.base));
        let post = post.header("prefer", prefer).json(&a_picture());
        post.header("idempotency-key", format!("key-{}", prefer.len()))
    };
    let answer = create("wait=60").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let headers = answer.headers().clone();
    assert_eq!(headers["preference-applied"], "wait=60");
    let job = json_of(answer).await;
    let location = format!("/api/jobs/{}", job["job_id"].as_str().unwrap());
    assert_eq!(headers["location"], location);
    assert_eq!(job["status"], "completed");
    assert_eq!(job, app.job(job["job_id"].as_str().unwrap()).await);
    let again = create("wait=60").send().await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(json_of(again).await, job);

    emulator.set_hold(true);
    let answer = create("wait=1, respond-async").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(answer.headers()["preference-applied"], "wait=1");
    let job = json_of(answer).await;
    assert!(job["layers"].is_null() && job["progress"].is_number());
    for none in ["wait=soon", "return=minimal"] {
        let answer = create(none).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        assert!(!answer.headers().contains_key("preference-applied"));
        let accepted = json_of(answer).await;
        assert_eq!(accepted.as_object().unwrap().len(), 2, "{accepted}");
    }
    stop(emulator, app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_finds_no_place_to_wait_is_answered_all_the_same() {
    let (emulator, app, id) = waiting(polling().with("MAX_EVENT_STREAMS", "1")).await;
    let stream = opened(events(&app, &id)).await;
    let post = app.client.post(format!("{}/api/jobs", app.base));
    let post = post.header("prefer", "wait=60").json(&a_picture());
    let answer = post.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert!(!answer.headers().contains_key("preference-applied"));
    drop(stream);
    stop(emulator, app).await;
}

fn of_job<'a>(told: &'a [Event], id: &str) -> Vec<&'a str> {
    let events = told.iter().filter(|event| event.data["job_id"] == id);
    events.map(|event| event.name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_jobs_of_an_owner_are_told_and_what_ended_meanwhile_when_it_comes_back() {
    let (emulator, app, first) = waiting(polling()).await;
    let all = || app.get("/api/events");
    let mut stream = opened(all()).await;
    let begins = stream.event().await.unwrap();
    assert_eq!(begins.name, "status");
    assert_eq!(begins.data["job_id"], first);
    let second = app.create(&a_picture()).await;
    let told = stream.until("status").await;
    assert_eq!(of_job(&told, &second).last(), Some(&"status"));
    complete(&emulator).await;
    let told = stream.until("completed").await;
    let end = told.last().unwrap().clone();
    assert_eq!(end.data, app.job(&first).await);
    drop(stream);

    // While nobody listens one ends, another goes, and one more comes and ends.
    emulator.set_hold(false);
    emulator.wait_for_submissions(2).await;
    complete(&emulator).await;
    let completed = app.finished(&second).await;
    let third = app.create(&a_picture()).await;
    app.finished(&third).await;
    let job = |id: &str| format!("{}/api/jobs/{id}", app.base);
    app.client.delete(job(&first)).send().await.unwrap();
    let mut stream = opened(all().header("last-event-id", &end.id)).await;
    let told = stream.until("deleted").await;
    let ends: Vec<_> = told
        .iter()
        .map(|event| (event.name.as_str(), event.data["job_id"].as_str().unwrap()))
        .collect();
    assert_eq!(
        ends,
        [
            ("completed", second.as_str()),
            ("completed", third.as_str()),
            ("deleted", first.as_str())
        ]
    );
    assert_eq!(told[0].data, completed);
    let last = told.last().unwrap().id.clone();
    drop(stream);
    // Nothing is told twice to whoever has read it all, nor to whoever comes new.
    for request in [all().header("last-event-id", last), all()] {
        let mut stream = opened(request).await;
        assert!(stream.is_silent_for(Duration::from_millis(200)).await);
    }
    // A place that was never given may be one of a database that was put back: what is known is told.
    let mut stream = opened(all().header("last-event-id", "999")).await;
    assert_eq!(stream.until("deleted").await.len(), 3);
    drop(stream);
    stop(emulator, app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_of_another_owners_jobs() {
    let setup = polling().with("API_KEYS", "a:the-key-of-owner-a,b:the-key-of-owner-b");
    let emulator = emulator().await;
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let all = |key: &str| app.get("/api/events").bearer_auth(key);
    let mut other = opened(all("the-key-of-owner-b")).await;
    let mut own = opened(all("the-key-of-owner-a")).await;
    let html = all("the-key-of-owner-a").header("accept", "text/html");
    assert_eq!(refused(html).await, (406, "not_acceptable".into()));
    let keyless = app.get("/api/events");
    assert_eq!(refused(keyless).await, (401, "unauthorized".into()));
    let post = app.client.post(format!("{}/api/jobs", app.base));
    let post = post.bearer_auth("the-key-of-owner-a").json(&a_picture());
    let id = json_of(post.send().await.unwrap()).await["job_id"].clone();
    let told = own.until("completed").await;
    assert_eq!(told.last().unwrap().data["job_id"], id);
    assert!(other.is_silent_for(Duration::from_millis(200)).await);
    drop((own, other));
    stop(emulator, app).await;
}
