//! What `tokenomics` said of a server.

use super::cache::Cache;
use super::child::{run, spec};
use anyhow::Result;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Runs the program under test.
pub(crate) struct Instrument<'a> {
    pub(crate) binary: PathBuf,
    pub(crate) cache: &'a Cache,
}

impl Instrument<'_> {
    /// `tokenomics VERB FLAGS`, of which the result file is read. What fails is a result too.
    pub(crate) fn measure(&self, name: &str, verb: &str, flags: &[&str]) -> Result<Measured> {
        let results = self.cache.results(name);
        // What an earlier call left is none of this one.
        let _absent = fs::remove_file(&results);
        let path = results.display().to_string();
        let mut args = vec![
            verb,
            "--no-plot",
            "--output-format",
            "quiet",
            "--results-file",
            &path,
        ];
        args.extend(flags);
        let words = self.say(name, &args)?;
        let file = fs::read(&results).ok();
        let file = file.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(Measured {
            file: file.unwrap_or_default(),
            words,
        })
    }

    /// `tokenomics` with any arguments; what it prints.
    pub(crate) fn say(&self, name: &str, args: &[&str]) -> Result<String> {
        let mut command = spec("tokenomics", &self.binary, args);
        // A key of the caller's is none of these servers' business.
        command.environment = vec![("OPENAI_API_KEY".to_owned(), String::new())];
        Ok(run(&command, &self.cache.log(&format!("tokenomics-{name}")))?.words)
    }

    /// The program under test as a server.
    pub(crate) fn program(&self) -> &Path {
        &self.binary
    }
}

/// A result file of one point.
pub(crate) struct Measured {
    file: Value,
    words: String,
}

impl Measured {
    fn point(&self) -> &Value {
        let points = self.file["results"].as_object();
        points
            .and_then(|points| points.values().next())
            .unwrap_or(&Value::Null)
    }

    /// A number of the point, by the names on the way to it: `latency/ttft/mean`.
    pub(crate) fn number(&self, path: &str) -> Option<f64> {
        let names = path.split('/');
        names
            .fold(self.point(), |value, name| &value[name])
            .as_f64()
    }

    pub(crate) fn complete(&self) -> Option<u64> {
        self.point()["reliability"]["complete"].as_u64()
    }

    pub(crate) fn issued(&self) -> Option<u64> {
        self.point()["reliability"]["issued"].as_u64()
    }

    pub(crate) fn grade(&self) -> Option<&str> {
        self.file["verdict"]["grade"].as_str()
    }

    fn reasons(&self) -> impl Iterator<Item = (&str, &str)> {
        let reasons = self.file["verdict"]["reasons"]
            .as_array()
            .into_iter()
            .flatten();
        reasons.filter_map(|reason| Some((reason["code"].as_str()?, reason["sentence"].as_str()?)))
    }

    /// The sentence of a reason, if the verdict has it.
    pub(crate) fn reason(&self, code: &str) -> Option<&str> {
        let mut reasons = self.reasons();
        let (_, sentence) = reasons.find(|(known, _)| *known == code)?;
        Some(sentence)
    }

    pub(crate) fn has(&self, code: &str) -> bool {
        self.reason(code).is_some()
    }

    /// Grade and codes.
    pub(crate) fn verdict(&self) -> String {
        let codes: Vec<&str> = self.reasons().map(|(code, _)| code).collect();
        match self.grade() {
            None => "no result".to_owned(),
            Some(grade) if codes.is_empty() => grade.to_owned(),
            Some(grade) => format!("{grade}: {}", codes.join(", ")),
        }
    }

    /// What speaks against it, in the program's own words.
    pub(crate) fn why(&self) -> String {
        if let Some((_, sentence)) = self.reasons().next() {
            return sentence.to_owned();
        }
        let error = self.words.lines().find(|line| line.starts_with("error"));
        error
            .or_else(|| self.words.lines().last())
            .unwrap_or("it said nothing")
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::Measured;
    use serde_json::json;

    #[test]
    fn a_result_is_read_by_the_names_in_it() {
        let measured = Measured {
            file: json!({
                "verdict": {"grade": "suspect", "reasons": [{"code": "cache_hits", "sentence": "A Cache."}]},
                "results": {"1": {
                    "latency": {"ttft": {"mean": 2.5}},
                    "reliability": {"issued": 4, "complete": 3},
                }},
            }),
            words: String::new(),
        };
        assert_eq!(measured.number("latency/ttft/mean"), Some(2.5));
        assert_eq!(measured.number("latency/tpot/mean"), None);
        assert_eq!((measured.issued(), measured.complete()), (Some(4), Some(3)));
        assert_eq!(measured.verdict(), "suspect: cache_hits");
        assert!(measured.has("cache_hits"));
        assert_eq!(measured.reason("cache_hits"), Some("A Cache."));
        assert_eq!(measured.reason("gateway_fallbacks"), None);
    }

    #[test]
    fn where_there_is_no_result_the_error_is_why() {
        let measured = Measured {
            file: serde_json::Value::Null,
            words: "x\nerror: no server\n".to_owned(),
        };
        assert_eq!(measured.verdict(), "no result");
        assert_eq!(measured.why(), "error: no server");
        assert_eq!(measured.complete(), None);
    }
}
