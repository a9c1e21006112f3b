//! What is not well now, in the words of the alerts (`deploy/prometheus/alerts.yml`, `docs/operations.md`), for an operator who
//! has no Prometheus. It knows what can be seen in one look; alerts about rates over time (5xx, slow steps, leases, crashes,
//! dropped lines) are Prometheus's alone. Pure.

use std::time::Duration;

use serde::Serialize;

use super::runbook::{AlertText, runbook};
use crate::http::answer::checks::{Checks, Part};
use crate::jobs::{EngineKind, UnixMs};
use crate::store::{HooksWaiting, LATELY, Overview, QueueStats};

/// A step that is due for so long waits too long.
const QUEUE_OLD: Duration = Duration::from_secs(120);
const ERASURE_BEHIND: Duration = Duration::from_secs(3600);
/// A receiver is down for longer than a deployment takes.
const HOOKS_OLD: Duration = Duration::from_secs(3600);
const UNKNOWN_LATELY: Duration = Duration::from_secs(3600);
/// Shares of a bound, and of jobs that fail by an engine's fault.
const NEARLY: f64 = 0.9;
const SPENT: f64 = 0.8;
const FREE: f64 = 0.1;
const FAILING: f64 = 0.2;

/// Something that is not well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct Alarm {
    /// The name of the alert.
    #[schema(example = "LaminaQueueOld")]
    name: String,
    /// `critical` or `warning`.
    severity: String,
    /// What is wrong.
    summary: String,
    /// What to do. Words between backticks are options, commands or fields.
    todo: String,
}

/// What was seen.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) wall: UnixMs,
    pub(super) checks: Option<Checks>,
    pub(super) queue: &'a QueueStats,
    pub(super) overview: &'a Overview,
    pub(super) webhooks: HooksWaiting,
    pub(super) spent_today: u64,
    pub(super) daily_microusd: Option<u64>,
    /// Bytes that are kept, and their bound.
    pub(super) kept: (u64, Option<u64>),
    /// Free bytes of the disk, and its size.
    pub(super) disk: Option<(u64, u64)>,
    pub(super) is_expiry_held: bool,
}

/// All that is wrong, the worst first.
pub(super) fn alarms(seen: &Seen<'_>) -> Vec<Alarm> {
    let mut found = Vec::new();
    parts(seen, &mut found);
    room(seen, &mut found);
    engines(seen, &mut found);
    queue(seen, &mut found);
    money(seen, &mut found);
    hooks(seen, &mut found);
    if seen.is_expiry_held {
        found.extend(alarm("LaminaClockLeapt", &[], None));
    }
    // Stable, so that of one severity the order above stays.
    found.sort_by_key(|alarm| alarm.severity != "critical");
    found
}

fn alarm(name: &str, values: &[&str], part: Option<&str>) -> Option<Alarm> {
    let text: &AlertText = runbook().alerts.get(name)?;
    let todo = text.what_to_do(part);
    // Some parts have an alert of their own, which says more.
    let todo = runbook().alerts.get(todo).map_or(todo, |other| &other.todo);
    Some(Alarm {
        name: name.to_owned(),
        severity: text.severity.clone(),
        summary: text.said(values),
        todo: todo.to_owned(),
    })
}

fn parts(seen: &Seen<'_>, found: &mut Vec<Alarm>) {
    let Some(checks) = &seen.checks else { return };
    let parts = [
        ("database", checks.database),
        ("storage", checks.storage),
        ("worker", checks.worker),
    ];
    for (part, _) in parts.iter().filter(|(_, how)| *how == Part::Failed) {
        found.extend(alarm("LaminaNotReady", &[part], Some(part)));
    }
    if checks.draining {
        found.extend(alarm("LaminaNotReady", &["draining"], Some("draining")));
    }
    if checks.space == Part::Failed {
        found.extend(alarm("LaminaDiskFull", &[], None));
    }
    if checks.ownership == Part::Failed {
        found.extend(alarm("LaminaStorageNotOwn", &[], None));
    }
}

fn room(seen: &Seen<'_>, found: &mut Vec<Alarm>) {
    if let Some((free, size)) = seen.disk
        && (free as f64) < FREE * size as f64
    {
        found.extend(alarm("LaminaDiskFilling", &[], None));
    }
    if let (kept, Some(most)) = seen.kept
        && kept as f64 > NEARLY * most as f64
    {
        found.extend(alarm("LaminaStorageNearlyFull", &[], None));
    }
    let behind = |since: UnixMs| seen.wall.since(since) > ERASURE_BEHIND;
    if seen.overview.erasable_since.is_some_and(behind) {
        let jobs = seen.queue.erasable.to_string();
        found.extend(alarm("LaminaErasureBehind", &[&jobs], None));
    }
}

fn engines(seen: &Seen<'_>, found: &mut Vec<Alarm>) {
    let failures = &seen.overview.failures;
    for line in failures.iter().filter(|line| line.lately > 0) {
        if matches!(&*line.code, "engine_auth" | "engine_account_locked") {
            let values = [line.engine.as_str(), &line.code];
            found.extend(alarm("LaminaEngineRefuses", &values, None));
        }
    }
    if failures
        .iter()
        .any(|line| line.code == "crash_loop" && line.lately > 0)
    {
        found.extend(alarm("LaminaCrashing", &[], None));
    }
    for engine in EngineKind::ALL {
        let own = failures.iter().filter(|line| line.engine == engine);
        let by_fault = |code: &str| code.starts_with("engine_");
        let failed: u64 = own.clone().map(|line| line.lately).sum();
        let faults: u64 = own
            .filter(|line| by_fault(&line.code))
            .map(|line| line.lately)
            .sum();
        let runs = seen.overview.runs.iter().find(|(kind, _)| *kind == engine);
        let all = failed + runs.map_or(0, |(_, runs)| *runs);
        let share = faults as f64 / all.max(1) as f64;
        if share > FAILING {
            let share = format!("{:.0} %", share * 100.0);
            found.extend(alarm(
                "LaminaEngineFailing",
                &[&share, engine.as_str()],
                None,
            ));
        }
    }
    let lately = |closed_at: UnixMs| seen.wall.since(closed_at) < UNKNOWN_LATELY;
    if let Some(unknown) = seen
        .overview
        .unknown
        .iter()
        .find(|one| lately(one.closed_at))
    {
        found.extend(alarm(
            "LaminaSubmissionUnknown",
            &[unknown.engine.as_str()],
            None,
        ));
    }
}

fn queue(seen: &Seen<'_>, found: &mut Vec<Alarm>) {
    for line in &seen.queue.phases {
        if line.oldest_due > QUEUE_OLD {
            let waited = lasting(line.oldest_due);
            found.extend(alarm(
                "LaminaQueueOld",
                &[&waited, line.phase.as_str()],
                None,
            ));
        }
    }
    let jobs: u64 = seen
        .queue
        .phases
        .iter()
        .map(|line| line.due + line.later)
        .sum();
    let oldest = seen
        .overview
        .oldest
        .iter()
        .map(|(_, _, created_at)| *created_at)
        .min();
    let waits = oldest.is_some_and(|created_at| seen.wall.since(created_at) > LATELY * 2);
    let failed = seen.overview.failures.iter().any(|line| line.lately > 0);
    if jobs > 0 && waits && !failed && seen.overview.last_run.is_none() {
        found.extend(alarm("LaminaNoProgress", &[&jobs.to_string()], None));
    }
}

fn money(seen: &Seen<'_>, found: &mut Vec<Alarm>) {
    if let Some(most) = seen.daily_microusd
        && most > 0
        && seen.spent_today as f64 > SPENT * most as f64
    {
        let spent = format!("{:.2}", crate::access::usd(seen.spent_today));
        found.extend(alarm("LaminaSpendNearLimit", &[&spent], None));
    }
}

fn hooks(seen: &Seen<'_>, found: &mut Vec<Alarm>) {
    let waited = seen.webhooks.oldest.map(|oldest| seen.wall.since(oldest));
    if let Some(waited) = waited.filter(|waited| *waited > HOOKS_OLD) {
        found.extend(alarm("LaminaWebhooksWait", &[&lasting(waited)], None));
    }
}

/// As Prometheus says it in a summary.
fn lasting(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        seconds => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::{JobId, Phase};
    use crate::store::{FailureLine, PhaseStats, UnknownSubmission};

    const NOW: UnixMs = UnixMs(1_000_000_000);
    const WELL: Checks = Checks {
        draining: false,
        database: Part::Ok,
        storage: Part::Ok,
        worker: Part::Ok,
        space: Part::Ok,
        ownership: Part::Ok,
    };

    fn names(change: impl FnOnce(&mut Checks, &mut QueueStats, &mut Overview)) -> Vec<String> {
        let (mut checks, mut overview) = (WELL, Overview::default());
        let mut queue = QueueStats {
            phases: Vec::new(),
            erasable: 0,
        };
        change(&mut checks, &mut queue, &mut overview);
        let seen = Seen {
            wall: NOW,
            checks: Some(checks),
            queue: &queue,
            overview: &overview,
            webhooks: HooksWaiting::default(),
            spent_today: 0,
            daily_microusd: None,
            kept: (0, None),
            disk: None,
            is_expiry_held: false,
        };
        alarms(&seen).into_iter().map(|alarm| alarm.name).collect()
    }

    fn failed(code: &str, lately: u64) -> FailureLine {
        FailureLine {
            code: code.to_owned(),
            engine: EngineKind::Fal,
            jobs: 9,
            lately,
            latest: NOW,
        }
    }

    fn due(phase: Phase, seconds: u64) -> PhaseStats {
        PhaseStats {
            phase,
            due: 1,
            later: 0,
            oldest_due: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn a_service_that_is_well_says_nothing() {
        assert!(names(|_, _, _| {}).is_empty());
        let calm = names(|_, queue, overview| {
            queue.phases.push(due(Phase::Wait, 119));
            overview.failures = vec![failed("engine_auth", 0), failed("content_refused", 5)];
            overview.erasable_since = Some(NOW.minus(Duration::from_secs(60)));
            overview.oldest = vec![(
                Phase::Wait,
                JobId::new(NOW),
                NOW.minus(Duration::from_secs(60)),
            )];
        });
        assert!(calm.is_empty(), "{calm:?}");
    }

    #[test]
    fn each_thing_that_is_wrong_is_said_and_the_worst_first() {
        assert_eq!(
            names(|checks, _, _| checks.database = Part::Failed),
            ["LaminaNotReady"]
        );
        let storage = alarm("LaminaNotReady", &["storage"], Some("storage")).unwrap();
        assert_eq!(storage.summary, "This service takes no work: storage");
        assert!(storage.todo.contains("`lamina check`"), "{storage:?}");
        assert_eq!(
            names(|checks, _, _| checks.space = Part::Failed),
            ["LaminaDiskFull"]
        );
        assert_eq!(
            names(|checks, _, _| checks.ownership = Part::Failed),
            ["LaminaStorageNotOwn"]
        );
        assert_eq!(
            names(|_, queue, _| queue.phases.push(due(Phase::Submit, 121))),
            ["LaminaQueueOld"]
        );
        let refused = names(|_, queue, overview| {
            queue.phases.push(due(Phase::Submit, 500));
            overview.failures = vec![failed("engine_auth", 1)];
            overview.runs = vec![(EngineKind::Fal, 9)];
        });
        assert_eq!(refused, ["LaminaEngineRefuses", "LaminaQueueOld"]);
        let failing = |runs| {
            names(|_, _, overview| {
                overview.failures = vec![failed("engine_timeout", 2)];
                overview.runs = vec![(EngineKind::Fal, runs)];
            })
        };
        assert_eq!((failing(7).len(), failing(8).len()), (1, 0));
        let old = NOW.minus(LATELY * 3);
        let still = |last_run| {
            names(|_, queue, overview| {
                queue.phases.push(due(Phase::Wait, 0));
                overview.oldest = vec![(Phase::Wait, JobId::new(old), old)];
                overview.last_run = last_run;
            })
        };
        assert_eq!(still(None), ["LaminaNoProgress"]);
        assert!(still(Some(NOW)).is_empty());
        let unknown = |ago| {
            names(|_, _, overview| {
                overview.unknown.push(UnknownSubmission {
                    job: JobId::new(NOW),
                    owner: None,
                    engine: EngineKind::Fal,
                    microusd: 1,
                    opened_at: old,
                    closed_at: NOW.minus(Duration::from_secs(ago)),
                });
            })
        };
        assert_eq!(unknown(60), ["LaminaSubmissionUnknown"]);
        assert!(unknown(3_700).is_empty());
        let behind =
            names(|_, _, overview| overview.erasable_since = Some(NOW.minus(ERASURE_BEHIND * 2)));
        assert_eq!(behind, ["LaminaErasureBehind"]);
    }

    #[test]
    fn bounds_are_told_before_they_are_met() {
        let overview = Overview::default();
        let queue = QueueStats {
            phases: Vec::new(),
            erasable: 0,
        };
        let seen = |spent_today, kept, free| {
            let seen = Seen {
                wall: NOW,
                checks: None,
                queue: &queue,
                overview: &overview,
                webhooks: HooksWaiting {
                    deliveries: 1,
                    oldest: (spent_today > 850_000).then(|| NOW.minus(HOOKS_OLD * 2)),
                },
                spent_today,
                daily_microusd: Some(1_000_000),
                kept: (kept, Some(100)),
                disk: Some((free, 100)),
                is_expiry_held: true,
            };
            alarms(&seen)
        };
        let [alarm] = &seen(800_000, 90, 10)[..] else {
            panic!("only the clock leapt")
        };
        assert_eq!(alarm.name, "LaminaClockLeapt");
        assert!(alarm.todo.contains("`CLOCK_STEP_HOLD`"), "{alarm:?}");
        let names: Vec<_> = seen(800_001, 91, 9)
            .into_iter()
            .map(|alarm| alarm.name)
            .collect();
        assert_eq!(
            names,
            [
                "LaminaDiskFilling",
                "LaminaStorageNearlyFull",
                "LaminaSpendNearLimit",
                "LaminaClockLeapt"
            ]
        );
        let late = seen(900_000, 0, 50);
        let begins = |place: usize, words: &str| late[place].summary.starts_with(words);
        assert!(begins(0, "0.90 US dollars are spent today"), "{late:?}");
        assert!(
            begins(1, "A webhook has waited 2h 0m for its receiver"),
            "{late:?}"
        );
    }
}
