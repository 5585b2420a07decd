"""Checkpointers side by side in one run: `python -m bench.checkpointer`.

Each saver works in a process of its own (`contender`), with the same graph and the same values.
"""
