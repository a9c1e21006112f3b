//! Which faults the next request meets: a sequence for the next submissions, rules for prompts
//! that contain a marker, and markers that a prompt carries itself.
//!
//! It only answers "which faults?"; it never acts. Invariant: a place in the sequence is used by
//! one submission and never again; a rule stays until reset unless it was made for one.

use std::collections::{BTreeSet, VecDeque};

use super::Fault;

/// The pending script of one emulator.
#[derive(Debug, Default)]
pub(crate) struct Script {
    sequence: VecDeque<Vec<Fault>>,
    rules: Vec<Rule>,
}

/// What submissions meet whose prompt contains a marker.
#[derive(Debug)]
struct Rule {
    marker: String,
    faults: Vec<Fault>,
    /// Whether the first such submission uses it up.
    once: bool,
}

impl Script {
    /// Appends a place in the sequence; the submission that takes it meets all of `faults`.
    pub(crate) fn push(&mut self, faults: Vec<Fault>) {
        self.sequence.push_back(faults);
    }

    /// Submissions whose prompt contains `marker` meet `faults`: all of them, or only the first. Of several rules for one submission with
    /// the same marker each is used up by a submission of its own, in their order.
    pub(crate) fn push_rule(&mut self, marker: String, faults: Vec<Fault>, once: bool) {
        self.rules.push(Rule {
            marker,
            faults,
            once,
        });
    }

    /// The faults for a submission with this prompt; uses up the head of the sequence.
    pub(crate) fn take_for(&mut self, prompt: &str) -> Vec<Fault> {
        let mut faults = self.sequence.pop_front().unwrap_or_default();
        let mut used = BTreeSet::new();
        self.rules.retain(|rule| {
            let is_next = !rule.once || !used.contains(&rule.marker);
            let meant = prompt.contains(&rule.marker) && is_next;
            if meant {
                faults.extend(rule.faults.iter().cloned());
            }
            if meant && rule.once {
                used.insert(rule.marker.clone());
            }
            !(meant && rule.once)
        });
        faults.extend(markers(prompt));
        faults
    }

    /// Whether an upload meets a locked account now; uses up the head of the sequence if so.
    pub(crate) fn take_lock(&mut self) -> bool {
        let locked = self
            .sequence
            .front()
            .is_some_and(|faults| faults.contains(&Fault::Locked));
        if locked {
            self.sequence.pop_front();
        }
        locked
    }

    /// How many places of the sequence are unused.
    pub(crate) fn pending(&self) -> usize {
        self.sequence.len()
    }
}

/// Faults named inside a prompt: `[[emulator:layer_not_found]]`, or with fields as JSON:
/// `[[emulator:{"status_errors":{"status":500,"times":3}}]]`. Unknown names are ignored.
fn markers(prompt: &str) -> Vec<Fault> {
    prompt
        .split("[[emulator:")
        .skip(1)
        .filter_map(|rest| rest.split_once("]]"))
        .filter_map(|(text, _)| {
            let text = text.trim();
            Fault::by_name(text).or_else(|| serde_json::from_str(text).ok())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::ModelError;

    #[test]
    fn rules_for_one_submission_are_used_up_one_by_one() {
        let mut script = Script::default();
        for fault in [Fault::Nothing, Fault::EmptyImages] {
            script.push_rule("red".into(), vec![fault], true);
        }
        script.push_rule("ball".into(), vec![Fault::Nsfw], false);
        assert_eq!(script.take_for("a red ball"), [Fault::Nothing, Fault::Nsfw]);
        assert_eq!(script.take_for("red"), [Fault::EmptyImages]);
        assert!(script.take_for("red").is_empty());
    }

    #[test]
    fn a_prompt_names_its_own_faults() {
        let mut script = Script::default();
        let found = script.take_for(
            "a cat [[emulator:content_policy_violation]] and \
             [[emulator:{\"status_errors\":{\"status\":502,\"times\":3}}]] [[emulator:no_such]]",
        );
        assert_eq!(
            found,
            [
                Fault::ModelError(ModelError::ContentPolicyViolation),
                Fault::StatusErrors {
                    status: 502,
                    times: 3
                }
            ]
        );
    }

    #[test]
    fn the_sequence_is_used_in_order_and_rules_stay() {
        let mut script = Script::default();
        script.push(vec![Fault::Nothing]);
        script.push(vec![Fault::ServerError]);
        script.push_rule("red".into(), vec![Fault::EmptyImages], false);
        assert_eq!(script.take_for("red"), [Fault::Nothing, Fault::EmptyImages]);
        assert_eq!(script.take_for("blue"), [Fault::ServerError]);
        assert_eq!(script.take_for("red"), [Fault::EmptyImages]);
    }

    #[test]
    fn a_rule_for_one_submission_is_used_up_by_it() {
        let mut script = Script::default();
        script.push_rule("red".into(), vec![Fault::ServerError], true);
        assert!(script.take_for("blue").is_empty());
        assert_eq!(script.take_for("red"), [Fault::ServerError]);
        assert!(script.take_for("red").is_empty());
    }
}
