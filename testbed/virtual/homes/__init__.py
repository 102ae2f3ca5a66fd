"""Homes with one device of the same model each, at the depth of flow records.

The device talks as in the virtual house; homes differ in people, networks and luck.
Nothing is sent and no packet is written: records come of columns of packet sizes and
times, weeks of them in a minute. `docs/homes.md` tells what is made up and how.

    simulate(Task(homes=8, days=21, device="echo_dot", ...), profile, folder)
"""

from testbed.virtual.homes.attacks import ATTACKS, Attack, read_attack
from testbed.virtual.homes.simulate import Task, simulate

__all__ = ["ATTACKS", "Attack", "Task", "read_attack", "simulate"]
