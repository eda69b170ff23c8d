"""Installs `quipu_sim` both with pip and, as an ament_python package, with colcon."""

from setuptools import setup

NAME = "quipu_sim"

setup(
    name=NAME,
    version="0.1.0",
    description="Simulated robots for Quipu: MuJoCo worlds, sensors and recorded episodes.",
    license="Apache-2.0",
    packages=[NAME],
    package_data={NAME: ["fast_dds.xml", "py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    python_requires=">=3.11",
    install_requires=["mcap", "mujoco", "numpy", "rosbags", "ruamel.yaml"],
    # Not "node": pip puts scripts on the path, where that is another program's name.
    entry_points={"console_scripts": [f"simulator = {NAME}.node:main"]},
)
