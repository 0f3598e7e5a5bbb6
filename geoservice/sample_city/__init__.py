"""A made-up but lifelike Shenzhen, written in the file formats that offices really exchange."""

from geoservice.sample_city.manifest import Instants, Manifest, ManifestFile, read_manifest
from geoservice.sample_city.usage import Facility, Observation, observations_at, read_facilities
from geoservice.sample_city.write import write_sample_city

__all__ = [
    "Facility",
    "Instants",
    "Manifest",
    "ManifestFile",
    "Observation",
    "observations_at",
    "read_facilities",
    "read_manifest",
    "write_sample_city",
]
