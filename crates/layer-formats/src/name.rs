//! Names that strangers chose, made safe for what they are put into.
//!
//! Three places, three rules: what a person reads in an editor ([`shown`]), the name of a file inside an archive
//! ([`file_stem`]), and the old name field of a PSD, which has no Unicode (`ascii`). None of them can hold a control character, a mark
//! that turns the direction of text, or be empty.

/// Letters of a shown name; Photoshop takes no more than 255, and a list of layers shows fewer.
const SHOWN: usize = 120;
/// Bytes of a file's name without its ending: systems take 255, and archives are unpacked in deep folders.
const STEM_BYTES: usize = 80;
/// Names that Windows keeps for devices, whatever their ending.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// The name as a person reads it: any script, one line, at most 120 letters.
///
/// ```
/// use layer_formats::name::shown;
/// assert_eq!(shown("  Grand\n Opening \u{202e}🎉", "Layer 1"), "Grand Opening 🎉");
/// assert_eq!(shown("\0\u{200f}", "Layer 1"), "Layer 1");
/// ```
#[must_use]
pub fn shown(name: &str, otherwise: &str) -> String {
    let mut words = String::new();
    let mut count = 0;
    for word in name.split(|letter: char| letter.is_whitespace() || letter.is_control()) {
        let mut clean = word.chars().filter(|letter| !is_hidden(*letter)).peekable();
        if clean.peek().is_none() {
            continue;
        }
        if count > 0 && count < SHOWN {
            words.push(' ');
            count += 1;
        }
        for letter in clean {
            if count < SHOWN {
                words.push(letter);
                count += 1;
            }
        }
    }
    words.truncate(words.trim_end().len());
    if words.is_empty() {
        otherwise.to_owned()
    } else {
        words
    }
}

/// The name as a file's, without its ending: letters and digits of any script, with dashes between; no dot, no slash, no name
/// of a device, at most 80 bytes.
///
/// ```
/// use layer_formats::name::file_stem;
/// assert_eq!(file_stem("../../etc/passwd", "layer"), "etc-passwd");
/// assert_eq!(file_stem("Über uns 🎉", "layer"), "Über-uns");
/// assert_eq!(file_stem("NUL", "layer"), "layer-NUL");
/// assert_eq!(file_stem("🎉", "layer"), "layer");
/// ```
#[must_use]
pub fn file_stem(name: &str, otherwise: &str) -> String {
    let mut stem = String::new();
    for letter in name.chars() {
        let letter = if letter.is_alphanumeric() || (letter == '_') {
            letter
        } else if stem.ends_with('-') || stem.is_empty() || is_hidden(letter) {
            continue;
        } else {
            '-'
        };
        if stem.len() + letter.len_utf8() > STEM_BYTES {
            break;
        }
        stem.push(letter);
    }
    stem.truncate(stem.trim_end_matches('-').len());
    if stem.is_empty() {
        return otherwise.to_owned();
    }
    if DEVICES.contains(&&*stem.to_lowercase()) {
        return format!("{otherwise}-{stem}");
    }
    stem
}

/// The name in printable ASCII, at most 31 letters, `_` for what has none.
pub(crate) fn ascii(name: &str) -> String {
    let letters = name.chars().take(31);
    letters
        .map(|letter| match letter {
            ' '..='~' => letter,
            _ => '_',
        })
        .collect()
}

/// Text for XML: escaped, and without what XML 1.0 cannot hold at all.
pub(crate) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // A parser makes spaces of these in an attribute.
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Letters that show nothing and change how others are shown: direction marks, tags, the byte order mark. The joiner of emoji and of some
/// scripts stays.
fn is_hidden(letter: char) -> bool {
    matches!(letter,
        '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e007f}')
        || letter.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_name_becomes_a_safe_one(name in ".*") {
            let shown = shown(&name, "x");
            proptest::prop_assert!(!shown.is_empty() && shown.chars().count() <= SHOWN);
            proptest::prop_assert!(!shown.chars().any(|letter| letter.is_control() || is_hidden(letter)));
            let stem = file_stem(&name, "x");
            proptest::prop_assert!(!stem.is_empty() && stem.len() <= STEM_BYTES);
            proptest::prop_assert!(!stem.contains(['/', '\\', '.', ':', '\0', '"']), "{stem}");
            proptest::prop_assert!(ascii(&shown).is_ascii());
        }
    }

    #[test]
    fn three_hundred_letters_are_cut_between_letters() {
        let name = "ä".repeat(300);
        assert_eq!(shown(&name, "x").chars().count(), SHOWN);
        assert_eq!(file_stem(&name, "x"), "ä".repeat(40));
        assert_eq!(ascii(&name).len(), 31);
    }

    #[test]
    fn families_of_emoji_stay_together() {
        assert_eq!(shown("👨‍👩‍👧", "x"), "👨‍👩‍👧");
    }

    #[test]
    fn xml_holds_no_control_character_and_no_markup() {
        assert_eq!(xml("a\0<b>&\"'\u{b}\u{ffff}"), "a&lt;b&gt;&amp;&quot;&#39;");
    }
}
