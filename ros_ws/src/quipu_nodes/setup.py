"""Installs `quipu_nodes` both with pip and, as an ament_python package, with colcon."""

from setuptools import setup

NAME = "quipu_nodes"
PROCESSES = ("recorder", "memory", "witness", "robot", "settlement", "market", "exchange")
EXAMPLES = ("robot", "settlement", "exchange")

setup(
    name=NAME,
    version="0.1.0",
    description="Nodes of a robot's memory, of a fleet's settlement chain, and of its exchange.",
    license="Apache-2.0",
    packages=[NAME],
    package_data={NAME: ["market_dds.xml", "py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/config", [f"config/{each}.yaml" for each in EXAMPLES]),
    ],
    python_requires=">=3.11",
    install_requires=["quipu-ledger"],
    entry_points={
        "console_scripts": [f"{each} = {NAME}.{each}:main" for each in PROCESSES],
        "quipu.observers": [f"ros = {NAME}.observer:RosObserver"],
    },
)
