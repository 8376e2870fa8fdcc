//! A command line cut into options and other words, as C's `getopt` does.

/// The options of kcat 1.7.1 and `-M` of its successor; those before a colon take a word.
const OPTIONS: &[u8] = b"PCG:LQM:t:p:b:z:o:eED:K:k:H:Od:qvF:X:c:Tuf:ZlVhs:r:Jm:U";

/// One option with its word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Option(u8, Vec<u8>),
    /// Not an option, or one that lacks its word: nothing after it is looked at.
    Wrong,
}

/// A whole command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    pub options: Vec<Item>,
    pub others: Vec<Vec<u8>>,
}

/// What is no option may stand anywhere, unless `strict` (`POSIXLY_CORRECT` is set).
pub fn parse(words: &[Vec<u8>], strict: bool) -> Words {
    let mut found = Words::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_slice() {
            b"--" => break,
            [b'-', letters @ ..] if !letters.is_empty() => {
                if !cluster(letters, &mut words, &mut found.options) {
                    return found;
                }
            }
            _ => {
                found.others.push(word.clone());
                if strict {
                    break;
                }
            }
        }
    }
    found.others.extend(words.cloned());
    found
}

/// Letters after one dash; whether all of them are options.
fn cluster<'a>(
    letters: &[u8],
    words: &mut impl Iterator<Item = &'a Vec<u8>>,
    options: &mut Vec<Item>,
) -> bool {
    let mut rest = letters;
    while let Some((&letter, after)) = rest.split_first() {
        let at = OPTIONS.iter().position(|known| *known == letter && letter != b':');
        let takes_word = at.map(|at| OPTIONS.get(at + 1) == Some(&b':'));
        let word = match takes_word {
            None => None,
            Some(false) => {
                rest = after;
                Some(Vec::new())
            }
            Some(true) => {
                rest = &[];
                if after.is_empty() { words.next().cloned() } else { Some(after.to_vec()) }
            }
        };
        let Some(word) = word else {
            options.push(Item::Wrong);
            return false;
        };
        options.push(Item::Option(letter, word));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(words: &[&str], strict: bool) -> String {
        let words: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let Words { options, others } = parse(&words, strict);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let option = |item: &Item| match item {
            Item::Option(letter, word) => format!("{}={}", *letter as char, text(word)),
            Item::Wrong => "wrong".to_owned(),
        };
        let options: Vec<_> = options.iter().map(option).collect();
        let others: Vec<_> = others.iter().map(|word| text(word)).collect();
        format!("{} | {}", options.join(" "), others.join(" "))
    }

    #[track_caller]
    fn check(words: &[&str], want: &str) {
        assert_eq!(shown(words, false), want, "{words:?}");
    }

    #[test]
    fn options_and_their_words() {
        check(&["-C", "-t", "a", "-eq"], "C= t=a e= q= | ");
        check(&["-Cta", "-o-5"], "C= t=a o=-5 | ");
        check(&["-t", "-C"], "t=-C | ");
        check(&["-t", ""], "t= | ");
        check(&["a", "-C", "b"], "C= | a b");
        check(&["-C", "--", "-e"], "C= | -e");
        check(&["-", "-e"], "e= | -");
        check(&["-Cxe"], "C= wrong | ");
        check(&["-C", "-t"], "C= wrong | ");
        check(&["-:"], "wrong | ");
        check(&["--help"], "wrong | ");
    }

    #[test]
    fn strictly_options_come_first() {
        assert_eq!(shown(&["-C", "a", "-e"], true), "C= | a -e");
    }
}
