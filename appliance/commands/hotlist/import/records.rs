//! Separated text to records, with the lines that they stand on.

use std::ops::Range;

use anyhow::Context;

/// The records of separated text, each with the number of its line; none in the place of one whose quotation marks
/// do not add up. That one ends with its line, so that it cannot swallow those behind it.
pub struct Records<'a> {
    bytes: &'a [u8],
    delimiter: u8,
    reader: csv::Reader<&'a [u8]>,
    /// Where the reader began.
    begun: usize,
    record: csv::ByteRecord,
    /// The number of the line at `counted`.
    line: u64,
    counted: usize,
}

impl<'a> Records<'a> {
    pub fn new(bytes: &'a [u8], delimiter: u8) -> Self {
        let reader = Self::reader(bytes, delimiter);
        Self { bytes, delimiter, reader, begun: 0, record: csv::ByteRecord::new(), line: 1, counted: 0 }
    }

    fn reader(bytes: &'a [u8], delimiter: u8) -> csv::Reader<&'a [u8]> {
        csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(bytes)
    }

    /// The next record; empty lines are none.
    pub fn next(&mut self) -> anyhow::Result<Option<(u64, Option<&csv::ByteRecord>)>> {
        let place = |reader: &csv::Reader<_>| self.begun + reader.position().byte() as usize;
        let from = place(&self.reader);
        if !self.reader.read_byte_record(&mut self.record).context("the export is no CSV")? {
            return Ok(None);
        }
        let to = place(&self.reader);
        // Empty lines before it, and what is left of the last line's end, belong to its bytes.
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let start = from + self.bytes[from..to].iter().take_while(|byte| is_end(byte)).count();
        let end = to - self.bytes[start..to].iter().rev().take_while(|byte| is_end(byte)).count();
        self.line += breaks(self.bytes, self.counted..start);
        self.counted = start;
        let text = &self.bytes[start..end];
        if let Some(first) = text.iter().position(is_end)
            && !is_well_quoted(text, self.delimiter)
        {
            self.begun = start + first;
            self.reader = Self::reader(&self.bytes[self.begun..], self.delimiter);
            return Ok(Some((self.line, None)));
        }
        Ok(Some((self.line, Some(&self.record))))
    }
}

/// How often a line ends in a part of the text: with LF, CR LF, or a CR alone.
fn breaks(bytes: &[u8], part: Range<usize>) -> u64 {
    let ends = |&at: &usize| bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
    part.filter(ends).count() as u64
}

/// Whether every cell that a quotation mark opens is closed by one, right before the next delimiter.
fn is_well_quoted(record: &[u8], delimiter: u8) -> bool {
    enum In {
        Start,
        Plain,
        Quoted,
        Closed,
    }
    let mut place = In::Start;
    for &byte in record {
        place = match (place, byte) {
            (In::Start, b'"') | (In::Closed, b'"') => In::Quoted,
            (In::Quoted, b'"') => In::Closed,
            (In::Quoted, _) => In::Quoted,
            (_, byte) if byte == delimiter => In::Start,
            (In::Closed, _) => return false,
            _ => In::Plain,
        };
    }
    !matches!(place, In::Quoted)
}
