"""What a request means."""
