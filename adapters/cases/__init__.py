"""Cases: a recorded run in one file, to be sent, read like any other log, and played again as a test."""
