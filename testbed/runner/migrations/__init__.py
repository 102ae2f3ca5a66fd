"""The steps from each form of the journal database to the next, one file each.

alembic runs them in the order of their revisions. A step that was released is never
changed; a new one is a new file, and tables.py then says what it leads to.
"""
