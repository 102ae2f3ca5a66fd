"""What the page of scores on public data says around its tables.

Names in braces are filled in with what was counted; see `public_page.counted`.
"""

from collections.abc import Mapping

NAMES: Mapping[str, str] = {
    "vcfp": "vcfp-alexa: spoken commands to an Amazon Echo",
    "sentinel": "iot-sentinel: which device is being set up",
    "cic": "cic-iot2022: actions of {n_devices} devices",
}

HEAD = """\
# Scores on public data

Traffic that others captured from real devices; nothing here is simulated. The sets
are taken over by [our importers](importing.md), every classifier that the project has
is scored by its own evaluation, and this page is written by the command:

```sh
export TESTBED_PUBLIC_DATA=FOLDER
python -m tests.bench.public --page docs/public-results.md
```

How to read it:

- **Intervals** are of 95 %: over sessions drawn as a whole (and never narrower than
  Wilson's), over devices where the figure is a mean of devices.
- **Leaky** says that windows of one recording are on both sides of the split.
- **Chance** is one over the number of classes; **majority** always names the class that
  the folds learn most often.
- **Labels shuffled**: the same classifier, learnt and tested on shuffled labels. They
  are shuffled within sessions, or over all rows where a session is one activity, as
  many folds as hold 100 tested rows. It must lie at chance.
- **The best of RF, kNN and NB** is chosen by its score on the same test, which is to
  its favour. Differences are paired: both answered the same traces.
- **s** is seconds of learning and answering in all folds, one core, which other work
  may have shared.
- **The fusion was designed on these sets.** Its parts were chosen by cross-validation
  on set L of vcfp, on sentinel and on cic, the same traces as here
  ([how](decisions/0014-what-the-fusion-is-made-of.md)): its figures there, and its
  lead, are optimistic. vcfp from L to K is all that was not looked at in choosing.
  Until others score it on captures of their own, take the other differences for hints.
"""

ABOUT: Mapping[str, str] = {
    "vcfp": """\
Kennedy et al., *I Can Hear Your Alexa*, CNS 2019: tables of time, size and direction.
At hand are {n_within} traces of {n_commands} commands (set L) and {n_beyond} of
{n_common} of these commands (set K). The traces of a command in a set are of one
recording, so that folds within a set are within sessions. Some traces go back in time
by some µs and are sorted.

Published: LL-Jaccard 17.4 %, VNG++ 24.9 %, AdaBoost 33.4 %, LL-NB 33.8 %, in 5 folds on
sets L and K together, 1,000 traces. Ours within set L are **not comparable** with
these: other traces, half as many for each command to learn from, and of one recording
instead of two.

Read the tables together. Sets L and K are of other recordings. What is gained within a
set by exact lengths and their order is lost between sets, so that it seems to be the
recording that is recognised there, more than the command. The score within a set is
no promise for another day.
""",
    "sentinel": """\
Miettinen et al., *IoT SENTINEL*, ICDCS 2017: set-up captures; the activity is the
type of the device, a stand-in, as no other set at hand has whole captures of this
many classes. A part of the set: {n_traces} captures, {n_classes} types after units of
one type are put together. Packets and directions by the MAC address of the device; the
captures are imported as traces, with protocol, remote address and port of each
packet, since one campaign device stands for all types. Published, on 540 captures in
10 folds: 81.5 %, on more captures than here and so not comparable either.
""",
    "cic": """\
Dadkhah et al., CIC IoT Dataset 2022: a table per interaction, of which repeats 1 and
2 of {n_devices} devices are at hand. The direction is that of the destination: the
address inside that most packets of a unit go to is its own. Packets that are no IP have
no destination there and are left out. Two physical Echo Dots count as one device. Each
device is learnt by itself; the figure is the mean over devices. Bulbs and plugs often
send the same few packets for `on` and `off`: some of this may not be told apart at all.
""",
}
