//! Models that `gguf-split` has cut: `NAME-00001-of-00003.gguf` and its like.

use super::Metadata;
use crate::ModelsError;
use std::path::{Path, PathBuf};

/// Parts of a model, at most: the name has five digits.
const PARTS_MAX: u64 = 99_999;

/// What a part's name says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Split {
    stem: String,
    /// From 1 on.
    pub(crate) number: u64,
    count: u64,
}

impl Split {
    fn name(&self, number: u64) -> String {
        format!("{}-{number:05}-of-{:05}.gguf", self.stem, self.count)
    }
}

/// Nothing where the name is not that of a part.
pub(crate) fn split_of(path: &Path) -> Option<Split> {
    let name = path.file_name()?.to_str()?.strip_suffix(".gguf")?;
    let (rest, count) = name.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| {
        let five = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        five.then(|| text.parse().ok()).flatten()
    };
    Some(Split {
        stem: stem.to_owned(),
        number: digits(number)?,
        count: digits(count)?,
    })
}

/// The files that belong to `first` beside itself, in their order. `metadata` is what it says of the model.
pub(super) fn other_parts(first: &Path, metadata: &Metadata) -> Result<Vec<PathBuf>, ModelsError> {
    let count = metadata.integer("split.count").unwrap_or(1);
    if count <= 1 {
        return Ok(Vec::new());
    }
    let wrong = |what: String| ModelsError::file(first, what);
    let merge = "or make one file of all with `gguf-split --merge`";
    let split = split_of(first).filter(|split| split.count == count && count <= PARTS_MAX);
    let Some(split) = split else {
        return Err(wrong(format!(
            "is one of {count} parts of a model, and its name does not end in -00001-of-{count:05}.gguf, by which the \
             others are found; give the parts their names back, {merge}"
        )));
    };
    if metadata.integer("split.no") != Some(0) || split.number != 1 {
        return Err(wrong(format!(
            "is part {} of {count} of a model; name the first part, `{}`, {merge}",
            split.number,
            split.name(1)
        )));
    }
    let parts: Vec<PathBuf> = (2..=count)
        .map(|number| first.with_file_name(split.name(number)))
        .collect();
    match parts.iter().find(|part| !part.exists()) {
        Some(missing) => Err(wrong(format!(
            "is the first of {count} parts of a model, and `{}` is not beside it; copy all parts to one folder, {merge}",
            missing.file_name().unwrap_or_default().display()
        ))),
        None => Ok(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::{Split, split_of};
    use std::path::Path;

    #[test]
    fn the_name_of_a_part_says_which_of_how_many_it_is() {
        let found = split_of(Path::new("/m/a-b-00002-of-00003.gguf"));
        let expected = Split {
            stem: "a-b".to_owned(),
            number: 2,
            count: 3,
        };
        assert_eq!(found, Some(expected));
        for name in [
            "a.gguf",
            "a-00001-of-3.gguf",
            "a-00001-of-00003.bin",
            "a-0000x-of-00003.gguf",
            "-of-00003.gguf",
        ] {
            assert_eq!(split_of(Path::new(name)), None, "{name}");
        }
    }
}
