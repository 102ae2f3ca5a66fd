"""Take out of a text what says whose it is, the same value always by the same name.

Known are the shapes of addresses, accounts, keys and numbers of people and things, and
whatever the caller names. A value found behind a name (`SSID: "Attic"`) is replaced
wherever else it stands. What is only a word of somebody's (a room, a person) has no
shape: name it.
"""

import html
import ipaddress
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

SECRET = "secret"  # noqa: S105 - the kind of what somebody names, however short
_SHORTEST = 4  # other words below this would hit half of all words
_SAYS_NOTHING = {"", "null", "none", "true", "false", "unknown", "0", "1", "any"}
_BEGIN, _END = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"  # of a word by itself
_FOLDED = {"\u0130", "\u0131", "\u017f", "\u212a"}  # found for i, s and k, too
_DOCUMENTED = tuple(
    ipaddress.ip_network(n)
    for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)
# A value behind its name: a whole element, a whole quoted or bracketed value, as JSON,
# XML, Python and getprop write them, and only else one word.
_WORD = r"""["']?(?P<v>[^\s"'<>\[\],;}&\\]+)"""
_VALUE = rf"""(?:
    \\"(?P<escaped>[^"]+?)\\"
    | "(?P<double>(?:\\.|[^"\\])+)"
    | '(?P<single>(?:\\.|[^'\\])+)'
    | &(?:quot|apos|\#3[49]|\#x2[27]);(?P<entity>.+?)&(?:quot|apos|\#3[49]|\#x2[27]);
    | \[(?P<bracket>[^\]\n]+)\]
    | {_WORD}
)"""
_QUOTED = r"""[\\"'\]\s]*(?:&(?:quot|apos);)?"""  # what may come after the name itself
_NAMED_VALUE = rf"""{_QUOTED}(?:
    >\s*(?P<element>[^<>\s][^<>]*?)\s*(?=<)
    | [:=]>?\s*{_VALUE}
)"""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What one kind of secret looks like; the group `v`, where there is one, is it.

    learnt  whether the value is replaced elsewhere, too, where it has no such shape
    """

    kind: str
    pattern: re.Pattern[str]
    name: Callable[[int], str]
    learnt: bool = False


def _shape(
    kind: str,
    pattern: str,
    name: str | Callable[[int], str] = "",
    *,
    learnt: bool = False,
) -> _Shape:
    text = name if isinstance(name, str) else ""
    named = name if callable(name) else (text or f"{kind}{{}}").format
    compiled = re.compile(pattern, re.IGNORECASE | re.VERBOSE)
    return _Shape(kind, compiled, named, learnt)


def _fake_mac(number: int) -> str:
    return f"02:00:00:00:{number // 256:02x}:{number % 256:02x}"


def _fake_ip(number: int) -> str:
    return f"192.0.2.{1 + (number - 1) % 254}"


# The order counts: what is found first is not looked at again.
_SHAPES = (
    _shape("key", r"-----BEGIN\ [\w\ ]+-----[\s\S]+?-----END\ [\w\ ]+-----"),
    _shape("key", r"\b(?:ssh-(?:rsa|ed25519)|ecdsa-\S+)\ (?P<v>AAAA[\w+/=]+)"),
    _shape("token", r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"),
    _shape("token", r"\b(?:Bearer|Basic)\s+(?P<v>[\w.~+/=-]{8,})", learnt=True),
    _shape(
        SECRET,
        r"(?:pass(?:word|wd|phrase)?|secret|psk|api[_-]?key|(?:access|refresh|auth)?"
        r"[_-]?token|session[_-]?id|cookie|pin[_-]?code)"
        rf"(?:{_NAMED_VALUE}|\s+(?:\"(?P<said>[^\"\n]+)\"|'(?P<told>[^'\n]+)'))",
        learnt=True,
    ),
    _shape(
        "account", r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "user{}@example.com"
    ),
    _shape(
        "ssid",
        r"(?<!b)SSID\b[\"'\s]*[:=]?\s*\"(?P<v>(?:\\.|[^\"\\])+)\"",
        learnt=True,
    ),
    _shape("ssid", r"(?<!b)SSID\b\s*[:=]\s*(?P<v>[^\s\",<][^\",<\n]*)", learnt=True),
    _shape("ssid", r"(?<!b)\bssid\ (?P<v>[^\s=:\"]\S*)", learnt=True),
    _shape(
        "mac", r"\b[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}\b", _fake_mac
    ),
    _shape("mac", r"(?<![\w.])(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}(?![\w.])", _fake_mac),
    _shape("mac", rf"mac(?:_?addr(?:ess)?)?{_NAMED_VALUE}", _fake_mac, learnt=True),
    # Names of people's things are words, so they are not looked for elsewhere.
    _shape(
        "name",
        r"(?:host_?name|build\.host|(?:device|bluetooth|friendly)[._]?name)"
        rf"{_NAMED_VALUE}",
    ),
    _shape(
        "serial",
        r"(?:serial(?:no|number)?|ro\.boot\.serialno|android_id|imei|imsi|iccid|meid|"
        rf"gsf_?id|advertising_?id|uniqueno|em\.did|\bdid){_NAMED_VALUE}",
        learnt=True,
    ),
    _shape(
        "serial",
        rf"(?:device|hardware|chip)_?id{_QUOTED}[:=>]\s*[\"'\[]?(?P<v>[\w-]{{8,}})",
        learnt=True,
    ),
    _shape("serial", r"uuid:\w+-1_0-(?P<v>\w+)", learnt=True),
    _shape(
        "uuid",
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        lambda n: f"00000000-0000-4000-8000-{n:012d}",
    ),
    _shape(
        "place",
        r"(?<![a-z])m?(?:lat(?:itude)?|lon(?:g(?:itude)?)?|lng)[\"'\s:=>]+"
        r"(?P<v>-?\d{1,3}\.\d+)",
        "0.0",
    ),
    _shape("place", r"geo:(?P<v>-?\d{1,3}(?:\.\d+)?,-?\d{1,3}(?:\.\d+)?)", "0.0,0.0"),
    _shape(
        "place",
        r"(?<![\w.])-?\d{1,3}\.\d{4,},\s?-?\d{1,3}\.\d{4,}(?![\w.])",
        "0.0,0.0",
    ),
    _shape("code", r"(?<![\w-])\d{3}-\d{2}-\d{3}(?![\w-])"),  # of HomeKit
    _shape(
        "number", r"(?<![\w.])\+\d(?:[\ ./-]?(?:\(0\))?\d){6,14}(?!\d)", "+1000000{}"
    ),
    _shape(
        "number",
        r"(?<![\w.:,/-])(?=(?:[\ /]?\d){9,12}(?![\ /]?\d))0\d{1,4}(?:[\ /]\d{2,4}){2,4}"
        r"(?![\w/])",
        "+1000000{}",
    ),
    _shape("number", r"(?<![\w.])0\d{9,10}(?![\w.])", "+1000000{}"),
    _shape("number", r"(?<![\w.])(?:\d{14,16}|89\d{17,18})(?![\w.])", "90000000000{}"),
    _shape(
        "token",
        r"(?<![\w+/.:-])(?=(?:[a-z_+/-]*\d){4})(?=[\d_+/-]*[a-z])[\w+/-]{28,}={0,2}"
        r"(?![\w/])",
        learnt=True,
    ),
)
_IPV4 = re.compile(
    r"(?<![A-Za-z0-9.])(?<!versionName=)\d{1,3}(?:\.\d{1,3}){3}(?![A-Za-z0-9])"
)
_IPV6 = re.compile(
    r"(?<![\w.])(?<!:(?=:))[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:]*(?![\w:])", re.IGNORECASE
)


class Redactor:
    """Replaces secrets; first shown all texts, so that what it learns holds for all.

    words  value -> kind of what the caller knows to be secret. They are found in
           capitals, too, and as HTML, JSON and addresses write them; those of the kind
           `SECRET`, from four characters on, within other words as well
    """

    def __init__(self, words: Mapping[str, str] | None = None) -> None:
        self._names: dict[str, str] = {}
        self._learnt: dict[str, str] = {}  # spelling -> its new name
        self._given: dict[str, str] = {}  # the same of words that the caller named
        self._patterns: dict[str, str] = {}  # spelling -> pattern that finds it
        self._known: re.Pattern[str] | None = None  # all of these, when they are whole
        self._made: dict[str, str] = {}  # new name -> kind
        self._used: set[str] = set()
        self._n_made: Counter[str] = Counter()
        longest_first = sorted((words or {}).items(), key=lambda w: -len(w[0]))
        for value, kind in longest_first:
            if len(value) >= (2 if kind == SECRET else _SHORTEST):
                self._give(value, kind)
        self._used.clear()  # named so far, found nowhere yet

    @property
    def counts(self) -> dict[str, int]:
        """Return how many different values of each kind were replaced."""
        return dict(sorted(Counter(self._made[m] for m in self._used).items()))

    def learn(self, texts: Iterable[str]) -> None:
        """Look for values behind their names, to find them elsewhere as well."""
        for text in texts:
            for shape in _SHAPES:
                if shape.learnt:
                    for match in shape.pattern.finditer(text):
                        self._learn(shape, match[_group(match)])

    def redact(self, text: str) -> str:
        """Return the text without secrets."""
        if self._known is None:
            self._known = _any_of(self._patterns)
        text = self._known.sub(self._renamed, text)
        for shape in _SHAPES:
            text = shape.pattern.sub(lambda m, s=shape: self._replaced(s, m), text)  # type: ignore[misc]
        text = _IPV4.sub(lambda m: self._address(m[0]), text)
        return _IPV6.sub(lambda m: self._address(m[0]), text)

    def _give(self, value: str, kind: str) -> None:
        made = self._new_name(kind, value)
        anywhere = kind == SECRET and len(value) >= _SHORTEST
        for spelling in _spellings(value, kind):
            if spelling.casefold() not in self._given:
                self._given[spelling.casefold()] = made
                pattern = re.escape(spelling)
                whole = pattern if anywhere else rf"{_BEGIN}{pattern}{_END}"
                self._patterns[spelling] = f"(?i:{whole})"

    def _learn(self, shape: _Shape, value: str) -> None:
        if len(value) < _SHORTEST or self._is_plain(value):
            return
        made = self._named(shape, value)
        for spelling in _spellings(value, shape.kind):
            if spelling not in self._patterns:
                self._learnt[spelling] = made
                self._patterns[spelling] = rf"{_BEGIN}{re.escape(spelling)}{_END}"
        self._known = None

    def _renamed(self, match: re.Match[str]) -> str:
        found = match[0]
        made = self._learnt.get(found) or self._given.get(found.casefold())
        if made is None:  # capitals whose small form has more letters
            alike = (s for s in self._given if re.fullmatch(re.escape(s), found, re.I))
            made = self._given.get(next(alike, ""), SECRET)
        self._used.add(made)
        return made

    def _replaced(self, shape: _Shape, match: re.Match[str]) -> str:
        group = _group(match)
        value = match[group]
        if self._is_plain(value):
            return match[0]
        made = self._named(shape, value)
        self._used.add(made)
        begin = match.start(group) - match.start()
        return match[0][:begin] + made + match[0][begin + len(value) :]

    def _named(self, shape: _Shape, value: str) -> str:
        key = re.sub(r"[:.-]", "", value.lower()) if shape.kind == "mac" else value
        if key not in self._names:
            self._n_made[shape.kind] += 1
            self._keep(key, shape.name(self._n_made[shape.kind]), shape.kind)
        return self._names[key]

    def _new_name(self, kind: str, value: str) -> str:
        for shape in _SHAPES:
            if shape.kind == kind:
                return self._named(shape, value)
        if _is_address(value):
            return self._address(value)
        return self._named(_shape(kind, ""), value)

    def _address(self, value: str) -> str:
        if not _is_address(value) or value in self._made:
            return value
        address = ipaddress.ip_address(value)
        nobodys = address.is_loopback or address.is_multicast or address.is_unspecified
        mask = value.startswith("255.")
        known = any(address in n for n in _DOCUMENTED if n.version == address.version)
        if nobodys or mask or known:
            return value
        if value not in self._names:
            self._n_made["ip"] += 1
            number = self._n_made["ip"]
            is_4 = address.version == 4
            made = _fake_ip(number) if is_4 else f"2001:db8::{number:x}"
            self._keep(value, made, "ip")
        self._used.add(self._names[value])
        return self._names[value]

    def _keep(self, value: str, made: str, kind: str) -> None:
        self._names[value] = made
        self._made[made] = kind

    def _is_plain(self, value: str) -> bool:
        return value in self._made or value.lower() in _SAYS_NOTHING


def _group(match: re.Match[str]) -> str | int:
    """Return the group that holds the secret: of several, the one that matched."""
    return next((g for g, v in match.groupdict().items() if v is not None), 0)


def _any_of(patterns: Mapping[str, str]) -> re.Pattern[str]:
    """Return what finds the longest of all; patterns: what they look for -> pattern."""
    longest_first = sorted(patterns, key=len, reverse=True)
    # Most places begin none of them, which one look at the first character shows.
    first = {c for s in patterns for c in (s[0].lower()[0], s[0].upper()[0])}
    signs = "".join(re.escape(c) for c in sorted(first | _FOLDED))
    found = "|".join(patterns[value] for value in longest_first)
    return re.compile(f"(?=[{signs}])(?:{found})" if found else r"(?!)")


def _spellings(value: str, kind: str) -> tuple[str, ...]:
    """Return how a value may be written.

    A MAC with and without its colons; words as view trees, JSON and addresses do.
    """
    if kind == "mac":
        bare = value.replace(":", "")
        forms = (value, bare, value.replace(":", "-"))
        return tuple(dict.fromkeys(form for s in forms for form in (s, s.upper())))
    marked = html.escape(value)
    found = [
        value,
        html.escape(value, quote=False),
        marked,
        marked.replace("&#x27;", "&apos;"),
        marked.replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        *(unicodedata.normalize(form, value) for form in ("NFC", "NFD")),
    ]
    return tuple(dict.fromkeys(found))


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
