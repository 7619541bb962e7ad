"""The pool's options: what there is to set, where it was set, and what holds.

`options`, `values`, `layers`, `argv` and `credentials` need the standard library only, because the relay
uses them; `model` checks a whole configuration with pydantic and is for whoever acts on it.
"""
