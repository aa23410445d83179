//! Whether a relay would take a tunnel now, for balancers and orchestrators.

use wayleave_proto::config::RelayLimits;
use wayleave_proto::relay::Stats;

/// What keeps a relay from taking another tunnel; `None` where nothing does, as far as can be told before somebody asks.
pub(super) fn obstacle(stats: &Stats, limits: &RelayLimits, is_accepting: bool) -> Option<String> {
    let Stats { connections, held, .. } = stats;
    if stats.draining {
        Some("The relay drains: it takes no new connections.".into())
    } else if !is_accepting {
        Some(
            "The listener could not accept a connection within the last five seconds; the relay's log says why."
                .into(),
        )
    } else if *connections >= limits.connections {
        Some(format!("{connections} connections are open, the limit of the relay (connections of [limits])."))
    } else if *held >= limits.memory {
        Some(format!("{held} bytes are in buffers, the limit of the relay (memory of [limits])."))
    } else {
        None
    }
}
