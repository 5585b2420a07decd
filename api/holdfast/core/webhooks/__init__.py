"""Webhooks: who is told of what, which addresses may be called, and how a letter gets there."""
