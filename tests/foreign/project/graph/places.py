from tools.fares import NIGHT


def known(city: str) -> bool:
    return city in NIGHT
