"""One of several processes that train together, started by torchrun: `-m components.train.fine_tune.worker FOLDER`."""

import os
import sys
from pathlib import Path

from components.train.fine_tune.job import train_job


def main(folder: Path) -> None:
    """Join the process group that torchrun describes in the environment, and train the job in `folder`."""
    import torch
    import torch.distributed as dist

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        train_job(folder)
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
