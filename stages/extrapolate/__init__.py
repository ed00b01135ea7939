"""How a metric grows with the number of labelled rows, and what more of them would bring."""
