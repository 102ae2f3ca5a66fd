"""Ports and addresses of this machine that no other test process is given.

Tests run side by side, in several processes and maybe from several checkouts.
"""

import os
import socket

HERE = "127.0.0.1"


def free_port():
    """Return a port that the kernel gives to nobody who asks for any, for a minute.

    A port that was merely free a moment ago may be given to the next who asks. One
    whose connection just ended is kept back, but for those who ask for it by number.
    """
    with socket.create_server((HERE, 0)) as server:
        place = server.getsockname()
        with socket.create_connection(place) as near:
            far, _ = server.accept()
            far.close()  # who closes first waits
            near.recv(1)
    return place[1]


def own_address(number):
    """Return an address of the loopback interface that is this process's alone.

    number  which of them, 0 to 2
    """
    host = os.getpid() << 2 | number  # 24 bits: Linux counts processes with 22
    return f"127.{host >> 16}.{host >> 8 & 255}.{host & 255}"
