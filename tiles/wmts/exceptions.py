"""Errors as OGC services say them (OWS Common 1.1, clause 8)."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from tiles.wmts.xml import add, qualified, written


def exception_report(code: str, text: str, locator: str | None = None) -> bytes:
    """An ``ows:ExceptionReport`` of one exception, as UTF-8.

    Args:
        code: Such as ``InvalidParameterValue``.
        text: What is wrong, for a person.
        locator: The parameter that is meant.
    """
    root = ET.Element(
        qualified("ows:ExceptionReport"), {"version": "1.1.0", qualified("xml:lang"): "en"}
    )
    named = {"exceptionCode": code} | ({"locator": locator} if locator else {})
    add(add(root, "ows:Exception", attributes=named), "ows:ExceptionText", text)
    return written(root)
