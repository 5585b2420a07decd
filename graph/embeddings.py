"""What embeds the shop's pages, where langgraph.json names it: see docs/knowledge.md."""

from graph.models import connect_embeddings
from graph.settings import Settings

embeddings = connect_embeddings(Settings.read())
