//! Numbers separated by spaces, read one after the other.

use super::ParseError;

/// A position in a line of fields separated by single or several spaces.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Starts at the first field of `line`.
    pub fn new(line: &'a [u8]) -> Self {
        Self { rest: line }
    }

    /// Passes over `count` fields.
    pub fn skip(&mut self, count: usize) -> Result<(), ParseError> {
        for _ in 0..count {
            self.skip_spaces()?;
            let end = self.rest.iter().position(|&byte| is_space(byte)).unwrap_or(self.rest.len());
            self.rest = &self.rest[end..];
        }
        Ok(())
    }

    /// The next field as it stands.
    pub fn word(&mut self) -> Result<&'a [u8], ParseError> {
        self.skip_spaces()?;
        let end = self.rest.iter().position(|&byte| is_space(byte)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(word)
    }

    /// The next field as a number without sign.
    pub fn u64(&mut self) -> Result<u64, ParseError> {
        self.skip_spaces()?;
        let (value, digits) = leading_number(self.rest)?;
        self.rest = &self.rest[digits..];
        match self.rest.first() {
            Some(&byte) if !is_space(byte) => Err(ParseError("a number")),
            _ => Ok(value),
        }
    }

    /// The next field as a number without sign that fits 32 bits.
    pub fn u32(&mut self) -> Result<u32, ParseError> {
        u32::try_from(self.u64()?).map_err(|_| ParseError("a number of 32 bits"))
    }

    /// The next field as a number that may carry a sign.
    pub fn i64(&mut self) -> Result<i64, ParseError> {
        self.skip_spaces()?;
        let negative = self.rest.first() == Some(&b'-');
        if negative {
            self.rest = &self.rest[1..];
        }
        let value = i64::try_from(self.u64()?).map_err(|_| ParseError("a number of 63 bits"))?;
        Ok(if negative { -value } else { value })
    }

    fn skip_spaces(&mut self) -> Result<(), ParseError> {
        while let [first, rest @ ..] = self.rest {
            if !is_space(*first) {
                return Ok(());
            }
            self.rest = rest;
        }
        Err(ParseError("another field"))
    }
}

/// A whole word as a number without sign.
pub fn number(word: &[u8]) -> Result<u64, ParseError> {
    match leading_number(word)? {
        (value, digits) if digits == word.len() => Ok(value),
        _ => Err(ParseError("a number")),
    }
}

/// The number that `text` begins with, and how many digits it has.
fn leading_number(text: &[u8]) -> Result<(u64, usize), ParseError> {
    /// So many digits always fit 64 bits.
    const SAFE_DIGITS: usize = 19;
    let mut value = 0_u64;
    let mut digits = 0;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = if digits < SAFE_DIGITS {
            value * 10 + u64::from(digit)
        } else {
            value
                .checked_mul(10)
                .and_then(|value| value.checked_add(u64::from(digit)))
                .ok_or(ParseError("a number of 64 bits"))?
        };
        digits += 1;
    }
    if digits == 0 {
        return Err(ParseError("a number"));
    }
    Ok((value, digits))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_in_order() {
        let mut fields = Fields::new(b"1 -2  18446744073709551615\t4\n");
        assert_eq!(fields.u64(), Ok(1));
        assert_eq!(fields.i64(), Ok(-2));
        assert_eq!(fields.u64(), Ok(u64::MAX));
        assert_eq!(fields.u32(), Ok(4));
        assert_eq!(fields.u32(), Err(ParseError("another field")));
    }

    #[test]
    fn a_number_that_does_not_fit_is_an_error_not_another_number() {
        assert_eq!(Fields::new(b"18446744073709551616").u64(), Err(ParseError("a number of 64 bits")));
        assert!(Fields::new(b"4294967296").u32().is_err());
        assert!(Fields::new(b"-9223372036854775809").i64().is_err());
    }

    #[test]
    fn letters_after_digits_are_an_error() {
        assert!(Fields::new(b"12x 3").u64().is_err());
        assert!(number(b"12x").is_err());
        assert!(number(b"").is_err());
    }
}
