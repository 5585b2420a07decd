"""Alembic's scripts; `tools.shop.upgrade` runs them, there is no alembic.ini."""
