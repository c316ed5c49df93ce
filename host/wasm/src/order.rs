//! The order of a chain: `otlp-to-otlp` plugins, one `otlp-to-arrow`, `arrow-to-arrow` plugins.

use crate::contract::World;

/// Holds a chain's plugins, by name, to their order.
///
/// # Errors
/// The plugin at which it breaks, and how.
pub(crate) fn check(chain: &[(&str, World)]) -> Result<(), (usize, String)> {
    let mut maker: Option<&str> = None;
    for (at, (name, world)) in chain.iter().enumerate() {
        match (world, maker) {
            (World::OtlpToOtlp, None) | (World::ArrowToArrow, Some(_)) => {}
            (World::OtlpToArrow, None) => maker = Some(name),
            (World::OtlpToOtlp, Some(maker)) => {
                return Err((at, format!("{name} ({world}) works on OTLP, and {maker} has made rows of it before")));
            }
            (World::OtlpToArrow, Some(maker)) => {
                return Err((at, format!("{name} ({world}) makes rows of OTLP, and {maker} has done so before")));
            }
            (World::ArrowToArrow, None) => {
                return Err((at, format!("{name} ({world}) works on rows, and nothing before it makes any")));
            }
        }
    }
    match (maker, chain.split_last()) {
        (None, Some(((name, world), before))) => {
            Err((before.len(), format!("nothing makes rows of the OTLP: the chain ends with {name} ({world})")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
