//! `image_url`s that are links of this server: read from where they are kept, refused when they are
//! not what was given, and fetched never.

use crate::store::QueueStore as _;
use serde_json::json;

use super::*;
use crate::store::StoredSource;

async fn upload(server: &TestServer, key: &str) -> Value {
    let request = request("POST", "/api/upload").header("authorization", key);
    let answer = server.send(request.body(png(30, 20).into()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    answer.json()
}

async fn create(server: &TestServer, key: &str, url: &str) -> Answer {
    let request = request("POST", "/api/jobs")
        .header("authorization", key)
        .header("content-type", "application/json");
    let body = json!({ "image_url": url }).to_string();
    server.send(request.body(body.into()).unwrap()).await
}

/// Whether the create took bytes, rather than a URL to fetch.
async fn taken(server: &TestServer, url: &str) -> bool {
    let answer = create(server, "Bearer key-a", url).await;
    assert_eq!(
        answer.status,
        StatusCode::ACCEPTED,
        "{url} {:?}",
        answer.body
    );
    let id: JobId = answer.json()["job_id"].as_str().unwrap().parse().unwrap();
    let key = BlobKey::Source(id, MediaType::Png);
    server.blobs.size(&key).await.is_ok()
}

async fn refused(server: &TestServer, url: &str) -> (u16, String) {
    let answer = create(server, "Bearer key-a", url).await;
    assert_eq!(answer.json()["errors"][0]["pointer"], "/image_url", "{url}");
    answer.code()
}

fn guarded(public: Option<&str>) -> TestServer {
    TestServer::with(|state| {
        state.keys = ApiKeys::new([("a", "key-a"), ("b", "key-b")]);
        state.public_url = public.map(|url| url.parse().unwrap());
    })
}

#[tokio::test]
async fn a_link_is_known_under_every_spelling_of_its_address() {
    for public in [
        None,
        Some("https://layers.example.com"),
        Some("https://layers.example.com/app"),
    ] {
        let server = guarded(public);
        let upload = upload(&server, "Bearer key-a").await;
        let url = upload["url"].as_str().unwrap();
        let (address, query) = url.split_once('?').unwrap();
        let (exp, sig) = query.split_once('&').unwrap();
        let (scheme, rest) = address.split_once("://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let port = if scheme == "https" { 443 } else { 80 };
        for same in [
            url.to_owned(),
            format!("{address}?{sig}&{exp}"),
            format!("{address}?{exp}&{sig}&v=7"),
            format!("{url}#part"),
            format!(
                "{}://{}/{path}?{query}",
                scheme.to_uppercase(),
                host.to_uppercase()
            ),
            format!("{scheme}://{host}:{port}/{path}?{query}"),
            // A proxy that ends TLS, and another name of the same server.
            format!(
                "{}://{host}/{path}?{query}",
                if scheme == "http" { "https" } else { "http" }
            ),
            format!("http://10.0.2.2:8080/{path}?{query}"),
            format!(
                "{scheme}://{host}/{}?{query}",
                path.replace("image.png", "%69mage%2Epng")
            ),
            format!("{address}?{exp}&{}", sig.replace("sig=", "%73ig=")),
        ] {
            assert!(taken(&server, &same).await, "{same}");
        }
    }
}

#[tokio::test]
async fn layers_and_uploads_by_ticket_are_taken_too() {
    let server =
        TestServer::with(|state| state.public_url = Some("https://l.example/app".parse().unwrap()));
    let layer = BlobKey::Layer(server.row().await, 3, MediaType::Png);
    server.blobs.put(&layer, png(40, 30).into()).await.unwrap();
    let url = format!("https://l.example/app{}", server.link(&layer));
    assert!(taken(&server, &url).await);

    let asked = request("POST", "/api/uploads").header("content-type", "application/json");
    let ticket = server.send(asked.body("{}".into()).unwrap()).await.json();
    let url = ticket["url"].as_str().unwrap();
    assert_eq!(refused(&server, url).await, (409, "upload_pending".into()));
    let path = url.strip_prefix("https://l.example/app").unwrap();
    let put = request("PUT", path).body(png(30, 20).into()).unwrap();
    assert_eq!(server.send(put).await.status, StatusCode::NO_CONTENT);
    assert!(taken(&server, url).await, "the ticket's own link");
    assert!(taken(&server, url).await, "and again, once it is checked");
    let id = ticket["upload_id"].as_str().unwrap();
    let status = server.get(&format!("/api/uploads/{id}")).await.json();
    let url = status["upload"]["url"].as_str().unwrap();
    assert!(taken(&server, url).await, "the link of what was stored");
}

#[tokio::test]
async fn a_link_that_was_changed_is_refused_and_never_fetched() {
    for public in [None, Some("https://layers.example.com/app")] {
        let server = guarded(public);
        let (one, other) = (
            upload(&server, "Bearer key-a").await,
            upload(&server, "Bearer key-a").await,
        );
        let url = one["url"].as_str().unwrap();
        let id = |upload: &Value| upload["upload_id"].as_str().unwrap().to_owned();
        let (address, query) = url.split_once('?').unwrap();
        let later = |exp: &str| exp.replace("exp=17", "exp=18");
        let file_less = address.rsplit_once('/').unwrap().0;
        for changed in [
            format!("{url}A"),
            url.replace("sig=", "sig=A"),
            later(url),
            url.replace(&id(&one), &id(&other)),
            url.replace("image.png", "image.jpg"),
            url.replace("image.png", "incoming.bin"),
            address.to_owned(),
            format!("{address}?sig=x"),
            format!("{file_less}?{query}"),
            url.replace("/uploads/", "/jobs/"),
        ] {
            assert_eq!(
                refused(&server, &changed).await,
                (403, "link_invalid".into()),
                "{changed}"
            );
        }
        // Of another host nobody can know; the rules for strangers' URLs are asked for it.
        let strange = format!("http://10.0.0.1/{}A", url.splitn(4, '/').nth(3).unwrap());
        assert!(!taken(&server, &strange).await);
        // Whoever sends a password means another server.
        let with_password = url.replace("://", "://me:secret@");
        assert!(!taken(&server, &with_password).await);
    }
}

#[tokio::test]
async fn a_link_whose_time_is_over_or_whose_file_is_gone_is_told_so() {
    let server = guarded(None);
    let url = upload(&server, "Bearer key-a").await["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let gone = format!(
        "http://lamina.test{}",
        server.link(&BlobKey::Layer(JobId::new(T0), 0, MediaType::Png))
    );
    assert_eq!(refused(&server, &gone).await, (410, "file_gone".into()));
    server.clock.advance(DAY);
    assert_eq!(refused(&server, &url).await, (410, "link_expired".into()));
    assert_eq!(
        refused(&server, &format!("{url}A")).await,
        (403, "link_invalid".into())
    );
}

#[tokio::test]
async fn a_link_that_reads_is_whoevers_has_it_and_a_tickets_is_its_owners() {
    let server = guarded(None);
    let theirs = upload(&server, "Bearer key-b").await;
    assert!(taken(&server, theirs["url"].as_str().unwrap()).await);
    // By its id alone it stays the owner's.
    let by_id = json!({ "upload_id": theirs["upload_id"] }).to_string();
    let asked = request("POST", "/api/jobs")
        .header("authorization", "Bearer key-a")
        .header("content-type", "application/json");
    let answer = server.send(asked.body(by_id.into()).unwrap()).await;
    assert_eq!(answer.code(), (422, "upload_not_found".into()));

    let asked = request("POST", "/api/uploads")
        .header("authorization", "Bearer key-b")
        .header("content-type", "application/json");
    let ticket = server.send(asked.body("{}".into()).unwrap()).await.json();
    let url = ticket["url"].as_str().unwrap();
    let path = url.strip_prefix("http://lamina.test").unwrap();
    let put = request("PUT", path).body(png(30, 20).into()).unwrap();
    assert_eq!(server.send(put).await.status, StatusCode::NO_CONTENT);
    assert_eq!(
        refused(&server, url).await,
        (422, "upload_not_found".into())
    );
}

#[tokio::test]
async fn a_job_keeps_its_own_copy() {
    let server = guarded(None);
    let upload = upload(&server, "Bearer key-a").await;
    let answer = create(&server, "Bearer key-a", upload["url"].as_str().unwrap()).await;
    let id: JobId = answer.json()["job_id"].as_str().unwrap().parse().unwrap();
    let upload = upload["upload_id"].as_str().unwrap().parse().unwrap();
    server.blobs.erase_upload(upload).await.unwrap();
    assert!(
        server
            .blobs
            .size(&BlobKey::Source(id, MediaType::Png))
            .await
            .is_ok()
    );
    let claimed = server
        .store
        .job_claim(
            "t",
            vec![Want::any(Stage::Submit, 1)],
            T0,
            Duration::from_secs(60),
        )
        .await
        .unwrap();
    assert!(matches!(claimed[0].source, StoredSource::Stored(output) if output.width == 30));
}

#[tokio::test]
async fn a_layer_may_have_more_bytes_than_a_picture_that_comes_in() {
    let server = TestServer::with(|state| state.images.max_bytes = 500);
    let layer = BlobKey::Layer(server.row().await, 0, MediaType::Png);
    server.blobs.put(&layer, png(60, 60).into()).await.unwrap();
    assert!(
        taken(
            &server,
            &format!("http://lamina.test{}", server.link(&layer))
        )
        .await
    );
}
