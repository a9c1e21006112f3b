//! How long runs took of late, by class, and what that says of one that is to come. It reads no clock. Bounded: of each
//! class the newest are kept, so that a machine that became slower, or a model that became quicker, is believed soon.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::jobs::{EngineKind, RunClass, SizeClass};

/// Runs of one class that are kept.
const KEPT: usize = 24;
/// So many of exactly one class say more than all that are similar.
const ENOUGH: usize = 3;
/// By how much a run grows with its picture where only other sizes were seen, as a power of the pixels: some of the
/// work goes by them, and some, such as a network of fixed size, does not.
const GROWTH: f64 = 0.5;

/// The runs that are remembered.
#[derive(Debug, Default)]
pub(super) struct History {
    runs: BTreeMap<RunClass, VecDeque<Duration>>,
    /// What was asked for since a run was learnt; so many who wait for one engine cost one sorting.
    spreads: HashMap<RunClass, Option<Arc<Spread>>>,
    of_engines: HashMap<EngineKind, Option<Arc<Spread>>>,
}

/// How long runs take, as they were measured; never empty.
#[derive(Clone, Debug)]
pub(super) struct Spread(Vec<Duration>);

impl History {
    pub(super) fn learn(&mut self, class: RunClass, took: Duration) {
        let runs = self.runs.entry(class).or_default();
        if runs.len() == KEPT {
            runs.pop_front();
        }
        runs.push_back(took);
        self.spreads.clear();
        self.of_engines.clear();
    }

    /// What is known of such runs: of the same class, or else of the same size with any number of layers, or else of
    /// the nearest size, scaled. None before any run of the engine.
    pub(super) fn spread(&mut self, class: RunClass) -> Option<Arc<Spread>> {
        if let Some(known) = self.spreads.get(&class) {
            return known.clone();
        }
        let made = self.make_spread(class).map(Arc::new);
        self.spreads.insert(class, made.clone());
        made
    }

    fn make_spread(&self, class: RunClass) -> Option<Spread> {
        if let Some(runs) = self.runs.get(&class)
            && runs.len() >= ENOUGH
        {
            return Spread::of(runs.iter().copied());
        }
        let nearest = self.nearest_size(class)?;
        let growth = (GROWTH * nearest.doublings_to(class.size)).exp2();
        let runs = self.of_engine(class.engine);
        let runs = runs.filter(|(other, _)| other.size == nearest);
        Spread::of(
            runs.flat_map(|(_, runs)| runs)
                .map(|took| took.mul_f64(growth)),
        )
    }

    /// Of all runs of an engine, for a picture that nobody has seen yet.
    pub(super) fn any(&mut self, engine: EngineKind) -> Option<Arc<Spread>> {
        if let Some(known) = self.of_engines.get(&engine) {
            return known.clone();
        }
        let runs = self.of_engine(engine).flat_map(|(_, runs)| runs).copied();
        let made = Spread::of(runs).map(Arc::new);
        self.of_engines.insert(engine, made.clone());
        made
    }

    /// Each class that was seen, with how often.
    pub(super) fn classes(&self) -> impl Iterator<Item = (RunClass, Spread)> {
        let spread = |(class, runs): (&RunClass, &VecDeque<Duration>)| {
            Some((*class, Spread::of(runs.iter().copied())?))
        };
        self.runs.iter().filter_map(spread)
    }

    fn of_engine(
        &self,
        engine: EngineKind,
    ) -> impl Iterator<Item = (&RunClass, &VecDeque<Duration>)> {
        self.runs
            .iter()
            .filter(move |(class, _)| class.engine == engine)
    }

    /// Of two that are as far, the one with as many layers.
    fn nearest_size(&self, class: RunClass) -> Option<SizeClass> {
        let distance = |other: &RunClass| {
            let doublings = other.size.doublings_to(class.size).abs();
            (doublings * 4.0 + f64::from(u8::from(other.layers != class.layers))) as u32
        };
        let classes = self.of_engine(class.engine).map(|(class, _)| class);
        classes
            .min_by_key(|other| distance(other))
            .map(|nearest| nearest.size)
    }
}

impl Spread {
    fn of(runs: impl Iterator<Item = Duration>) -> Option<Self> {
        let mut runs: Vec<_> = runs.collect();
        runs.sort_unstable();
        (!runs.is_empty()).then_some(Self(runs))
    }

    pub(super) fn runs(&self) -> usize {
        self.0.len()
    }

    /// The time within which this share of the runs ended, 0.0 to 1.0.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        let place = (share * self.0.len() as f64).ceil() as usize;
        self.0[place.clamp(1, self.0.len()) - 1]
    }

    /// What is left of a run that has taken this long: by the median of those that took longer. None where none did,
    /// for then nothing is known.
    pub(super) fn left(&self, taken: Duration) -> Option<Duration> {
        let longer = &self.0[self.0.partition_point(|run| *run <= taken)..];
        Some(
            longer
                .get(longer.len().saturating_sub(1) / 2)?
                .saturating_sub(taken),
        )
    }

    /// What a run takes on average, for sums of many. The longest sixteenth is left out: one that the machine slept
    /// through says nothing of the others.
    pub(super) fn mean(&self) -> Duration {
        let usual = &self.0[..self.0.len() - self.0.len() / 16];
        usual.iter().sum::<Duration>() / u32::try_from(usual.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::LayersAsked;

    fn class(side: u32, layers: u8) -> RunClass {
        RunClass {
            engine: EngineKind::Local,
            size: SizeClass::of(side, side),
            layers: LayersAsked(layers),
        }
    }

    fn seconds(of: &[u64]) -> Vec<Duration> {
        of.iter().copied().map(Duration::from_secs).collect()
    }

    fn history(runs: &[(RunClass, &[u64])]) -> History {
        let mut history = History::default();
        for (class, times) in runs {
            for took in seconds(times) {
                history.learn(*class, took);
            }
        }
        history
    }

    fn median(history: &mut History, class: RunClass) -> Option<Duration> {
        Some(history.spread(class)?.quantile(0.5))
    }

    #[test]
    fn nothing_is_said_of_an_engine_before_its_first_run() {
        let mut history = history(&[(class(1024, 4), &[9])]);
        let other = RunClass {
            engine: EngineKind::Fal,
            ..class(1024, 4)
        };
        assert!(history.spread(other).is_none() && history.any(EngineKind::Fal).is_none());
        assert_eq!(
            median(&mut history, class(1024, 4)),
            Some(Duration::from_secs(9))
        );
    }

    #[test]
    fn a_class_of_its_own_says_more_than_similar_ones_once_it_has_three_runs() {
        let mut history = history(&[(class(1024, 4), &[4, 4, 4, 4]), (class(1024, 8), &[9, 9])]);
        assert_eq!(
            median(&mut history, class(1024, 8)),
            Some(Duration::from_secs(4))
        );
        history.learn(class(1024, 8), Duration::from_secs(9));
        assert_eq!(
            median(&mut history, class(1024, 8)),
            Some(Duration::from_secs(9))
        );
        assert_eq!(
            median(&mut history, class(1024, 1)),
            Some(Duration::from_secs(4))
        );
    }

    #[test]
    fn another_size_is_scaled_from_the_nearest() {
        let mut history = history(&[(class(1024, 4), &[4]), (class(4096, 4), &[20])]);
        assert_eq!(
            median(&mut history, class(512, 4)),
            Some(Duration::from_secs(2))
        );
        assert_eq!(median(&mut history, class(8192, 4)).unwrap().as_secs(), 40);
    }

    #[test]
    fn old_runs_are_forgotten() {
        let mut history = history(&[(class(1024, 4), &[1; KEPT])]);
        for _ in 0..KEPT {
            history.learn(class(1024, 4), Duration::from_secs(5));
        }
        let (_, spread) = history.classes().next().unwrap();
        assert_eq!(
            (spread.runs(), spread.quantile(0.0)),
            (KEPT, Duration::from_secs(5))
        );
    }

    #[test]
    fn what_is_left_goes_by_the_runs_that_took_longer() {
        let spread = Spread::of(seconds(&[1, 2, 3, 10, 20]).into_iter()).unwrap();
        let left = |taken| {
            spread
                .left(Duration::from_millis(taken))
                .map(|left| left.as_millis())
        };
        assert_eq!(left(0), Some(3_000));
        assert_eq!(left(500), Some(2_500));
        assert_eq!(left(3_500), Some(6_500));
        assert_eq!(left(10_000), Some(10_000));
        assert_eq!(left(20_000), None);
        assert_eq!(spread.quantile(0.9), Duration::from_secs(20));
        assert_eq!(spread.mean(), Duration::from_millis(7_200));
        let slept =
            Spread::of(seconds(&[[2; 15].as_slice(), &[3_600]].concat()).into_iter()).unwrap();
        assert_eq!(slept.mean(), Duration::from_secs(2));
    }
}
