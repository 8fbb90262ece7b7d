//! The gate.

use crate::error::{Error, Result};
use crate::policy::{AttackName, Gate};

/// Most people that an attack may try; more would only cost time.
const MAX_TRIALS: u64 = 10_000_000;

pub(super) fn check(gate: &Gate) -> Result<()> {
    if gate.control.get() >= 1.0 {
        return Err(Error::policy(
            "gate.control",
            "everybody would be set aside, and nobody released",
            "give a share below 1, for example 0.1",
        ));
    }
    for (index, attack) in gate.attacks.iter().flatten().enumerate() {
        if gate.attacks.iter().flatten().take(index).any(|other| other == attack) {
            return Err(Error::policy(
                format!("gate.attacks[{index}]"),
                format!("{} is named twice", attack.name()),
                "name each attack once",
            ));
        }
    }
    for (index, known) in gate.known_items.iter().enumerate() {
        if *known == 0 {
            return Err(Error::policy(
                format!("gate.known_items[{index}]"),
                "an attacker who knows nothing finds nobody",
                "give numbers from 1 on",
            ));
        }
    }
    for (index, pair) in gate.known_items.windows(2).enumerate() {
        let [fewer, more] = pair else { continue };
        if fewer >= more {
            return Err(Error::policy(
                format!("gate.known_items[{}]", index + 1),
                format!("{more} stands after {fewer}"),
                "sort the numbers and give each once, for example [1, 2, 3, 4, 8]",
            ));
        }
    }
    let uses_items = gate.attacks.as_ref().is_none_or(|attacks| {
        attacks.iter().any(|attack| matches!(attack, AttackName::KnownItems | AttackName::KnownValues | AttackName::Scoreboard))
    });
    if gate.known_items.is_empty() && uses_items {
        return Err(Error::policy(
            "gate.known_items",
            "the list is empty",
            "say how many items the attacker knows, for example [1, 2, 4], or leave it out",
        ));
    }
    if gate.trials == 0 || gate.trials > MAX_TRIALS {
        return Err(Error::policy(
            "gate.trials",
            format!("{} is out of range", gate.trials),
            format!("give a number from 1 to {MAX_TRIALS}"),
        ));
    }
    Ok(())
}
