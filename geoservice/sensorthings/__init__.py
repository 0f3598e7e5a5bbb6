"""Observed features in the words of OGC SensorThings API 1.1 (OGC 18-088): a part that is read."""
