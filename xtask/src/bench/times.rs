//! What a script in a lab host told: lines `WAY MICROSECONDS`.

use std::collections::BTreeMap;

/// Times by way, in milliseconds, in the order of the rounds.
#[derive(Debug)]
pub struct Times {
    by_way: BTreeMap<String, Vec<f64>>,
    text: String,
}

impl Times {
    pub fn parse(text: &str) -> Self {
        let mut by_way: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (way, micros) in text.lines().filter_map(|line| line.split_once(' ')) {
            if let Ok(micros) = micros.parse::<f64>() {
                by_way.entry(way.to_owned()).or_default().push(micros / 1e3);
            }
        }
        Self { by_way, text: text.to_owned() }
    }

    pub fn of(&self, way: &str) -> &[f64] {
        self.by_way.get(way).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether there is a line of exactly these words.
    pub fn said(&self, line: &str) -> bool {
        self.text.lines().any(|said| said == line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let times = Times::parse("bare 1500\nnoise\nbare 2500\ndriverctl stuck\n");
        assert_eq!(times.of("bare"), [1.5, 2.5]);
        assert!(times.of("driverctl").is_empty() && times.said("driverctl stuck"));
    }
}
