"""The log as a film: a view of the whole terminal over a cursor that goes through it, or follows its end.

`player` is what keys do, `cursor` the pool folded up to a position, `scene` what there is to see there,
`drawing` the lines of it, `terminal` keys and screen, `watching` the loop over all of them.
"""
