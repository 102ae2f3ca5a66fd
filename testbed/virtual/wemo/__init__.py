"""WeMo Insight plugs as software, for the real pywemo to drive.

`start_wemo` hosts one plug; `start_ssdp` answers searches for it, in a namespace only.
"""

from testbed.virtual.wemo.server import Wemo, start_wemo
from testbed.virtual.wemo.ssdp import start_ssdp

__all__ = ["Wemo", "start_ssdp", "start_wemo"]
