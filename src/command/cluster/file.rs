//! A configuration file: librdkafka's `key=value` lines, or what is simple of a Java client's.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::client::{Config, Error};
use crate::command::Usage;

/// What Java's clients know and librdkafka has no use for.
const JAVA_ONLY: &[&str] = &[
    "auto.include.jmx.reporter",
    "default.api.timeout.ms",
    "interceptor.classes",
    "key.deserializer",
    "key.serializer",
    "max.block.ms",
    "max.poll.records",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "partitioner.class",
    "sasl.client.callback.handler.class",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "value.deserializer",
    "value.serializer",
];

/// Reads a file into the configuration.
pub fn read(path: &Path, config: &mut Config) -> anyhow::Result<()> {
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    for (number, line) in lines(&text) {
        apply(&line, config).with_context(|| format!("{shown}:{number}"))?;
    }
    Ok(())
}

/// Lines with something in them and their numbers; one that ends with `\` goes on in the next.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let (part, more) = line.strip_suffix('\\').map_or((line, false), |part| (part, true));
        match lines.last_mut() {
            Some((_, whole)) if goes_on => whole.push_str(part),
            _ if line.is_empty() || line.starts_with(['#', '!']) => continue,
            _ => lines.push((index + 1, part.to_owned())),
        }
        goes_on = more;
    }
    lines
}

fn apply(line: &str, config: &mut Config) -> anyhow::Result<()> {
    let Some((key, value)) = line.split_once('=') else {
        // The rest may be a password.
        let start = line.split([' ', ':']).next().unwrap_or_default();
        return Err(Usage(format!("'{start}…' is not KEY=VALUE")).into());
    };
    let (key, value) = (key.trim(), value.trim().replace("\\:", ":").replace("\\=", "="));
    match key {
        "sasl.jaas.config" => return login(&value, config),
        "ssl.endpoint.identification.algorithm" if value.is_empty() => {
            config.set(key, "none")?;
            return Ok(());
        }
        _ => {}
    }
    // As in kcat: a topic's property may say so.
    let bare = key.strip_prefix("topic.").unwrap_or(key);
    match config.set(key, &value) {
        Err(Error::UnknownProperty { .. }) if JAVA_ONLY.contains(&key) => {}
        Err(Error::UnknownProperty { .. }) if bare != key => config.set(bare, &value)?,
        result => result?,
    }
    Ok(())
}

/// User and password out of Java's `…PlainLoginModule required username="…" password="…";`.
fn login(value: &str, config: &mut Config) -> anyhow::Result<()> {
    if !value.contains("PlainLoginModule") && !value.contains("ScramLoginModule") {
        bail!(
            "sasl.jaas.config: only PlainLoginModule and ScramLoginModule are read; \
               set librdkafka's sasl.* properties instead"
        );
    }
    for (name, key) in [("username", "sasl.username"), ("password", "sasl.password")] {
        let Some(value) = quoted(value, name) else {
            bail!("sasl.jaas.config has no {name}=\"…\"");
        };
        config.set(key, &value)?;
    }
    Ok(())
}

/// The text in quotes after `name=`; a backslash takes the next character as it is.
fn quoted(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("{name}="))?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut value = String::new();
    let mut rest = rest[1..].chars();
    loop {
        match rest.next()? {
            '\\' => value.push(rest.next()?),
            end if end == quote => return Some(value),
            c => value.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, key: &str, want: &str) {
        let mut config = Config::new();
        let result = lines(text).iter().try_for_each(|(_, line)| apply(line, &mut config));
        let shown = match &result {
            Err(error) => format!("{error:#}"),
            Ok(()) => config.get(key).unwrap_or("nothing").to_owned(),
        };
        assert_eq!(shown, want, "{text}");
    }

    #[test]
    fn kcats_and_javas_files_are_read() {
        check("# c\n\nbootstrap.servers=a:1,b:2\n", "bootstrap.servers", "a:1,b:2");
        check(" metadata.broker.list = h\\:1 ", "bootstrap.servers", "h:1");
        check("bootstrap.servers=a:1,\\\n  b:2\n", "bootstrap.servers", "a:1,b:2");
        check("topic.acks=1", "acks", "1");
        check("key.serializer=org.x.StringSerializer\nacks=1", "acks", "1");
        check(
            "ssl.endpoint.identification.algorithm=",
            "ssl.endpoint.identification.algorithm",
            "none",
        );
        let jaas = "sasl.jaas.config=org.x.PlainLoginModule required \\\n \
                    username=\"me\" password=\"a\\\"b=\";";
        check(jaas, "sasl.password", "a\"b=");
        check(jaas, "sasl.username", "me");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        check("bootstrap.servers", "", "'bootstrap.servers…' is not KEY=VALUE");
        check("sasl.password tell-nobody", "", "'sasl.password…' is not KEY=VALUE");
        check("linger=1", "", "librdkafka has no property 'linger'; `kaw -X list` prints them all");
        check(
            "sasl.jaas.config=org.x.PlainLoginModule required username=\"me\";",
            "",
            "sasl.jaas.config has no password=\"…\"",
        );
    }
}
