//! Networks in stages against the graphs in one go, and how long each stage takes.

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::net::rten::{SALIENCY, TEXT};
use crate::{Cancel, Options};

/// With a size each.
fn networks() -> impl Iterator<Item = (&'static Network, (usize, usize))> {
    let masks = [
        (&SALIENCY, (320, 320)),
        (&TEXT, (32, 32)),
        (&TEXT, (320, 192)),
    ];
    #[cfg(feature = "words")]
    let reader = Some((&crate::net::words::READER, (320, 48)));
    #[cfg(not(feature = "words"))]
    let reader = None;
    masks.into_iter().chain(reader)
}

#[test]
fn a_network_in_stages_answers_what_the_whole_one_does() {
    let (options, cancel) = (Options::default(), Cancel::default());
    let mut heard = |_| {};
    let ctx = Context::new(&options, &mut heard, &cancel);
    for (network, (w, h)) in networks() {
        let data: Vec<f32> = (0..3 * w * h)
            .map(|at| {
                let (x, y) = (at % w, at / w % h);
                let stroke = (x / 4) % 2 == 0 && (12..26).contains(&(y % 64));
                if stroke { -0.9 } else { 0.9 }
            })
            .collect();
        let input = || Input {
            w,
            h,
            data: data.clone(),
        };
        let wanted = in_one_go(Call::begin(&ctx, network, input()).expect("it loads"));
        let staged = network.run(&ctx, input()).expect("it runs").into_data();
        assert!(
            wanted.iter().any(|value| *value > 0.01),
            "an answer of nothing"
        );
        assert_eq!(wanted.len(), staged.len());
        let far = |(one, other): (&f32, &f32)| (one - other).abs();
        let farthest = wanted.iter().zip(&staged).map(far).fold(0.0, f32::max);
        // Sums taken in another order differ over forty layers; either is as near the truth.
        assert!(farthest < 3e-4, "{} {w} x {h}: {farthest}", network.name);
    }
}

/// The answer of the graph without stages.
fn in_one_go(mut call: Call<'_>) -> Vec<f32> {
    let (model, (_, picture)) = (&call.loaded.model, call.alive.pop().expect("a picture"));
    let inputs = vec![(model.input_ids()[0], picture.into())];
    let answer = call.run(inputs, &model.output_ids()[..1]);
    let answer = answer.expect("it runs").into_iter().next();
    let answer: Tensor<f32> = answer.expect("an answer").try_into().expect("numbers");
    answer.into_data()
}

/// When the flag was looked at, in processor time.
static LOOKS: Mutex<Vec<Duration>> = Mutex::new(Vec::new());

fn noting() -> Duration {
    let mut looks = LOOKS.lock().expect("no panic");
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let nanos = time.tv_nsec.unsigned_abs() as u32;
    let time = Duration::new(time.tv_sec.unsigned_abs(), nanos);
    looks.push(time);
    time
}

/// Processor time in ms of each stretch between two looks in `work`, which `least` is lowered to.
fn stretches(least: &mut Vec<f64>, work: impl FnOnce()) -> f64 {
    LOOKS.lock().expect("no panic").clear();
    noting();
    work();
    noting();
    let looks = LOOKS.lock().expect("no panic");
    let ms = |pair: &[Duration]| (pair[1] - pair[0]).as_secs_f64() * 1000.0;
    least.resize(looks.len() - 1, f64::MAX);
    for (least, pair) in least.iter_mut().zip(looks.windows(2)) {
        *least = ms(pair).min(*least);
    }
    looks.windows(2).map(ms).sum()
}

#[test]
#[ignore = "a measurement: processor time of each stage, and of all against the graph in one go"]
fn stage_times() {
    let (options, cancel) = (
        Options {
            clock: noting,
            ..Options::default()
        },
        Cancel::default(),
    );
    let mut heard = |_| {};
    let ctx = Context::new(&options, &mut heard, &cancel);
    for (network, (w, h)) in networks() {
        let (w, h) = if network.name == "text" {
            (960, 960)
        } else {
            (w, h)
        };
        let noise = (0..3 * w * h).map(|at| (at * 7919 % 255) as f32 / 127.5 - 1.0);
        let data: Vec<f32> = noise.collect();
        let call = || {
            let data = data.clone();
            Call::begin(&ctx, network, Input { w, h, data }).expect("it loads")
        };
        let (mut bare, mut staged) = (f64::MAX, f64::MAX);
        let mut least = vec![Vec::new(); network.stages.len()];
        for _ in 0..15 {
            let once = call();
            let once = stretches(&mut Vec::new(), || drop(in_one_go(once)));
            bare = bare.min(once);
            let (mut call, mut sum) = (call(), 0.0);
            for (at, least) in least.iter_mut().enumerate() {
                let mut advance = || call.advance(at).expect("it runs");
                sum += stretches(least, || ctx.pool.run(&mut advance));
            }
            staged = staged.min(sum);
        }
        let longest = least.iter().flatten().copied().fold(0.0, f64::max);
        let (name, ratio) = (network.name, staged / bare);
        eprintln!(
            "{name}: in one go {bare:.0} ms, staged {staged:.0}, ratio {ratio:.3}, longest {longest:.1}"
        );
        for (stage, least) in network.stages.iter().zip(least) {
            eprintln!("  {least:.1?} {:?}", stage.to);
        }
    }
}
