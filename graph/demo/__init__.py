"""The offline model: an OpenAI-compatible server on a loopback port, with a scripted understanding of a shop.

It answers from nothing but the messages and tools it is sent, in Chinese and English, so that everything
between the customer and the model runs for real without a key and without a network.
"""

from graph.demo.app import MODEL
from graph.demo.script import (
    Long,
    Loop,
    Malformed,
    Raw,
    Reset,
    Say,
    Script,
    ScriptedCall,
    Stall,
    Status,
    Step,
)
from graph.demo.server import DemoModel, demo_base_url

__all__ = [
    "MODEL",
    "DemoModel",
    "Long",
    "Loop",
    "Malformed",
    "Raw",
    "Reset",
    "Say",
    "Script",
    "ScriptedCall",
    "Stall",
    "Status",
    "Step",
    "demo_base_url",
]
