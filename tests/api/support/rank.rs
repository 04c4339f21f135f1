//! Whether two samples of times were drawn from the same distribution, by the rank-sum test of Mann and Whitney (Ann. Math.
//! Statist. 18, 1947): it asks only how often one is larger than the other, so that a machine that is busy with something
//! else, and the few samples that it holds up for long, neither hide a difference nor feign one.

use std::time::{Duration, Instant};

/// By how many standard deviations a rank sum may differ from what is expected. By chance one in two million does.
const LIMIT: f64 = 5.0;

/// How many times of each are compared.
const SAMPLES: usize = 300;

/// How many of each are taken before, for what is needed for the first time only.
const WARM_UP: usize = 10;

/// Times of one thing and of another, in seconds.
#[derive(Default)]
pub(crate) struct Times {
    pub(crate) one: Vec<f64>,
    pub(crate) other: Vec<f64>,
}

impl Times {
    /// Times `one` and `other`, many times each and in an order that neither they nor anything periodic follows: whatever
    /// slows the machine, or what came before, slows both alike. Each is told how often anything was timed before.
    pub(crate) async fn measure<F: Future<Output = ()>, G: Future<Output = ()>>(
        one: impl Fn(usize) -> F,
        other: impl Fn(usize) -> G,
    ) -> Self {
        for number in 0..WARM_UP {
            one(2 * number).await;
            other(2 * number + 1).await;
        }
        let mut times = Self::default();
        let mut order = Order(1);
        for pair in WARM_UP..WARM_UP + SAMPLES {
            let one_first = order.next_bit();
            for (number, is_one) in [(2 * pair, one_first), (2 * pair + 1, !one_first)] {
                let began = Instant::now();
                if is_one {
                    one(number).await;
                    times.one.push(began.elapsed().as_secs_f64());
                } else {
                    other(number).await;
                    times.other.push(began.elapsed().as_secs_f64());
                }
            }
        }
        times
    }

    /// How often each was done.
    pub(crate) fn drawn(&self) -> usize {
        WARM_UP + self.one.len()
    }

    /// Fails when one is slower than the other, by however little, if only it is so steadily. That the test could have seen
    /// a difference is shown by adding one: half of the width in which the middle half of all times lies.
    #[track_caller]
    pub(crate) fn assert_alike(&self, what: &str) {
        let z = rank_sum_z(&self.one, &self.other);
        let shift = self.middle_half() / 2.0;
        let slower: Vec<f64> = self.one.iter().map(|time| time + shift).collect();
        let control = rank_sum_z(&slower, &self.other);
        let told = format!(
            "{what}: z {z:.1}; medians {:?} and {:?}; {:?} more would be z {control:.1}",
            duration(median(&self.one)),
            duration(median(&self.other)),
            duration(shift),
        );
        eprintln!("{told}");
        assert!(control > LIMIT, "the test is blind: {told}");
        assert!(z.abs() < LIMIT, "{told}");
    }

    fn middle_half(&self) -> f64 {
        let all = sorted(self.one.iter().chain(&self.other));
        all[all.len() * 3 / 4] - all[all.len() / 4]
    }
}

/// How much larger than chance has it the values of `one` are among those of both: in standard deviations of their rank
/// sum, negative where they are smaller. Equal values share their ranks.
pub(crate) fn rank_sum_z(one: &[f64], other: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = one.iter().map(|value| (*value, true)).collect();
    all.extend(other.iter().map(|value| (*value, false)));
    all.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let (n, m) = (count(one.len()), count(other.len()));
    let mut rank_sum = 0.0;
    let mut ties = 0.0;
    let mut before = 0.0;
    for equal in all.chunk_by(|(a, _), (b, _)| a.total_cmp(b).is_eq()) {
        let size = count(equal.len());
        let ours = count(equal.iter().filter(|(_, is_one)| *is_one).count());
        rank_sum += ours * (before + f64::midpoint(size, 1.0));
        ties += size * size * size - size;
        before += size;
    }
    let u = rank_sum - n * (n + 1.0) / 2.0;
    let total = n + m;
    let variance = n * m / 12.0 * ((total + 1.0) - ties / (total * (total - 1.0)));
    if variance > 0.0 {
        (u - n * m / 2.0) / variance.sqrt()
    } else {
        0.0
    }
}

/// Coins that fall the same way in every run (Steele and Vigna's multiplier for a congruential generator).
struct Order(u64);

impl Order {
    fn next_bit(&mut self) -> bool {
        self.0 = self.0.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
        self.0 >> 63 == 1
    }
}

fn sorted<'a>(values: impl Iterator<Item = &'a f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.copied().collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn median(values: &[f64]) -> f64 {
    sorted(values.iter())[values.len() / 2]
}

fn count(size: usize) -> f64 {
    f64::from(u32::try_from(size).expect("a small sample"))
}

fn duration(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn a_rank_sum_is_that_of_the_books() {
    let near = |z: f64, expected: f64| assert!((z - expected).abs() < 0.001, "{z} is not {expected}");
    near(rank_sum_z(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]), -1.964);
    near(rank_sum_z(&[4.0, 5.0, 6.0], &[1.0, 2.0, 3.0]), 1.964);
    near(rank_sum_z(&[1.0, 4.0], &[2.0, 3.0]), 0.0);
    // With the correction for ties: U is 1, expected 4.5, its variance 5.25 less 0.6.
    near(rank_sum_z(&[1.0, 2.0, 2.0], &[2.0, 3.0, 4.0]), -1.623);
    near(rank_sum_z(&[1.0, 1.0], &[1.0, 1.0]), 0.0);
}

#[test]
fn what_is_alike_is_rarely_told_apart_and_half_a_width_always_is() {
    let mut order = Order(7);
    // With a long tail, as times have it.
    let mut draw = || {
        let uniform = (0..30).fold(0.0, |sum, _| f64::midpoint(sum, f64::from(u8::from(order.next_bit()))));
        0.001 / (1.02 - uniform)
    };
    for round in 0..100 {
        let times = Times {
            one: (0..SAMPLES).map(|_| draw()).collect(),
            other: (0..SAMPLES).map(|_| draw()).collect(),
        };
        let seen = rank_sum_z(&times.one, &times.other);
        assert!(seen.abs() < LIMIT, "round {round}: {seen}");
        let shift = times.middle_half() / 2.0;
        let other = times.other.iter().map(|time| time + shift).collect();
        let different = Times { one: times.one, other };
        let seen = rank_sum_z(&different.one, &different.other);
        assert!(seen < -LIMIT, "round {round}: {seen}");
    }
}
