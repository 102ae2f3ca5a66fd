"""Text of strangers, made safe to show in a terminal."""


def printable(text: str) -> str:
    r"""Return the text with all that a terminal could act upon as \x1b, \u202e.

    What a packet holds is written by whoever sent it: escape sequences could clear the
    screen or set its title, and marks of direction could turn a line around.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
