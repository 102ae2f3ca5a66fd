"""Name activities in traffic that nobody labelled, as it comes.

arrivals    captures, or bytes from a pipe -> cleaned packets per device
bursts      packets of one conversation without a pause
background  which bursts a device makes by itself
openings    bursts that the background does not explain: where an activity may begin
windows     the packets of the last minute, and the features that a model reads
model       what is learnt of a device, and what it answers
learn       a campaign -> models
detector    openings, answers, one event per activity
classify    all of it, over captures or live
"""
