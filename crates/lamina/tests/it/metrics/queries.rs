//! PromQL, as far as it must be read to know which metrics and labels a query names.

use std::collections::BTreeSet;

/// A metric that a query asks for, and the labels by which it chooses.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    pub(super) metric: String,
    pub(super) labels: BTreeSet<String>,
}

/// Words of the language; functions are known by the bracket behind them.
const WORDS: [&str; 9] = [
    "and", "or", "unless", "on", "ignoring", "by", "without", "bool", "offset",
];

/// What `query` asks for. Every word must be known or followed by a bracket, so that a misspelt
/// metric is found too.
pub(super) fn asked(query: &str) -> Vec<Asked> {
    let (mut asked, mut rest) = (Vec::new(), query);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => rest[1..].find('"').unwrap() + 2,
            '[' => rest.find(']').unwrap() + 1,
            '0'..='9' => until(rest, |c| !c.is_ascii_alphanumeric() && c != '.'),
            c if is_of_word(c) => {
                let end = until(rest, |c| !is_of_word(c));
                let (word, behind) = (&rest[..end], rest[end..].trim_start());
                if ["by", "without", "on"].contains(&word) {
                    // Labels, or names of one's own making; then the bracket is passed over.
                    rest.find(')').unwrap() + 1
                } else if WORDS.contains(&word) || behind.starts_with('(') || groups(behind) {
                    end
                } else {
                    let braces = behind.strip_prefix('{').map(|b| &b[..closing(b)]);
                    asked.push(Asked {
                        metric: word.to_owned(),
                        labels: braces.map(labels).unwrap_or_default(),
                    });
                    let skipped = rest[end..].len() - behind.len();
                    end + skipped + braces.map_or(0, |braces| braces.len() + 2)
                }
            }
            other => other.len_utf8(),
        };
        rest = &rest[length..];
    }
    asked
}

/// `sum by (label) (…)`: the function's name is followed by its grouping.
fn groups(behind: &str) -> bool {
    behind.starts_with("by ") || behind.starts_with("without ")
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

fn until(text: &str, ends: impl Fn(char) -> bool) -> usize {
    text.find(ends).unwrap_or(text.len())
}

/// Where the brace closes; one in a quoted value does not.
fn closing(text: &str) -> usize {
    let mut quoted = false;
    text.char_indices()
        .find(|(_, c)| {
            quoted ^= *c == '"';
            *c == '}' && !quoted
        })
        .unwrap()
        .0
}

fn labels(braces: &str) -> BTreeSet<String> {
    let outside = braces.split('"').step_by(2);
    let names = outside.flat_map(|part| part.split(['=', '!', '~', ',', ' ']));
    names.filter(|n| !n.is_empty()).map(str::to_owned).collect()
}

#[test]
fn a_query_is_read_for_its_metrics_and_labels() {
    let found = asked(
        "histogram_quantile(0.95, sum by (engine, le) (rate(a_bucket{x=\"}y,z\",w!~\"1\"}[5m]))) > 5 unless on (instance) 0.8 * (b > 0)",
    );
    let named = |metric: &str, labels: &[&str]| Asked {
        metric: metric.to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    };
    assert_eq!(found, [named("a_bucket", &["x", "w"]), named("b", &[])]);
    assert_eq!(asked("time() - max(c)"), [named("c", &[])]);
}
