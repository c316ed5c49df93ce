//! A column as it is written on a command line: `host string comment 'which machine'`, `tags map<string, string>`.
//!
//! Types have Iceberg's names; those of Spark and Trino that can mean but one thing are understood too. `timestamp` is
//! Iceberg's, without a zone, which is not what Spark means by it.

use std::fmt::Write;
use std::sync::Arc;

use iceberg::spec::{ListType, MapType, NestedField, PrimitiveType, StructType, Type};

/// A column to be added. The ids inside its type mean nothing yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewColumn {
    /// Its full name.
    pub name: String,
    /// Its type.
    pub field_type: Type,
    /// What it is.
    pub doc: Option<String>,
}

impl NewColumn {
    /// Reads `NAME TYPE [comment 'TEXT']`.
    ///
    /// # Errors
    /// What was not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0 };
        let name = reader.name()?;
        let field_type = reader.field_type()?;
        let doc = if reader.takes_word("comment") { Some(reader.quoted()?) } else { None };
        reader.end()?;
        Ok(Self { name, field_type, doc })
    }
}

/// Reads a type.
///
/// # Errors
/// What was not understood.
pub fn parse_type(text: &str) -> Result<Type, String> {
    let mut reader = Reader { text, at: 0 };
    let field_type = reader.field_type()?;
    reader.end()?;
    Ok(field_type)
}

/// A type as [`parse_type`] reads it.
pub fn show_type(field_type: &Type) -> String {
    let of = |field: &NestedField| show_type(&field.field_type);
    match field_type {
        Type::Primitive(PrimitiveType::Fixed(length)) => format!("fixed[{length}]"),
        Type::Primitive(PrimitiveType::Decimal { precision, scale }) => format!("decimal({precision}, {scale})"),
        Type::Primitive(primitive) => primitive.to_string(),
        Type::List(list) => format!("list<{}>", of(&list.element_field)),
        Type::Map(map) => format!("map<{}, {}>", of(&map.key_field), of(&map.value_field)),
        Type::Struct(fields) => {
            let mut text = String::from("struct<");
            for (at, field) in fields.fields().iter().enumerate() {
                let _ = write!(text, "{}{}: {}", if at > 0 { ", " } else { "" }, field.name, of(field));
            }
            text + ">"
        }
    }
}

/// How deep types may lie in each other: far more than anybody needs, and no stack is at risk.
const DEPTH_MAX: usize = 32;

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text[self.at..].trim_start()
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.text.len() - self.rest().len() + bytes;
    }

    fn wrong(&self, wanted: &str) -> String {
        let found = self.rest();
        let found = if found.is_empty() { "its end".to_string() } else { format!("{found:?}") };
        format!("{:?}: {wanted} was expected, and {found} found", self.text)
    }

    fn takes(&mut self, sign: char) -> bool {
        let is_there = self.rest().starts_with(sign);
        if is_there {
            self.skip(sign.len_utf8());
        }
        is_there
    }

    fn wants(&mut self, sign: char) -> Result<(), String> {
        if self.takes(sign) { Ok(()) } else { Err(self.wrong(&format!("{sign:?}"))) }
    }

    fn word(&self) -> &str {
        let rest = self.rest();
        &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())]
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_there = self.word().eq_ignore_ascii_case(word);
        if is_there {
            self.skip(word.len());
        }
        is_there
    }

    /// A name as far as the next blank or colon, or between backticks or double quotes.
    fn name(&mut self) -> Result<String, String> {
        if self.rest().starts_with(['`', '"']) {
            return self.quoted();
        }
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || "<>(),:'\"`".contains(c)).unwrap_or(rest.len());
        let name = rest[..end].to_string();
        if name.is_empty() {
            return Err(self.wrong("a column's name"));
        }
        self.skip(end);
        Ok(name)
    }

    /// Text between quotes; the quote doubled stands for itself.
    fn quoted(&mut self) -> Result<String, String> {
        let Some(quote) = self.rest().chars().next().filter(|c| ['\'', '"', '`'].contains(c)) else {
            return Err(self.wrong("a quoted text"));
        };
        self.skip(1);
        let mut text = String::new();
        // Blanks belong to the text: no skipping here.
        let mut chars = self.text[self.at..].char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c != quote {
                text.push(c);
            } else if chars.next_if(|(_, next)| *next == quote).is_some() {
                text.push(quote);
            } else {
                self.at += at + 1;
                return if text.is_empty() { Err(self.wrong("a text before an empty quote")) } else { Ok(text) };
            }
        }
        Err(format!("{:?}: a quote is not closed", self.text))
    }

    fn number(&mut self) -> Result<u32, String> {
        let digits = self.word();
        let number = digits.parse().map_err(|_| self.wrong("a number"))?;
        let length = digits.len();
        self.skip(length);
        Ok(number)
    }

    fn field_type(&mut self) -> Result<Type, String> {
        self.type_within(DEPTH_MAX)
    }

    fn type_within(&mut self, depth: usize) -> Result<Type, String> {
        let Some(depth) = depth.checked_sub(1) else { return Err(format!("types are {DEPTH_MAX} deep at the most")) };
        let word = self.word().to_ascii_lowercase();
        let primitive = match word.as_str() {
            "boolean" | "bool" => PrimitiveType::Boolean,
            "int" | "integer" => PrimitiveType::Int,
            "long" | "bigint" => PrimitiveType::Long,
            "float" | "real" => PrimitiveType::Float,
            "double" => PrimitiveType::Double,
            "date" => PrimitiveType::Date,
            "time" => PrimitiveType::Time,
            "timestamp" | "timestamp_ntz" => PrimitiveType::Timestamp,
            "timestamptz" | "timestamp_ltz" => PrimitiveType::Timestamptz,
            "string" | "varchar" => PrimitiveType::String,
            "uuid" => PrimitiveType::Uuid,
            "binary" | "varbinary" => PrimitiveType::Binary,
            "decimal" | "fixed" | "list" | "array" | "map" | "struct" => {
                self.skip(word.len());
                return self.composed(&word, depth);
            }
            _ => return Err(self.wrong("a type (int, long, double, string, timestamptz, list<..>, ..)")),
        };
        self.skip(word.len());
        Ok(Type::Primitive(primitive))
    }

    fn composed(&mut self, word: &str, depth: usize) -> Result<Type, String> {
        if word == "decimal" {
            self.wants('(')?;
            let precision = self.number()?;
            let scale = if self.takes(',') { self.number()? } else { 0 };
            self.wants(')')?;
            return Type::decimal(precision, scale).map_err(|e| format!("{:?}: {}", self.text, e.message()));
        }
        if word == "fixed" {
            let close = if self.takes('[') { ']' } else { ')' };
            if close == ')' {
                self.wants('(')?;
            }
            let length = self.number()?;
            self.wants(close)?;
            return if length > 0 {
                Ok(Type::Primitive(PrimitiveType::Fixed(u64::from(length))))
            } else {
                Err(format!("{:?}: a length from 1 up was expected", self.text))
            };
        }
        self.wants('<')?;
        let made = match word {
            "list" | "array" => {
                let element = self.type_within(depth)?;
                Type::List(ListType::new(Arc::new(NestedField::list_element(0, element, false))))
            }
            "map" => {
                let key = Arc::new(NestedField::map_key_element(0, self.type_within(depth)?));
                self.wants(',')?;
                let value = NestedField::map_value_element(0, self.type_within(depth)?, false);
                Type::Map(MapType::new(key, Arc::new(value)))
            }
            _ => {
                let mut fields = Vec::new();
                loop {
                    let name = self.name()?;
                    self.takes(':');
                    fields.push(Arc::new(NestedField::optional(0, name, self.type_within(depth)?)));
                    if !self.takes(',') {
                        break Type::Struct(StructType::new(fields));
                    }
                }
            }
        };
        self.wants('>')?;
        Ok(made)
    }

    fn end(&self) -> Result<(), String> {
        if self.rest().is_empty() { Ok(()) } else { Err(self.wrong("its end")) }
    }
}
