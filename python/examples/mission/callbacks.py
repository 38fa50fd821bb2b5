from contextlib import suppress
from pathlib import Path
from typing import Any, Union

import tidewire
from tidewire.sync import serve


class Talk(tidewire.Handler):
    def on_open(self, page: Any) -> None:
        page.send("Type something.")

    def on_message(self, page: Any, text: Union[str, bytes, memoryview]) -> None:
        page.send("Hello, " + str(text) + "!")


with suppress(KeyboardInterrupt), serve(Talk, "", 9876, static=Path(__file__).with_name("web")) as server:
    server.serve_forever()
