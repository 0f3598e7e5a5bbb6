"""Elements of WMTS and OWS documents, by their usual prefixes."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

WMTS_NAMESPACE = "http://www.opengis.net/wmts/1.0"
NAMESPACES = {
    "ows": "http://www.opengis.net/ows/1.1",
    "xlink": "http://www.w3.org/1999/xlink",
    "xml": "http://www.w3.org/XML/1998/namespace",
}

_NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no document of XML 1.0 may hold, not even escaped."""


def qualified(name: str) -> str:
    """``ows:Title`` as ElementTree spells it; a name without a prefix stays as it is.

    Names of WMTS stand without a prefix, below a root that says so: there are clients that look for
    ``Layer`` and know no prefix. The standard library writes no default namespace where there are
    attributes of no namespace, so the root carries it as an attribute.
    """
    prefix, _, local = name.rpartition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}" if prefix else local


def add(
    parent: ET.Element, name: str, text: object = None, attributes: dict[str, str] | None = None
) -> ET.Element:
    """A new last child."""
    named = {qualified(key): _storable(value) for key, value in (attributes or {}).items()}
    child = ET.SubElement(parent, qualified(name), named)
    if text is not None:
        child.text = _storable(str(text))
    return child


def written(root: ET.Element) -> bytes:
    """The document as UTF-8, with the usual prefixes."""
    for prefix in ("ows", "xlink"):
        ET.register_namespace(prefix, NAMESPACES[prefix])
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _storable(text: str) -> str:
    return _NO_CHARACTER.sub("\ufffd", text)
