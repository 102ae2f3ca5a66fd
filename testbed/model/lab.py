"""The lab file: which instruments exist and where.

Secrets are named, never written: a key is a file or an environment variable.
"""

from typing import Literal

from pydantic import Field, PositiveInt

from testbed.model.types import Offset, Seconds, Slug, Strict, Truth


class PhoneAt(Strict):
    """An Android phone reached through its own adb server."""

    driver: Slug = "androidviewclient"
    serial: str
    adb_port: int = Field(default=5037, ge=1, le=65535)
    connect: Truth = False  # `adb connect SERIAL` first (network phones)


class LoopbackAt(Strict):
    """A microphone in the room, with which `doctor` hears what was played.

    pcm_tcp  host:port that gives s16le mono 16 kHz for as long as one is connected
    command  program and arguments that record; '{wav}' is replaced by the file to
             write (16 bit, mono, 16 kHz), '{seconds}' by how long
    """

    pcm_tcp: str | None = None
    command: tuple[str, ...] = ()


class VoiceAt(Strict):
    """A loudspeaker: a player command, or raw PCM over TCP.

    pcm_tcp  host:port that takes s16le mono 16 kHz, as PulseAudio's and PipeWire's
             simple protocol does
    command  program and arguments; '{wav}' is replaced by the file
    online   whether gTTS may be asked (else espeak-ng speaks)
    loopback  a microphone that hears the loudspeaker, where there is one
    """

    driver: Slug = "tts"
    language: str = "en"
    online: Truth = False
    cache: str = "~/.cache/testbed/voice"
    pcm_tcp: str | None = None
    command: tuple[str, ...] = ()
    loopback: LoopbackAt | None = None


class PlugAt(Strict):
    """A smart plug, pinned by its UDN; `feeds` names the device on its socket.

    A plug that is itself a device under test has `is_device` instead.
    """

    driver: Slug = "pywemo"
    host: str
    udn: str
    feeds: Slug | None = None
    is_device: Slug | None = None


class RouterAt(Strict):
    """The capture point.

    host_key       the pinned key, as in known_hosts: 'ssh-ed25519 AAAA...'
    host_key_file  or a file that holds it
    key_file       private key; key_env names a variable that holds its path
    folder         where captures are written on the router
    beacon         host:port on the captured side that beacons are sent to
    """

    driver: Slug = "ssh"
    host: str
    port: int = Field(default=22, ge=1, le=65535)
    user: str = "root"
    key_file: str | None = None
    key_env: str | None = None
    host_key: str | None = None
    host_key_file: str | None = None
    interface: str
    tool: Literal["tshark", "dumpcap", "tcpdump"] = "tshark"
    point: Slug = "lan"
    folder: str = "/tmp/testbed-capture"  # noqa: S108 - on the router, made 0700
    rotate: Seconds = 60.0
    rotate_mb: PositiveInt = 200
    lease: Seconds = 120.0
    free_mb: PositiveInt = 500
    filter: str = "not port 22 and not port 5555"
    beacon: str


class Limits(Strict):
    """Below these the campaign says so instead of going on.

    clock_uncertainty  of a stamp on the capture's clock; also the jump of an offset
                       that makes the clock bad
    internet       host:port that must open from the router's outer side; '' for none
    device_silent  how long a device with power may be silent before it is offline
    look_every     time between two looks at one instrument
    trip           bad looks on end that suspend what needs it
    clear          how long every look must be good before work goes on
    give_up        how long anything may stay bad before the campaign ends (exit 3)
    act            time of a stimulus from which on its instant is not known
    attempts       attempts at one trial in one run, with those that were voided
    """

    clock_uncertainty: Seconds = 0.05
    free_mb: PositiveInt = 500
    internet: str = ""
    device_silent: Seconds = 180.0
    look_every: Seconds = 5.0
    trip: PositiveInt = 3
    clear: Seconds = 5.0
    give_up: Seconds = 1800.0
    act: Seconds = 5.0
    attempts: PositiveInt = 5


class Fault(Strict):
    """A fault of the virtual lab, on a script.

    kind   see docs/virtual-lab.md
    at     seconds after the lab is up; absent means from the start
    until  end of the fault; absent means for good
    """

    kind: Slug
    target: Slug | None = None
    at: Seconds = 0.0
    until: Seconds | None = None
    value: str = ""


class RouterClock(Strict):
    """How wrong the virtual router's clock is."""

    offset: Offset = 0.0
    drift_ppm: float = 0.0


class Virtual(Strict):
    """Settings of the virtual lab.

    twins  files of `testbed lab learn --out`, for the fast form; from the lab file's
           folder
    """

    seed: int = 1
    router_clock: RouterClock = RouterClock()
    wan_delay: Seconds = 0.018
    wan_loss: float = Field(default=0.004, ge=0, lt=1)
    faults: tuple[Fault, ...] = ()
    twins: tuple[str, ...] | None = None


class Lab(Strict):
    """All instruments of one lab; `virtual` is given when the lab is software."""

    lab: Slug
    home: Slug = "home"
    journal: str = "captures/journal.sqlite"
    captures: str = "captures"
    phone: PhoneAt | None = None
    voice: VoiceAt | None = None
    plugs: dict[Slug, PlugAt] = Field(default_factory=dict)
    router: RouterAt
    limits: Limits = Limits()
    virtual: Virtual | None = None
