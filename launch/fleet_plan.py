"""Asks `quipu fleet init` what a fleet needs, for the launch files beside this one.

The plan is made where `quipu` is installed, which need not be the Python that runs
`ros2 launch`; so it is asked as a command.
"""

import json
import shutil
import subprocess


def ask_quipu(config, directory="", *options):
    """Have homes, keys and policy made; what has to run. Raises RuntimeError."""
    quipu = shutil.which("quipu")
    if quipu is None:
        raise RuntimeError(
            "quipu is not on PATH: run ros2 launch with script/ros, or activate its environment"
        )
    command = [quipu, "fleet", "init", config, "--json", *options]
    if directory:
        command += ["--directory", directory]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"quipu fleet init ended with {done.returncode}") from None
    if not answer["ok"]:
        raise RuntimeError(answer["error"]["message"])
    return answer
