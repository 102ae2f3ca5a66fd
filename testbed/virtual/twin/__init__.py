"""Virtual devices that play shapes learnt from recorded trials.

A twin is a pair of files, made by `testbed lab learn`; `read` checks them, `draw` makes
new trials of them, and `house` lets them live beside the devices of the virtual house.
"""
