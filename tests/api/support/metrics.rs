//! Prometheus' text format, read as strictly as its own tools read it.

use std::collections::{BTreeMap, HashSet};

/// Every sample, by its name and its labels as they are written.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) text: String,
    samples: BTreeMap<String, f64>,
}

/// Of a histogram's buckets, but for the bound: how many the last one held.
type Buckets = BTreeMap<String, f64>;

impl Metrics {
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let mut samples = BTreeMap::new();
        let mut families = HashSet::new();
        let (mut family, mut kind, mut buckets) = ("", "", Buckets::new());
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                (family, _) = help.split_once(' ').expect("a name and a text");
                assert!(is_name(family) && families.insert(family), "{line}");
                let described = lines.next().and_then(|line| line.strip_prefix("# TYPE "));
                let (name, its_kind) = described.and_then(|line| line.split_once(' ')).expect("a type");
                assert_eq!(name, family);
                assert!(["counter", "gauge", "histogram"].contains(&its_kind), "{its_kind}");
                assert_eq!(its_kind == "counter", family.ends_with("_total"), "{line}");
                kind = its_kind;
                continue;
            }
            let (sample, value) = line.rsplit_once(' ').expect("a sample and its value");
            let value: f64 = value.parse().expect("a number");
            let name = check_sample(sample);
            let suffix = name
                .strip_prefix(family)
                .unwrap_or_else(|| panic!("{line} is not of {family}"));
            if kind == "histogram" {
                check_histogram(sample, suffix, value, &mut buckets);
            } else {
                assert_eq!(suffix, "", "{line} is not of {family}");
            }
            assert!(
                samples.insert(sample.to_owned(), value).is_none(),
                "{sample} is there twice"
            );
        }
        Self {
            text: text.to_owned(),
            samples,
        }
    }

    /// A sample that has to be there.
    #[track_caller]
    pub(crate) fn value(&self, sample: &str) -> f64 {
        let value = self.find(sample);
        value.unwrap_or_else(|| panic!("no {sample} in {}", self.text))
    }

    pub(crate) fn find(&self, sample: &str) -> Option<f64> {
        self.samples.get(sample).copied()
    }

    /// The sum of all samples of this name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let of_name = self
            .samples
            .iter()
            .filter(|(sample, _)| sample.split('{').next() == Some(name));
        of_name.map(|(_, value)| value).sum()
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// Looks at the labels and gives the name.
fn check_sample(sample: &str) -> &str {
    let Some((name, labels)) = sample.split_once('{') else {
        assert!(is_name(sample), "{sample}");
        return sample;
    };
    assert!(is_name(name), "{sample}");
    let mut rest = labels.strip_suffix('}').expect("the end of the labels");
    let mut seen = HashSet::new();
    loop {
        let (label, value) = rest.split_once("=\"").expect("a label and its value");
        assert!(is_name(label) && seen.insert(label), "{sample}");
        let (value, after) = value.split_once('"').expect("the end of the value");
        assert!(!value.contains('\\'), "no value needs escapes: {sample}");
        let Some(more) = after.strip_prefix(',') else {
            assert_eq!(after, "", "{sample}");
            return name;
        };
        rest = more;
    }
}

/// Each bucket holds the one before, and the last one all.
fn check_histogram(sample: &str, suffix: &str, value: f64, buckets: &mut Buckets) {
    let (_, labels) = sample.split_once('{').expect("labels");
    match suffix {
        "_bucket" => {
            let (others, bound) = labels.split_once(",le=\"").expect("a bound");
            let before = buckets.insert(format!("{others}}}"), value);
            assert!(before.is_none_or(|before| before <= value), "{sample} {value}");
            assert!(
                bound == "+Inf\"}" || bound.trim_end_matches("\"}").parse::<f64>().is_ok(),
                "{sample}"
            );
        }
        "_sum" => assert!(value >= 0.0, "{sample} {value}"),
        "_count" => assert_eq!(buckets.get(labels), Some(&value), "{sample}"),
        _ => panic!("{sample} is not of a histogram"),
    }
}
