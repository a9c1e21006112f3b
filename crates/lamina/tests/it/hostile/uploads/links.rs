//! What strangers do with the links of tickets.

use super::*;

/// Links of tickets, and what was not meant to be done with them.
pub(super) async fn of_links(mine: &Owner<'_>, others: &Owner<'_>) -> Vec<Case> {
    let (wrong, many) = ("link_invalid", "image_too_many_bytes");
    let path_of = |ticket: &Value| {
        let url = ticket["url"].as_str().unwrap();
        url.strip_prefix(mine.base).unwrap().to_owned()
    };
    let exact = mine.ticket(&json!({"bytes": 10})).await;
    let (id, exact) = (
        exact["upload_id"].as_str().unwrap().to_owned(),
        path_of(&exact),
    );
    let open = path_of(&mine.ticket(&json!({})).await);
    let full = path_of(&mine.ticket(&json!({})).await);
    let sent = mine.client.put(format!("{}{full}", mine.base)).body("x");
    assert!(sent.send().await.unwrap().status().is_success());
    let foreign = others.ticket(&json!({})).await;
    let foreign = foreign["upload_id"].as_str().unwrap().to_owned();

    let signer = LinkSigner::new(&[SECRET]);
    let crafted = |id: &str, until: UnixMs| {
        let id: UploadId = id.parse().unwrap();
        match signer.put(id, &PutTerms::default(), UnixMs(0), until) {
            Link::Served(path) => path,
            Link::Direct(url) => panic!("{url}"),
        }
    };
    let unknown = UploadId::new(UnixMs(1)).to_string();
    let late = UnixMs(4_000_000_000_000);
    let put = |path: &str, body: &[u8]| http(Method::PUT, path, &[], body);
    let use_of = |id: &str| {
        let body = json!({ "upload_id": id }).to_string();
        http(
            Method::POST,
            "/api/jobs",
            &[("content-type", "application/json")],
            body.as_bytes(),
        )
    };
    let endless = |path: &str| Wish::Endless {
        method: Method::PUT,
        path: path.to_owned(),
        headers: Vec::new(),
    };
    vec![
        case(
            "a ticket used before it is filled",
            use_of(&id),
            409,
            "upload_pending",
        ),
        case(
            "another owner's ticket, used",
            use_of(&foreign),
            422,
            "upload_not_found",
        ),
        case(
            "another owner's ticket",
            http(Method::GET, &format!("/api/uploads/{foreign}"), &[], b""),
            404,
            "upload_missing",
        ),
        case(
            "a body longer than was declared",
            put(&exact, b"01234567890"),
            413,
            many,
        ),
        case(
            "a body shorter than was declared",
            put(&exact, b"012345678"),
            400,
            "body_incomplete",
        ),
        case("a body without end", endless(&exact), 413, many),
        case(
            "a body without end or declaration",
            endless(&open),
            413,
            many,
        ),
        case("no body", put(&open, b""), 422, "image_empty"),
        case(
            "a second body",
            put(&full, b"y"),
            409,
            "upload_already_received",
        ),
        case(
            "a link that has ended",
            put(&crafted(&id, UnixMs(1_000_000)), b"x"),
            410,
            "link_expired",
        ),
        case(
            "a link of no upload",
            put(&crafted(&unknown, late), b"x"),
            410,
            "file_gone",
        ),
        case(
            "a link with another id",
            put(&exact.replace(&id, &unknown), b"x"),
            403,
            wrong,
        ),
        case(
            "a link with another end",
            put(&exact.replace("exp=1", "exp=2"), b"x"),
            403,
            wrong,
        ),
        case(
            "a link without a signature",
            put(exact.split('?').next().unwrap(), b"x"),
            403,
            wrong,
        ),
        case(
            "a link with an empty signature",
            put(
                &format!("{}&sig=", exact.split("&sig").next().unwrap()),
                b"x",
            ),
            403,
            wrong,
        ),
        case(
            "a link that writes, read",
            http(Method::GET, &full, &[], b""),
            403,
            wrong,
        ),
        case(
            "a link out of its folder",
            put(&exact.replace("uploads/", "uploads%2f..%2fjobs/"), b"x"),
            403,
            wrong,
        ),
        case(
            "a link to the database",
            put(
                "/files/uploads/..%2f..%2flamina.db/incoming.bin?exp=9999999999&sig=AAAA",
                b"x",
            ),
            403,
            wrong,
        ),
        case(
            "a link in capitals",
            put(&exact.replace(&id, &id.to_uppercase()), b"x"),
            403,
            wrong,
        ),
    ]
}
