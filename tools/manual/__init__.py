"""What the project says of itself, made from its code: events, states, sessions, the site."""
