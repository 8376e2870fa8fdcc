//! What a broker that is being started says to the command that started it, one line each.
//! Never knows: the pipe that carries it.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Still at work: it recovers what a crash left.
    Busy,
    /// Something went wrong, and it goes on.
    Trouble(String),
    /// It serves on these ports.
    Ready(Vec<u16>),
    /// Another process has the directory.
    Lost,
    /// It cannot serve; the line says why.
    Failed(String),
}

impl Report {
    pub fn parse(line: &str) -> Option<Report> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "busy" => Some(Report::Busy),
            "trouble" => Some(Report::Trouble(rest.to_owned())),
            "ready" => {
                let ports = rest.split(',').map(|port| port.parse().ok());
                ports.collect::<Option<_>>().map(Report::Ready)
            }
            "lost" => Some(Report::Lost),
            "failed" => Some(Report::Failed(rest.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Report::Busy => f.write_str("busy"),
            Report::Ready(ports) => {
                let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                write!(f, "ready {}", ports.join(","))
            }
            Report::Lost => f.write_str("lost"),
            // One line is one report.
            Report::Trouble(what) => write!(f, "trouble {}", what.replace('\n', " ")),
            Report::Failed(why) => write!(f, "failed {}", why.replace('\n', " ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_is_one_line_and_back() {
        for report in [
            Report::Busy,
            Report::Trouble("damaged file=/x (2 more)".to_owned()),
            Report::Ready(vec![21300]),
            Report::Ready(vec![21300, 8, 40000]),
            Report::Lost,
            Report::Failed("cannot create /x (no space left on device)".to_owned()),
        ] {
            assert_eq!(Report::parse(&report.to_string()), Some(report));
        }
        assert_eq!(Report::Failed("two\nlines".to_owned()).to_string(), "failed two lines");
        assert_eq!(Report::parse("ready soon"), None);
        assert_eq!(Report::parse("ready 1,"), None);
        assert_eq!(Report::parse("hello"), None);
    }
}
