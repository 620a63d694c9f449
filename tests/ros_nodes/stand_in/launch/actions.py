"""The actions that this project's launch files and tests use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from launch.action import Action
from launch.conditions import IfCondition, truth
from launch.context import LaunchContext, say
from launch.events.process import ShutdownProcess
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.process import OnExit, Process
from launch.substitutions import Text, performed


class DeclareLaunchArgument(Action):
    """An argument; without a default it must be given."""

    def __init__(self, name: str, *, default_value: Text | None = None, description: str) -> None:
        super().__init__()
        self.name = name
        self.default_value = default_value
        self.description = description

    def execute(self, context: LaunchContext) -> None:
        """See Action; raises RuntimeError where a value is needed."""
        if self.name in context.launch_configurations:
            return
        if self.default_value is None:
            raise RuntimeError(f"Required launch argument '{self.name}' was not provided.")
        context.launch_configurations[self.name] = performed(self.default_value, context)


class OpaqueFunction(Action):
    """What a function says once the arguments are known."""

    def __init__(self, *, function: Callable[[LaunchContext], Iterable[Action] | None]) -> None:
        super().__init__()
        self._function = function

    def execute(self, context: LaunchContext) -> Iterable[Action] | None:
        """See Action."""
        return self._function(context)


class IncludeLaunchDescription(Action):
    """What another launch file says, with arguments; they stay set after it, as in `launch`."""

    def __init__(
        self, source: PythonLaunchDescriptionSource, *, launch_arguments: Iterable[tuple[str, Text]] = ()
    ) -> None:
        super().__init__()
        self._source = source
        self._arguments = list(launch_arguments)

    def execute(self, context: LaunchContext) -> Iterable[Action]:
        """See Action."""
        for name, value in self._arguments:
            context.launch_configurations[name] = performed(value, context)
        return self._source.read().entities


class LogInfo(Action):
    """A line of the log."""

    def __init__(self, *, msg: Text) -> None:
        super().__init__()
        self._msg = msg

    def execute(self, context: LaunchContext) -> None:
        """See Action."""
        say("launch.user", performed(self._msg, context))


class Shutdown(Action):
    """The end of the launch."""

    def __init__(self, *, reason: str = "reason not given") -> None:
        super().__init__()

    def execute(self, context: LaunchContext) -> None:
        """See Action."""
        context.shut_down(due_to_sigint=False)


class EmitEvent(Action):
    """An event: the end of a process."""

    def __init__(self, *, event: ShutdownProcess) -> None:
        super().__init__()
        if not isinstance(event, ShutdownProcess):
            raise TypeError(f"the stand-in knows no event {event!r}")
        self._event = event

    def execute(self, context: LaunchContext) -> None:
        """See Action."""
        for process in context.processes:
            if self._event.process_matcher(process.action):
                process.shut_down(send_sigint=True)


class ExecuteProcess(Action):
    """A process, which may be started again when it ended."""

    def __init__(
        self,
        *,
        cmd: Sequence[Text],
        output: str,
        additional_env: Mapping[str, str] | None = None,
        on_exit: OnExit = None,
        respawn: bool | Text = False,
        respawn_delay: float = 0.0,
        condition: IfCondition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        if output != "screen":
            raise ValueError(f"the stand-in shows all output: output={output!r}")
        self._cmd = cmd
        self._additional_env = dict(additional_env or {})
        self._on_exit = on_exit
        self._respawn = respawn
        self._respawn_delay_s = respawn_delay

    def command(self, context: LaunchContext) -> list[str]:
        """Its words."""
        return [performed(word, context) for word in self._cmd]

    def execute(self, context: LaunchContext) -> None:
        """See Action."""
        respawn = self._respawn if isinstance(self._respawn, bool) else truth(performed(self._respawn, context))
        context.start(
            Process(
                action=self,
                command=self.command(context),
                environment=context.environment | self._additional_env,
                on_exit=self._on_exit,
                respawn=respawn,
                respawn_delay_s=self._respawn_delay_s,
            )
        )
