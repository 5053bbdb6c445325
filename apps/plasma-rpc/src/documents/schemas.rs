//! JSON Schemas of a document: collected once, with texts for people who do not read Rust.

use super::DocumentError;
use crate::endpoint::MethodSpec;
use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Where a document keeps its schemas.
const PLACE: &str = "/components/schemas";

/// Collects the schemas of a document.
pub(super) struct Schemas {
    generator: SchemaGenerator,
    /// Those of parameters, by name.
    params: Map<String, Value>,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = PLACE.into();
            settings.meta_schema = None;
            settings.contract = Contract::Serialize;
        });
        Self { generator: settings.into_generator(), params: Map::new() }
    }

    /// The schema of a method's answer.
    pub(super) fn answer(&mut self, method: &MethodSpec) -> Value {
        let mut schema = (method.schemas.answer)(&mut self.generator).to_value();
        polish(&mut schema);
        schema
    }

    /// The schema of any type.
    pub(super) fn of<T: JsonSchema>(&mut self) -> Value {
        let mut schema = self.generator.subschema_for::<T>().to_value();
        polish(&mut schema);
        schema
    }

    /// The schema of a method's answer, and what it refers to when it only refers to something.
    pub(super) fn resolved_answer(&mut self, method: &MethodSpec) -> Value {
        let schema = self.answer(method);
        let reference = schema.get("$ref").and_then(Value::as_str);
        let name = reference.and_then(|reference| reference.rsplit('/').next());
        let mut found = name.and_then(|name| self.generator.definitions().get(name)).cloned();
        if let Some(found) = &mut found {
            polish(found);
        }
        found.unwrap_or(schema)
    }

    /// The schema of a method's parameters: what its parser says, with the texts of its type.
    pub(super) fn params(&mut self, method: &MethodSpec) -> Result<Value, DocumentError> {
        let mut schema = (method.schemas.params)()
            .map_err(|error| DocumentError::Params { method: method.name, error })?;
        let mut inlining = SchemaSettings::draft2020_12()
            .with(|settings| settings.inline_subschemas = true)
            .into_generator();
        describe(&mut schema, &(method.schemas.params_type)(&mut inlining).to_value());
        polish(&mut schema);
        Ok(schema)
    }

    /// A reference to a method's parameters, `None` when there are none.
    pub(super) fn params_reference(
        &mut self,
        method: &MethodSpec,
    ) -> Result<Option<Value>, DocumentError> {
        let schema = self.params(method)?;
        if properties(&schema).is_none_or(Map::is_empty) {
            return Ok(None);
        }
        let mut name = (method.schemas.params_name)();
        if self.params.get(&name).is_some_and(|known| *known != schema) {
            name = format!("{}_{name}", method.name.replace('.', "_"));
        }
        let reference = json!({"$ref": format!("#{PLACE}/{name}")});
        self.params.insert(name, schema);
        Ok(Some(reference))
    }

    /// All that were referred to.
    pub(super) fn into_components(mut self) -> Map<String, Value> {
        let mut components = self.params;
        for (name, mut schema) in self.generator.take_definitions(true) {
            debug_assert!(!components.contains_key(&name), "two schemas are called {name}");
            polish(&mut schema);
            components.insert(name, schema);
        }
        components
    }
}

pub(super) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// Copies texts, and what only the type knows, to the same places of a schema.
fn describe(schema: &mut Value, described: &Value) {
    let (Some(schema), Some(described)) = (schema.as_object_mut(), described.as_object()) else {
        return;
    };
    for key in ["description", "anyOf", "examples", "maxItems"] {
        if let Some(value) = described.get(key).filter(|_| !is_union_with_null(key, described)) {
            schema.entry(key).or_insert_with(|| value.clone());
        }
    }
    let inner = described.get("anyOf").and_then(|options| options.get(0));
    let described_items = described.get("items").or(inner.and_then(|inner| inner.get("items")));
    if let (Some(items), Some(described)) = (schema.get_mut("items"), described_items) {
        describe(items, described);
    }
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    let described = described.get("properties").or(inner.and_then(|inner| inner.get("properties")));
    for (name, property) in properties {
        if let Some(described) = described.and_then(|described| described.get(name)) {
            describe(property, described);
        }
    }
}

/// An optional type is a union as well, and says nothing that the parser does not know.
fn is_union_with_null(key: &str, described: &Map<String, Value>) -> bool {
    let options = described.get("anyOf").and_then(Value::as_array);
    let null = json!({"type": "null"});
    key == "anyOf" && options.is_some_and(|options| options.contains(&null))
}

/// Exact bounds for the integers of the machine, and texts without links into our code.
fn polish(schema: &mut Value) {
    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(polish),
        Value::Object(schema) => {
            let maximum = match schema.get("format").and_then(Value::as_str) {
                Some("uint64" | "uint") => Some(u64::MAX),
                Some("uint32") => Some(u32::MAX.into()),
                _ => None,
            };
            if let Some(maximum) = maximum {
                schema.insert("format".to_owned(), format_of(maximum).into());
                schema.insert("maximum".to_owned(), maximum.into());
            }
            if let Some(Value::String(text)) = schema.get_mut("description") {
                *text = plain(text);
            }
            schema.values_mut().for_each(polish);
        }
        _ => {}
    }
}

const fn format_of(maximum: u64) -> &'static str {
    if maximum == u64::MAX { "uint64" } else { "uint32" }
}

/// A doc comment as a text: paragraphs of one line each, and of links only what they show.
pub(super) fn plain(doc: &str) -> String {
    let lines = doc.lines().map(str::trim);
    let mut text = String::with_capacity(doc.len());
    for line in lines {
        let gap = match (text.is_empty(), line.is_empty(), text.ends_with('\n')) {
            (true, _, _) | (_, true, true) | (_, false, true) => "",
            (_, true, _) => "\n\n",
            (_, false, false) => " ",
        };
        text.push_str(gap);
        text.push_str(line);
    }
    without_links(text.trim_end())
}

fn without_links(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[`") {
        plain.push_str(before);
        let Some((shown, after)) = link.split_once("`]") else {
            plain.push_str("[`");
            rest = link;
            continue;
        };
        plain.push_str(&format!("`{shown}`"));
        let target = after.strip_prefix('(').and_then(|target| target.split_once(')'));
        rest = target.map_or(after, |(_, after)| after);
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_lose_their_links_and_line_breaks() {
        for (doc, expected) in [
            (" One.\n Two [`X`](super::X) and [`Y`].\n", "One. Two `X` and `Y`."),
            ("One.\n\nTwo\nlines [`open", "One.\n\nTwo lines [`open"),
            ("", ""),
        ] {
            assert_eq!(plain(doc), expected);
        }
    }
}
