//! A statement's text: what it may be, and where it names tables.
//!
//! `FOR TIMESTAMP AS OF x` and `FOR VERSION AS OF n` are no part of the SQL that DataFusion reads. The clause is found
//! among the tokens, so that strings and comments with such words stay what they are; its place is kept by a
//! `PARTITION (...)` that the grammar allows at exactly that point, and the tree then tells whose clause it is.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Query, SetExpr, Statement, TableFactor, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan, Tokenizer, Word};

use crate::error::QueryError;
use crate::version::AsOf;

/// A statement, ready to be planned.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// `SELECT` and `EXPLAIN`: the tree, and the tables in it that have another name there.
    Query(Box<Statement>, Vec<Renamed>),
    /// `SHOW TABLES`, of one namespace where it is named.
    ShowTables(Option<String>),
    /// `SHOW SCHEMAS`.
    ShowSchemas,
    /// `DESCRIBE` and `SHOW COLUMNS`.
    Describe(Vec<String>),
}

/// A table that stands in the tree as `catalog.schema.table`, with a catalog that is no other table's.
#[derive(Debug)]
pub(crate) struct Renamed {
    /// The catalog's name in the tree.
    pub(crate) catalog: String,
    /// The name as it was written, unquoted parts in lower case.
    pub(crate) parts: Vec<String>,
    /// What it is to be read as of.
    pub(crate) as_of: Option<AsOf>,
}

/// The statements of a script, in order, without those that are empty.
///
/// # Errors
/// [`QueryError::Syntax`] where a string or comment does not end.
pub fn split(sql: &str) -> Result<Vec<String>, QueryError> {
    let mut statements = vec![String::new()];
    let mut is_empty = true;
    for token in tokens(sql)? {
        match token.token {
            Token::EOF => {}
            Token::SemiColon => {
                if !is_empty {
                    statements.push(String::new());
                }
                is_empty = true;
            }
            token => {
                is_empty &= matches!(token, Token::Whitespace(_));
                if let Some(statement) = statements.last_mut() {
                    statement.push_str(&token.to_string());
                }
            }
        }
    }
    if is_empty {
        statements.pop();
    }
    Ok(statements.into_iter().map(|statement| statement.trim().to_owned()).collect())
}

/// Reads one statement.
///
/// # Errors
/// [`QueryError::Syntax`], or [`QueryError::Refused`] where it is not a question.
pub(crate) fn parse(sql: &str) -> Result<Parsed, QueryError> {
    let tokens = tokens(sql)?;
    if tokens.len() > TOKENS_MAX {
        return Err(QueryError::Refused(format!("the statement is too long: more than {TOKENS_MAX} words and signs")));
    }
    let (tokens, clauses) = take_clauses(tokens)?;
    let mut parser = Parser::new(&GenericDialect {}).with_tokens_with_locations(tokens);
    let mut statements = parser.parse_statements().map_err(|why| QueryError::Syntax(why.to_string()))?;
    let statement = match (statements.pop(), statements.len()) {
        (Some(statement), 0) => statement,
        (None, _) => return Err(QueryError::Syntax("there is no statement".into())),
        (Some(_), more) => {
            return Err(QueryError::Syntax(format!("one statement at a time, found {}", more + 1)));
        }
    };
    allowed(statement, clauses)
}

fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>, QueryError> {
    Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().map_err(|why| QueryError::Syntax(why.to_string()))
}

/// An expression, or a chain of set operations, deeper than this is refused: streams go down it by recursion too, on
/// stacks of 2 MiB that hold three times as much where nothing is optimised.
const DEPTH_MAX: usize = 250;
/// A statement of more tokens than this is refused before anything goes down it.
const TOKENS_MAX: usize = 20_000;

/// The name that holds a clause's place.
const PLACE: &str = "\u{0}as of ";

/// Takes the version clauses out; each leaves a token sequence that names its number.
fn take_clauses(tokens: Vec<TokenWithSpan>) -> Result<(Vec<TokenWithSpan>, Vec<AsOf>), QueryError> {
    let tokens: Vec<TokenWithSpan> =
        tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let mut kept = Vec::with_capacity(tokens.len());
    let mut clauses = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let Some(is_version) = clause_at(&tokens[at..]) else {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        };
        let (expression, length) = expression(&tokens[at + 4..])?;
        let span = tokens[at].span;
        kept.extend(place(clauses.len(), span));
        clauses.push(if is_version { AsOf::Version(expression) } else { AsOf::Timestamp(expression) });
        at += 4 + length;
    }
    Ok((kept, clauses))
}

/// Whether a clause begins here, and of which kind.
fn clause_at(tokens: &[TokenWithSpan]) -> Option<bool> {
    let word = |index: usize| match tokens.get(index).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => Some(word.value.to_ascii_uppercase()),
        _ => None,
    };
    if word(0)? != "FOR" || word(2)? != "AS" || word(3)? != "OF" {
        return None;
    }
    match word(1)?.as_str() {
        "TIMESTAMP" | "SYSTEM_TIME" => Some(false),
        "VERSION" | "SYSTEM_VERSION" => Some(true),
        _ => None,
    }
}

/// The expression that the tokens begin with, and how many it takes.
fn expression(tokens: &[TokenWithSpan]) -> Result<(Expr, usize), QueryError> {
    let mut parser = Parser::new(&GenericDialect {}).with_tokens_with_locations(tokens.to_vec());
    let expression = parser.parse_expr().map_err(|why| QueryError::Syntax(format!("after AS OF: {why}")))?;
    let next = parser.peek_token();
    let rest = if next.token == Token::EOF {
        tokens.iter().position(|token| token.token == Token::EOF)
    } else {
        tokens.iter().position(|token| token.span == next.span)
    };
    Ok((expression, rest.unwrap_or(tokens.len())))
}

fn place(number: usize, span: Span) -> [TokenWithSpan; 4] {
    let name = Word { value: format!("{PLACE}{number}"), quote_style: Some('"'), keyword: Keyword::NoKeyword };
    [Token::make_keyword("PARTITION"), Token::LParen, Token::Word(name), Token::RParen]
        .map(|token| TokenWithSpan { token, span })
}

fn allowed(statement: Statement, clauses: Vec<AsOf>) -> Result<Parsed, QueryError> {
    match statement {
        Statement::Query(_) | Statement::Explain { .. } => query(statement, clauses),
        _ if !clauses.is_empty() => Err(QueryError::Syntax("AS OF follows a table in a FROM".into())),
        Statement::ExplainTable { table_name, .. } => Ok(Parsed::Describe(parts(&table_name)?)),
        Statement::ShowColumns { show_options, .. } => {
            let table = show_options.show_in.and_then(|scope| scope.parent_name);
            let table = table.ok_or_else(|| QueryError::Syntax("SHOW COLUMNS FROM needs a table".into()))?;
            Ok(Parsed::Describe(parts(&table)?))
        }
        Statement::ShowTables { show_options, .. } => {
            let scope = show_options.show_in.and_then(|scope| scope.parent_name);
            let namespace = match scope {
                Some(name) => Some(namespace_of(parts(&name)?)),
                None => None,
            };
            Ok(Parsed::ShowTables(namespace))
        }
        Statement::ShowSchemas { .. } | Statement::ShowDatabases { .. } => Ok(Parsed::ShowSchemas),
        other => Err(refused(&other)),
    }
}

fn refused(statement: &Statement) -> QueryError {
    let text = statement.to_string();
    let verb: Vec<&str> = text.split_whitespace().take(1).collect();
    QueryError::Refused(format!(
        "queries only read: {} is not answered here, write SELECT, EXPLAIN, SHOW or DESCRIBE",
        verb.join(" ").to_ascii_uppercase()
    ))
}

/// A catalog's name before a namespace means the one catalog.
fn namespace_of(mut parts: Vec<String>) -> String {
    if parts.len() > 1 {
        parts.remove(0);
    }
    parts.join(".")
}

fn query(mut statement: Statement, clauses: Vec<AsOf>) -> Result<Parsed, QueryError> {
    let mut visitor = Names { clauses: clauses.into_iter().map(Some).collect(), renamed: Vec::new(), depth: 0 };
    if let ControlFlow::Break(error) = statement.visit(&mut visitor) {
        return Err(error);
    }
    if visitor.clauses.iter().any(Option::is_some) {
        return Err(QueryError::Syntax("AS OF follows a table in a FROM".into()));
    }
    Ok(Parsed::Query(Box::new(statement), visitor.renamed))
}

/// Goes through a tree: refuses what would write, gives each clause to its table.
struct Names {
    clauses: Vec<Option<AsOf>>,
    renamed: Vec<Renamed>,
    /// How many expressions are around the one visited.
    depth: usize,
}

impl Names {
    fn rename(&mut self, name: &mut ObjectName, as_of: Option<AsOf>) -> Result<(), QueryError> {
        let parts = parts(name)?;
        let (Some(table), catalog) = (parts.last(), format!("as of {}", self.renamed.len())) else {
            return Err(QueryError::Syntax("a table without a name".into()));
        };
        // The last two names stay, so that `traces.column` and `telemetry.traces.column` still mean it.
        let schema = parts.iter().rev().nth(1).cloned().unwrap_or_else(|| "public".into());
        let identifier = |text: &str| ObjectNamePart::Identifier(Ident::with_quote('"', text));
        *name = ObjectName(vec![identifier(&catalog), identifier(&schema), identifier(table)]);
        self.renamed.push(Renamed { catalog, parts, as_of });
        Ok(())
    }

    fn take_place(&mut self, partitions: &mut Vec<Ident>) -> Result<Option<AsOf>, QueryError> {
        let Some(place) = partitions.pop() else { return Ok(None) };
        let number = place.value.strip_prefix(PLACE).and_then(|number| number.parse::<usize>().ok());
        match number.and_then(|number| self.clauses.get_mut(number)).and_then(Option::take) {
            Some(clause) if partitions.is_empty() => Ok(Some(clause)),
            _ => Err(QueryError::Refused("PARTITION (...) is not answered here: write a WHERE".into())),
        }
    }
}

impl VisitorMut for Names {
    type Break = QueryError;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<QueryError> {
        let TableFactor::Table { name, partitions, .. } = factor else { return ControlFlow::Continue(()) };
        let renamed = self.take_place(partitions).and_then(|as_of| {
            // DataFusion knows names of three parts; a nested namespace has more.
            if as_of.is_some() || name.0.len() > 3 { self.rename(name, as_of) } else { Ok(()) }
        });
        match renamed {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<QueryError> {
        if set_depth(&query.body) > DEPTH_MAX {
            return ControlFlow::Break(too_deep());
        }
        match writes(&query.body) {
            Some(what) => ControlFlow::Break(QueryError::Refused(format!(
                "queries only read: {what} is not answered here, write SELECT"
            ))),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, _: &mut Expr) -> ControlFlow<QueryError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { ControlFlow::Break(too_deep()) } else { ControlFlow::Continue(()) }
    }

    fn post_visit_expr(&mut self, _: &mut Expr) -> ControlFlow<QueryError> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> ControlFlow<QueryError> {
        match statement {
            Statement::Query(_) | Statement::Explain { .. } => ControlFlow::Continue(()),
            other => ControlFlow::Break(refused(other)),
        }
    }
}

fn too_deep() -> QueryError {
    QueryError::Refused(format!("the statement is more than {DEPTH_MAX} deep: write IN (...) for a long chain of OR"))
}

fn set_depth(body: &SetExpr) -> usize {
    let (mut depth, mut body) = (0, body);
    while let SetExpr::SetOperation { left, .. } = body {
        depth += 1;
        body = left;
    }
    depth
}

fn writes(body: &SetExpr) -> Option<&'static str> {
    match body {
        SetExpr::Insert(_) => Some("INSERT"),
        SetExpr::Update(_) => Some("UPDATE"),
        SetExpr::Delete(_) => Some("DELETE"),
        SetExpr::Merge(_) => Some("MERGE"),
        SetExpr::Select(select) if select.into.is_some() => Some("SELECT INTO"),
        SetExpr::SetOperation { left, right, .. } => writes(left).or_else(|| writes(right)),
        _ => None,
    }
}

/// A name's parts; those without quotes in lower case, as DataFusion takes columns.
fn parts(name: &ObjectName) -> Result<Vec<String>, QueryError> {
    let part = |part: &ObjectNamePart| match part {
        ObjectNamePart::Identifier(ident) if ident.quote_style.is_some() => Ok(ident.value.clone()),
        ObjectNamePart::Identifier(ident) => Ok(ident.value.to_lowercase()),
        ObjectNamePart::Function(_) => Err(QueryError::Syntax(format!("`{name}` is not a table's name"))),
    };
    name.0.iter().map(part).collect()
}

#[cfg(test)]
mod tests;
