//! Writing: stable order, two-space indents, strings quoted so that no YAML reader guesses another type.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::model::value::Value;

/// The canonical text of `value`, with a newline at its end.
pub fn write(value: &Value) -> String {
    // Writing into a string fails only for shapes that `Value` can't hold, such as maps as keys.
    serde_saphyr::to_string_with_options(&Wire(value), options()).unwrap_or_default()
}

fn options() -> serde_saphyr::SerializerOptions {
    let mut options = serde_saphyr::SerializerOptions::default();
    // Folding makes a one-word edit touch several lines of a diff.
    options.prefer_block_scalars = false;
    options
}

struct Wire<'a>(&'a Value);

impl Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Number(text) => match text.parse::<f64>() {
                Ok(number) => serializer.serialize_f64(number),
                Err(_) => serializer.serialize_str(text),
            },
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Wire(item))?;
                }
                list.end()
            }
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, &Wire(value))?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Limits, read};
    use super::*;

    #[test]
    fn strings_that_other_parsers_misread_are_quoted() {
        for text in [
            "on",
            "yes",
            "NO",
            "1.10",
            "0755",
            "1_000",
            "12:30:45",
            "2024-12-04",
            "2024-12-04T10:00:00Z",
            "=",
            "<<",
            "null",
            "~",
            "",
            " a",
            "a ",
            "- a",
            "a: b",
            "# a",
            "{{ x }}",
            "a\nb",
            "\u{7f}",
            "!x",
            "*x",
        ] {
            let written = write(&Value::Map(vec![("key".into(), text.into())]));
            let value = written.trim_end().strip_prefix("key: ").unwrap();
            assert!(value.starts_with(['"', '\'', '|']), "{text:?} is written as {value}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            "\\PC{0,12}".prop_map(Value::Text),
            "[a-z0-9.:_ #-]{0,12}".prop_map(Value::Text),
            "(.|\n){0,8}".prop_map(Value::Text)
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                proptest::collection::btree_map("[a-zA-Z0-9 :#.-]{1,6}", inner, 0..4).prop_map(|map| Value::Map(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(value in values()) {
            let value = Value::Map(vec![("top".into(), value)]);
            let text = write(&value);
            let node = read(text.as_bytes(), Limits::FILE).map_err(|error| TestCaseError::fail(format!("{error:?}\n{text}")))?.unwrap();
            prop_assert_eq!(node.to_value(), value, "{}", text);
        }
    }
}
