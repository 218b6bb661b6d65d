//! The published JSON Schema, made of the grammar.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::grammar::{FILE, Mapping, PEOPLE_FILE, SCENARIO, Shape};

/// The JSON Schema (draft 2020-12) of `tollgate.yaml`, for editors.
///
/// It knows every key and shape. What takes more than a look at one value, such as names that have to be declared, is
/// only found by [`crate::load`].
pub fn json_schema() -> Value {
    let mut definitions = BTreeMap::new();
    define(&PEOPLE_FILE, &mut definitions);
    whole("tollgate.yaml", &FILE, definitions)
}

/// The JSON Schema (draft 2020-12) of scenario files, for editors.
pub fn scenario_schema() -> Value {
    whole("a scenario of Tollgate", &SCENARIO, BTreeMap::new())
}

fn whole(title: &str, file: &'static Mapping, mut definitions: Definitions) -> Value {
    let mut schema = map_schema(file, &mut definitions);
    definitions.insert("duration", duration_schema());
    definitions.insert("address", address_schema());
    let definitions: Map<String, Value> =
        definitions.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        object.insert("title".to_owned(), json!(title));
        object.insert("$defs".to_owned(), Value::Object(definitions));
    }
    schema
}

type Definitions = BTreeMap<&'static str, Value>;

fn define(mapping: &'static Mapping, definitions: &mut Definitions) {
    if !definitions.contains_key(mapping.name) {
        // Entered before it is made: steps hold steps.
        definitions.insert(mapping.name, Value::Null);
        let schema = map_schema(mapping, definitions);
        definitions.insert(mapping.name, schema);
    }
}

fn map_schema(mapping: &'static Mapping, definitions: &mut Definitions) -> Value {
    let mut properties = Map::new();
    let mut dependent = Map::new();
    for key in mapping.keys {
        let mut schema = shape_schema(&key.shape, definitions);
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".to_owned(), json!(key.about));
        }
        properties.insert(key.name.to_owned(), schema);
        if !key.with.is_empty() {
            dependent.insert(key.name.to_owned(), any_required(key.with, "anyOf"));
        }
    }
    let mut conditions = Vec::new();
    for choice in mapping.one_of {
        if choice.when.is_empty() {
            conditions.push(any_required(choice.keys, "oneOf"));
        } else {
            dependent.insert(choice.when.to_owned(), any_required(choice.keys, "oneOf"));
        }
    }
    let required: Vec<&str> = mapping.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = json!({
        "type": "object",
        "description": mapping.about,
        "properties": properties,
        "additionalProperties": false,
    });
    if let Some(object) = schema.as_object_mut() {
        if !required.is_empty() {
            object.insert("required".to_owned(), json!(required));
        }
        if !dependent.is_empty() {
            object.insert("dependentSchemas".to_owned(), Value::Object(dependent));
        }
        if !conditions.is_empty() {
            object.insert("allOf".to_owned(), Value::Array(conditions));
        }
    }
    schema
}

fn any_required(keys: &[&str], how: &str) -> Value {
    let each: Vec<Value> = keys.iter().map(|key| json!({ "required": [key] })).collect();
    json!({ how: each })
}

fn shape_schema(shape: &'static Shape, definitions: &mut Definitions) -> Value {
    // A text may be written like a number; its spelling is kept.
    let text = json!(["string", "number"]);
    match shape {
        Shape::Text | Shape::Template => json!({ "type": text, "minLength": 1 }),
        Shape::Line => json!({ "type": text, "pattern": "^[^\\n]+\\n?$" }),
        Shape::Version => json!({ "type": text, "minLength": 1 }),
        Shape::Name(pattern) => json!({ "type": text, "pattern": pattern }),
        Shape::Who => json!({ "type": text, "pattern": crate::grammar::PERSON }),
        Shape::Condition => json!({ "type": ["string", "boolean"], "minLength": 1 }),
        Shape::Duration => json!({ "$ref": "#/$defs/duration" }),
        Shape::Address => json!({ "$ref": "#/$defs/address" }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::True => json!({ "const": true }),
        Shape::Integer(least, most) => integer_schema(*least, *most),
        Shape::OneOf(words) => json!({ "enum": words }),
        Shape::List(item, least) => {
            let mut schema = json!({ "type": "array", "items": shape_schema(item, definitions) });
            set_least(&mut schema, "minItems", *least);
            schema
        }
        Shape::Named(pattern, value, least) => {
            let mut schema = json!({
                "type": "object",
                "propertyNames": { "pattern": pattern },
                "additionalProperties": shape_schema(value, definitions),
            });
            set_least(&mut schema, "minProperties", *least);
            schema
        }
        Shape::Map(mapping) => {
            define(mapping, definitions);
            json!({ "$ref": format!("#/$defs/{}", mapping.name) })
        }
        Shape::Either(one, two) => {
            json!({ "anyOf": [shape_schema(one, definitions), shape_schema(two, definitions)] })
        }
    }
}

fn set_least(schema: &mut Value, key: &str, least: usize) {
    if let Some(object) = schema.as_object_mut().filter(|_| least > 0) {
        object.insert(key.to_owned(), json!(least));
    }
}

fn integer_schema(least: i64, most: i64) -> Value {
    if least == most {
        return json!({ "const": least });
    }
    let mut schema = json!({ "type": "integer" });
    if let Some(object) = schema.as_object_mut() {
        if least != i64::MIN {
            object.insert("minimum".to_owned(), json!(least));
        }
        if most != i64::MAX {
            object.insert("maximum".to_owned(), json!(most));
        }
    }
    schema
}

fn duration_schema() -> Value {
    json!({
        "type": "string",
        "description": "A length of time with its unit, such as `90s`, `60m`, `72h`, `2d` or `1h30m`.",
        "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
        "minLength": 2,
    })
}

fn address_schema() -> Value {
    json!({
        "type": "string",
        "description": "A web address without a user name or password in it.",
        "pattern": "^https?://[^@\\s/?#]+([/?#]\\S*)?$",
    })
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::diagnostic::Report;
    use crate::tree::{self, Kind, Node};

    fn folder(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    }

    /// The file as an editor sees it: scalars by the core schema of YAML 1.2.
    fn to_json(node: &Node) -> Value {
        match &node.kind {
            Kind::List(items) => items.iter().map(to_json).collect(),
            Kind::Map(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), to_json(&entry.value))).collect()
            }
            Kind::Scalar(scalar) if scalar.is_null() => Value::Null,
            Kind::Scalar(scalar) if scalar.plain => match (scalar.as_bool(), node.integer()) {
                (Some(boolean), _) => json!(boolean),
                (None, Some(integer)) => json!(integer),
                (None, None) => scalar.text.parse::<f64>().map_or(json!(scalar.text), |number| json!(number)),
            },
            Kind::Scalar(scalar) => json!(scalar.text),
        }
    }

    fn files(folder: &Path) -> Vec<(String, Option<Value>)> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        files.sort();
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap();
            let mut report = Report::new("t");
            let tree = tree::parse(&text, &mut report).filter(|_| !report.has_errors());
            (path.file_name().unwrap().to_string_lossy().into_owned(), tree.as_ref().map(to_json))
        };
        files.iter().map(read).collect()
    }

    #[test]
    fn the_published_schemas_are_fresh() {
        fresh("schema/tollgate.schema.json", json_schema());
        fresh("schema/scenario.schema.json", scenario_schema());
    }

    fn fresh(path: &str, schema: Value) {
        let path = folder(path);
        let fresh = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
        if std::env::var("UPDATE_SCHEMA").is_ok() {
            std::fs::write(&path, &fresh).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(published == fresh, "the grammar changed: run this test with UPDATE_SCHEMA=1");
    }

    #[test]
    fn the_schema_takes_what_is_valid() {
        let schema = json_schema();
        jsonschema::meta::validate(&schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let valid = files(&folder("tests/valid")).into_iter().filter(|(name, _)| name != "people.yaml");
        for (name, value) in valid.chain(files(&folder("../../templates"))) {
            let value = value.unwrap();
            let mistakes: Vec<String> = validator
                .iter_errors(&value)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(mistakes.is_empty(), "{name}: {}", mistakes.join("\n"));
        }
    }

    /// What an editor can see without knowing names and orders: everything that the grammar alone finds.
    #[test]
    fn the_schema_refuses_what_the_grammar_refuses() {
        let validator = jsonschema::validator_for(&json_schema()).unwrap();
        let mut differ = Vec::new();
        let mut refused = 0;
        for path in std::fs::read_dir(folder("tests/invalid")).unwrap().map(|entry| entry.unwrap().path()) {
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let mut report = Report::new("t");
            let Some(tree) = tree::parse(&text, &mut report).filter(|_| !report.has_errors()) else {
                continue;
            };
            crate::check::check(&tree, &FILE, &mut report);
            let found = report.finish();
            let valid = validator.is_valid(&to_json(&tree));
            if valid && !found.is_empty() {
                differ.push(format!("{}: {}", path.display(), found[0]));
            }
            refused += usize::from(!valid);
        }
        // Two kinds of mistake that a pattern cannot say without becoming a riddle.
        differ.retain(|one| !one.contains("is empty") && !one.contains("cannot be seen"));
        assert!(differ.is_empty(), "the schema takes what the grammar refuses:\n{}", differ.join("\n"));
        assert!(refused > 60, "{refused}");
    }
}
