"""A fleet on one machine: one YAML file, what it starts, and how it is kept running.

``config`` reads ``fleet.yaml``, ``plan`` says which processes it means, ``preparation``
makes homes, keys and the policy, ``supervisor`` keeps the processes running. The launch
files of ``quipu_bringup`` and ``quipu fleet`` both go through ``plan``. ``board`` is what
`quipu watch` shows. Nothing here imports ROS.
"""
