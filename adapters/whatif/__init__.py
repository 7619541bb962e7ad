"""The core once more over a recorded past, with other settings and on a clock of its own."""
