//! How strangers begin resumable uploads.

use super::*;

pub(super) fn of_beginnings() -> Vec<Case> {
    let bad = "tus_header_invalid";
    let long = format!("a {}", "YWFh".repeat(2000));
    let length = ("upload-length", "10");
    let begin = |headers: &[(&'static str, &str)]| {
        let headers = [&[("tus-resumable", "1.0.0")][..], headers].concat();
        http(Method::POST, "/api/uploads/tus", &headers, b"")
    };
    let mut cases = vec![
        case(
            "no version",
            http(Method::POST, "/api/uploads/tus", &[length], b""),
            412,
            "tus_version_unsupported",
        ),
        case(
            "an old version",
            http(
                Method::POST,
                "/api/uploads/tus",
                &[("tus-resumable", "0.2.2"), length],
                b"",
            ),
            412,
            "tus_version_unsupported",
        ),
        case(
            "no key",
            begin(&[("authorization", "Bearer guessed"), length]),
            401,
            "unauthorized",
        ),
        case("no length", begin(&[]), 400, bad),
        case(
            "a length now and later",
            begin(&[length, ("upload-defer-length", "1")]),
            400,
            bad,
        ),
        case(
            "a petabyte",
            begin(&[("upload-length", "1000000000000000")]),
            413,
            "image_too_many_bytes",
        ),
        case(
            "a byte too many",
            begin(&[("upload-length", "20971521")]),
            413,
            "image_too_many_bytes",
        ),
        case(
            "a first part of another type",
            http(
                Method::POST,
                "/api/uploads/tus",
                &[
                    ("tus-resumable", "1.0.0"),
                    length,
                    ("content-type", "image/png"),
                ],
                b"x",
            ),
            415,
            "unsupported_media_type",
        ),
        case(
            "a first part too long",
            http(
                Method::POST,
                "/api/uploads/tus",
                &[("tus-resumable", "1.0.0"), length, ("content-type", PART)],
                b"01234567890",
            ),
            413,
            "body_too_large",
        ),
        case(
            "a first part without end",
            Wish::Endless {
                method: Method::POST,
                path: "/api/uploads/tus".into(),
                headers: [("tus-resumable", "1.0.0"), length, ("content-type", PART)]
                    .map(|(name, value)| (name, value.to_owned()))
                    .to_vec(),
            },
            413,
            "body_too_large",
        ),
        case(
            "a first part that is another",
            http(
                Method::POST,
                "/api/uploads/tus",
                &[
                    ("tus-resumable", "1.0.0"),
                    length,
                    ("content-type", PART),
                    ("upload-checksum", "sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
                ],
                b"abd",
            ),
            460,
            "upload_checksum_mismatch",
        ),
        case(
            "a listing",
            http(
                Method::GET,
                "/api/uploads/tus",
                &[("tus-resumable", "1.0.0")],
                b"",
            ),
            405,
            "method_not_allowed",
        ),
    ];
    for wrong in [
        "-1",
        "+1",
        "1e3",
        "0x10",
        "1,2",
        "ten",
        "18446744073709551616",
    ] {
        cases.push(case(
            &format!("the length {wrong}"),
            begin(&[("upload-length", wrong)]),
            400,
            bad,
        ));
    }
    for wrong in ["0", "2", "yes", ""] {
        cases.push(case(
            &format!("later as {wrong:?}"),
            begin(&[("upload-defer-length", wrong)]),
            400,
            bad,
        ));
    }
    for wrong in [",", "a b c", "a %%", "a YQ==,a YQ==", " ,x", &long] {
        let name = format!("the metadata {:?}", &wrong[..wrong.len().min(20)]);
        cases.push(case(
            &name,
            begin(&[length, ("upload-metadata", wrong)]),
            400,
            bad,
        ));
    }
    cases
}
