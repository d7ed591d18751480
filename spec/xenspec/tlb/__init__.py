"""Translation caches: what it means to fill, drop and flush translations."""
