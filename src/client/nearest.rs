//! What was probably meant by a name that is none.
//! Never knows: what it is the name of.

/// The name that is nearest, if one is near.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = plain(word);
    let far = |name: &str| match name.strip_prefix(word) {
        // The start of a name, as of `linger.ms`.
        Some(rest) if rest.starts_with(['.', '-', '_']) => 1,
        _ => strsim::damerau_levenshtein(&plain, &self::plain(name)),
    };
    let all = names.into_iter().filter(|name| *name != word).map(|name| (far(name), name));
    // Of a name of one or two letters every other is near.
    let far_max = (1 + plain.len() / 8).min(plain.len() / 3);
    all.filter(|(far, _)| *far <= far_max).min_by_key(|(far, _)| *far).map(|(_, name)| name)
}

/// People know the letters of a name better than its case and its signs.
fn plain(name: &str) -> String {
    name.to_lowercase().replace(['-', '_'], ".")
}

/// The same as a part of what is said about a name; nothing where none is near.
pub fn similar<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let name = nearest(word, names);
    name.map_or(String::new(), |name| format!("; a similar one is '{name}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_near_that_differs_in_a_letter_case_or_sign() {
        let names = ["orders", "orders-eu", "payments", "x"];
        let near = |word: &str| nearest(word, names);
        assert_eq!(near("ordres"), Some("orders"));
        assert_eq!(near("Orders_EU"), Some("orders-eu"));
        assert_eq!(near("order"), Some("orders"));
        assert_eq!(near("customers"), None);
        assert_eq!(near("y"), None);
        assert_eq!(similar("paymnts", names), "; a similar one is 'payments'");
        assert_eq!(similar("orders-us-west", names), "");
    }
}
