"""Is a flow run alive? Its process sends heartbeats, and whoever waits for it monitors them."""
