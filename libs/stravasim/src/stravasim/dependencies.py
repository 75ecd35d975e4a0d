"""What routes depend on: the simulator of their application."""

from typing import Annotated

from fastapi import Depends, Request

from stravasim.simulator import Simulator


def get_simulator(request: Request) -> Simulator:
    """The simulator that `create_app` put into the application."""
    simulator: Simulator = request.app.state.simulator
    return simulator


SimulatorDep = Annotated[Simulator, Depends(get_simulator)]
