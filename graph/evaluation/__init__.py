"""How well a model does the agent's work: ten scripted customers talk to the real graph, and a card says who
was served. Judges any model the agent can be configured with, the demo model included.
"""

from graph.evaluation.conversations import hold_conversations
from graph.evaluation.customers import CUSTOMERS, Customer, Need, Turn
from graph.evaluation.scoring import CRITERIA, Score, judge

__all__ = ["CRITERIA", "CUSTOMERS", "Customer", "Need", "Score", "Turn", "hold_conversations", "judge"]
