//! `partition_by` and `sort_by`: how a table's files are laid out.
//!
//! Transforms are Iceberg's (table spec, "Partition Transforms"); Spark's plural names (`days`) mean the same.

use std::fmt;

use super::flaw::Flaw;

/// What is taken of a column's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldTransform {
    /// The value itself.
    Identity,
    /// Its year.
    Year,
    /// Its month.
    Month,
    /// Its day.
    Day,
    /// Its hour.
    Hour,
    /// Its hash, modulo a count from 1 up.
    Bucket(u32),
    /// Its first so many characters, or the number rounded down to a multiple.
    Truncate(u32),
}

/// One element of `partition_by`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionField {
    /// What is taken of the column.
    pub transform: FieldTransform,
    /// The column's name, as in the table.
    pub column: String,
}

/// Which end of the order comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// The smallest.
    Ascending,
    /// The largest.
    Descending,
}

/// Where missing values go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nulls {
    /// Before all others.
    First,
    /// After all others.
    Last,
}

/// One element of `sort_by`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SortField {
    /// What is taken of the column.
    pub transform: FieldTransform,
    /// The column's name, as in the table.
    pub column: String,
    /// Which end comes first; ascending unless said.
    pub direction: Direction,
    /// Where nulls go; unless said first when ascending, last when descending, as in Spark.
    pub nulls: Nulls,
}

impl PartitionField {
    pub(super) fn parse(text: &str) -> Result<Self, Flaw> {
        let tokens = tokens(text)?;
        let (transform, column, rest) = field(text, &tokens)?;
        match rest {
            [] => Ok(Self { transform, column }),
            [extra, ..] => Err(Flaw::new(format!("`{extra}` follows the partition field"), FIELD_HELP)),
        }
    }
}

impl SortField {
    pub(super) fn parse(text: &str) -> Result<Self, Flaw> {
        const HELP: &str = "write a column or a transform of one, then asc or desc, then nulls first or nulls last: \
                            \"timestamp desc nulls last\"";
        let tokens = tokens(text)?;
        let (transform, column, rest) = field(text, &tokens)?;
        let words: Vec<String> = rest.iter().map(|token| token.to_string().to_ascii_lowercase()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (direction, rest) = match words.as_slice() {
            ["asc", rest @ ..] => (Direction::Ascending, rest),
            ["desc", rest @ ..] => (Direction::Descending, rest),
            rest => (Direction::Ascending, rest),
        };
        let nulls = match rest {
            [] if direction == Direction::Ascending => Nulls::First,
            [] => Nulls::Last,
            ["nulls", "first"] => Nulls::First,
            ["nulls", "last"] => Nulls::Last,
            [extra, ..] => return Err(Flaw::new(format!("`{extra}` does not belong in a sort field"), HELP)),
        };
        Ok(Self { transform, column, direction, nulls })
    }
}

impl fmt::Display for PartitionField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_field(f, self.transform, &self.column)
    }
}

impl fmt::Display for SortField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_field(f, self.transform, &self.column)?;
        f.write_str(if self.direction == Direction::Ascending { " asc" } else { " desc" })?;
        f.write_str(if self.nulls == Nulls::First { " nulls first" } else { " nulls last" })
    }
}

fn write_field(f: &mut fmt::Formatter<'_>, transform: FieldTransform, column: &str) -> fmt::Result {
    let plain = column.chars().all(is_name);
    let column = if plain { column.to_owned() } else { format!("\"{}\"", column.replace('"', "\"\"")) };
    match transform {
        FieldTransform::Identity => f.write_str(&column),
        FieldTransform::Year => write!(f, "year({column})"),
        FieldTransform::Month => write!(f, "month({column})"),
        FieldTransform::Day => write!(f, "day({column})"),
        FieldTransform::Hour => write!(f, "hour({column})"),
        FieldTransform::Bucket(count) => write!(f, "bucket({count}, {column})"),
        FieldTransform::Truncate(width) => write!(f, "truncate({width}, {column})"),
    }
}

const FIELD_HELP: &str = "write a column or one of year(x), month(x), day(x), hour(x), bucket(16, x), truncate(8, x)";

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Word(String),
    Quoted(String),
    Open,
    Comma,
    Close,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Word(text) | Token::Quoted(text) => f.write_str(text),
            Token::Open => f.write_str("("),
            Token::Comma => f.write_str(","),
            Token::Close => f.write_str(")"),
        }
    }
}

/// What a name may hold without quotes. A dot belongs to it: a column may be called `http.route`.
fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '@' | '$' | ':' | '/')
}

fn tokens(text: &str) -> Result<Vec<Token>, Flaw> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            ',' => tokens.push(Token::Comma),
            '"' | '`' => tokens.push(Token::Quoted(quoted(text, c, &mut chars)?)),
            c if c.is_whitespace() => {}
            c if is_name(c) => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| is_name(*c)) {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
            c => {
                let help = "put the column's name in double quotes if the sign belongs to it";
                return Err(Flaw::new(format!("`{c}` has no place in `{text}`"), help));
            }
        }
    }
    Ok(tokens)
}

/// The rest of a quoted name; its quote doubled stands for itself.
fn quoted(text: &str, quote: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, Flaw> {
    let mut name = String::new();
    while let Some(c) = chars.next() {
        if c != quote {
            name.push(c);
        } else if chars.next_if_eq(&quote).is_some() {
            name.push(quote);
        } else if name.is_empty() {
            return Err(Flaw::new(format!("an empty name in `{text}`"), FIELD_HELP));
        } else {
            return Ok(name);
        }
    }
    Err(Flaw::new(format!("a quote is not closed in `{text}`"), FIELD_HELP))
}

fn field<'t>(text: &str, tokens: &'t [Token]) -> Result<(FieldTransform, String, &'t [Token]), Flaw> {
    use Token::{Close, Comma, Open, Quoted, Word};
    match tokens {
        [Word(function), Open, Word(column) | Quoted(column), Close, rest @ ..] => {
            Ok((transform(function, None)?, column.clone(), rest))
        }
        [Word(function), Open, Word(number), Comma, Word(column) | Quoted(column), Close, rest @ ..] => {
            Ok((transform(function, Some(number))?, column.clone(), rest))
        }
        [Word(_), Open, ..] => Err(Flaw::new(format!("cannot read `{text}`"), FIELD_HELP)),
        [Word(column) | Quoted(column), rest @ ..] => Ok((FieldTransform::Identity, column.clone(), rest)),
        _ => Err(Flaw::new(format!("`{text}` names no column"), FIELD_HELP)),
    }
}

fn transform(function: &str, number: Option<&str>) -> Result<FieldTransform, Flaw> {
    let name = function.to_ascii_lowercase();
    let plain = match name.as_str() {
        "identity" => Some(FieldTransform::Identity),
        "year" | "years" => Some(FieldTransform::Year),
        "month" | "months" => Some(FieldTransform::Month),
        "day" | "days" => Some(FieldTransform::Day),
        "hour" | "hours" => Some(FieldTransform::Hour),
        _ => None,
    };
    match (plain, name.as_str(), number) {
        (Some(plain), _, None) => Ok(plain),
        (Some(_), _, Some(number)) => Err(Flaw::new(
            format!("`{name}` takes a column only, found `{number}` before it"),
            format!("write {name}(column)"),
        )),
        (None, "bucket", number) => counted("bucket", "16", number).map(FieldTransform::Bucket),
        (None, "truncate", number) => counted("truncate", "8", number).map(FieldTransform::Truncate),
        _ => Err(Flaw::new(format!("there is no partition transform `{function}`"), FIELD_HELP)),
    }
}

/// A count or width; Iceberg holds it as a Java int, from 1 up.
fn counted(function: &str, example: &str, number: Option<&str>) -> Result<u32, Flaw> {
    let help = format!("write {function}({example}, column), with a number from 1 up");
    match number.map(str::parse::<u32>) {
        Some(Ok(number)) if number >= 1 && number <= i32::MAX as u32 => Ok(number),
        Some(_) => Err(Flaw::new(format!("`{}` is no number for `{function}`", number.unwrap_or_default()), help)),
        None => Err(Flaw::new(format!("`{function}` needs a number"), help)),
    }
}

#[cfg(test)]
mod tests;
