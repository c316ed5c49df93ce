//! `weir verify`: exactly once, proved or refuted from the tables.

mod show;

use std::collections::BTreeMap;
use std::path::PathBuf;

use weir_iceberg::TableIdent;
use weir_iceberg::catalog::{Catalog, CatalogError};
use weir_iceberg::verify::{Certificate, Chain, Contradiction, Role, VerifyError, verify};
use weir_pipeline::checkpoint::EntryKey;
use weir_pipeline::source::Extent;

use super::subject::{self, Seen};
use super::{Failure, load, say};
use crate::assemble::{open_catalog, open_folder};
use crate::config::Pipeline;
use crate::progress::{Format, line_out};

/// Proves or refutes from the tables alone that each row is there once, and against the topics' ends where a broker
/// answers. Prints a certificate for each table that says what it covers. Changes nothing.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Pipeline files, whose tables are looked into; with --warehouse names of tables.
    #[arg(required = true, value_name = "FILE|TABLE")]
    names: Vec<String>,
    /// A folder that is a hadoop catalog's warehouse: its tables are named instead of files.
    #[arg(long, value_name = "FOLDER")]
    warehouse: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    if let Some(folder) = &arguments.warehouse {
        let catalog = open_folder(folder).await?;
        for name in &arguments.names {
            let ident = TableIdent::from_strs(name.split('.')).map_err(|e| Failure::wrong(format!("{name}: {e}")))?;
            let role = role(&catalog, &ident).await?;
            let certificate = look(&catalog, &ident, None, role, output).await?;
            show::certificate(&certificate, None, output);
        }
        return Ok(());
    }
    let files: Vec<PathBuf> = arguments.names.iter().map(PathBuf::from).collect();
    for pipeline in &load(&files, output)? {
        let catalog = open_catalog(pipeline).await?;
        for table in subject::tables(pipeline)? {
            let mut certificate = look(&catalog, &table.ident, Some(&pipeline.name), table.role, output).await?;
            let logs = match table.role {
                Role::Primary => against_logs(pipeline, &mut certificate, output).await?,
                Role::Secondary => None,
            };
            show::certificate(&certificate, logs.as_ref(), output);
        }
    }
    Ok(())
}

/// A table of dead letters takes what the first table does not.
async fn role(catalog: &Catalog, ident: &TableIdent) -> Result<Role, Failure> {
    let loaded = catalog.load(ident).await.map_err(refuse)?;
    let schema = loaded.metadata.current_schema();
    let letters = weir_pipeline::dead_letter::schema();
    let is_letters = letters.schema.fields().iter().all(|field| schema.field_by_name(field.name()).is_some());
    Ok(if is_letters { Role::Secondary } else { Role::Primary })
}

async fn look(
    catalog: &Catalog,
    ident: &TableIdent,
    pipeline: Option<&str>,
    role: Role,
    output: Format,
) -> Result<Certificate, Failure> {
    match verify(catalog, ident, pipeline, role).await {
        Ok(certificate) => Ok(certificate),
        Err(VerifyError::Refuted(contradiction)) => Err(refute(ident, &contradiction, output)),
        Err(VerifyError::Catalog(e)) => Err(refuse(e)),
        Err(e) => Err(Failure::failed(e)),
    }
}

fn refuse(e: CatalogError) -> Failure {
    if matches!(e, CatalogError::NotFound(_)) { Failure::wrong(e) } else { Failure::failed(e) }
}

fn refute(ident: &TableIdent, contradiction: &Contradiction, output: Format) -> Failure {
    match output {
        Format::Human => say(format_args!("{ident}: refuted\n{contradiction}")),
        Format::Json => line_out(&show::contradiction(ident, contradiction)),
    }
    Failure::Shown(1)
}

type Logs = BTreeMap<EntryKey, Seen>;

/// Holds the primary's V against the topics; what cannot be asked goes into the certificate.
async fn against_logs(
    pipeline: &Pipeline,
    certificate: &mut Certificate,
    output: Format,
) -> Result<Option<Logs>, Failure> {
    let Some(chain) = certificate.chains.iter().find(|chain| chain.pipeline == pipeline.name) else { return Ok(None) };
    if chain.offsets.is_empty() {
        return Ok(None);
    }
    let seen = match subject::log_ends(pipeline, &chain.offsets).await {
        Ok(seen) => seen,
        Err(why) => {
            certificate.uncovered.push(format!("the topics' ends: {why}"));
            return Ok(None);
        }
    };
    let mut uncovered = Vec::new();
    for (key, seen) in &seen {
        match seen {
            Seen::Other(why) => uncovered.push(format!("the end of {}/{}: {why}", key.topic, key.partition)),
            Seen::Log(extent) => {
                if let Some(contradiction) = beyond(chain, key, *extent) {
                    return Err(refute(&certificate.table, &contradiction, output));
                }
            }
        }
    }
    certificate.uncovered.extend(uncovered);
    Ok(Some(seen))
}

/// What contradicts an entry in what its log holds.
fn beyond(chain: &Chain, key: &EntryKey, extent: Extent) -> Option<Contradiction> {
    let next = chain.offsets.get(key)?.next;
    let (name, Extent { start, end }) = (format!("{}/{}", key.topic, key.partition), extent);
    let (found, meaning) = if next > end {
        (
            format!("V stands at {next}, and the log of {name} ends at {end}"),
            "the log was cut or is another one: records to come would be taken for those that are in the table"
                .to_string(),
        )
    } else if next < start {
        (
            format!("V stands at {next}, and the log of {name} begins at {start}"),
            format!("records [{next}, {start}) are gone, and no row of them is in the table"),
        )
    } else {
        return None;
    };
    let place = format!("pipeline {}, cluster {}", chain.pipeline, key.cluster_id);
    Some(Contradiction { check: "log", found, place, meaning })
}

#[cfg(test)]
mod tests;
