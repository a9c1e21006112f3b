//! What strangers ask of tickets, and what each is told.

use super::*;

pub(super) fn of_tickets() -> Vec<Case> {
    let wrong = "invalid_fields";
    let json = [("content-type", "application/json")];
    let ask = |body: &str| http(Method::POST, "/api/uploads", &json, body.as_bytes());
    let mut cases = vec![
        case("a ticket of no body", ask(""), 400, "invalid_json"),
        case("a ticket of a brace", ask("{"), 400, "invalid_json"),
        case("a ticket in a list", ask("[]"), 422, wrong),
        case(
            "a ticket as a form",
            http(
                Method::POST,
                "/api/uploads",
                &[("content-type", "text/plain")],
                b"{}",
            ),
            415,
            "unsupported_media_type",
        ),
        case(
            "a ticket of 20 KiB",
            ask(&" ".repeat(20 << 10)),
            413,
            "body_too_large",
        ),
        case(
            "a ticket for a terabyte",
            ask("{\"bytes\":1099511627776}"),
            413,
            "image_too_many_bytes",
        ),
        case(
            "a ticket without a key",
            http(
                Method::POST,
                "/api/uploads",
                &[("authorization", "Bearer guessed")],
                b"{}",
            ),
            401,
            "unauthorized",
        ),
    ];
    for field in [
        "\"bytes\":0",
        "\"bytes\":-1",
        "\"bytes\":1.5",
        "\"bytes\":\"7\"",
        "\"bytes\":18446744073709551616",
        "\"content_type\":\"image/heic\"",
        "\"content_type\":\"text/html\"",
        "\"content_type\":\"image/png\\r\\nx: y\"",
        "\"content_type\":7",
        "\"path\":\"../../etc/passwd\"",
        "\"upload_id\":\"00000000-0000-0000-0000-000000000000\"",
    ] {
        cases.push(case(field, ask(&format!("{{{field}}}")), 422, wrong));
    }
    for id in [
        "none",
        "..%2f..%2flamina.db",
        "00000000-0000-0000-0000-000000000000",
        "tus%2fx",
    ] {
        let wish = http(Method::GET, &format!("/api/uploads/{id}"), &[], b"");
        cases.push(case(
            &format!("the upload {id}"),
            wish,
            404,
            "upload_missing",
        ));
    }
    cases
}
