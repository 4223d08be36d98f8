"""A worker process, `python -m components.embed.worker <descriptor>`, which ends when its pipe closes."""

import signal
import sys
from multiprocessing.connection import Connection

from coachworks.errors import CoachworksError


def main(descriptor: int) -> None:
    """Compute chunks until the pipe closes.

    The pickles in the pipe come from the process that started this one; nothing else can reach the pipe.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the starting process handles Ctrl-C and closes the pipe
    with Connection(descriptor) as pipe:
        try:
            job = pipe.recv()
            from components.embed.work import Work

            if job.policy is not None:
                import cv2

                cv2.setNumThreads(1)
            work = Work(job)
            while True:
                number, photos = pipe.recv()
                pipe.send((number, work.chunk(photos)))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
        except CoachworksError as err:
            pipe.send((-1, err))


if __name__ == "__main__":
    main(int(sys.argv[1]))
