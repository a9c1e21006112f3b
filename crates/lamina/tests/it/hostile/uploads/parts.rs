//! What strangers send as parts of resumable uploads.

use super::*;

/// Parts, at an upload of 10 bytes of which 5 have arrived.
pub(super) fn of_parts(path: &str, foreign: &str) -> Vec<Case> {
    let (bad, gone, elsewhere) = (
        "tus_header_invalid",
        "upload_missing",
        "upload_offset_mismatch",
    );
    let version = ("tus-resumable", "1.0.0");
    let kind = ("content-type", PART);
    let at = |offset: &'static str| ("upload-offset", offset);
    let part = |path: &str, headers: &[(&'static str, &str)], body: &[u8]| {
        http(
            Method::PATCH,
            path,
            &[&[version][..], headers].concat(),
            body,
        )
    };
    let checked = |checksum: &str| {
        part(
            path,
            &[kind, at("5"), ("upload-checksum", checksum)],
            b"abd",
        )
    };
    let mut cases = vec![
        case(
            "a part without its version",
            http(Method::PATCH, path, &[kind, at("5")], b"x"),
            412,
            "tus_version_unsupported",
        ),
        case(
            "a part without its place",
            part(path, &[kind], b"x"),
            400,
            bad,
        ),
        case(
            "a part without its type",
            part(path, &[at("5")], b"x"),
            415,
            "unsupported_media_type",
        ),
        case(
            "a part of another type",
            part(path, &[("content-type", "image/png"), at("5")], b"x"),
            415,
            "unsupported_media_type",
        ),
        case(
            "a part too long",
            part(path, &[kind, at("5")], b"012345"),
            413,
            "body_too_large",
        ),
        case(
            "a part that grows the whole",
            part(path, &[kind, at("5"), ("upload-length", "20")], b"x"),
            400,
            bad,
        ),
        case(
            "a part that makes the whole a petabyte",
            part(
                path,
                &[kind, at("5"), ("upload-length", "1000000000000000")],
                b"x",
            ),
            413,
            "image_too_many_bytes",
        ),
        case(
            "a part that is another",
            checked("sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
            460,
            "upload_checksum_mismatch",
        ),
        case(
            "a checksum of an unknown method",
            checked("crc32 AAAAAA=="),
            400,
            "upload_checksum_unsupported",
        ),
        case(
            "a checksum of no method",
            checked("../../etc/passwd x"),
            400,
            "upload_checksum_unsupported",
        ),
        case("a checksum of nothing", checked("sha1"), 400, bad),
        case(
            "a checksum too short",
            checked("sha256 qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
            400,
            bad,
        ),
        case(
            "an override of nothing",
            http(Method::POST, path, &[version], b""),
            405,
            "method_not_allowed",
        ),
        case(
            "an override of anything",
            http(
                Method::POST,
                path,
                &[version, ("x-http-method-override", "TRACE")],
                b"",
            ),
            405,
            "method_not_allowed",
        ),
        case(
            "a PUT",
            http(Method::PUT, path, &[version], b"x"),
            405,
            "method_not_allowed",
        ),
    ];
    for wrong in ["0", "4", "6", "10", "18446744073709551615"] {
        cases.push(case(
            &format!("a part at {wrong}"),
            part(path, &[kind, at(wrong)], b"x"),
            409,
            elsewhere,
        ));
    }
    for wrong in ["-1", "+5", "5.0", "five", "18446744073709551616"] {
        cases.push(case(
            &format!("a part at {wrong}"),
            part(path, &[kind, at(wrong)], b"x"),
            400,
            bad,
        ));
    }
    let missing = [
        foreign,
        "/api/uploads/tus/none",
        "/api/uploads/tus/..%2f..%2flamina.db",
        "/api/uploads/tus/00000000-0000-0000-0000-000000000000",
    ];
    for path in missing {
        cases.push(case(
            &format!("a part of {path}"),
            part(path, &[kind, at("0")], b"x"),
            404,
            gone,
        ));
        cases.push(case(
            &format!("the end of {path}"),
            http(Method::DELETE, path, &[version], b""),
            404,
            gone,
        ));
        // An answer to HEAD has no body.
        cases.push(case(
            &format!("the place of {path}"),
            http(Method::HEAD, path, &[version], b""),
            404,
            "",
        ));
    }
    cases
}
