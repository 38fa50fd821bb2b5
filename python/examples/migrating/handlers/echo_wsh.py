def web_socket_do_extra_handshake(request):
    if request.ws_origin not in (None, "http://127.0.0.1:9876"):
        raise ValueError("this origin may not connect")


def web_socket_transfer_data(request):
    while True:
        line = request.ws_stream.receive_message()
        if line is None:
            return
        request.ws_stream.send_message(line, binary=isinstance(line, bytes))
        if line == "Goodbye":
            return
