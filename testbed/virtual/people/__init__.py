"""People who live with the devices of the house, made up by the seed."""

from testbed.virtual.people.population import DAYS, QUIET_DAYS, population

__all__ = ["DAYS", "QUIET_DAYS", "population"]
