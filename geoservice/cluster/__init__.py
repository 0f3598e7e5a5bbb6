"""The embedded database: one private PostgreSQL cluster in one folder, made, started and kept."""

from geoservice.cluster.cluster import Cluster, ClusterStatus
from geoservice.cluster.configuration import SUPERUSER, ClusterOptions
from geoservice.cluster.databases import admin_sql

__all__ = ["SUPERUSER", "Cluster", "ClusterOptions", "ClusterStatus", "admin_sql"]
