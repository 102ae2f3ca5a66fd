"""The room: where the loudspeaker's sound is in the air and smart speakers listen.

`start_room` hosts it; `start_speech_service` is the stand-in for the speech service in
the virtual cloud.
"""

from testbed.virtual.room.room import Heard, Room, start_room
from testbed.virtual.room.speech_service import SpeechService, start_speech_service

__all__ = ["Heard", "Room", "SpeechService", "start_room", "start_speech_service"]
