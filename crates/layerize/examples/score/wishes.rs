//! The options of the program. A wrong one ends it with a sentence.

use std::num::NonZero;

const OPTIONS: &str = "\
--tune             seeds from 1000, which thresholds are chosen on, not those from 9000
--designs N        how many (60)
--first N          leave out the first N seeds
--qualities A,B    JPEG qualities with a row each (95,85,75); \"\" for none
--only PART        photos, designs or large
--about KIND       designs of one kind, such as \"photo with text\"
--pictures FOLDER  no designs, but every picture of a folder, or those whose names begin as --about says
--layers N         at most so many layers of each picture of a folder (12)
--lines            of each picture of a folder every line and as many layers as there are
--threads N        for networks and filters (every core)
--sheet PATH       beginning of the names of the contact sheets (target/score)
--library FILE     run the networks by ONNX Runtime (feature onnxruntime)
--verbose          a line for each design";

/// What is to be scored and shown.
pub(crate) struct Wishes {
    pub(crate) tune: bool,
    pub(crate) designs: u64,
    pub(crate) first: u64,
    pub(crate) sheet: String,
    /// JPEG qualities that every design is sent through, one row each, beside the main row.
    pub(crate) qualities: Vec<u8>,
    pub(crate) threads: Option<NonZero<usize>>,
    pub(crate) verbose: bool,
    /// Rows that are wanted: `photos`, `designs`, `large`.
    pub(crate) only: Option<String>,
    /// Designs of this kind alone, as the rows name them.
    pub(crate) about: Option<String>,
    /// A folder of pictures to split instead.
    pub(crate) pictures: Option<std::path::PathBuf>,
    /// The most layers of each of these.
    pub(crate) layers: Option<u8>,
    /// Lines and no limit for these.
    pub(crate) lines: bool,
    /// A shared library of ONNX Runtime to run the networks.
    pub(crate) library: Option<String>,
}

impl Wishes {
    pub(crate) fn read() -> Self {
        let mut wishes = Self {
            tune: false,
            designs: 60,
            first: 0,
            sheet: concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/score").into(),
            qualities: vec![95, 85, 75],
            threads: None,
            verbose: false,
            only: None,
            about: None,
            pictures: None,
            layers: None,
            lines: false,
            library: None,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().expect("the option has a value");
            match word.as_str() {
                "--tune" => wishes.tune = true,
                "--lines" => wishes.lines = true,
                "--verbose" => wishes.verbose = true,
                "--only" => wishes.only = Some(value()),
                "--about" => wishes.about = Some(value()),
                "--designs" => wishes.designs = value().parse().expect("a number of designs"),
                "--first" => wishes.first = value().parse().expect("a seed offset"),
                "--qualities" => {
                    let words = value();
                    let words = words.split(',').filter(|word| !word.is_empty());
                    let each = words.map(|word| word.parse().expect("a JPEG quality"));
                    wishes.qualities = each.collect();
                }
                "--threads" => wishes.threads = Some(value().parse().expect("a number of threads")),
                "--sheet" => wishes.sheet = value(),
                "--pictures" => wishes.pictures = Some(value().into()),
                "--layers" => wishes.layers = Some(value().parse().expect("a number of layers")),
                "--library" => wishes.library = Some(value()),
                other => {
                    crate::report(&format!("{other} is none of the options:\n{OPTIONS}"));
                    std::process::exit(2);
                }
            }
        }
        wishes
    }

    pub(crate) fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}
