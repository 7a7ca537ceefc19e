"""Access control: bearer tokens, and the addresses that may be served without them. Independent of Flask."""
