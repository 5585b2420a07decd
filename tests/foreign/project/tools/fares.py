"""What a night costs, to the cent."""

import os
from decimal import Decimal

NIGHT = {"Lisbon": Decimal("80.10"), "Oslo": Decimal("140.20")}


def fare(city: str, nights: int) -> tuple[Decimal, str]:
    return NIGHT[city] * nights, os.environ["CURRENCY"]
