//! What the instrument itself adds to what it reports: the client's numbers against those of a provider
//! that knows what it did.

use crate::quantile::{quantile, quantile_interval, sort};
use crate::{Grade, Interval, Reason, Summary, Verdict};
use serde::{Deserialize, Serialize};

/// One value as the client reported it and as it was, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TruthPair {
    /// By the client's stamps.
    pub reported: f64,
    /// By the provider's.
    pub truth: f64,
}

/// The errors of one metric, all in milliseconds: reported − truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstrumentError {
    /// Values that were compared.
    pub n: u64,
    /// The median of the truth.
    pub truth_p50: f64,
    /// The median error.
    pub bias: f64,
    /// Its 95 % interval, where the sample carries one.
    pub bias_ci95: Option<Interval>,
    /// 95 of 100 errors are within this distance of the median one.
    pub spread: f64,
    /// The largest error, without its sign.
    pub worst: f64,
    /// A single value is off by no more than this in 95 of 100 cases: what is smaller cannot be resolved.
    pub resolves: f64,
}

/// How far the instrument can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateGrade {
    /// Errors within 5 % of every median.
    Good,
    /// Within 20 %.
    Poor,
    /// Beyond.
    Useless,
}

/// What the instrument adds, at one concurrency and rate of events, on one machine, at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// Streams at once.
    pub streams: u32,
    /// Token events per second that the provider sent, in all streams together.
    pub events_per_second: f64,
    /// Requests whose numbers were compared.
    pub requests: u64,
    /// Requests that failed, or had other events than were sent; nothing of them is compared.
    pub lost: u64,
    /// Of the time to the first token.
    pub ttft: Option<InstrumentError>,
    /// Of single gaps between token events.
    pub gap: Option<InstrumentError>,
    /// Of the time to the last token.
    pub e2e: Option<InstrumentError>,
    /// Reported ÷ true output tokens per second, less 1.
    pub rate_error: Option<f64>,
    /// The worst of all.
    pub grade: CertificateGrade,
}

/// Largest relative errors of a good instrument, and of a poor one.
const GOOD: f64 = 0.05;
const POOR: f64 = 0.2;

impl InstrumentError {
    /// `None` of an empty sample.
    pub fn of(pairs: &[TruthPair]) -> Option<Self> {
        let mut errors: Vec<f64> = pairs
            .iter()
            .map(|pair| pair.reported - pair.truth)
            .collect();
        let mut truths: Vec<f64> = pairs.iter().map(|pair| pair.truth).collect();
        sort(&mut errors);
        sort(&mut truths);
        let bias = quantile(&errors, 0.5)?;
        let mut around: Vec<f64> = errors.iter().map(|error| (error - bias).abs()).collect();
        sort(&mut around);
        let spread = quantile(&around, 0.95)?;
        let ends = [errors.first()?.abs(), errors.last()?.abs()];
        Some(Self {
            n: errors.len() as u64,
            truth_p50: quantile(&truths, 0.5)?,
            bias,
            bias_ci95: quantile_interval(&errors, 0.5),
            spread,
            worst: ends[0].max(ends[1]),
            resolves: bias.abs() + spread,
        })
    }

    /// [`InstrumentError::resolves`] as a share of the median; infinite where that is 0.
    pub fn share(&self) -> f64 {
        if self.resolves <= 0.0 {
            0.0
        } else {
            self.resolves / self.truth_p50.max(0.0)
        }
    }

    fn grade(&self) -> CertificateGrade {
        grade(self.share())
    }
}

fn grade(share: f64) -> CertificateGrade {
    if share <= GOOD {
        CertificateGrade::Good
    } else if share <= POOR {
        CertificateGrade::Poor
    } else {
        CertificateGrade::Useless
    }
}

impl Certificate {
    /// Grades what was compared: by the worst metric, and as useless where nothing could be compared or
    /// more than one request of a hundred was lost.
    #[must_use]
    pub fn graded(mut self) -> Self {
        let errors = [&self.ttft, &self.gap, &self.e2e].into_iter().flatten();
        let worst = errors.map(InstrumentError::grade).max();
        let rate = self.rate_error.map(|error| grade(error.abs()));
        let lost = self.lost * 100 > self.requests;
        self.grade = match worst.max(rate) {
            Some(grade) if !lost => grade,
            _ => CertificateGrade::Useless,
        };
        self
    }

    /// What cannot be resolved, in a sentence.
    pub fn sentence(&self) -> String {
        let part = |name: &str, error: &Option<InstrumentError>| {
            error.as_ref().map(|error| {
                format!(
                    "{name} are off by {:+.3} ms (95 of 100 within {:.3} ms of that)",
                    error.bias, error.spread
                )
            })
        };
        let parts = [
            part("first tokens", &self.ttft),
            part("gaps", &self.gap),
            part("last tokens", &self.e2e),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!(
            "At {} streams and {:.0} events/s this client's {}.",
            self.streams,
            self.events_per_second,
            parts.join(", ")
        )
    }
}

impl Summary {
    /// Binds a certificate to the numbers: one that is not good is a reason to doubt them.
    pub fn certify(&mut self, certificate: Certificate) {
        let grade = match certificate.grade {
            CertificateGrade::Good => None,
            CertificateGrade::Poor => Some((Grade::Suspect, GOOD)),
            CertificateGrade::Useless => Some((Grade::Invalid, POOR)),
        };
        if let Some((grade, limit)) = grade {
            let words = if certificate.lost * 100 > certificate.requests {
                format!(
                    "{} of {} requests to a known provider were lost",
                    certificate.lost, certificate.requests
                )
            } else {
                certificate.sentence().trim_end_matches('.').to_owned()
            };
            let sentence = format!(
                "{words} (limit {:.0} % of the median): against a known truth this client, on this machine now, \
                 reports other numbers than there are; give it a processor of its own, or lower the load.",
                limit * 100.0
            );
            let reason = Reason::new(grade, "certificate", None, sentence);
            let known = self.verdict.all().cloned();
            self.verdict = Verdict::of(known.chain([reason]).collect());
        }
        self.certificate = Some(certificate);
    }
}

#[cfg(test)]
mod tests {
    use super::{Certificate, CertificateGrade, InstrumentError, TruthPair};

    fn pairs(error: impl Fn(usize) -> f64) -> Vec<TruthPair> {
        (0..200)
            .map(|number| TruthPair {
                reported: 50.0 + error(number),
                truth: 50.0,
            })
            .collect()
    }

    fn certificate(error: impl Fn(usize) -> f64) -> Certificate {
        let error = InstrumentError::of(&pairs(error));
        Certificate {
            streams: 4,
            events_per_second: 400.0,
            requests: 200,
            lost: 0,
            ttft: error,
            gap: None,
            e2e: None,
            rate_error: None,
            grade: CertificateGrade::Useless,
        }
        .graded()
    }

    #[test]
    fn what_is_reported_as_it_was_is_good_and_without_error() {
        let exact = certificate(|_| 0.0);
        let error = exact.ttft.unwrap();
        assert_eq!((error.bias, error.spread, error.resolves), (0.0, 0.0, 0.0));
        assert_eq!(exact.grade, CertificateGrade::Good);
    }

    #[test]
    fn a_constant_lag_is_bias_and_noise_is_spread() {
        let lag = certificate(|_| 2.0).ttft.unwrap();
        assert_eq!((lag.bias, lag.spread, lag.resolves), (2.0, 0.0, 2.0));
        let noise = certificate(|number| if number % 2 == 0 { 1.0 } else { -1.0 });
        let noise = noise.ttft.unwrap();
        assert!(
            noise.bias.abs() < 1e-9 && (noise.spread - 1.0).abs() < 1e-9,
            "{noise:?}"
        );
    }

    #[test]
    fn an_instrument_that_reports_a_tenth_too_much_is_not_good_and_one_that_loses_answers_is_useless()
     {
        assert_eq!(certificate(|_| 5.0).grade, CertificateGrade::Poor);
        assert_eq!(certificate(|_| 28.0).grade, CertificateGrade::Useless);
        let mut losing = certificate(|_| 0.0);
        losing.lost = 3;
        assert_eq!(losing.graded().grade, CertificateGrade::Useless);
    }

    #[test]
    fn nothing_compared_is_no_certificate() {
        assert_eq!(InstrumentError::of(&[]), None);
    }
}
