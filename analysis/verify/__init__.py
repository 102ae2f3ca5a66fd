"""Look at a published dataset, or at a campaign, and tell every fault.

verified = verify(path, watcher)
"""

from analysis.verify.look import verify
from analysis.verify.model import Fault, Verified, Watcher

__all__ = ["Fault", "Verified", "Watcher", "verify"]
