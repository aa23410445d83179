//! Everything that was measured, for programs.

use serde_json::{Value, json};

use super::{Figures, Measured, Results};

/// All samples of all rows.
pub fn value(results: &Results) -> Value {
    let machines = results.machines.iter().map(|cost| {
        json!({
            "name": cost.name,
            "instructions": cost.instructions,
            "allocations": cost.allocations,
            "nanoseconds": cost.nanoseconds,
        })
    });
    json!({
        "conditions": results.conditions,
        "absent": results.absent.iter().map(|(relay, why)| json!({ "relay": relay, "why": why })).collect::<Value>(),
        "machines": machines.collect::<Value>(),
        "rows": results.rows.iter().map(row).collect::<Value>(),
    })
}

fn row(row: &Measured) -> Value {
    json!({
        "name": row.name,
        "cost-unit": row.work.cost_unit(),
        "rate-unit": row.work.rate_unit(),
        "relays": row.relays.iter().map(relay).collect::<Value>(),
    })
}

fn relay(figures: &Figures) -> Value {
    let samples = figures.samples.iter().map(|sample| {
        json!({
            "cost": sample.cost,
            "rate": sample.rate,
            "busy": sample.busy,
            "latency-us": sample.latency.map(|all| all.map(|one| one.as_secs_f64() * 1e6)),
            "loss": sample.loss,
        })
    });
    json!({
        "relay": figures.relay,
        "kind": format!("{:?}", figures.kind).to_lowercase(),
        "failure": figures.failure,
        "samples": samples.collect::<Value>(),
    })
}
