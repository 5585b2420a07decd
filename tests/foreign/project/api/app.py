from fastapi import FastAPI

from tools.fares import NIGHT

app = FastAPI()


@app.get("/cities")
async def cities() -> list[str]:
    return sorted(NIGHT)
