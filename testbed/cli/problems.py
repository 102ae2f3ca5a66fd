"""What the operating system refuses, as a sentence with a remedy."""

import errno

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space, then do it again",
    errno.EDQUOT: "the disk quota is used up; free some space, then do it again",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied; choose a folder that you may write",
    errno.EPERM: "not permitted to this user",
    errno.EMFILE: "too many open files; raise `ulimit -n`",
    errno.EADDRINUSE: "the port is taken; end the program that holds it",
}


def explain(exc: OSError) -> str:
    """Return one sentence for an error of the operating system."""
    where = f"{exc.filename}: " if exc.filename else ""
    known = _REMEDIES.get(exc.errno or 0)
    return f"{where}{known or (exc.strerror or str(exc)).lower()}"
