"""Who may ask: bearer tokens and the addresses that may be served without them. Knows nothing of Flask."""
