"""False alarms on captured benign flows: one home each, so without a pool."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.dataset import Device
from analysis.detectors.cadesh.alternatives import alternative
from analysis.detectors.cadesh.detector import Choices, FlowDetector
from analysis.detectors.cadesh.rows import home_of, rows_of
from analysis.flows import FlowRecords, Subject, extract
from analysis.flows.tables import Side, read_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A benign public set: name, files, and the device's address, or MAC in packets."""

    name: str
    what: str
    files: str
    side: str


SETS = (
    Captured(
        name="iot-23, capture 5-1",
        what="Amazon Echo, Zeek",
        files="iot-23/CTU-Honeypot-Capture-5-1/conn.log.labeled",
        side="192.168.2.3",
    ),
    Captured(
        name="iot-23, capture 4-1",
        what="Philips Hue bridge, Zeek",
        files="iot-23/CTU-Honeypot-Capture-4-1/conn.log.labeled",
        side="192.168.1.132",
    ),
    Captured(
        name="CESNET SIoT, voice assistant",
        what="Google Home Mini, Joy",
        files="cesnet-siot-flows/voice-assistant/**/*.json",
        side="192.168.3.110",
    ),
    Captured(
        name="CESNET SIoT, camera",
        what="Edimax camera, Joy",
        files="cesnet-siot-flows/ipcam/**/*.json",
        side="192.168.5.20",
    ),
    Captured(
        name="CESNET SIoT, gateway",
        what="IKEA gateway and app, Joy",
        files="cesnet-siot-flows/ikea-app/**/*.json",
        side="192.168.3.213",
    ),
    *(
        Captured(
            name=f"FIT week, {name}",
            what=f"{what}, packets",
            files=f"fit-iot-week/pcaps/{name}.pcap",
            side=mac,
        )
        for name, what, mac in (
            ("blink-cam-01", "Blink camera", "f4:b8:5e:ff:2b:1b"),
            ("schlage-lock-01", "Schlage lock", "78:db:2f:db:43:48"),
            ("sifely-hub-01", "Sifely gateway", "f4:cf:a2:eb:59:c4"),
        )
    ),
)
WAYS = ("whole", "isolation_forest", "pca", "lof", "big_autoencoder")


def real(data: Path) -> list[Mapping]:
    """Learn from the earlier half of each set; return alarms in the later half."""
    rows = []
    for wanted in SETS:
        flows = flows_of(data, wanted)
        own = rows_of(home_of(flows), []).own()
        half = np.arange(len(own)) < len(own) // 2
        learnt, asked = {"home": own.take(half)}, own.take(~half)
        found = {}
        for way in WAYS:
            detector = (
                FlowDetector(Choices(least=1)) if way == "whole" else alternative(way)
            )
            scored = detector.fit(learnt).score(asked)
            found[way] = {
                "false_alarms": int(scored.alarm.sum()),
                "fpr": round(float(scored.alarm.mean()), 4),
            }
            if way == "whole":
                step_one = round(float(scored.infrequent.mean()), 4)
                found["autoencoder, step 1"] = {
                    "false_alarms": int(scored.infrequent.sum()),
                    "fpr": step_one,
                }
        hours = (flows.start_ns[-1] - flows.start_ns[0]) / 3.6e12
        rows.append(
            {
                "set": wanted.name,
                "of": wanted.what,
                "flows": len(flows),
                "asked": len(asked),
                "hours": round(float(hours), 1),
                "ways": found,
            }
        )
    return rows


def flows_of(data: Path, wanted: Captured) -> FlowRecords:
    """Return the benign flows of a set, by start."""
    parts = []
    for path in sorted(data.glob(wanted.files)):
        if path.suffix == ".pcap":
            device = Device(name="device", mac=wanted.side)
            parts += extract([path], [Subject(device=device)])
            continue
        for told in read_table(path, Side.of(wanted.side)):
            causes = told.causes
            parts.append(told.records.take(causes.is_in("benign", "")))
    return FlowRecords.joined(parts).by_time()
