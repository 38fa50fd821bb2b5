"""uvicorn fastapi_app:app --ws tidewire.asgi:WebSocketProtocol"""

from typing import Annotated

from fastapi import Depends, FastAPI, WebSocket, WebSocketDisconnect, WebSocketException

PAGES = {None, "http://127.0.0.1:9876", "https://app.example.org"}


def own_page(websocket: WebSocket) -> None:
    if websocket.headers.get("origin") not in PAGES:
        raise WebSocketException(1008)


app = FastAPI()


@app.websocket("/live")
async def live(websocket: WebSocket, _: Annotated[None, Depends(own_page)]) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text("you said " + await websocket.receive_text())
    except WebSocketDisconnect:
        pass
