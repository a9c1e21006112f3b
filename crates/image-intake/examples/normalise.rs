//! A picture to the form in which it may be stored: `normalise IN OUT`. OUT gets the bytes whatever its name says; the
//! last line tells what they are.

use std::process::ExitCode;

use image_intake::{Limits, header, normalise};

fn main() -> ExitCode {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = &paths[..] else {
        eprintln!("usage: normalise IN OUT");
        return ExitCode::from(2);
    };
    match run(from, to) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{from}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(from: &str, to: &str) -> Result<(), Box<dyn std::error::Error>> {
    let limits = Limits::default();
    let file = std::fs::read(from)?;
    let found = header(&file, &limits)?;
    eprintln!(
        "{}, {}×{}, {} bytes",
        found.format.name(),
        found.width,
        found.height,
        file.len()
    );
    let picture = normalise(&file.into(), &limits)?;
    std::fs::write(to, &picture.bytes)?;
    eprintln!(
        "{}, {}×{}, {} bytes{}",
        picture.format.name(),
        picture.width,
        picture.height,
        picture.bytes.len(),
        if picture.changed { "" } else { ", unchanged" }
    );
    Ok(())
}
