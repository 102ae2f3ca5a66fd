"""What the page of scores on public data says around its tables."""

from collections.abc import Mapping

NAMES: Mapping[str, str] = {
    "vcfp": "vcfp-alexa: spoken commands to an Amazon Echo",
    "sentinel": "iot-sentinel: which device is being set up",
    "cic": "cic-iot2022: actions of nine devices",
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
- **Labels shuffled**: the same classifier, learnt and tested on shuffled labels. They
  are shuffled within sessions, or over all rows where a session is one activity, as
  many folds as hold 100 tested rows. It must lie at chance.
- **The best of RF, kNN and NB** is chosen by its score on the same test, which is to
  its favour. Differences are paired: both answered the same traces.
- **s** is seconds of learning and answering in all folds, one core, which other work
  may have shared.
- This command chooses nothing. Whether a classifier was designed with an eye on these
  sets, its decision record says (`docs/decisions`); until others score it on captures
  of their own, take differences rather for hints.
"""

ABOUT: Mapping[str, str] = {
    "vcfp": """\
Kennedy et al., *I Can Hear Your Alexa*, CNS 2019: tables of time, size and direction
of 100 commands, five traces each in set L; of set K, 12 commands are at hand. The
five traces of a command are of one recording, so that folds within a set are within
sessions. Published, on sets L and K together with 1,000 traces, 5 folds: LL-Jaccard
17.4 %, VNG++ 24.9 %, AdaBoost 33.4 %, LL-NB 33.8 %. 18 of the traces go back in time
by some µs and are sorted.

Read the tables together. Sets L and K are of other recordings. What is gained within a
set by exact lengths and their order is lost between sets, so that it seems to be the
recording that is recognised there, more than the command. The score within a set is
comparable with published ones, which have the same leak; it is no promise for another
day.
""",
    "sentinel": """\
Miettinen et al., *IoT SENTINEL*, ICDCS 2017: set-up captures; the activity is the
type of the device, a stand-in, as no other set at hand has whole captures of this
many classes. A part of the set: 157 of 550 captures, 27 types after units of one type
are put together. Packets and directions by the MAC address of the device; the
captures are imported as traces, with protocol, remote address and port of each
packet, since one campaign device stands for all types. Published, 540 captures and 10
folds: 81.5 %.
""",
    "cic": """\
Dadkhah et al., CIC IoT Dataset 2022: a table per interaction, of which repeats 1 and
2 of nine devices are at hand. The direction is that of the destination: the address
inside that most packets of a unit go to is its own. Packets that are no IP have no
destination there and are left out. Two physical Echo Dots count as one device. Each
device is learnt by itself; the figure is the mean over devices. Bulbs and plugs often
send the same few packets for `on` and `off`: some of this may not be told apart at all.
""",
}
