"""Turn a view tree into what adb gives: uiautomator XML, pixels, PNG."""

import io
from functools import lru_cache
from xml.etree import ElementTree as ET

from PIL import Image, ImageDraw, ImageFont

from testbed.virtual.phone.screens import HEIGHT, WIDTH, Node

_PAPER, _INK, _BUTTON, _BUTTON_INK = "#f4f5f7", "#1b1f24", "#2f6fb3", "#ffffff"


def dump_xml(tree: Node) -> bytes:
    """Return the tree as `uiautomator dump` writes it, in UTF-8."""
    hierarchy = ET.Element("hierarchy", rotation="0")
    _add(hierarchy, tree, 0)
    head = b"<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>"
    body: bytes = ET.tostring(hierarchy, encoding="utf-8")
    return head + body


def _add(parent: ET.Element, node: Node, index: int) -> None:
    left, top, right, bottom = node.bounds
    clickable = "true" if node.clickable else "false"
    attributes = {
        "index": str(index),
        "text": node.text,
        "resource-id": node.resource_id,
        "class": node.kind,
        "package": node.package,
        "content-desc": node.description,
        "checkable": "false",
        "checked": "false",
        "clickable": clickable,
        "enabled": "true",
        "focusable": clickable,
        "focused": "false",
        "scrollable": "false",
        "long-clickable": "false",
        "password": "false",
        "selected": "false",
        "bounds": f"[{left},{top}][{right},{bottom}]",
    }
    element = ET.SubElement(parent, "node", attributes)
    for number, child in enumerate(node.children):
        _add(element, child, number)


def pixels(tree: Node) -> bytes:
    """Return the screen as raw RGBA, WIDTH x HEIGHT x 4 bytes."""
    return _draw(tree).convert("RGBA").tobytes()


def png(tree: Node) -> bytes:
    """Return the screen as a PNG file."""
    file = io.BytesIO()
    _draw(tree).save(file, format="PNG", compress_level=1)
    return file.getvalue()


@lru_cache(maxsize=16)
def _draw(tree: Node) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(34)
    for node in tree.walk():
        left, top, right, bottom = node.bounds
        middle = (top + bottom) // 2
        if node.clickable:
            draw.rounded_rectangle(node.bounds, radius=18, fill=_BUTTON)
            spot, anchor, ink = ((left + right) // 2, middle), "mm", _BUTTON_INK
        else:
            spot, anchor, ink = (left, middle), "lm", _INK
        draw.text(spot, node.text, fill=ink, font=font, anchor=anchor)
    return image
