//! What a client may do: addresses, ports and rates.
