//! `-Q`: offsets by time.

use super::options::Options;
use super::say::{Ended, fatal};
use super::{out, start};
use crate::client::Code;
use crate::client::bare::{Place, Settings, offsets_for_times};
use crate::output::kcat::json;

pub fn run(options: &Options, mut settings: Settings) -> Result<u8, Ended> {
    // kcat has it on, whatever was said. Set where it is on already, it only makes librdkafka
    // warn that it is deprecated.
    const ASKS: &str = "api.version.request";
    if settings.get(ASKS).as_deref() != Some("true")
        && let Err(why) = settings.set(ASKS, "true")
    {
        return fatal(format!("Failed to enable {ASKS}: {why}"));
    }
    let (native, _) = start(options, settings)?;
    let places = offsets_for_times(&native, &options.queries, options.patience)
        .or_else(|code| fatal(format!("offsets_for_times failed: {code}")))?;
    out::print(&if options.json { as_json(&places) } else { as_text(&places) })?;
    Ok(0)
}

fn as_text(places: &[Place]) -> Vec<u8> {
    let line = |place: &Place| {
        let Place { topic, partition, offset, code } = place;
        let error = if *code == Code::NONE { String::new() } else { format!(": {code}") };
        format!("{topic} [{partition}] offset {offset}{error}\n")
    };
    places.iter().map(line).collect::<String>().into_bytes()
}

fn as_json(places: &[Place]) -> Vec<u8> {
    let mut out = b"{".to_vec();
    let mut last: Option<&str> = None;
    for Place { topic, partition, offset, code } in places {
        if last != Some(topic) {
            if last.is_some() {
                out.extend_from_slice(b"},");
            }
            json::string(topic.as_bytes(), &mut out);
            out.extend_from_slice(b":{\"topic\":");
            json::string(topic.as_bytes(), &mut out);
            last = Some(topic);
        }
        let entry = format!(",\"{partition}\":{{\"partition\":{partition},\"offset\":{offset}");
        out.extend_from_slice(entry.as_bytes());
        if *code != Code::NONE {
            out.extend_from_slice(b",\"error\":");
            json::string(code.to_string().as_bytes(), &mut out);
        }
        out.push(b'}');
    }
    out.extend_from_slice(if last.is_some() { b"}}" } else { b"}" });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(topic: &str, partition: i32, offset: i64, code: Code) -> Place {
        Place { topic: topic.to_owned(), partition, offset, code }
    }

    #[test]
    fn places_are_printed_as_text_and_as_json() {
        let places = [
            place("a", 0, 5, Code::NONE),
            place("a", 1, -1001, Code::UNKNOWN_PARTITION),
            place("b", 0, -1, Code::NONE),
        ];
        let said = |bytes| String::from_utf8(bytes).unwrap();
        assert_eq!(
            said(as_text(&places)),
            "a [0] offset 5\na [1] offset -1001: Local: Unknown partition\nb [0] offset -1\n"
        );
        assert_eq!(
            said(as_json(&places)),
            r#"{"a":{"topic":"a","0":{"partition":0,"offset":5},"1":{"partition":1,"offset":-1001,"error":"Local: Unknown partition"}},"b":{"topic":"b","0":{"partition":0,"offset":-1}}}"#
        );
        assert_eq!(said(as_json(&[])), "{}");
    }
}
