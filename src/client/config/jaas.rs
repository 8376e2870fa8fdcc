//! The login module and its options out of Java's `sasl.jaas.config`.
//! Never knows: what an option is for.

use std::iter::Peekable;
use std::str::Chars;

/// `org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The module's class without its package.
    pub module: String,
    options: Vec<(String, String)>,
}

impl Login {
    /// Reads it as Kafka does (JaasConfig.java, java.io.StreamTokenizer). An error never has a
    /// value in it.
    pub fn parse(text: &str) -> Result<Login, String> {
        let mut tokens = tokens(text)?.into_iter().peekable();
        let Some(Token::Word(class)) = tokens.next() else {
            return Err("it must begin with the class of a login module".to_owned());
        };
        let module = class.rsplit('.').next().unwrap_or_default().to_owned();
        match tokens.next() {
            Some(Token::Word(flag)) if is_flag(&flag) => {}
            _ => return Err(format!("write 'required' after {module}")),
        }
        let mut options = Vec::new();
        loop {
            match tokens.next() {
                Some(Token::End) => break,
                Some(Token::Word(name)) if tokens.next() == Some(Token::Is) => {
                    match tokens.next() {
                        Some(Token::Word(value) | Token::Quoted(value)) => {
                            options.push((name, value));
                        }
                        _ => return Err(format!("its option {name} has no value")),
                    }
                }
                _ => return Err("write its options as NAME=\"VALUE\", and ; at the end".to_owned()),
            }
        }
        match tokens.next() {
            None => Ok(Login { module, options }),
            Some(_) => Err("there is something after the ; that ends the login module".to_owned()),
        }
    }

    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(is, _)| is == name).map(|(_, value)| value.as_str())
    }

    /// The options whose names begin like this, by the rest of their names.
    pub fn options_of<'a>(&'a self, start: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.options.iter();
        all.filter_map(move |(name, value)| Some((name.strip_prefix(start)?, value.as_str())))
    }
}

fn is_flag(word: &str) -> bool {
    let flags = ["required", "requisite", "sufficient", "optional"];
    flags.iter().any(|flag| word.eq_ignore_ascii_case(flag))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Is,
    End,
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            c if c.is_whitespace() => {}
            '=' => tokens.push(Token::Is),
            ';' => tokens.push(Token::End),
            '"' | '\'' => tokens.push(Token::Quoted(quoted(&mut rest, c)?)),
            '/' if rest.peek() == Some(&'/') => while rest.next().is_some_and(|c| c != '\n') {},
            '/' if rest.peek() == Some(&'*') => skip_comment(&mut rest),
            first => {
                let mut word = String::from(first);
                let ends = |c: &char| c.is_whitespace() || "=;\"'".contains(*c);
                while let Some(c) = rest.next_if(|c| !ends(c)) {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

fn skip_comment(rest: &mut Peekable<Chars<'_>>) {
    rest.next();
    while let Some(c) = rest.next() {
        if c == '*' && rest.next_if_eq(&'/').is_some() {
            return;
        }
    }
}

fn quoted(rest: &mut Peekable<Chars<'_>>, quote: char) -> Result<String, String> {
    let mut value = String::new();
    loop {
        match rest.next() {
            None | Some('\n') => return Err("a quote is not closed".to_owned()),
            Some('\\') => value.push(escaped(rest)?),
            Some(c) if c == quote => return Ok(value),
            Some(c) => value.push(c),
        }
    }
}

/// What a backslash and the next characters stand for.
fn escaped(rest: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    Ok(match rest.next().ok_or("a quote is not closed")? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'f' => '\u{c}',
        'b' => '\u{8}',
        'a' => '\u{7}',
        'v' => '\u{b}',
        digit @ '0'..='7' => {
            // Three digits where the first leaves room for them in a byte.
            let digits_max = if digit <= '3' { 2 } else { 1 };
            let mut code = digit as u32 - '0' as u32;
            for _ in 0..digits_max {
                let Some(next) = rest.next_if(|c| ('0'..='7').contains(c)) else { break };
                code = code * 8 + (next as u32 - '0' as u32);
            }
            char::from_u32(code).expect("an octal byte is a character")
        }
        c => c,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let shown = match Login::parse(text) {
            Ok(login) => {
                let option = |(name, value): &(String, String)| format!(" {name}={value}");
                login.module + &login.options.iter().map(option).collect::<String>()
            }
            Err(why) => why,
        };
        assert_eq!(shown, want, "{text}");
    }

    #[test]
    fn login_modules_are_read_as_kafka_does() {
        check(
            "org.x.PlainLoginModule required username=\"me\" password=\"a\\\"b=;'\";",
            "PlainLoginModule username=me password=a\"b=;'",
        );
        check("M REQUIRED a=b c = 'd e' ;", "M a=b c=d e");
        check("M required\n a=\"\\101\\t\\\\\" // \"not this\n /* x=\"y\" */ ;", "M a=A\t\\");
        check("M required a=\"\";", "M a=");
        check("M required;", "M");
    }

    #[test]
    fn what_is_wrong_with_one_is_said_without_its_values() {
        check("", "it must begin with the class of a login module");
        check("\"M\" required;", "it must begin with the class of a login module");
        check("x.M username=\"u\";", "write 'required' after M");
        check("M required a=\"secret", "a quote is not closed");
        check("M required a=\"secret\"", "write its options as NAME=\"VALUE\", and ; at the end");
        check("M required a secret;", "write its options as NAME=\"VALUE\", and ; at the end");
        check("M required a=;", "its option a has no value");
        let more = "there is something after the ; that ends the login module";
        check("M required a=b; N required;", more);
    }
}
