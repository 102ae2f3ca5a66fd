"""Speakers: Echo Dot talks TLS over TCP, Home Mini QUIC over UDP.

Both stream what they heard, get an answer and report. Within one command volumes vary
as public Echo traces do; the answer is mostly the same text, now and then another.
"""

from dataclasses import dataclass

from numpy.random import Generator

from testbed.virtual.house.act import Act, app_handling_s, app_request
from testbed.virtual.house.talk import DATAGRAM_B, Talk, stream
from testbed.virtual.house.unit import Unit, generator
from testbed.virtual.house.utterances import NAMED, Command
from testbed.virtual.traffic import Exchange, Transport

_AVS, _METRICS = "avs.alexa.example", "device-metrics.alexa.example"
_CONTENT, _ALEXA_APP = "content.alexa.example", "api.alexa.example"
_ASSISTANT, _CAST = "assistant.google.example", "cast.google.example"
_GOOGLE_APP = "clients.google.example"
_AUDIO_B = 84  # application bytes of one audio record of the Echo


@dataclass(frozen=True, slots=True, kw_only=True)
class _Take:
    """One command as spoken once: the draws of `Command` for this trial."""

    records: int
    burst_b: int
    answer_b: int
    notes: int
    answer_s: float
    pause_s: float


def script(unit: Unit, act: Act, rng: Generator) -> tuple[Exchange, ...]:
    """Return what speaker and phone send for one activity."""
    echo = unit.device == "echo_dot"
    if act.channel != "voice":
        return _echo_app(unit, rng) if echo else _mini_app(unit, rng)
    command = NAMED[act.activity]
    return spoken(unit, command, rng) if echo else _mini(unit, command, rng)


def spoken(unit: Unit, command: Command, rng: Generator) -> tuple[Exchange, ...]:
    """Return what an Echo sends and gets for any command of the population."""
    take = _take(unit, command, rng)
    talk = Talk("echo_dot", _AVS, connection="avs")
    talk.up(unit.sized(1_150, rng, 0.03))
    stream(
        talk,
        rng,
        total_b=take.burst_b,
        chunk_b=6_500,
        duration_s=unit.lasting(0.35, rng, 0.4),
        upstream=True,
    )
    speech_s = take.records * unit.lasting(0.010, rng, 0.35)
    gaps = rng.gamma(1.2, speech_s / take.records / 1.2, take.records)
    sizes = _AUDIO_B + (rng.random(take.records) < 0.12) * rng.integers(20, 160)
    for gap_s, size_b in zip(gaps, sizes, strict=True):
        talk.up(int(size_b) + unit.header_b // 4, after_s=float(gap_s))
    _answer(unit, talk, take, rng)
    exchanges = [talk.done()]
    if rng.random() < 0.30:
        exchanges.append(_metrics(unit, rng, talk.now_s))
    if take.answer_b > 120_000:
        exchanges[0], extra = talk.done(), _content(unit, take, rng)
        exchanges.append(extra)
    return tuple(exchanges)


def _take(unit: Unit, command: Command, rng: Generator) -> _Take:
    # What a command answers today: another text each day, the same within one.
    day = generator("answer", unit.device, unit.unit, unit.session, command.name)
    today = float(day.lognormal(0.0, 0.12))
    effort = float(rng.normal(0.0, 0.18))  # a slow speaker sends more of everything
    other = rng.random() < 0.14  # another wording, or a question back
    answer_b = unit.sized(command.answer_b * today, rng, 0.35 if other else 0.075)
    return _Take(
        records=max(8, round(command.records * float(rng.lognormal(effort, 0.09)))),
        burst_b=unit.sized(command.burst_b, rng, 0.12),
        answer_b=answer_b,
        notes=max(2, round(command.notes * float(rng.lognormal(effort, 0.16)))),
        answer_s=unit.lasting(command.answer_s, rng, 0.45),
        pause_s=unit.lasting(0.3, rng, 0.8),
    )


def _answer(unit: Unit, talk: Talk, take: _Take, rng: Generator) -> None:
    """Add what follows the audio: directives, the spoken answer, events, notes."""
    talk.down(unit.sized(560, rng, 0.1), after_s=take.pause_s)
    talk.up(unit.sized(230, rng, 0.1), after_s=0.03)
    parts = max(1, take.notes)
    sizes = rng.dirichlet([2.0] * parts) * take.answer_b
    gaps = rng.dirichlet([1.3] * parts) * take.answer_s
    for size_b, gap_s in zip(sizes, gaps, strict=True):
        talk.down(max(30, int(size_b)), after_s=float(gap_s))
        if rng.random() < 0.85:
            talk.down(int(rng.choice((26, 30, 80, 125, 334))), after_s=0.006)
        if rng.random() < 0.75:
            talk.up(int(rng.choice((38, 70, 124, 220, 246))), after_s=0.015)
    done_s = unit.lasting(0.6, rng, 1.05)  # until it says that it has finished
    talk.up(unit.sized(760, rng, 0.05), after_s=done_s).down(30, after_s=0.045)


def _metrics(unit: Unit, rng: Generator, at_s: float) -> Exchange:
    talk = Talk("echo_dot", _METRICS, at_s=at_s * float(rng.uniform(0.5, 1.0)))
    talk.up(unit.sized(2_600, rng, 0.3)).down(220, after_s=0.07)
    return talk.done()


def _content(unit: Unit, take: _Take, rng: Generator) -> Exchange:
    """Return the fetching of long content (music, news) from another host."""
    talk = Talk("echo_dot", _CONTENT, at_s=2.2, connection="content")
    talk.up(unit.sized(900, rng, 0.1)).wait(0.1)
    stream(
        talk,
        rng,
        total_b=round(take.answer_b * 0.35),
        chunk_b=16_000,
        duration_s=take.answer_s,
        upstream=False,
    )
    return talk.done()


def _echo_app(unit: Unit, rng: Generator) -> tuple[Exchange, ...]:
    """Return a change of volume from the app: 23-25 packets, most of them small."""
    touch_s = app_handling_s(rng)
    app = app_request(_ALEXA_APP, rng, at_s=touch_s, up_b=820)
    talk = Talk("echo_dot", _AVS, at_s=touch_s + 0.15, connection="avs")
    talk.down(unit.sized(255, rng, 0.08)).up(unit.sized(250, rng, 0.08), after_s=0.07)
    for _ in range(5 + int(rng.integers(0, 3))):
        gap_s = unit.lasting(0.9, rng, 0.6)
        talk.up(unit.sized(90, rng, 0.4), after_s=gap_s).down(26, after_s=0.045)
    return app, talk.done()


def _mini(unit: Unit, command: Command, rng: Generator) -> tuple[Exchange, ...]:
    """Return what a Home Mini sends and gets for a spoken command: QUIC."""
    take = _take(unit, command, rng)
    # It sends what it hears with little compression: anchored at a short command.
    share = 0.7 + 0.3 * take.records / NAMED["volume_up"].records
    n = max(20, round(unit.sized(203_000 * share, rng, 0.06) / 975))
    talk = _quic("home_mini", _ASSISTANT, f"assistant {rng.integers(1 << 30)}")
    talk.up(1_200).down(1_200, after_s=0.045).down(1_100, after_s=0.001)
    talk.up(600, after_s=0.01)
    gaps = rng.gamma(0.35, 1.0, n)
    gaps *= unit.lasting(2.6, rng, 0.2) / gaps.sum()
    small = rng.random(n) < 0.31
    acks = float(rng.uniform(0.48, 0.78))
    for gap_s, is_small in zip(gaps, small, strict=True):
        size_b = int(rng.integers(40, 260)) if is_small else DATAGRAM_B
        talk.up(size_b, after_s=float(gap_s))
        if rng.random() < acks:
            talk.down(int(rng.integers(24, 40)), after_s=0.0005)
    _mini_answer(unit, talk, take, rng)
    return talk.done(), _mini_report(unit, rng, talk.now_s)


def _mini_answer(unit: Unit, talk: Talk, take: _Take, rng: Generator) -> None:
    talk.down(unit.sized(700, rng, 0.1), after_s=take.pause_s)
    left_b = unit.sized(12_000, rng, 0.25) + take.answer_b
    gap_s = take.answer_s / max(1.0, left_b / DATAGRAM_B)
    while left_b > 0:
        talk.down(min(left_b, DATAGRAM_B), after_s=float(rng.gamma(0.7, gap_s)))
        left_b -= DATAGRAM_B
        if rng.random() < 0.5:
            talk.up(int(rng.integers(25, 45)), after_s=0.001)
    for _ in range(max(4, take.notes)):
        talk.up(unit.sized(95, rng, 0.5), after_s=float(rng.gamma(1.0, 0.25)))
        talk.down(int(rng.integers(26, 140)), after_s=0.04)


def _mini_report(unit: Unit, rng: Generator, at_s: float) -> Exchange:
    """Return the report that follows some seconds later on another connection."""
    talk = Talk(
        "home_mini",
        _CAST,
        at_s=at_s + unit.lasting(3.6, rng, 0.75),
        transport=Transport.UDP,
        connection="cast report",
    )
    for _ in range(10 + int(rng.integers(0, 6))):
        talk.up(unit.sized(420, rng, 0.5), after_s=float(rng.gamma(2.0, 0.12)))
        talk.down(unit.sized(90, rng, 0.3), after_s=0.042)
    return talk.done()


def _mini_app(unit: Unit, rng: Generator) -> tuple[Exchange, ...]:
    """Return a change of volume from the app: 33-45 packets over 12-15 s."""
    touch_s = app_handling_s(rng)
    app = app_request(_GOOGLE_APP, rng, at_s=touch_s, up_b=760)
    cast = Talk("home_mini", _CAST, at_s=touch_s + 0.12, connection="cast")
    cast.down(unit.sized(190, rng, 0.1)).up(unit.sized(330, rng, 0.1), after_s=0.06)
    cast.up(unit.sized(260, rng, 0.2), after_s=0.4)
    report = _quic("home_mini", _ASSISTANT, "assistant report")
    for turn in range(8 + int(rng.integers(0, 4))):
        gap_s = unit.lasting(1.35, rng, 0.4) if turn else 1.0
        report.up(unit.sized(630, rng, 0.6), after_s=gap_s)
        report.down(unit.sized(330, rng, 0.6), after_s=0.046)
        report.up(34, after_s=0.02)
    return app, cast.done(), report.done()


def _quic(client: str, server: str, connection: str) -> Talk:
    return Talk(client, server, transport=Transport.UDP, connection=connection)
