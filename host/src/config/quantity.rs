//! Durations, sizes and shares, each with its unit.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::flaw::Flaw;
use super::pipeline::Percent;

const DURATION_HELP: &str = "write a whole number and a unit, one of ms, s, m, h, d: \"30s\"";
const SIZE_HELP: &str = "write a whole number and a unit, one of B, KB, MB, GB, KiB, MiB, GiB: \"64MiB\"";

/// A duration in milliseconds to days.
pub(super) fn duration(text: &str) -> Result<Duration, Flaw> {
    let (number, unit) = split(text, "duration", DURATION_HELP)?;
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(bad_unit(unit, "duration", DURATION_HELP)),
    };
    let ms = number.checked_mul(unit_ms).ok_or_else(|| Flaw::new("the duration is too large", DURATION_HELP))?;
    Ok(Duration::from_millis(ms))
}

/// A number of bytes.
pub(super) fn size_bytes(text: &str) -> Result<u64, Flaw> {
    let (number, unit) = split(text, "size", SIZE_HELP)?;
    let unit_bytes: u64 = match unit {
        "B" => 1,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(bad_unit(unit, "size", SIZE_HELP)),
    };
    number.checked_mul(unit_bytes).ok_or_else(|| Flaw::new("the size is too large", SIZE_HELP))
}

/// A whole percentage, 0 to 100.
pub(super) fn percent(text: &str) -> Result<Percent, Flaw> {
    let help = "write a whole percentage from 0% to 100%: \"50%\"";
    let number = text.trim().strip_suffix('%').and_then(|digits| digits.trim_end().parse().ok());
    number.and_then(Percent::new).ok_or_else(|| Flaw::new(format!("`{text}` is not a share"), help))
}

/// A duration between two others.
pub(super) fn duration_within(text: &str, range: RangeInclusive<&str>) -> Result<Duration, Flaw> {
    let value = duration(text)?;
    let (low, high) = (duration(range.start())?, duration(range.end())?);
    if value < low || value > high { Err(out_of_range(text, &range)) } else { Ok(value) }
}

/// A size between two others.
pub(super) fn size_within(text: &str, range: RangeInclusive<&str>) -> Result<u64, Flaw> {
    let value = size_bytes(text)?;
    let (low, high) = (size_bytes(range.start())?, size_bytes(range.end())?);
    if value < low || value > high { Err(out_of_range(text, &range)) } else { Ok(value) }
}

fn out_of_range(text: &str, range: &RangeInclusive<&str>) -> Flaw {
    Flaw::new(format!("`{text}` is out of range"), format!("write {} to {}", range.start(), range.end()))
}

fn bad_unit(unit: &str, what: &str, help: &str) -> Flaw {
    if unit.is_empty() {
        Flaw::new(format!("a {what} needs a unit"), help)
    } else {
        Flaw::new(format!("`{unit}` is not a unit of a {what}"), help)
    }
}

fn split<'a>(text: &'a str, what: &str, help: &str) -> Result<(u64, &'a str), Flaw> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    match digits.parse() {
        Ok(number) => Ok((number, unit.trim_start())),
        Err(_) if digits.is_empty() => Err(Flaw::new(format!("`{text}` is not a {what}"), help)),
        Err(_) => Err(Flaw::new(format!("the {what} is too large"), help)),
    }
}

#[cfg(test)]
mod tests;
