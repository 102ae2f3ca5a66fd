"""Cameras: Arlo Q streams over TLS to its cloud, Omna 180 over UDP to a relay.

Medians of volume, packets and spans are those of the anchors (see `anchors`).
"""

from dataclasses import dataclass

from numpy.random import Generator

from testbed.virtual.house.act import Act, app_handling_s, app_request
from testbed.virtual.house.hosts import PHONE
from testbed.virtual.house.talk import Talk, stream
from testbed.virtual.house.unit import Unit
from testbed.virtual.traffic import Exchange, Transport

_ARLO, _ARLO_MEDIA = "api.arlo.example", "media.arlo.example"
_OMNA, _OMNA_RELAY = "api.omna.example", "relay.omna.example"
_RELAY_PORT, _UDP_B = 10001, 1450


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clip:
    """One kind of upload.

    total_b, sigma    application bytes: median and spread (of the log) between trials
    chunk_b           bytes that the encoder hands over at once
    duration_s        how long it streams; lead_s until it starts
    chatter           small control messages each way, spread over the clip
    """

    total_b: int
    sigma: float
    chunk_b: int
    duration_s: float
    lead_s: float
    chatter: int
    tail_s: float = 1.0


_ARLO_CLIPS = {
    "stream_video": _Clip(
        total_b=880_000,
        sigma=0.03,
        chunk_b=3_500,
        duration_s=15.5,
        lead_s=0.8,
        chatter=32,
    ),
    "record_video": _Clip(
        total_b=1_620_000,
        sigma=0.03,
        chunk_b=6_400,
        duration_s=33.0,
        lead_s=0.9,
        chatter=36,
        tail_s=1.5,
    ),
    "take_snapshot": _Clip(
        total_b=160_000,
        sigma=0.46,
        chunk_b=2_400,
        duration_s=2.2,
        lead_s=1.0,
        chatter=6,
        tail_s=1.6,
    ),
}
_ARLO_WAN_SNAPSHOT = _Clip(
    total_b=66_000,
    sigma=0.48,
    chunk_b=2_400,
    duration_s=1.4,
    lead_s=0.8,
    chatter=6,
    tail_s=1.2,
)
_OMNA_CLIPS = {
    "stream_video": _Clip(
        total_b=1_190_000,
        sigma=0.07,
        chunk_b=1_750,
        duration_s=15.0,
        lead_s=0.7,
        chatter=10,
    ),
    "record_video": _Clip(
        total_b=2_540_000,
        sigma=0.05,
        chunk_b=2_000,
        duration_s=32.0,
        lead_s=0.7,
        chatter=6,
    ),
    "take_snapshot": _Clip(
        total_b=185_000,
        sigma=0.15,
        chunk_b=2_000,
        duration_s=1.9,
        lead_s=0.5,
        chatter=3,
        tail_s=0.4,
    ),
}


def script(unit: Unit, act: Act, rng: Generator) -> tuple[Exchange, ...]:
    """Return what camera and phone send for one activity over the app."""
    if unit.device == "arlo_q":
        return _arlo(unit, act, rng)
    return _omna(unit, act, rng)


def _arlo(unit: Unit, act: Act, rng: Generator) -> tuple[Exchange, ...]:
    touch_s = app_handling_s(rng)
    app = app_request(_ARLO, rng, at_s=touch_s, up_b=900, down_b=1_400)
    asked_s = touch_s + 0.12 + float(rng.gamma(2.0, 0.03))
    if act.activity == "open_settings":
        return app, _settings(unit, rng, asked_s)
    clip = _ARLO_CLIPS[act.activity]
    if act.activity == "take_snapshot" and act.network == "wan":
        clip = _ARLO_WAN_SNAPSHOT
    total_b = unit.sized(clip.total_b, rng, clip.sigma)
    duration_s = unit.lasting(clip.duration_s, rng, 0.04)
    lead_s = asked_s + unit.lasting(clip.lead_s, rng, 0.25)
    media = Talk("arlo_q", _ARLO_MEDIA, at_s=lead_s)
    media.up(unit.sized(1_100, rng, 0.05)).down(900, after_s=0.08).wait(0.1)
    stream(
        media,
        rng,
        total_b=total_b,
        chunk_b=round(clip.chunk_b * float(rng.lognormal(0.0, 0.04))),
        duration_s=duration_s,
        upstream=True,
    )
    media.down(310, after_s=0.1)
    control = _chatter(unit, clip, rng, asked_s, lead_s + duration_s + clip.tail_s)
    watched = _watch(rng, total_b, lead_s + 0.4, duration_s)
    return app, control, media.done(), watched


def _chatter(
    unit: Unit, clip: _Clip, rng: Generator, start_s: float, end_s: float
) -> Exchange:
    """Return the control messages from the command to the report at the end."""
    talk = Talk("arlo_q", _ARLO, at_s=start_s, connection="control")
    talk.down(unit.sized(520, rng, 0.05)).up(unit.sized(340, rng, 0.05), after_s=0.08)
    n = max(1, int(rng.poisson(clip.chatter)))
    gaps = rng.dirichlet([2.0] * (n + 1)) * max(0.5, end_s - start_s - 0.3)
    for gap_s in gaps[:-1]:
        talk.down(unit.sized(240, rng, 0.3), after_s=float(gap_s))
        talk.up(unit.sized(150, rng, 0.3), after_s=0.05)
    talk.up(unit.sized(620, rng, 0.08), after_s=float(gaps[-1]))
    return talk.down(180, after_s=0.05).done()


def _settings(unit: Unit, rng: Generator, at_s: float) -> Exchange:
    talk = Talk("arlo_q", _ARLO, at_s=at_s, connection="control")
    for _ in range(2 + int(rng.integers(0, 3))):
        talk.down(unit.sized(280, rng, 0.15), after_s=float(rng.uniform(0.05, 0.4)))
        talk.up(unit.sized(1_250, rng, 0.2), after_s=0.06)
    return talk.done()


def _watch(rng: Generator, total_b: int, at_s: float, duration_s: float) -> Exchange:
    """Return what the phone gets to see: the same video, out of the cloud."""
    talk = Talk(PHONE, _ARLO_MEDIA, at_s=at_s)
    talk.up(700)
    stream(
        talk.wait(0.1),
        rng,
        total_b=round(total_b * 0.97),
        chunk_b=5_600,
        duration_s=duration_s,
        upstream=False,
    )
    return talk.done()


def _omna(unit: Unit, act: Act, rng: Generator) -> tuple[Exchange, ...]:
    touch_s = app_handling_s(rng)
    clip = _OMNA_CLIPS[act.activity]
    app = app_request(_OMNA, rng, at_s=touch_s, up_b=650, down_b=900)
    asked_s = touch_s + 0.12 + float(rng.gamma(2.0, 0.03))
    control = Talk("omna_180", _OMNA, at_s=asked_s, connection="control")
    control.down(unit.sized(430, rng, 0.05)).up(
        unit.sized(310, rng, 0.05), after_s=0.07
    )
    for _ in range(int(rng.poisson(clip.chatter / 2))):
        control.up(unit.sized(160, rng, 0.2), after_s=clip.duration_s / clip.chatter)
        control.down(120, after_s=0.05)
    lead_s = asked_s + unit.lasting(clip.lead_s, rng, 0.25)
    duration_s = unit.lasting(clip.duration_s, rng, 0.06)
    total_b = unit.sized(clip.total_b, rng, clip.sigma)
    media = Talk(
        "omna_180",
        _OMNA_RELAY,
        at_s=lead_s,
        port=_RELAY_PORT,
        transport=Transport.UDP,
    )
    _datagrams(media, rng, clip, total_b, duration_s)
    return app, control.done(), media.done()


def _datagrams(
    talk: Talk, rng: Generator, clip: _Clip, total_b: int, duration_s: float
) -> None:
    """Send frames as datagrams, with a report of the receiver about once a second."""
    n = max(1, round(total_b / clip.chunk_b))
    sizes = rng.gamma(1.6, 1.0, n)
    sizes *= total_b / sizes.sum()
    gaps = rng.gamma(3.0, 1.0, n)
    gaps *= duration_s / gaps.sum()
    reported_s = talk.now_s
    for frame_b, gap_s in zip(sizes, gaps, strict=True):
        left_b = max(60, int(frame_b))
        talk.wait(float(gap_s))
        while left_b > 0:
            piece_b = min(left_b, _UDP_B)
            talk.up(piece_b, after_s=0.0004 * float(rng.gamma(2.0, 0.5)))
            left_b -= piece_b
        if talk.now_s - reported_s > 1.0:
            reported_s = talk.now_s
            talk.down(56, after_s=0.002)
