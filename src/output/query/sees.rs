//! Which fields of a record an expression looks at, so that the others need not be made.
//!
//! Only what is sure counts: whatever passes its input on may look at all of it.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{self, BinaryOp, Pattern, Term};
use jaq_core::path::{Part, Path};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sees {
    pub topic: bool,
    pub partition: bool,
    pub offset: bool,
    pub timestamp: bool,
    pub timestamp_type: bool,
    pub leader_epoch: bool,
    pub headers: bool,
    pub key: bool,
    pub value: Extent,
}

/// How much of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    #[default]
    Nothing,
    /// Where it is an object, these of its fields.
    Fields(Vec<String>),
    Whole,
}

/// Filters that look at nothing.
const BLIND: &[&str] = &["true", "false", "null", "empty", "now", "nan", "infinite"];

impl Sees {
    const ALL: Sees = Sees {
        topic: true,
        partition: true,
        offset: true,
        timestamp: true,
        timestamp_type: true,
        leader_epoch: true,
        headers: true,
        key: true,
        value: Extent::Whole,
    };

    pub fn of(text: &str) -> Sees {
        let term = jaq_core::load::parse(text, |parser: &mut parse::Parser<'_, '_>| parser.term());
        let mut sees = Sees::default();
        match term {
            Some(term) => sees.look(&term),
            None => sees = Sees::ALL,
        }
        sees
    }

    fn field(&mut self, name: &str) {
        match name {
            "topic" => self.topic = true,
            "partition" => self.partition = true,
            "offset" => self.offset = true,
            "timestamp" => self.timestamp = true,
            "timestamp_type" => self.timestamp_type = true,
            "leader_epoch" => self.leader_epoch = true,
            "headers" => self.headers = true,
            "key" | "key_base64" => self.key = true,
            "value" | "value_base64" => self.value = Extent::Whole,
            _ => {}
        }
    }

    fn field_of_value(&mut self, name: &str) {
        match &mut self.value {
            Extent::Whole => {}
            Extent::Nothing => self.value = Extent::Fields(vec![name.to_owned()]),
            Extent::Fields(names) => names.push(name.to_owned()),
        }
    }

    /// What a term sees whose input is the record.
    fn look(&mut self, term: &Term<&str>) {
        match term {
            Term::Num(_) | Term::Var(_) | Term::Break(_) | Term::Arr(None) => {}
            Term::Call(name, arguments) if arguments.is_empty() && BLIND.contains(name) => {}
            Term::Str(_, parts) => {
                for part in parts {
                    if let StrPart::Term(term) = part {
                        self.look(term);
                    }
                }
            }
            Term::Arr(Some(term)) | Term::Neg(term) | Term::Label(_, term) => self.look(term),
            // What catches an error sees that.
            Term::TryCatch(term, _) => self.look(term),
            Term::Obj(entries) => {
                for (key, value) in entries {
                    self.look_at_entry(key, value.as_ref());
                }
            }
            Term::BinOp(left, operator, right) => self.look_at_both(left, operator, right),
            // What is folded into sees what there was before it.
            Term::Fold(_, term, Pattern::Var(_), arguments) => {
                self.look(term);
                self.look(arguments.first().unwrap_or(&Term::Id));
            }
            Term::IfThenElse(branches, Some(other)) => {
                for (condition, then) in branches {
                    self.look(condition);
                    self.look(then);
                }
                self.look(other);
            }
            Term::Path(head, path) => self.look_at_path(head, path),
            Term::Id
            | Term::Recurse
            | Term::Call(..)
            | Term::Def(..)
            | Term::Fold(..)
            | Term::IfThenElse(_, None) => *self = Sees::ALL,
        }
    }

    fn look_at_both(&mut self, left: &Term<&str>, operator: &BinaryOp<&str>, right: &Term<&str>) {
        self.look(left);
        match operator {
            // The right side sees what the left side makes.
            BinaryOp::Pipe(None) => {}
            BinaryOp::Pipe(Some(Pattern::Var(_)))
            | BinaryOp::Comma
            | BinaryOp::Alt
            | BinaryOp::Or
            | BinaryOp::And
            | BinaryOp::Math(_)
            | BinaryOp::Cmp(_) => self.look(right),
            BinaryOp::Pipe(Some(_))
            | BinaryOp::Assign
            | BinaryOp::Update
            | BinaryOp::UpdateMath(_)
            | BinaryOp::UpdateAlt => *self = Sees::ALL,
        }
    }

    fn look_at_entry(&mut self, key: &Term<&str>, value: Option<&Term<&str>>) {
        match (literal(key), value) {
            (_, Some(value)) => {
                self.look(key);
                self.look(value);
            }
            (Some(name), None) => self.field(name),
            (None, None) if matches!(key, Term::Var(_)) => {}
            (None, None) => *self = Sees::ALL,
        }
    }

    fn look_at_path(&mut self, head: &Term<&str>, path: &Path<Term<&str>>) {
        let mut parts = path.0.as_slice();
        match (head, parts) {
            (Term::Id, [(Part::Index(value), _), (Part::Index(field), _), rest @ ..])
                if literal(value) == Some("value") && literal(field).is_some() =>
            {
                self.field_of_value(literal(field).unwrap_or_default());
                parts = rest;
            }
            (Term::Id, [(Part::Index(index), _), rest @ ..]) => match literal(index) {
                Some(name) => {
                    self.field(name);
                    parts = rest;
                }
                None => *self = Sees::ALL,
            },
            (head, _) => self.look(head),
        }
        for (part, _) in parts {
            match part {
                Part::Index(term) => self.look(term),
                Part::Range(from, to) => {
                    [from, to].into_iter().flatten().for_each(|term| self.look(term));
                }
            }
        }
    }
}

/// A string without anything in it that is computed.
fn literal<'s>(term: &Term<&'s str>) -> Option<&'s str> {
    match term {
        Term::Str(None, parts) => match parts.as_slice() {
            [StrPart::Str(text)] => Some(text),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[&str]) {
        let mut sees = Sees::default();
        for name in want {
            match name.strip_prefix("value.") {
                Some(field) => sees.field_of_value(field),
                None => sees.field(name),
            }
        }
        assert_eq!(Sees::of(text), sees, "{text}");
    }

    #[test]
    fn fields_are_seen_where_they_are_named() {
        check(".value.amount > 100", &["value.amount"]);
        check(".value.a.b[0] + .value[\"c\"]?", &["value.a", "value.c"]);
        check(".value.a, .value", &["value"]);
        check(".value[0], .value.a", &["value"]);
        check(".value[].a", &["value"]);
        check(".key == \"a\" and (.partition | . > 2)", &["key", "partition"]);
        check(".value | select(.a) | .b", &["value"]);
        check(".headers[] | select(.key == \"x\")", &["headers"]);
        check("[.headers[].key] | index(\"trace\")", &["headers"]);
        check("{offset, k: .key}", &["offset", "key"]);
        check("\"\\(.topic)-\\(.partition)\"", &["topic", "partition"]);
        check(".value[.key]", &["value", "key"]);
        check("if .offset > 5 then .key else empty end", &["offset", "key"]);
        check("reduce .headers[] as $h (0; . + 1)", &["headers"]);
        check(".value as $v | .timestamp > $v.since", &["value", "timestamp"]);
        check(".value_base64 // .key_base64", &["value", "key"]);
        check("try .value.a.b catch .", &["value.a"]);
        check("true", &[]);
        check(".nothing", &[]);
    }

    #[test]
    fn what_may_look_at_everything_does() {
        for text in [
            ".",
            "..",
            ". as $r | $r.value",
            "select(.value.a)",
            ".value = 1",
            "del(.headers)",
            ".[]",
            ".[\"a\" + \"b\"]",
            "if .key then 1 end",
            "def f: .offset; f",
            "keys",
            ". as {value: $v} | $v",
        ] {
            assert_eq!(Sees::of(text), Sees::ALL, "{text}");
        }
    }
}
