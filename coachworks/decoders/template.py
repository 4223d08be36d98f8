"""The template process: import what decoding needs once, then fork a decoder for each socket that the program sends.

A fork takes milliseconds, and shares the memory of the imports. The template has one thread, no socket of the program
but the one for its commands, and never sees a file. It ends when the program ends in any way, and its decoders with it.
"""

import gc
import importlib
import io
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial

from coachworks.decoders.messages import COMMAND, REPLY, Command, EndedError, receive, send
from coachworks.decoders.worker import Function, Limits, prevent_new_rights, serve

_PLUGINS = ("Bmp", "Gif", "Jpeg", "Mpo", "Png", "Tiff", "WebP")


def main() -> None:
    """Serve the commands at the socket whose descriptor is the first argument.

    The further arguments: the function as `module:name`, and its keyword arguments as JSON.
    """
    control = socket.socket(fileno=int(sys.argv[1]))
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to a whole group; the program ends its decoders itself
        signal.signal(number, signal.SIG_IGN)
    prevent_new_rights()
    module, _, name = sys.argv[2].partition(":")
    function = partial(getattr(importlib.import_module(module), name), **json.loads(sys.argv[3]))
    _preload()
    gc.collect()
    gc.freeze()  # the collector would write to every page that the decoders share
    while True:
        try:
            _obey(control, function)
        except EndedError:
            return


def _preload() -> None:
    """Import what the first photo of each format would import: a decoder cannot open files."""
    from PIL import Image

    for plugin in _PLUGINS:
        importlib.import_module(f"PIL.{plugin}ImagePlugin")
    datetime.strptime("2024:05:01", "%Y:%m:%d")  # imports `_strptime`
    exif = Image.Exif()
    exif[0x0112] = 1
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"):
        file = io.BytesIO()
        options = {} if kind in {"BMP", "GIF"} else {"exif": exif}
        Image.new("RGB", (8, 8)).save(file, kind, **options)
        with Image.open(file) as image:
            image.getexif()
            image.load()


def _obey(control: socket.socket, function: Function) -> None:
    message, descriptors, _, _ = socket.recv_fds(control, COMMAND.size, 1)
    if not message:
        raise EndedError
    message += receive(control, COMMAND.size - len(message))
    kind, number, cpu_s, niceness, size = COMMAND.unpack(message)
    options = json.loads(receive(control, size) or b"{}")
    if kind == Command.FORK:
        [descriptor] = descriptors
        reply = _fork(control, descriptor, partial(function, **options), Limits(number, cpu_s, niceness))
        os.close(descriptor)
    else:
        reply = _end(number)
    send(control, REPLY.pack(reply))


def _fork(control: socket.socket, descriptor: int, function: Function, limits: Limits) -> int:
    """Return the process id of a new decoder; 0 if the system starts none."""
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError as err:
        print(f"no decoder process can be started: {err}", file=sys.stderr, flush=True)  # noqa: T201
        return 0
    if pid == 0:
        _run_and_exit(lambda: serve(descriptor, function, limits, parent), control)
    return pid


def _run_and_exit(run: Callable[[], None], control: socket.socket) -> None:
    status = 1
    try:
        control.close()
        run()
        status = 0
    except EndedError:
        status = 0
    except Exception as err:
        print(f"a decoder process has failed: {err!r}", file=sys.stderr, flush=True)  # noqa: T201
    finally:
        os._exit(status)


def _end(pid: int) -> int:
    """Kill a child and return its exit status, negative for a signal; that of its own end if it had ended."""
    try:
        os.kill(pid, signal.SIGKILL)  # a child that has ended keeps its id and its status until it is waited for
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except (ProcessLookupError, ChildProcessError):
        return 0


if __name__ == "__main__":
    main()
