"""Holdfast beside `langgraph dev`, measured in one run on the same graphs: `python -m bench`."""
