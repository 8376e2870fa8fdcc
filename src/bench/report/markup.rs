//! Foreign text in XML and HTML.

/// As text that is nothing but text, also between double quotes. What XML 1.0 (2.2) has no way to
/// write is replaced.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for sign in text.chars() {
        match sign {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\t' | '\n' => escaped.push(sign),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                escaped.push('\u{fffd}');
            }
            _ => escaped.push(sign),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_means_anything() {
        let text = "<b a=\"x\" c='y'>&amp;</b>\0\r\u{1b}\u{ffff} é";
        let want = "&lt;b a=&quot;x&quot; c=&#39;y&#39;&gt;&amp;amp;&lt;/b&gt;\
                    \u{fffd}\u{fffd}\u{fffd}\u{fffd} é";
        assert_eq!(escaped(text), want);
    }
}
