"""Batch scoring that can be left alone: jobs that publish whole results or none, guards, sinks, drift, monitoring."""
