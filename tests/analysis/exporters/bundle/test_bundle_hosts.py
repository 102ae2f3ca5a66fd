import ipaddress
from pathlib import Path

import polars as pl

from analysis.exporters.anonymise import Pseudonyms
from analysis.exporters.identifiers.harvest import harvest
from analysis.hosts import find_hosts

ROOT = Path(__file__).parents[4]
EXAMPLE = ROOT / "captures" / "example"
KEY = bytes(range(32))


def test_the_hosts_are_those_of_the_campaign_under_pseudonyms(published):
    hosts = pl.read_parquet(published / "data" / "tables" / "hosts.parquet")
    pseudonyms = Pseudonyms(KEY)

    def renamed(address):
        number = pseudonyms.ipv4(int(ipaddress.IPv4Address(address)))
        return str(ipaddress.IPv4Address(number))

    column = pl.col("address").map_elements(renamed, return_dtype=pl.String)
    real = find_hosts(EXAMPLE).with_columns(column)
    same = ["device", "address", "name", "source", "from_ns", "until_ns", "n"]
    assert hosts.height > 4
    assert hosts[same].sort(same).equals(real[same].sort(same))
    folders = [*(published / "data" / "campaigns").iterdir()]
    again = pl.concat([find_hosts(folder) for folder in folders])
    assert hosts[same].equals(again[same])
    # what is written into payloads is told, and is another address
    written = hosts.filter(pl.col("written") != "")
    assert (written["written"] != written["address"]).all()
    text = (published / "data" / "tables" / "hosts.csv").read_text(encoding="utf-8")
    assert not [each for each in harvest(EXAMPLE) if each.value in text]
