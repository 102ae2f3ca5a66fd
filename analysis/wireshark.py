"""Run tools of Wireshark as they were installed, whatever their user has set.

A protocol that a user has switched off, a port that is decoded as something else or a
plugin of one's own changes what tshark says; a check must say the same everywhere.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

CONFIGURATION = "WIRESHARK_CONFIG_DIR"


@contextmanager
def undisturbed() -> Iterator[dict[str, str]]:
    """Give an environment in which tshark finds neither settings nor plugins of a user.

    Its home is an empty folder: personal plugins lie there, beside the settings.
    """
    with TemporaryDirectory(prefix="testbed-tshark-") as empty:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("WIRESHARK_")}
        homes = dict.fromkeys((CONFIGURATION, "HOME", "XDG_CONFIG_HOME"), empty)
        yield kept | homes
