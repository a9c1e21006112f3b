//! Fetches a URL as a service would that a stranger gave it to: `fetch URL [FILE]`. Says what came, or why nothing did;
//! the body goes to FILE, if there is one.

use std::process::ExitCode;

use safe_fetch::{FetchPolicy, Fetcher};

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (Some(url), file, None) = (words.next(), words.next(), words.next()) else {
        eprintln!("usage: fetch URL [FILE]");
        return ExitCode::from(2);
    };
    match run(&url, file.as_deref()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(url: &str, file: Option<&str>) -> Result<(), Box<dyn std::error::Error>> {
    let policy = FetchPolicy {
        allow_http: true,
        ..FetchPolicy::default()
    };
    let url = url.parse()?;
    // Needs no network, nor a certificate authority.
    policy.check_url(&url)?;
    let fetched = Fetcher::new(policy)?.fetch(&url).await?;
    eprintln!(
        "{} bytes from {}, called {}",
        fetched.bytes.len(),
        fetched.final_url,
        fetched.declared_type.as_deref().unwrap_or("nothing")
    );
    if let Some(file) = file {
        std::fs::write(file, &fetched.bytes)?;
    }
    Ok(())
}
