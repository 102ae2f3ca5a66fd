"""What the virtual speakers understand: complete sentences, and nothing else."""

from collections.abc import Iterable
from dataclasses import dataclass

# utterance without wake word -> activity
ACTIVITIES = {
    "what is the weather": "ask_weather",
    "what time is it": "ask_time",
    "set a timer for five minutes": "set_timer",
    "set an alarm for seven thirty": "set_alarm",
    "tell me a joke": "tell_joke",
    "play some music": "play_music",
    "stop": "stop",
    "volume up": "volume_up",
    "volume down": "volume_down",
    "how long is my commute": "ask_commute",
}
WAKE_WORDS = ("alexa", "hey google")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A complete sentence: who is addressed, what was said, which activity it is."""

    wake_word: str
    utterance: str
    activity: str


def grammar(wake_words: Iterable[str] = WAKE_WORDS) -> str:
    """Return the sentences as JSGF, with each wake word before each utterance."""
    wake = " | ".join(wake_words)
    body = " | ".join(ACTIVITIES)
    return f"#JSGF V1.0;\ngrammar room;\npublic <say> = ( {wake} ) ( {body} );\n"


def parse(text: str, wake_words: Iterable[str] = WAKE_WORDS) -> Command | None:
    """Return the command of a recognised text, or None when it is not complete.

    A recogniser with a grammar also returns beginnings of sentences.
    """
    for wake_word in wake_words:
        utterance = text.removeprefix(f"{wake_word} ")
        if utterance != text and utterance in ACTIVITIES:
            return Command(
                wake_word=wake_word, utterance=utterance, activity=ACTIVITIES[utterance]
            )
    return None
