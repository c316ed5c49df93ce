//! Numbers, truth values and enums. OTLP writes 64-bit integers as text; both forms are read for every number.

use super::conversion::{Conversion, Outcome};
use super::{JsonProblem, scan};
use crate::schema::Scalar;

/// The sign and the size of an integer.
type Integer = (bool, u64);

const INTEGER: &str = "an integer";
const DOUBLE: &str = "a number";

impl Conversion<'_> {
    /// Reads a value and gives the 64 bits that protobuf lays out for it.
    #[inline]
    pub(super) fn scalar(&mut self, scalar: Scalar) -> Outcome<u64> {
        let begin = self.at;
        let (fits, wanted) = match scalar {
            Scalar::Bool => return self.truth(),
            Scalar::Double => return self.double(),
            Scalar::Enum(names) => return self.enumeration(names),
            Scalar::Uint32 | Scalar::Fixed32 => {
                let number = self.integer()?;
                (unsigned(number).filter(|number| *number <= u64::from(u32::MAX)), "an unsigned integer of 32 bits")
            }
            Scalar::Uint64 | Scalar::Fixed64 => (unsigned(self.integer()?), "an unsigned integer of 64 bits"),
            Scalar::Int64 | Scalar::Sfixed64 => {
                (signed(self.integer()?).map(i64::cast_unsigned), "an integer of 64 bits")
            }
            Scalar::Sint32 => {
                let number = signed(self.integer()?).and_then(|number| i32::try_from(number).ok());
                let zigzag = number.map(|number| u64::from((number << 1 ^ number >> 31).cast_unsigned()));
                (zigzag, "an integer of 32 bits")
            }
        };
        match fits {
            Some(number) => Ok(number),
            None => {
                self.at = begin;
                self.fail(JsonProblem::OutOfRange { wanted })
            }
        }
    }

    fn truth(&mut self) -> Outcome<u64> {
        match self.input.get(self.at) {
            Some(b't') => self.literal(b"true").map(|()| 1),
            Some(b'f') => self.literal(b"false").map(|()| 0),
            _ => self.unexpected("true or false"),
        }
    }

    /// Reads an enum: a number; or, though OTLP forbids it, a name.
    fn enumeration(&mut self, names: &[(&str, i32)]) -> Outcome<u64> {
        let begin = self.at;
        let number = if self.input.get(self.at) == Some(&b'"') {
            self.at += 1;
            self.unescape_to_scratch()?;
            self.found.enum_names += 1;
            let text = str::from_utf8(self.scratch).unwrap_or_default();
            let named = names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
            // An unknown name is treated as an unknown field is: as if it were not there.
            return Ok(sign_extended(named.or_else(|| text.parse().ok()).unwrap_or(0)));
        } else {
            signed(self.integer()?).and_then(|number| i32::try_from(number).ok())
        };
        match number {
            Some(number) => Ok(sign_extended(number)),
            None => {
                self.at = begin;
                self.fail(JsonProblem::OutOfRange { wanted: "an enum" })
            }
        }
    }

    /// Reads an integer, as a number or in quotes.
    #[inline]
    fn integer(&mut self) -> Outcome<Integer> {
        let begin = self.at;
        let is_quoted = self.input.get(self.at) == Some(&b'"');
        let sign = begin + usize::from(is_quoted);
        let is_negative = self.input.get(sign) == Some(&b'-');
        let first = sign + usize::from(is_negative);
        let (size, count) = scan::digits(self.input, first);
        let after = first + count;
        let is_whole = match self.input.get(after) {
            Some(b'"') => is_quoted && count > 0,
            Some(b',' | b'}' | b']') => !is_quoted && count > 0 && (count == 1 || self.input.get(first) != Some(&b'0')),
            _ => false,
        };
        if is_whole {
            self.at = after + usize::from(is_quoted);
            return Ok((is_negative, size));
        }
        self.odd_integer(is_quoted)
    }

    /// Reads an integer of twenty digits, one with a fraction or an exponent, or something that is none.
    #[cold]
    fn odd_integer(&mut self, is_quoted: bool) -> Outcome<Integer> {
        let begin = self.at;
        let token = self.number_token(is_quoted, "an integer or one in quotes")?;
        let problem = match decimal(token) {
            Some(Ok(integer)) => return Ok(integer),
            Some(Err(())) => JsonProblem::OutOfRange { wanted: "an integer of 64 bits" },
            None => JsonProblem::InvalidNumber { wanted: INTEGER },
        };
        self.at = begin;
        self.fail(problem)
    }

    /// Reads a double: a number, a number in quotes, or one of the three names.
    fn double(&mut self) -> Outcome<u64> {
        let begin = self.at;
        let is_quoted = self.input.get(self.at) == Some(&b'"');
        let token = self.number_token(is_quoted, "a number, \"NaN\", \"Infinity\" or \"-Infinity\"")?;
        let number = match token {
            b"NaN" if is_quoted => Some(f64::NAN),
            b"Infinity" if is_quoted => Some(f64::INFINITY),
            b"-Infinity" if is_quoted => Some(f64::NEG_INFINITY),
            _ if is_number(token) => str::from_utf8(token).ok().and_then(|text| text.parse().ok()),
            _ => None,
        };
        let problem = match number {
            Some(number) if number.is_finite() || token.ends_with(b"y") || number.is_nan() => {
                return Ok(number.to_bits());
            }
            Some(_) => JsonProblem::OutOfRange { wanted: "a double" },
            None => JsonProblem::InvalidNumber { wanted: DOUBLE },
        };
        self.at = begin;
        self.fail(problem)
    }

    /// Goes past a number, or a string that may hold one, and gives its text.
    fn number_token(&mut self, is_quoted: bool, wanted: &'static str) -> Outcome<&[u8]> {
        if is_quoted {
            self.at += 1;
            self.unescape_to_scratch()?;
            return Ok(self.scratch);
        }
        let rest = self.input.get(self.at..).unwrap_or_default();
        let length =
            rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        if length == 0 {
            return self.unexpected(wanted);
        }
        self.at += length;
        Ok(rest.get(..length).unwrap_or_default())
    }

    /// Goes past a number that nobody wants.
    pub(super) fn skip_number(&mut self) -> Outcome {
        let begin = self.at;
        if is_number(self.number_token(false, "a value")?) {
            return Ok(());
        }
        self.at = begin;
        self.fail(JsonProblem::InvalidNumber { wanted: DOUBLE })
    }
}

/// An enum's value as protobuf writes it: negative numbers take ten bytes.
fn sign_extended(number: i32) -> u64 {
    i64::from(number).cast_unsigned()
}

#[inline]
fn unsigned((is_negative, size): Integer) -> Option<u64> {
    if is_negative && size != 0 { None } else { Some(size) }
}

#[inline]
fn signed((is_negative, size): Integer) -> Option<i64> {
    if is_negative { 0i64.checked_sub_unsigned(size) } else { i64::try_from(size).ok() }
}

/// Whether the text is a number in JSON's grammar.
fn is_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, rest) = split_digits(text);
    if whole.is_empty() || (whole.len() > 1 && whole.starts_with(b"0")) {
        return false;
    }
    let rest = match rest.strip_prefix(b".").map(split_digits) {
        Some(([], _)) => return false,
        Some((_, rest)) => rest,
        None => rest,
    };
    match rest {
        [] => true,
        [b'e' | b'E', exponent @ ..] => {
            let digits = exponent.strip_prefix(b"+").or(exponent.strip_prefix(b"-")).unwrap_or(exponent);
            matches!(split_digits(digits), ([_, ..], []))
        }
        _ => false,
    }
}

/// The digits that a text begins with, and the rest.
fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at(length)
}

/// The integer that a number spells exactly, `1.5e1` like `15`. `None` if it spells none, `Err` if it is too large.
fn decimal(text: &[u8]) -> Option<Result<Integer, ()>> {
    if !is_number(text) {
        return None;
    }
    let (is_negative, text) = text.strip_prefix(b"-").map_or((false, text), |text| (true, text));
    let mantissa_length = text.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(text.len());
    let (mantissa, exponent) = text.split_at(mantissa_length);
    let exponent = match exponent.get(1..).map(str::from_utf8) {
        // An exponent of more than nine digits is no integer that fits, or it is zero's.
        Some(Ok(exponent)) => exponent.parse::<i32>().unwrap_or(i32::MAX),
        _ => 0,
    };
    let fraction = mantissa.iter().position(|byte| *byte == b'.').map_or(0, |point| mantissa.len() - point - 1);
    let mut digits: Vec<u8> = mantissa.iter().copied().filter(u8::is_ascii_digit).collect();
    while digits.last() == Some(&b'0') && digits.len() > 1 {
        digits.pop();
    }
    let dropped = mantissa.iter().filter(|byte| byte.is_ascii_digit()).count() - digits.len();
    if digits == b"0" || digits.is_empty() {
        return Some(Ok((is_negative, 0)));
    }
    let shift = i64::from(exponent) - i64::try_from(fraction).ok()? + i64::try_from(dropped).ok()?;
    let shift = match u32::try_from(shift) {
        Ok(shift) => shift,
        Err(_) if shift < 0 => return None,
        Err(_) => return Some(Err(())),
    };
    let size = digits.iter().try_fold(0u64, |size, digit| size.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    let size = size.and_then(|size| size.checked_mul(10u64.checked_pow(shift)?));
    Some(size.map(|size| (is_negative, size)).ok_or(()))
}

#[cfg(test)]
mod tests;
