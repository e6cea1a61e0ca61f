//! Two commands in turn, round after round, and what their costs say about each other.

use super::measure::{Cost, cost};
use super::stats::{median, spread};

/// What each round cost, ours and theirs in the same order.
pub struct Turns {
    ours: Vec<Cost>,
    theirs: Vec<Cost>,
}

/// One side of a contest.
#[derive(Clone, Copy)]
pub enum Who {
    Ours,
    Theirs,
}

/// Runs both as often as asked.
pub fn take(ours: &[String], theirs: &[String], rounds: usize) -> anyhow::Result<Turns> {
    let mut turns = Turns { ours: Vec::new(), theirs: Vec::new() };
    for round in 0..rounds {
        // Who comes first takes turns: the second may find warmer caches.
        if round % 2 == 0 {
            turns.ours.push(cost(ours)?);
            turns.theirs.push(cost(theirs)?);
        } else {
            turns.theirs.push(cost(theirs)?);
            turns.ours.push(cost(ours)?);
        }
    }
    Ok(turns)
}

impl Turns {
    /// Ours as a part of theirs: the median of the rounds.
    pub fn time(&self) -> f64 {
        median(self.times())
    }

    /// Half the distance between the quarters of [`Turns::time`], in percent.
    pub fn spread(&self) -> f64 {
        spread(&self.times()) * 50.0
    }

    /// As [`Turns::time`], of what all processors worked.
    pub fn cpu(&self) -> f64 {
        median(self.ratios(|cost| cost.cpu.as_secs_f64()))
    }

    /// Median of one side's times.
    pub fn millis(&self, who: Who) -> f64 {
        median(self.of(who).iter().map(|cost| cost.wall.as_secs_f64() * 1e3))
    }

    /// Memory in MB, of the worst round.
    pub fn peak(&self, who: Who) -> f64 {
        self.of(who).iter().map(|cost| cost.peak as f64 * 1024.0 / 1e6).fold(0.0, f64::max)
    }

    fn of(&self, who: Who) -> &[Cost] {
        match who {
            Who::Ours => &self.ours,
            Who::Theirs => &self.theirs,
        }
    }

    fn times(&self) -> Vec<f64> {
        self.ratios(|cost| cost.wall.as_secs_f64())
    }

    fn ratios(&self, of: fn(&Cost) -> f64) -> Vec<f64> {
        self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| of(ours) / of(theirs)).collect()
    }
}
