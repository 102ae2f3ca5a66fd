"""`doctor`: is the lab fit for a campaign? Every instrument is looked at.

A check never stops the others, has a deadline of its own, and ends with a verdict, what
was measured and what to do about it. Nothing of a look stays: no capture on the router,
no process, no fact in the journal.
"""
