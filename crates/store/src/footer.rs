//! Checks of a Parquet footer, before the library reads it.

use crate::StoreError;

/// Containers may nest this deep in a footer; a real one needs seven.
const DEPTH_MAX: u8 = 32;

/// Checks that no list in the footer of a Parquet file claims more elements than the footer has bytes, and no node of the
/// schema more children than the schema has nodes.
///
/// The parquet crate (59) reserves memory for as many row groups, and children, as the footer claims before it reads the
/// first, so that six bytes can ask for hundreds of gigabytes and abort the process, which no error
/// handling survives. The footer is one struct in Thrift's compact protocol:
/// <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.
pub(crate) fn check(file: &[u8]) -> Result<(), StoreError> {
    let walked = footer(file).and_then(|mut footer| footer.file_metadata());
    walked.ok_or_else(|| StoreError::Damaged {
        what: "its footer is cut off or claims more than it holds".to_owned(),
    })
}

/// The last eight bytes of a file are the footer's length and `PAR1`.
fn footer(file: &[u8]) -> Option<Compact<'_>> {
    let rest = file.strip_suffix(b"PAR1")?;
    let (rest, length) = rest.split_last_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let start = rest.len().checked_sub(length)?;
    Some(Compact {
        rest: &rest[start..],
    })
}

/// What the header of a page says of its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageSizes {
    /// Bytes of the header itself.
    pub(crate) header: usize,
    /// Bytes that follow it.
    pub(crate) compressed: u64,
    /// Bytes that they unfold to.
    pub(crate) uncompressed: u64,
    /// It holds the values that others refer to.
    pub(crate) is_dictionary: bool,
}

/// Reads the header of the page at the beginning of `bytes`: the parquet crate takes memory for what it claims before it
/// unpacks the page.
pub(crate) fn page_sizes(bytes: &[u8]) -> Option<PageSizes> {
    /// Of the format: the kind of a page that is a dictionary.
    const DICTIONARY: u64 = 2;
    let mut header = Compact { rest: bytes };
    let mut fields = [None; 4];
    header.fields(|header, number, kind| {
        let field = usize::try_from(number).ok();
        match field.and_then(|number| fields.get_mut(number)) {
            Some(field) if kind == I32 => *field = Some(header.zigzag()?),
            _ => header.field(kind, DEPTH_MAX)?,
        }
        Some(())
    })?;
    let [_, kind, uncompressed, compressed] = fields;
    Some(PageSizes {
        header: bytes.len() - header.rest.len(),
        compressed: compressed?,
        uncompressed: uncompressed?,
        is_dictionary: kind? == DICTIONARY,
    })
}

/// Kinds of values in the protocol.
const I32: u8 = 5;
const LIST: u8 = 9;

/// What is left of a value in Thrift's compact protocol. Every method is `None` where bytes are missing.
struct Compact<'a> {
    rest: &'a [u8],
}

impl Compact<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }

    /// An unsigned LEB128 number of at most 64 bits.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A signed number that must not be negative.
    fn zigzag(&mut self) -> Option<u64> {
        let value = self.varint()?;
        (value & 1 == 0).then_some(value >> 1)
    }

    /// A count of things that take at least a byte each.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.varint()?).ok()?;
        (count <= self.rest.len()).then_some(count)
    }

    /// The fields of a structure: `each` reads the value of that number and kind.
    fn fields(&mut self, mut each: impl FnMut(&mut Self, u64, u8) -> Option<()>) -> Option<()> {
        let mut number = 0;
        loop {
            let head = self.byte()?;
            let kind = head & 0x0f;
            if kind == 0 {
                return Some(());
            }
            number = match head >> 4 {
                0 => self.zigzag()?,
                step => number + u64::from(step),
            };
            each(self, number, kind)?;
        }
    }

    /// The value of a field: a truth value is in its head.
    fn field(&mut self, kind: u8, depth: u8) -> Option<()> {
        match kind {
            1 | 2 => Some(()),
            _ => self.value(kind, depth),
        }
    }

    fn structure(&mut self, depth: u8) -> Option<()> {
        self.fields(|this, _, kind| this.field(kind, depth))
    }

    /// The whole footer.
    fn file_metadata(&mut self) -> Option<()> {
        /// Of the format: the list of the schema's nodes.
        const SCHEMA: u64 = 2;
        self.fields(|this, number, kind| match (number, kind) {
            (SCHEMA, LIST) => this.schema(),
            _ => this.field(kind, DEPTH_MAX),
        })
    }

    fn schema(&mut self) -> Option<()> {
        /// Of the format: how many of the nodes that follow are one's own.
        const CHILDREN: u64 = 5;
        let (count, _) = self.list_head()?;
        let most = count as u64;
        (0..count).try_for_each(|_| {
            self.fields(|this, number, kind| match (number, kind) {
                (CHILDREN, I32) => this
                    .zigzag()
                    .filter(|&children| children <= most)
                    .map(|_| ()),
                _ => this.field(kind, DEPTH_MAX),
            })
        })
    }

    fn value(&mut self, kind: u8, depth: u8) -> Option<()> {
        let inner = depth.checked_sub(1)?;
        match kind {
            1..=3 => self.skip(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.skip(8),
            8 => {
                let length = self.count()?;
                self.skip(length)
            }
            9 | 10 => self.list(inner),
            11 => self.map(inner),
            12 => self.structure(inner),
            13 => self.skip(16),
            _ => None,
        }
    }

    /// How many elements a list has, and their kind.
    fn list_head(&mut self) -> Option<(usize, u8)> {
        let head = self.byte()?;
        let count = match usize::from(head >> 4) {
            15 => self.count()?,
            short => short,
        };
        Some((count, head & 0x0f))
    }

    fn list(&mut self, depth: u8) -> Option<()> {
        let (count, kind) = self.list_head()?;
        (0..count).try_for_each(|_| self.value(kind, depth))
    }

    fn map(&mut self, depth: u8) -> Option<()> {
        let count = self.count()?;
        if count == 0 {
            return Some(());
        }
        let kinds = self.byte()?;
        (0..count).try_for_each(|_| {
            self.value(kinds >> 4, depth)?;
            self.value(kinds & 0x0f, depth)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    fn file(footer: &[u8]) -> Vec<u8> {
        let length = u32::try_from(footer.len()).unwrap();
        [b"PAR1", footer, &length.to_le_bytes(), b"PAR1"].concat()
    }

    #[test]
    fn a_footer_that_claims_two_billion_row_groups_is_refused_before_memory_is_reserved_for_them() {
        // Field 1 (version), field 2 (a schema of one root), field 3 (rows), then field 4: 2³¹ − 1 structs.
        let claim = [0xfc, 0xff, 0xff, 0xff, 0xff, 0x07];
        let before: &[u8] = &[0x15, 0x02, 0x19, 0x1c, 0x48, 0x01, b'r', 0x15, 0x00, 0x00];
        let bomb = [before, &[0x16, 0x00, 0x19], &claim].concat();
        assert!(check(&file(&bomb)).is_err());

        let empty = [before, &[0x16, 0x00, 0x19, 0x0c, 0x00]].concat();
        assert!(check(&file(&empty)).is_ok());
    }

    #[test]
    fn a_schema_whose_root_claims_two_billion_children_is_refused_before_memory_is_reserved_for_them()
     {
        // Version, then a schema of one node: its name, and its children.
        let node = |children: &[u8]| {
            let before: &[u8] = &[0x15, 0x02, 0x19, 0x1c, 0x48, 0x01, b'r', 0x15];
            file(&[before, children, &[0x00, 0x16, 0x00, 0x19, 0x0c, 0x00]].concat())
        };
        assert!(check(&node(&[0xfe, 0xff, 0xff, 0xff, 0x0f])).is_err());
        assert!(check(&node(&[0x01])).is_err());
        assert!(check(&node(&[0x02])).is_ok());
    }

    #[test]
    fn a_footer_longer_than_the_file_is_refused() {
        assert!(check(b"PAR1\xff\xff\xff\x7fPAR1").is_err());
        assert!(check(b"PAR1").is_err());
    }

    #[test]
    fn containers_that_nest_for_ever_are_refused_without_exhausting_the_stack() {
        assert!(check(&file(&vec![0x1c; 1 << 20])).is_err());
    }
}
