from __future__ import annotations

from quipu_sim.bursts import Bursts
from quipu_sim.contract import read_contract
from quipu_sim.simulation import Setting, Simulation


def test_robots_come_one_after_the_other_and_each_in_its_own_order() -> None:
    straight: list[tuple[int, bytes]] = []
    held: list[tuple[int, bytes]] = []
    simulation = Simulation(
        Setting(("r1", "r2", "r3"), seed=7),
        read_contract(),
        lambda channel, data: straight.append((channel, bytes(data))),
    )
    channels = simulation.channels
    bursts = Bursts(channels, lambda channel, data: held.append((channel, data)))
    for _ in range(5):
        simulation.tick()
    for channel, data in straight:
        bursts.send(channel, bytearray(data))
    assert held == []
    bursts.release()
    clock = next(number for number, channel in enumerate(channels) if channel.name == "/clock")
    told = [data for channel, data in held if channel == clock]
    assert held[0] == (clock, told[-1])
    assert told == [data for channel, data in straight if channel == clock][-1:]
    robots = [channels[channel].robot for channel, _ in held]
    assert robots == sorted(robots), "the world, then robot by robot"
    for robot in ("", "r1", "r2", "r3"):
        mine = [
            message
            for message in straight
            if channels[message[0]].robot == robot and message[0] != clock
        ]
        assert mine
        assert [m for m in held if channels[m[0]].robot == robot and m[0] != clock] == mine
    held.clear()
    bursts.release()
    assert held == [], "nothing is sent twice"


def test_what_is_held_does_not_change_with_the_buffer() -> None:
    simulation = Simulation(Setting(("r1",)), read_contract(), lambda channel, data: None)
    sent: list[bytes] = []
    bursts = Bursts(simulation.channels, lambda channel, data: sent.append(data))
    buffer = bytearray(b"before")
    for channel in range(len(simulation.channels)):
        bursts.send(channel, buffer)
    buffer[:] = b"after!"
    bursts.release()
    assert set(sent) == {b"before"}
