"""The event log and what lies beside it: texts, the index, the sidecar that remembers the head."""
