"""Public captures as campaigns: what a stranger would do with our importers.

Each set is written as traces (a CSV per activity and one of names) and taken over by
`import_traces`. A campaign that is there already, made by the same code, is used again.
"""

import csv
import hashlib
import ipaddress
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from analysis.dataset import Device
from analysis.importers.trace_rows import ETHERNET_B
from analysis.importers.trace_table import TraceRecipe
from analysis.importers.traces import import_traces
from analysis.packets.select import Selector
from analysis.pcap.decode import decode_batch
from analysis.pcap.stream import open_capture_stream
from tests.bench.public_digests import code_digest, data_digest

_NAMES = (
    *("file", "activity", "session", "trial", "unit", "channel", "network"),
    "parameters",
)
_PACKETS = ("time", "size", "direction", "protocol", "remote", "port")
# 31 folders, 27 types: two units of one type have a folder each
_SAME_TYPE = re.compile(r"(EdimaxCam|EdnetCam|WeMoInsightSwitch|WeMoSwitch)[12]?")
_CIC_NAME = re.compile(
    r"(?P<unit>[a-z]+\d?)(?P<medium>LAN|WAN|LOCAL|ALEXA|GOOGLE|VOICE|POWER)"
    r"(?P<action>[A-Z]*)[-_](?P<repeat>\d)"
)
_MEDIA = {
    "LAN": ("phone", "lan"),
    "WAN": ("phone", "wan"),
    "LOCAL": ("", ""),  # a hand on the device
    "ALEXA": ("voice", ""),
    "GOOGLE": ("voice", ""),
    "VOICE": ("voice", ""),
    "POWER": ("power", ""),
}
_DEVICE_SHARE = ipaddress.ip_network("192.168.137.0/24")  # of the lab's hotspot
_ROUTER = ipaddress.ip_address("192.168.137.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One campaign to be: a device and how its traces are written to a folder.

    write  folder of the set, folder for CSVs -> writes them and labels.csv, or where
           there is nothing to rewrite returns the folder that holds the CSVs
    """

    device: str
    write: Callable[[Path, Path], Path]
    recipe: TraceRecipe = field(default_factory=TraceRecipe)


def campaign_of(data: Path, out: Path, name: str, source: Source) -> Path:
    """Return the campaign folder of a set, made when it is not there.

    data  folder of the set;  out  where campaigns are kept
    """
    made_of = f"{code_digest()}{data_digest(data)}".encode()
    digest = hashlib.sha256(made_of).hexdigest()[:8]
    target = out / f"{name}-{digest}" / source.device
    if (target / "MANIFEST.sha256").exists():
        return target
    scratch = target.with_name(f"{source.device}-traces")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    tables = source.write(data, scratch)
    import_traces(
        [tables],
        labels=scratch / "labels.csv",
        target=target,
        device=source.device,
        recipe=source.recipe,
    )
    shutil.rmtree(scratch)
    return target


def vcfp(data: Path) -> Mapping[str, Source]:
    """Return the traces of spoken commands: the five of a command are one recording."""
    del data
    recipe = TraceRecipe(constants={"channel": "voice"}, extra_b=ETHERNET_B, sort=True)
    return {"vcfp": Source(device="echo", write=_write_vcfp, recipe=recipe)}


def _write_vcfp(data: Path, scratch: Path) -> Path:
    with (data / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [
            {
                "file": row["file"],
                "activity": row["command"],
                "session": f"{row['command']}_{row['set']}",
                "trial": Path(row["file"]).stem,
                "parameters": f"set={row['set']}",
            }
            for row in csv.DictReader(file)
        ]
    _write(scratch / "labels.csv", _NAMES, rows)
    return data / "trace_csv"


def sentinel(data: Path) -> Mapping[str, Source]:
    """Return the set-up captures: the activity is the type of the device."""
    del data
    recipe = TraceRecipe(sort=True)  # some captures go back by µs
    source = Source(device="sentinel", write=_write_sentinel, recipe=recipe)
    return {"sentinel": source}


def _write_sentinel(data: Path, scratch: Path) -> Path:
    rows = []
    for folder in sorted(path for path in data.iterdir() if path.is_dir()):
        found = _SAME_TYPE.fullmatch(folder.name)
        macs = _macs(folder / "_iotdevice-mac.txt")
        for path in sorted(folder.glob("*.pcap")):
            name = f"{folder.name}-{path.stem}"
            packets = list(_of_device(path, macs))
            if not packets:
                continue
            _write(scratch / f"{name}.csv", _PACKETS, packets)
            kind = found[1] if found else folder.name
            names = {"file": f"{name}.csv", "activity": kind, "session": name}
            rows.append({**names, "trial": name, "unit": folder.name})
    _write(scratch / "labels.csv", _NAMES, rows)
    return scratch


def _macs(path: Path) -> tuple[str, ...]:
    text = path.read_text(encoding="utf-8").lower()
    return tuple(re.findall(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", text))


def _of_device(path: Path, macs: tuple[str, ...]) -> Iterator[dict[str, object]]:
    """Yield the packets that the MACs sent or received, as rows of a trace."""
    selectors = [Selector(Device(name="it", mac=mac)) for mac in macs]
    with open_capture_stream(path) as stream:
        for batch in stream:
            decoded = decode_batch(batch)
            none = decoded.src_port[:0].astype("int64")
            sides: dict[int, bool] = {}
            for selector in selectors:
                chosen = selector.of(decoded, none)
                pairs = zip(chosen.rows.tolist(), chosen.outbound.tolist(), strict=True)
                sides |= {row: sides.get(row, False) or out for row, out in pairs}
            for row in sorted(sides):
                out = sides[row]
                remote = decoded.dst[row] if out else decoded.src[row]
                is_ip = decoded.protocol[row] != 0
                port = decoded.dst_port[row] if out else decoded.src_port[row]
                yield {
                    "time": f"{int(batch.time_ns[row])}e-9",
                    "size": int(batch.length_b[row]),
                    "direction": "out" if out else "in",
                    "protocol": int(decoded.protocol[row]) if is_ip else "none",
                    "remote": _address(remote) if is_ip else "",
                    "port": int(port),
                }


def _address(halves: object) -> str:
    high, low = (int(half) for half in halves)  # type: ignore[attr-defined]
    address = ipaddress.IPv6Address(high << 64 | low)
    return str(address.ipv4_mapped or address)


def cic(data: Path) -> Mapping[str, Source]:
    """Return a campaign per device: the activity is the action, by some medium."""
    devices = sorted(path.name for path in data.iterdir() if path.is_dir())
    return {name: Source(device=name, write=_write_cic(name)) for name in devices}


def medium_of(trial: str) -> str:
    """Return by what a trace of CIC was caused, from its name."""
    found = _CIC_NAME.fullmatch(trial)
    return found["medium"].lower() if found else ""


def _write_cic(device: str) -> Callable[[Path, Path], Path]:
    def write(data: Path, scratch: Path) -> Path:
        tables = {path: _rows(path) for path in sorted((data / device).glob("*.csv"))}
        own = _own_addresses(tables)
        rows = []
        for path, packets in tables.items():
            found = _CIC_NAME.fullmatch(path.stem)
            if found is None:
                raise SystemExit(f"{path}: is not named as the others")
            said = list(_said(packets, own[found["unit"]]))
            if not said:
                continue
            _write(scratch / path.name, _PACKETS, said)
            channel, network = _MEDIA[found["medium"]]
            rows.append(
                {
                    "file": path.name,
                    "activity": found["action"].lower() or "power",
                    "session": f"repeat_{found['repeat']}",
                    "trial": path.stem,
                    "unit": found["unit"],
                    "channel": channel,
                    "network": network,
                    "parameters": f"medium={found['medium'].lower()}",
                }
            )
        _write(scratch / "labels.csv", _NAMES, rows)
        return scratch

    return write


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {(key or "").strip(): value for key, value in row.items()}
            for row in csv.DictReader(file)
        ]


def _own_addresses(
    tables: Mapping[Path, list[dict[str, str]]],
) -> dict[str, ipaddress.IPv4Address]:
    """Return the address of each unit: the one inside that packets most often go to."""
    seen: dict[str, Counter[ipaddress.IPv4Address]] = {}
    for path, rows in tables.items():
        found = _CIC_NAME.fullmatch(path.stem)
        counts = seen.setdefault(found["unit"] if found else "", Counter())
        for row in rows:
            address = _destination(row)
            if address in _DEVICE_SHARE and address != _ROUTER:
                counts[address] += 1
    return {unit: counts.most_common(1)[0][0] for unit, counts in seen.items()}


def _destination(row: Mapping[str, str]) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(float(row["ip_dst_new"])))


def _said(
    rows: list[dict[str, str]], own: ipaddress.IPv4Address
) -> Iterator[dict[str, object]]:
    """Yield packets with a direction; what is no IP has none there, and is left out.

    The set tells where a packet goes, not where from: the other end of one that came in
    is that of the packets that went out between the same ports.
    """
    far = {
        (row["source_port"], row["dest_port"]): str(_destination(row)) for row in rows
    }
    for row in rows:
        to = _destination(row)
        if int(to) == 0:
            continue
        out = to != own
        ports = (row["dest_port"], row["source_port"])
        yield {
            "time": row["epoch_timestamp"],
            "size": row["ethernet_frame_size"],
            "direction": "out" if out else "in",
            "protocol": row["protocol"],
            "remote": str(to) if out else far.get(ports, ""),
            "port": row["dest_port"] if out else row["source_port"],
        }


def _write(path: Path, columns: tuple[str, ...], rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


SETS: Mapping[str, tuple[str, Callable[[Path], Mapping[str, Source]]]] = {
    "vcfp": ("vcfp-alexa", vcfp),
    "sentinel": ("iot-sentinel", sentinel),
    "cic": ("cic-iot2022-interactions", cic),
}
