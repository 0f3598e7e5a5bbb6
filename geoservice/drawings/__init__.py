"""Drawings of sections: one scene in metres for SVG, PNG and DXF."""
