"""The floor of `web.py`: a FastAPI application without middleware that returns the bytes of a file; port and path."""

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.responses import Response

app = FastAPI()
content = Path(sys.argv[2]).read_bytes()


@app.get("/")
async def page() -> Response:
    return Response(content, media_type="text/html", headers={"Content-Encoding": "gzip"})


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_config=None, access_log=False, server_header=False)
