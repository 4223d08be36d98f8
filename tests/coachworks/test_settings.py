"""What third parties are told before they are imported."""

import os
import subprocess
import sys
from pathlib import Path

from coachworks.settings import QUIET, child_environment

SESSION = """
import onnx, onnxruntime
from onnx import TensorProto, helper
ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "ab"]
graph = helper.make_graph([helper.make_node("Identity", ["a"], ["b"])], "g", ends[:1], ends[1:])
model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)])
onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
"""


def test_onnx_runtime_gathers_nothing_for_telemetry(tmp_path: Path) -> None:
    """It would leave an id of the device and a database of events in the cache folder."""
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    loud = {name: value for name, value in os.environ.items() if name not in QUIET and name != "CI"}
    subprocess.run([sys.executable, "-c", SESSION], env=child_environment(loud | home), check=True)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_user_s_own_setting_wins() -> None:
    assert child_environment({"MPLBACKEND": "TkAgg"})["MPLBACKEND"] == "TkAgg"
