//! Templates of functions.

use super::identifiers::Names;
use crate::draw::Draw;

/// One function.
pub(super) struct Function {
    /// As its users write it.
    pub(super) language: &'static str,
    pub(super) name: String,
    /// Ends with a line break.
    pub(super) text: String,
}

type Template = fn(&mut Draw) -> Function;

pub(super) const FUNCTIONS: [Template; 9] = [
    python_threshold,
    python_windows,
    python_cache,
    python_grid,
    rust_runs,
    rust_checksum,
    rust_buckets,
    javascript_retry,
    javascript_pages,
];

fn python(names: &Names, text: String) -> Function {
    Function {
        language: "Python",
        name: names.snake(),
        text,
    }
}

fn rust(names: &Names, text: String) -> Function {
    Function {
        language: "Rust",
        name: names.snake(),
        text,
    }
}

fn javascript(names: &Names, text: String) -> Function {
    Function {
        language: "JavaScript",
        name: names.camel(),
        text,
    }
}

fn python_threshold(draw: &mut Draw) -> Function {
    let names = Names::draw(draw);
    let (name, noun) = (names.snake(), names.noun);
    let (limit, fee) = (draw.between(10, 900), draw.between(2, 40));
    let text = format!(
        "def {name}({noun}, limit={limit}):\n    \
             \"\"\"Split into those up to the limit and those above, which cost {fee} each.\"\"\"\n    \
             below = [value for value in {noun} if value <= limit]\n    \
             above = [value for value in {noun} if value > limit]\n    \
             return below, above, {fee} * len(above)\n"
    );
    python(&names, text)
}

fn python_windows(draw: &mut Draw) -> Function {
    let names = Names::draw(draw);
    let (name, noun) = (names.snake(), names.noun);
    let (width, scale) = (draw.between(3, 48), draw.between(2, 100));
    let text = format!(
        "def {name}({noun}, width={width}):\n    \
             total = sum({noun}[:width])\n    \
             best = total\n    \
             for end in range(width, len({noun})):\n        \
                 total += {noun}[end] - {noun}[end - width]\n        \
                 best = max(best, total)\n    \
             return {scale} * best / width\n"
    );
    python(&names, text)
}

fn python_cache(draw: &mut Draw) -> Function {
    let names = Names::draw(draw);
    let (name, noun) = (names.snake(), names.noun);
    let (capacity, seconds) = (draw.between(8, 2_048), draw.between(5, 600));
    let text = format!(
        "def {name}(cache, key, load, now):\n    \
             # At most {capacity} {noun}, each for {seconds} seconds.\n    \
             if key in cache and now - cache[key][0] < {seconds}:\n        \
                 return cache[key][1]\n    \
             if len(cache) >= {capacity}:\n        \
                 oldest = min(cache, key=lambda other: cache[other][0])\n        \
                 del cache[oldest]\n    \
             cache[key] = (now, load(key))\n    \
             return cache[key][1]\n"
    );
    python(&names, text)
}

fn python_grid(draw: &mut Draw) -> Function {
    let names = Names::draw(draw);
    let (name, noun) = (names.snake(), names.noun);
    let (rows, columns) = (draw.between(4, 40), draw.between(4, 40));
    let text = format!(
        "def {name}({noun}, rows={rows}, columns={columns}):\n    \
             seen, islands = set(), 0\n    \
             for start in {noun}:\n        \
                 if start in seen:\n            \
                     continue\n        \
                 islands += 1\n        \
                 stack = [start]\n        \
                 while stack:\n            \
                     row, column = stack.pop()\n            \
                     inside = 0 <= row < rows and 0 <= column < columns\n            \
                     if not inside or (row, column) in seen or (row, column) not in {noun}:\n                \
                         continue\n            \
                     seen.add((row, column))\n            \
                     stack += [(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]\n    \
             return islands\n"
    );
    python(&names, text)
}

fn rust_runs(draw: &mut Draw) -> Function {
    let names = Names::draw(draw);
    let (name, noun) = (names.snake(), names.noun);
    let (shortest, gap) = (draw.between(2, 60), draw.between(1, 90));
    let text = format!(
        "fn {name}({noun}: &[i64]) -> Vec<&[i64]> {{\n    \
             {noun}\n        \
                 .chunk_by(|left, right| (right - left).abs() <= {gap})\n        \
                 .filter(|run| run.len() >= {shortest})\n        \
                 .collect()\n\
         }}\n"
    );
    rust(&names, text)
}

fn rust_checksum(draw: &mut Draw) -> Function {
    let names = Names::draw(draw);
    let (name, noun) = (names.snake(), names.noun);
    let (start, factor) = (draw.between(1, 65_000), 2 * draw.between(3, 500) + 1);
    let turn = draw.between(1, 31);
    let text = format!(
        "/// A checksum of {noun}, the same on every machine.\n\
         fn {name}({noun}: &[u8]) -> u32 {{\n    \
             let mut state: u32 = {start};\n    \
             for byte in {noun} {{\n        \
                 state = (state ^ u32::from(*byte)).wrapping_mul({factor}).rotate_left({turn});\n    \
             }}\n    \
             state\n\
         }}\n"
    );
    rust(&names, text)
}

fn rust_buckets(draw: &mut Draw) -> Function {
    let names = Names::draw(draw);
    let (name, noun) = (names.snake(), names.noun);
    let (width, buckets) = (draw.between(2, 500), draw.between(4, 64));
    let text = format!(
        "fn {name}({noun}: impl Iterator<Item = u64>) -> [u64; {buckets}] {{\n    \
             let mut counts = [0; {buckets}];\n    \
             for value in {noun} {{\n        \
                 let bucket = (value / {width}) as usize;\n        \
                 counts[bucket.min({buckets} - 1)] += 1;\n    \
             }}\n    \
             counts\n\
         }}\n"
    );
    rust(&names, text)
}

fn javascript_retry(draw: &mut Draw) -> Function {
    let names = Names::draw(draw);
    let (name, noun) = (names.camel(), names.noun);
    let (tries, wait) = (draw.between(2, 12), 10 * draw.between(1, 90));
    let text = format!(
        "async function {name}(fetchAll, tries = {tries}) {{\n  \
           for (let attempt = 1; attempt <= tries; attempt += 1) {{\n    \
             try {{\n      \
               return await fetchAll('{noun}');\n    \
             }} catch (error) {{\n      \
               if (attempt === tries) throw error;\n      \
               await new Promise((done) => setTimeout(done, {wait} * 2 ** attempt));\n    \
             }}\n  \
           }}\n\
         }}\n"
    );
    javascript(&names, text)
}

fn javascript_pages(draw: &mut Draw) -> Function {
    let names = Names::draw(draw);
    let (name, noun) = (names.camel(), names.noun);
    let (size, most) = (draw.between(5, 250), draw.between(2, 90));
    let text = format!(
        "function {name}({noun}, size = {size}) {{\n  \
           const pages = [];\n  \
           for (let start = 0; start < {noun}.length && pages.length < {most}; start += size) {{\n    \
             pages.push({noun}.slice(start, start + size));\n  \
           }}\n  \
           return {{ pages, left: Math.max(0, {noun}.length - {most} * size) }};\n\
         }}\n"
    );
    javascript(&names, text)
}
