"""Everything that knows a Redis key or a script."""
