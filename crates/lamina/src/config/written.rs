//! How values come to be written by tools that copy a line of a file as it is (`docker run
//! --env-file`, systemd, CI): with the quotes that a shell would have taken away, with a comment behind
//! them, with the `export` that a shell wants. Spaces and line ends around a value are left out; what
//! else is not the value is named, because a start with it would go wrong later and elsewhere: a path
//! in quotes is a folder named `"`.

use super::options::OptionDoc;

/// What is wrong with how a value is written; the sentence does not repeat it, as it may be a secret.
pub(super) fn fault(option: &OptionDoc, value: &str) -> Option<String> {
    let name = option.name;
    let is_quoted = |part: &str| part.starts_with(QUOTES) && part.ends_with(QUOTES);
    // A secret may begin or end in one.
    let ends_in_one = !option.secret && (value.starts_with(QUOTES) || value.ends_with(QUOTES));
    if ends_in_one || is_quoted(value) || value.split(',').map(str::trim).any(is_quoted) {
        return Some(format!(
            "its value is in quotes, and they are part of it: docker run --env-file and others keep them; write {name}=value without quotes"
        ));
    }
    if !option.secret && value.contains(" #") {
        return Some(format!(
            "its value has a comment behind it, and that is part of it: docker run --env-file and others keep it; put the comment on a line of its own, above {name}=value"
        ));
    }
    if !option.secret
        && let Some(sign) = for_a_shell(value)
    {
        return Some(format!(
            "its value has a {sign} that only a shell replaces, and no shell has read it; write {name}=value with the whole value"
        ));
    }
    None
}

/// Quotes of shells, and those that word processors and web pages make of them.
const QUOTES: [char; 8] = [
    '"', '\'', '`', '\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}',
];

/// What a shell would have put something else in place of; no option has a use for these.
fn for_a_shell(value: &str) -> Option<&'static str> {
    if value == "~" || value.starts_with("~/") {
        Some("~")
    } else if value.contains("${") || value.contains("$(") || value.starts_with('$') {
        Some("$")
    } else {
        None
    }
}

/// The option that a variable's name was meant to be, where a shell's word, a space or a byte order
/// mark got into it.
pub(super) fn meant(variable: &str) -> Option<&str> {
    let name = variable.trim_start_matches('\u{feff}').trim();
    let name = name.strip_prefix("export").map_or(name, |rest| {
        if rest.starts_with([' ', '\t']) {
            rest.trim()
        } else {
            name
        }
    });
    (name != variable).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OPTIONS;

    #[test]
    fn quotes_that_a_tool_kept_are_named_for_every_option() {
        for option in OPTIONS {
            for value in [
                "\"a value\"",
                "'a value'",
                "\u{201c}a value\u{201d}",
                "`a value`",
                "\"\"",
                "\"",
            ] {
                let fault = fault(option, value).unwrap();
                assert!(
                    fault.contains("quotes") && !fault.contains("a value"),
                    "{fault}"
                );
            }
            assert!(fault(option, "a, \"b\" ,c").is_some(), "a part of a list");
            assert_eq!(fault(option, "a 'quoted' value"), None);
        }
    }

    #[test]
    fn a_secret_may_begin_or_end_in_a_quote_and_hold_a_space_and_a_hash() {
        for option in OPTIONS {
            for value in ["abc\"", "'abc", "abc #def"] {
                assert_eq!(
                    fault(option, value).is_none(),
                    option.secret,
                    "{}",
                    option.name
                );
            }
            // A list may stand on several lines of a TOML file.
            assert_eq!(fault(option, "a,\nb"), None);
        }
    }

    #[test]
    fn what_only_a_shell_replaces_is_named() {
        let path = OPTIONS
            .iter()
            .find(|option| option.name == "DATABASE_PATH")
            .unwrap();
        for value in [
            "~/lamina.db",
            "~",
            "$HOME/lamina.db",
            "/data/${NAME}.db",
            "$(pwd)/a",
        ] {
            assert!(fault(path, value).unwrap().contains("shell"), "{value}");
        }
        assert_eq!(fault(path, "/data/~a$b.db"), None);
    }

    #[test]
    fn a_name_with_something_before_it_is_known_for_what_was_meant() {
        for variable in [
            "export PORT",
            " PORT",
            "PORT ",
            "\u{feff}PORT",
            "\u{feff}export\tPORT",
        ] {
            assert_eq!(meant(variable), Some("PORT"), "{variable:?}");
        }
        for variable in ["PORT", "exportPORT", "EXPORT_PORT"] {
            assert_eq!(meant(variable), None);
        }
    }
}
