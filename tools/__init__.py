"""The business: orders, logistics and refunds over one SQL database. Plain async functions, no framework."""
