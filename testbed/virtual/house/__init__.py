"""The nine devices of the virtual house: what they do and what they send.

Pure: no socket, no clock. Values out are `testbed.virtual.traffic.Exchange`s; the live
lab plays them over sockets, the fast lab writes them into a capture.

    house = House(seed, profiles)            # draws one copy of each device
    house.start_session(3)                   # another day: sizes and timings shift
    house.boot("arlo_q")                     # -> exchanges after power comes on
    house.background("arlo_q")               # -> endless (at_s, exchange), by time
    house.react("arlo_q", "stream_video", channel="phone", network="lan",
                parameters={})    # -> Reaction or None

`Scene(house, clock, player, fault=...)` is the `Stage` of both labs: it holds the
devices' state, draws their delays and tells a `Player` what to play.

Persistent connections have names. All exchanges of one client with the same
`connection` share one connection, opened by the first of them; the client opens it
anew when it is gone. An exchange with a name and no messages closes it. A connection
without a name is closed after its last message. Power off kills all connections of a
device without a word (no FIN); power on plays `boot`, then `background` starts again.

The rest of the conventions: `hosts` knows every node and cloud host; exchanges with
server 'router' are DNS (53) or DHCP (67) and carry real bytes, so a real DNS server
may answer in place of the script; multicast exchanges have upstream messages only;
one message of a UDP exchange is one datagram. Exchanges of 'phone' with cloud hosts do
not cross br-lan when the phone is on mobile data: `crosses_lan` says so.
"""

from testbed.virtual.house.house import House, Reaction, crosses_lan
from testbed.virtual.house.scene import Cause, Player, Scene

__all__ = ["Cause", "House", "Player", "Reaction", "Scene", "crosses_lan"]
