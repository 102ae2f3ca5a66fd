"""A collaborative detector of strange flows, CADeSH-style.

The method of Meidan et al. (2023), reconstructed from its abstract: an autoencoder
tells frequent flows from infrequent ones, clustering tells which of these are known,
and what a pool of homes with identical devices has seen is part of what both look at.
Every choice that the abstract leaves open is listed in docs/cadesh.md.

flows, keys         kinds of flows; what flows of two homes can have in common
own, pool, rows     what a home knows by itself, what the others tell, both together
autoencoder, known  the two steps
detector            the whole
"""
