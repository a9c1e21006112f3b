//! Another signing secret, as docs/operations.md tells it: links that are out stay good as long as
//! the old one stands beside the new one.

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::keys::Deployment;
use crate::support::{Process, picture, png_bytes};

const NEW: &str = "another-signing-secret-of-more-than-32-letters";

struct Links {
    client: Client,
}

impl Links {
    /// A link to a picture, below the service's address.
    async fn made(&self, base: &str) -> String {
        let request = self.client.post(format!("{base}/api/upload"));
        let request = request
            .header("content-type", "image/png")
            .body(png_bytes(&picture(8, 8)));
        let made: Value = request.send().await.unwrap().json().await.unwrap();
        let link = made["url"].as_str().unwrap();
        link.strip_prefix(base).unwrap().to_owned()
    }

    async fn open(&self, base: &str, link: &str) -> (StatusCode, Value) {
        let answer = self.client.get(format!("{base}{link}")).send();
        let answer = answer.await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap_or(json!(null)))
    }
}

#[tokio::test]
async fn a_link_of_the_old_secret_opens_while_that_stands_behind_the_new_one() {
    let mut deployment = Deployment::new();
    let links = Links {
        client: Client::builder().no_proxy().build().unwrap(),
    };
    // The first secret is the one that lamina makes for itself.
    let service = Process::start(&deployment.pairs()).await;
    let old = links.made(&service.base).await;
    assert_eq!(links.open(&service.base, &old).await.0, 200);
    service.terminate().await;

    let kept = deployment.folder.path().join("signing-secret");
    let kept = std::fs::read_to_string(kept).unwrap();
    let both = format!("{NEW},{}", kept.trim());
    deployment.options.push(("SIGNING_SECRET", both));
    let service = Process::start(&deployment.pairs()).await;
    let new = links.made(&service.base).await;
    for link in [&old, &new] {
        assert_eq!(links.open(&service.base, link).await.0, 200, "{link}");
    }
    service.terminate().await;

    // A day later the old one is left out, and signs nothing any more.
    deployment.options.last_mut().unwrap().1 = NEW.to_owned();
    let service = Process::start(&deployment.pairs()).await;
    assert_eq!(links.open(&service.base, &new).await.0, 200);
    let (status, problem) = links.open(&service.base, &old).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::FORBIDDEN, &json!("link_invalid"))
    );
    service.terminate().await;
}
