"""Agent to agent (A2A): a run, and those that go on with it, as a task that other agents follow.

What goes in and out is the protocol's JSON, version 1.0, so that nothing here needs the protocol's package:
`routes.a2a_protocol` turns it into what a client speaks. See docs/a2a.md.
"""
