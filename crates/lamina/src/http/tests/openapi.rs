//! The checked-in description of the API is the API's.

use std::path::Path;

use super::*;
use crate::jobs::JobSpec;

/// Run with `UPDATE_OPENAPI=1` to write the description anew.
#[test]
fn the_checked_in_description_is_what_the_routes_say() {
    let mut made = with_webhooks(&parts().1.to_pretty_json().unwrap());
    made.push('\n');
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap();
    assert!(
        checked_in == made,
        "the API changed; run the tests with UPDATE_OPENAPI=1 and review crates/lamina/openapi.json"
    );
}

/// What is sent instead of answered, which no route describes: the `webhooks` of OpenAPI 3.1.
fn with_webhooks(api: &str) -> String {
    let text = |about: &str| serde_json::json!({ "type": "string", "description": about });
    let header = |name: &str, about: &str| {
        serde_json::json!({
            "name": name, "in": "header", "required": true, "description": about, "schema": { "type": "string" },
        })
    };
    let event = |name: &str, about: &str| {
        let maybe = serde_json::json!({ "type": ["string", "null"] });
        let time = serde_json::json!({ "type": "string", "format": "date-time" });
        serde_json::json!({ "post": {
            "summary": about,
            "operationId": name.replace('.', "_"),
            "security": [{}],
            "parameters": [
                header("webhook-id", "The same at every attempt; tell repeated deliveries by it"),
                header("webhook-timestamp", "Seconds since 1970, of the attempt"),
                header("webhook-signature", "Signatures by Standard Webhooks, separated by spaces"),
            ],
            "requestBody": { "required": true, "content": { "application/json": { "schema": {
                "type": "object",
                "required": ["type", "timestamp", "data"],
                "properties": {
                    "type": { "const": name },
                    "timestamp": time,
                    "data": {
                        "type": "object",
                        "required": ["job_id", "status", "error", "error_code", "engine", "created_at", "expires_at"],
                        "properties": {
                            "job_id": { "type": "string", "format": "uuid" },
                            "status": text("`completed`, `failed` or `expired`"),
                            "error": maybe,
                            "error_code": maybe,
                            "engine": text("The engine it ran on"),
                            "created_at": time,
                            "expires_at": time,
                        },
                    },
                },
            } } } },
            "responses": {
                "2XX": { "description": "Taken" },
                "410": { "description": "Nothing more is to be sent there" },
                "default": { "description": "It is tried again" },
            },
        } })
    };
    let webhooks = serde_json::json!({
        "job.completed": event("job.completed", "A job has its layers"),
        "job.failed": event("job.failed", "A job has failed"),
        "job.expired": event("job.expired", "A job's time is over"),
    });
    let webhooks = serde_json::to_string_pretty(&webhooks).unwrap();
    let api = api.trim_end().strip_suffix('}').unwrap().trim_end();
    format!(
        "{api},\n  \"webhooks\": {}\n}}",
        webhooks.replace('\n', "\n  ")
    )
}

#[test]
fn every_described_field_of_a_create_is_one_that_is_read() {
    let doc: Value = serde_json::to_value(parts().1).unwrap();
    let fields = doc["components"]["schemas"]["CreateJob"]["properties"]
        .as_object()
        .unwrap();
    assert!(fields.len() >= 10);
    for field in fields.keys() {
        // Objects are right for no field, so a known field is wrong and an unknown one unknown.
        let body = format!(r#"{{"{field}":{{}}}}"#);
        let said = format!("{:?}", JobSpec::parse(body.as_bytes()));
        assert!(!said.contains("Unknown field"), "{field}: {said}");
    }
}

#[test]
fn the_seed_is_described_as_it_is_read() {
    let doc: Value = serde_json::to_value(parts().1).unwrap();
    let seed = &doc["components"]["schemas"]["CreateJob"]["properties"]["seed"];
    assert_eq!(seed["type"], serde_json::json!(["integer", "null"]));
    assert_eq!(
        (&seed["minimum"], &seed["format"]),
        (&0.into(), &"uint64".into())
    );
    let most = seed["maximum"].as_u64().unwrap();
    let body = |seed: &str| format!(r#"{{"image_base64":"AA==","seed":{seed}}}"#);
    let spec = JobSpec::parse(body(&most.to_string()).as_bytes()).unwrap();
    assert_eq!(spec.params.seed, Some(most));
    assert!(JobSpec::parse(body("18446744073709551616").as_bytes()).is_err());
}

#[test]
fn whatever_is_counted_or_stored_says_that_it_may_be_too_much() {
    let doc: Value = serde_json::to_value(parts().1).unwrap();
    let paths = doc["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (path, method, &operation["responses"]))
    });
    let (mut counted, mut stored) = (0, 0);
    for (path, method, answers) in operations {
        let name = format!("{method} {path}");
        // An operator's requests are not counted, nor are links and what strangers send.
        if path.starts_with("/api/") && !path.starts_with("/api/admin") {
            counted += 1;
            assert!(answers["429"].is_object(), "{name}");
        }
        if let Some(full) = answers["507"]["description"].as_str() {
            // What is made for one answer counts against no quota.
            if path.contains("/export") || path.ends_with("/composite") {
                assert!(full.contains("storage_full"), "{name}: {full}");
                continue;
            }
            stored += 1;
            for code in [
                "storage_full",
                "storage_quota_exceeded",
                "storage_limit_reached",
            ] {
                assert!(full.contains(code), "{name}: {full}");
            }
        }
    }
    assert!(counted >= 12 && stored == 6, "{counted} {stored}");
}

#[test]
fn every_reference_in_the_description_leads_somewhere() {
    fn walk(value: &Value, seen: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(target)) = fields.get("$ref") {
                    seen.push(target.clone());
                }
                fields.values().for_each(|field| walk(field, seen));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, seen)),
            _ => {}
        }
    }
    let doc: Value = serde_json::to_value(parts().1).unwrap();
    let mut seen = Vec::new();
    walk(&doc, &mut seen);
    assert!(seen.len() > 10);
    for target in seen {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(doc.pointer(pointer).is_some(), "{target}");
    }
}

#[tokio::test]
async fn the_description_and_the_page_are_served() {
    let server = TestServer::new();
    let doc = server.get("/openapi.json").await;
    assert_eq!(doc.header("content-type"), "application/json");
    assert_eq!(doc.json()["openapi"], "3.1.0");
    let page = server.get("/").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
    assert!(page.body.starts_with(b"<!doctype html>"));
}
