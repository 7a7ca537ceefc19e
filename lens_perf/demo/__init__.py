"""The live demo: an embedded PostgreSQL, and small models that really train."""
