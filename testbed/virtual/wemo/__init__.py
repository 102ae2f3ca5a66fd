"""WeMo Insight plugs as software, for the real pywemo to drive.

`start_wemo` hosts one plug, `make_wemo` leaves the listening to its caller.
`start_ssdp` answers searches for it, in a namespace only.
"""

from testbed.virtual.wemo.description import Identity
from testbed.virtual.wemo.server import Wemo, make_wemo, start_wemo
from testbed.virtual.wemo.ssdp import start_ssdp

__all__ = ["Identity", "Wemo", "make_wemo", "start_ssdp", "start_wemo"]
