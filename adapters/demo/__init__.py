"""A scripted Messages API on loopback, so that real slots run with no key, no network and no spend."""
