"""The live virtual lab: a home of real sockets in namespaces of its own.

`lab` starts and ends it and runs commands inside; everything else here runs inside.
"""
